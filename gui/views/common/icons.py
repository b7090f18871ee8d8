"""Line icons in the colours of the theme, sharp at every scale."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QLabel, QWidget

from gui.theme import theme

__all__ = ["IconLabel", "icon", "pixmap"]

FOLDER = Path(__file__).resolve().parents[2] / "icons"


class _Engine(QIconEngine):
    """Draws one SVG with the colours of tokens; asked again for every size, scale and state."""

    def __init__(self, name: str, token: str, checked: str) -> None:
        super().__init__()
        self._key = name, token, checked

    def paint(self, painter: QPainter, rect, mode: QIcon.Mode, state: QIcon.State) -> None:  # type: ignore[no-untyped-def]
        name, token, checked = self._key
        if mode == QIcon.Mode.Disabled:
            token = "faint"
        elif state == QIcon.State.On:
            token = checked
        _renderer(name, theme().token(token)).render(painter, QRectF(rect))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(
        self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float
    ) -> QPixmap:
        picture = QPixmap(size)
        if picture.isNull():  # asked for by a button that has no size yet
            return picture
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        self.paint(painter, picture.rect(), mode, state)
        painter.end()
        return picture

    def clone(self) -> QIconEngine:
        return _Engine(*self._key)


def icon(name: str, token: str = "muted", checked: str = "accent") -> QIcon:
    """Return the icon ``gui/icons/NAME.svg`` drawn with the colour of a token, another one where it is checked.

    It follows a change of theme: whoever shows it needs to repaint only.
    """
    return QIcon(_Engine(name, token, checked))


def pixmap(name: str, token: str = "muted", size: int = 20) -> QPixmap:
    """Return a picture of an icon; to be made anew when the theme changes."""
    scale = QGuiApplication.primaryScreen().devicePixelRatio()
    picture = QPixmap(QSize(size, size) * scale)
    picture.setDevicePixelRatio(scale)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    _renderer(name, theme().token(token)).render(painter, QRectF(0, 0, size, size))
    painter.end()
    return picture


class IconLabel(QLabel):
    """An icon that is only looked at; it follows a change of theme."""

    def __init__(self, name: str, token: str = "muted", size: int = 16) -> None:
        super().__init__()
        self._picture = name, token, size
        theme().changed.connect(self._draw)
        self._draw()

    def _draw(self) -> None:
        self.setPixmap(pixmap(*self._picture))


_SOURCES: dict[str, str] = {}


def _renderer(name: str, colour: str) -> QSvgRenderer:
    if name not in _SOURCES:
        _SOURCES[name] = (FOLDER / f"{name}.svg").read_text("utf-8")
    return QSvgRenderer(QByteArray(_SOURCES[name].replace("currentColor", colour).encode()))


def _demo() -> QWidget:
    from gui.demo import column

    names = ("data", "train", "simulate", "quantum", "molecule", "runs")
    return column(*(IconLabel(name, "accent", 24) for name in names))


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 120, 320)
