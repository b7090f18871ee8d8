"""Force errors by element as bars: which kind of atom is hard to learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.theme import UNIT, theme

__all__ = ["ElementBar", "ElementBars"]

ROW = 5 * UNIT
SYMBOL_WIDTH = 5 * UNIT
VALUE_WIDTH = 14 * UNIT


class ElementBar(NamedTuple):
    """Symbol, errors in meV/Å (None where not known), remark."""

    symbol: str
    validation: float | None
    training: float | None = None
    note: str = ""


class ElementBars(QWidget):
    """A thick bar for validation, a thin one below it for training."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[ElementBar, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)

    def show_(self, rows: Sequence[ElementBar]) -> None:
        """Draw rows."""
        if tuple(rows) == self.rows:
            return
        self.rows = tuple(rows)
        words = [
            f"{row.symbol} {row.validation:.3g} meV/Å" for row in rows if row.validation is not None
        ]
        self.setAccessibleName("Force errors by element: " + ", ".join(words))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Be as high as the rows."""
        return QSize(320, max(ROW, ROW * len(self.rows)))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        known = [v for row in self.rows for v in (row.validation, row.training) if v is not None]
        longest = max(known, default=1.0) or 1.0
        for number, row in enumerate(self.rows):
            self._draw_row(painter, ROW * number, row, longest)

    def _draw_row(self, painter: QPainter, top: float, row: ElementBar, longest: float) -> None:
        colours = theme()
        room = max(UNIT, self.width() - SYMBOL_WIDTH - VALUE_WIDTH)
        painter.setPen(colours.colour("text"))
        painter.setFont(colours.font(11, bold=True))
        side = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(0, top, SYMBOL_WIDTH, ROW), side, row.symbol)
        painter.setPen(Qt.PenStyle.NoPen)
        bars = ((row.validation, "curve2", 10, 12), (row.training, "curve1", 23, 5))
        for value, token, offset, height in bars:
            if value is None:
                continue
            painter.setBrush(colours.colour(token))
            width = max(2.0, room * value / longest)
            painter.drawRoundedRect(QRectF(SYMBOL_WIDTH, top + offset, width, height), 2, 2)
        if row.validation is not None:
            end = SYMBOL_WIDTH + room * max(row.validation, row.training or 0.0) / longest + UNIT
            painter.setPen(colours.colour("muted"))
            painter.setFont(colours.font(10))
            text = f"{row.validation:.3g} meV/Å"
            painter.drawText(QRectF(end, top, VALUE_WIDTH, ROW), side, text)


def _demo() -> QWidget:
    made = ElementBars()
    made.show_(
        [ElementBar("H", 22.0, 20.0), ElementBar("C", 44.0, 40.0), ElementBar("O", 36.0, 33.0)]
    )
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 480, 130)
