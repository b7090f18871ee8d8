"""Spin boxes whose numbers keep a distance from the edge; a styled one loses its padding."""

from __future__ import annotations

from PySide6.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QSpinBox, QWidget

__all__ = ["DoubleSpinBox", "SpinBox"]

MARGIN = 8


class SpinBox(QSpinBox):
    """For whole numbers."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        _set_up(self)


class DoubleSpinBox(QDoubleSpinBox):
    """For numbers."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        _set_up(self)


def _set_up(box: QAbstractSpinBox) -> None:
    box.lineEdit().setTextMargins(MARGIN, 0, 0, 0)
    box.setCorrectionMode(QAbstractSpinBox.CorrectionMode.CorrectToNearestValue)
    box.setKeyboardTracking(False)


def _demo() -> QWidget:
    from gui.demo import column

    frames, temperature = SpinBox(), DoubleSpinBox()
    frames.setRange(0, 360)
    frames.setValue(288)
    temperature.setRange(0, 3000)
    temperature.setSuffix(" K")
    temperature.setValue(300.0)
    return column(frames, temperature)


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 240, 140)
