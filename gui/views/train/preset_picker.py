"""Tiles of which one is chosen: what a training begins with."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QGridLayout, QSizePolicy, QWidget

from gui.theme import UNIT, theme
from gui.viewmodels.training_setup import PRESETS
from gui.views.common.icons import pixmap

__all__ = ["PresetPicker"]

TILE_WIDTH = 128
TILE_HEIGHT = 60


class _Tile(QAbstractButton):
    """Two lines of text; a mark and a coloured edge where it is chosen."""

    def __init__(self, key: str, title: str, note: str) -> None:
        super().__init__()
        self.key, self.note = key, note
        self.setText(title)
        self.setAccessibleName(f"Preset {title}, {note}")
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Be as wide as the longer line."""
        wide = max(self.fontMetrics().horizontalAdvance(t) for t in (self.text(), self.note))
        return QSize(max(TILE_WIDTH, wide + 5 * UNIT), TILE_HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """Do not get narrower."""
        return QSize(TILE_WIDTH, TILE_HEIGHT)

    def enterEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        """Look as if it could be pressed."""
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        """Look as before."""
        super().leaveEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw."""
        colours, chosen = theme(), self.isChecked()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        fill = "accent_soft" if chosen else "hover" if self.underMouse() else "surface"
        edge = "accent" if chosen or self.hasFocus() else "border_strong"
        painter.setBrush(colours.colour(fill))
        painter.setPen(QPen(colours.colour(edge), 1.5 if chosen else 1.0))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 8, 8)
        left, width = int(1.5 * UNIT), self.width() - 3 * UNIT
        painter.setFont(colours.font(10, bold=True))
        painter.setPen(colours.colour("accent" if chosen else "text"))
        painter.drawText(QRectF(left, 9, width, 20), Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.setFont(colours.font(9))
        painter.setPen(colours.colour("muted"))
        painter.drawText(QRectF(left, 31, width, 18), Qt.AlignmentFlag.AlignVCenter, self.note)
        if chosen:
            painter.drawPixmap(self.width() - 24, 11, pixmap("check", "accent", 14))


class PresetPicker(QWidget):
    """The presets side by side, in rows where there is less room; arrow keys go from one to the next.

    Signals
    -------
    chosen
        Name of the preset.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(UNIT)
        self._group = QButtonGroup(self)
        self._tiles = [_Tile(key, *words) for key, words in PRESETS.items()]
        for tile in self._tiles:
            self._group.addButton(tile)
            tile.clicked.connect(self._on_clicked)
        self._n_columns = 0
        self._arrange(3)

    def value(self) -> str:
        """Return the name of the preset that is chosen."""
        return next((tile.key for tile in self._tiles if tile.isChecked()), "")

    def setValue(self, name: str) -> None:
        """Choose without telling."""
        for tile in self._tiles:
            if tile.key == name:
                tile.setChecked(True)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Use the width."""
        super().resizeEvent(event)
        width = event.size().width()
        need = max(tile.sizeHint().width() for tile in self._tiles) + UNIT
        self._arrange(5 if width >= 5 * need else 3)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go on to the next tile."""
        step = {Qt.Key.Key_Right: 1, Qt.Key.Key_Left: -1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        keys = list(PRESETS)
        tile = self._tiles[(keys.index(self.value()) + step) % len(keys)]
        tile.setFocus()
        tile.click()

    def _arrange(self, n_columns: int) -> None:
        if n_columns == self._n_columns:
            return
        self._n_columns = n_columns
        for number, tile in enumerate(self._tiles):
            self._grid.addWidget(tile, *divmod(number, n_columns))
        for column in range(5):
            self._grid.setColumnStretch(column, 1 if column < n_columns else 0)

    def _on_clicked(self) -> None:
        self.chosen.emit(self.value())


def _demo() -> QWidget:
    made = PresetPicker()
    made.setValue("balanced")
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 900, 100)
