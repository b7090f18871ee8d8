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
