"""Names of curves, each after a short line in its colour."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.theme import theme

__all__ = ["Legend"]

LINE, GAP, SPACE = 14, 5, 12


class Legend(QWidget):
    """One row; names that do not fit are left out from the end."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: list[tuple[str, str]] = []
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)

    def setEntries(self, entries: dict[str, str]) -> None:
        """Show names with their colours' tokens."""
        self._entries = list(entries.items())
        self.setAccessibleName("Curves: " + ", ".join(entries))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Ask for room for all names."""
        metrics = self.fontMetrics()
        width = sum(self._width(name) for name, _ in self._entries)
        return QSize(width, metrics.height() + 2)

    def minimumSizeHint(self) -> QSize:
        """Be content with nothing."""
        return QSize(0, self.sizeHint().height())

    def paintEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        """Draw what fits."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        x, middle = 0, self.height() / 2
        for name, token in self._entries:
            width = self._width(name)
            if x + width - SPACE > self.width():
                break
            painter.setPen(QPen(theme().colour(token), 2.5, c=Qt.PenCapStyle.RoundCap))
            painter.drawLine(x + 1, round(middle), x + LINE - 1, round(middle))
            painter.setPen(theme().colour("muted"))
            text = QRectF(x + LINE + GAP, 0, width, self.height())
            painter.drawText(text, Qt.AlignmentFlag.AlignVCenter, name)
            x += width

    def _width(self, name: str) -> int:
        return LINE + GAP + self.fontMetrics().horizontalAdvance(name) + SPACE


def _demo() -> QWidget:
    from gui.demo import column

    legend = Legend()
    legend.setEntries({"train": "curve1", "valid": "curve2", "test": "curve3"})
    return column(legend)


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 320, 80)
