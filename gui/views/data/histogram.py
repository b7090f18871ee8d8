"""A histogram to look at and to pick from: by mouse (click, drag) and by keys."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.core.histograms import Histogram
from gui.theme import theme

__all__ = ["HistogramView"]

MARGIN = 8
LEAST_BAR = 2.0  # px; a single frame among thousands must be seen
Bins = tuple[int, int]


class HistogramView(QWidget):
    """Bars of all values, in front of them those of the frames that are shown.

    Signals
    -------
    picked
        First and last bin; (-1, -1) when the choice was undone.
    """

    picked = Signal(int, int)

    def __init__(self, histogram: Histogram, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._histogram = histogram
        self._part: NDArray[np.int64] | None = None
        self._bins: Bins | None = None
        self._hovered: int | None = None
        self._anchor: int | None = None
        self._dragged: Bins | None = None
        self._cursor: Bins | None = None
        self._is_log = False
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(f"Histogram: {histogram.quantity.title}")
        theme().changed.connect(self._adapt)
        self._adapt()
        self.setToolTip("Click or drag to show these frames only; Esc shows all")

    def histogram(self) -> Histogram:
        """Return what is shown."""
        return self._histogram

    def setHistogram(self, histogram: Histogram) -> None:
        """Show another one."""
        self._histogram = histogram
        self._part = self._bins = self._cursor = self._hovered = None
        self.update()

    def setPart(self, counts: NDArray[np.int64] | None) -> None:
        """Show counts of a part of the frames in front; None: of all."""
        self._part = counts
        self.update()

    def setPicked(self, bins: Bins | None) -> None:
        """Mark the bins that are picked."""
        self._bins = bins
        self.setAccessibleDescription("" if bins is None else self._histogram.range_text(*bins))
        self.update()

    def setLog(self, is_log: bool) -> None:
        """Draw the logarithm of counts, in which single frames stand out."""
        self._is_log = is_log
        self.update()

    def sizeHint(self) -> QSize:
        """Return a comfortable size."""
        return QSize(200, 120)

    def minimumSizeHint(self) -> QSize:
        """Return the least size that can be read."""
        return QSize(112, 72)

    def _adapt(self) -> None:
        """Take colours and size of text from the theme."""
        self._letters = theme().font(9)
        self.update()

    # --- geometry

    def _plot(self) -> QRectF:
        line = QFontMetrics(self._letters).height()
        return QRectF(self.rect()).adjusted(MARGIN, line + 8, -MARGIN, -line - 6)

    def _bin_at(self, x: float) -> int:
        plot, n = self._plot(), len(self._histogram.counts)
        return min(max(int((x - plot.left()) / max(plot.width(), 1.0) * n), 0), n - 1)

    def _bar(self, number: int, count: float) -> QRectF:
        plot, counts = self._plot(), self._histogram.counts
        width = plot.width() / len(counts)
        top = self._scaled(float(counts.max()))
        height = max(LEAST_BAR, plot.height() * self._scaled(count) / top) if count else 0.0
        gap = 1.0 if width > 4.0 else 0.0
        return QRectF(
            plot.left() + number * width, plot.bottom() - height, max(width - gap, 1.0), height
        )

    def _scaled(self, count: float) -> float:
        return float(np.log1p(count)) if self._is_log else count

    # --- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw title, bars and ends of the axis."""
        painter = QPainter(self)
        painter.setFont(self._letters)
        self._paint_picked(painter)
        accent, faint = theme().colour("accent"), theme().colour("accent", 0.28)
        part = self._histogram.counts if self._part is None else self._part
        for number, (count, shown) in enumerate(zip(self._histogram.counts, part)):
            if self._part is not None and count:
                painter.fillRect(self._bar(number, float(count)), faint)
            if shown:
                painter.fillRect(self._bar(number, float(shown)), accent)
        self._paint_axis(painter)
        self._paint_words(painter)
        if self.hasFocus():
            painter.setPen(QPen(accent, 1.0))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)

    def _paint_picked(self, painter: QPainter) -> None:
        bins = self._dragged or self._bins or self._cursor
        if bins is not None:
            first, last = self._bar(bins[0], 0.0), self._bar(bins[1], 0.0)
            plot = self._plot()
            band = theme().colour("text", 0.10 if self._bins or self._dragged else 0.06)
            painter.fillRect(
                QRectF(
                    first.left() - 1, plot.top(), last.right() - first.left() + 2, plot.height()
                ),
                band,
            )

    def _paint_axis(self, painter: QPainter) -> None:
        plot = self._plot()
        painter.setPen(QPen(theme().colour("border_strong"), 1.0))
        painter.drawLine(QPointF(plot.left(), plot.bottom()), QPointF(plot.right(), plot.bottom()))

    def _paint_words(self, painter: QPainter) -> None:
        plot, metrics = self._plot(), QFontMetrics(self._letters)
        head = QRectF(plot.left(), 4, plot.width(), metrics.height())
        foot = QRectF(2, plot.bottom() + 3, self.width() - 4, metrics.height())
        left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
        said = self._said()
        if metrics.horizontalAdvance(said) > head.width():
            said = said.removesuffix(self._histogram.quantity.unit)
        room = head.width() - metrics.horizontalAdvance(said) - 8
        fits = (name for name in self._names() if metrics.horizontalAdvance(name) <= room)
        painter.setPen(theme().colour("text"))
        painter.drawText(head, left, next(fits, ""))
        painter.setPen(theme().colour("muted"))
        painter.drawText(head, right, said)
        low, high = self._ends(metrics, foot.width() - 4)
        painter.drawText(foot, left, low)
        painter.drawText(foot, right, high)

    def _names(self) -> tuple[str, ...]:
        """Return the title, longest first."""
        quantity = self._histogram.quantity
        return (f"{quantity.title} ({quantity.unit})", quantity.title)[not quantity.unit :]

    def _ends(self, metrics: QFontMetrics, room: float) -> tuple[str, str]:
        """Return the ends of the axis, with as many digits as tell them apart and fit."""
        edges = self._histogram.edges
        low, high = float(edges[0]), float(edges[-1])
        if not self._histogram.quantity.unit:  # whole numbers, in the middle of bins
            return f"{np.ceil(low):.0f}", f"{np.floor(high):.0f}"
        most = min(6, max(0, 1 - int(np.floor(np.log10(max(high - low, 1e-12))))))
        for digits in range(most, -1, -1):
            first, last = (f"{end:.{digits}f}".replace("-", "\u2212") for end in (low, high))
            if first != last and metrics.horizontalAdvance(first + last) <= room:
                return first, last
        return "", last

    def _said(self) -> str:
        """Return what stands at the right of the title: what is under the pointer, or what is picked."""
        number = self._hovered
        if self._dragged is not None:
            return self._histogram.range_text(*self._dragged)
        if number is not None:
            count = int(self._histogram.counts[number])
            return f"{self._histogram.range_text(number, number)}: {count:,}"
        if self._bins is not None:
            return self._histogram.range_text(*self._bins)
        return ""

    # --- mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a choice."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._anchor = self._bin_at(event.position().x())
            self._dragged = (self._anchor, self._anchor)
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say what is under the pointer, or widen the choice."""
        number = self._bin_at(event.position().x())
        self._hovered = number
        if self._anchor is not None:
            self._dragged = (min(self._anchor, number), max(self._anchor, number))
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Pick; the bins that are picked already are let go."""
        if event.button() == Qt.MouseButton.LeftButton and self._dragged is not None:
            bins, self._dragged, self._anchor = self._dragged, None, None
            self._pick(None if bins == self._bins else bins)

    def leaveEvent(self, event: QEvent) -> None:
        """Forget the pointer."""
        self._hovered = None
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move by arrows, widen with Shift, pick with Enter or Space, undo with Esc."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        key = Qt.Key(event.key())
        if key in steps:
            self._move(steps[key], bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._cursor:
            self._pick(None if self._cursor == self._bins else self._cursor)
        elif key == Qt.Key.Key_Escape and self._bins is not None:
            self._pick(None)
        else:
            super().keyPressEvent(event)

    def _move(self, step: int, is_widened: bool) -> None:
        last = len(self._histogram.counts) - 1
        first, end = self._cursor or self._bins or ((-1, -1) if step > 0 else (last + 1, last + 1))
        end = min(max(end + step, 0), last)
        self._cursor = (min(first, end), end) if is_widened and first <= end else (end, end)
        self._hovered = end
        self.setAccessibleDescription(self._said())
        self.update()

    def _pick(self, bins: Bins | None) -> None:
        self.setPicked(bins)
        self.picked.emit(*(bins or (-1, -1)))


def _demo() -> QWidget:
    from gui.demo.datasets import demo_dataset

    dataset = demo_dataset(2000)
    view = HistogramView(dataset.histograms["force_norms"])
    view.setPart(dataset.counts_of("force_norms", dataset.within("force_norms", 10, 20)))
    view.setPicked((10, 20))
    return view


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 420, 240)
