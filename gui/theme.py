"""Colours, sizes and the style sheet: the only place that knows them.

A *token* names what a colour is for. Widgets ask `theme()` for tokens and repaint on `Theme.changed`; plain Qt widgets get
theirs from the style sheet. Curves use the palette of Okabe and Ito, which colour-blind people can tell apart.
"""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Literal

from PySide6.QtCore import QObject, Qt, QTemporaryDir, Signal
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from gui.style import STYLE

__all__ = ["CURVES", "TOKENS", "UNIT", "Choice", "Theme", "theme"]

Choice = Literal["system", "light", "dark"]

UNIT = 8
"""Pixels of the grid: margins and gaps are multiples of it, or half of it."""

CURVES = ("curve1", "curve2", "curve3", "curve4", "curve5", "curve6")
"""Tokens of curves, in the order in which they are used."""

ICONS = Path(__file__).with_name("icons")
STYLE_ICONS = {"down": "muted", "up": "muted", "check": "on_accent", "dot": "on_accent"}

TOKENS: dict[str, dict[str, str]] = {
    "light": {
        "canvas": "#F5F6F8",  # behind everything
        "surface": "#FFFFFF",  # cards, plots, fields
        "sunken": "#ECEEF2",  # wells, tracks
        "hover": "#EEF1F5",
        "border": "#DFE3E8",
        "border_strong": "#BCC4CE",
        "text": "#1A222C",
        "muted": "#566270",
        "faint": "#8A95A3",
        "accent": "#1F5FBF",
        "accent_hover": "#194F9F",
        "accent_soft": "#E6EEFA",
        "on_accent": "#FFFFFF",
        "ok": "#0B7A5B",
        "ok_soft": "#E2F3EC",
        "warn": "#8F5A00",
        "warn_soft": "#FCF1DC",
        "error": "#B3261E",
        "error_soft": "#FBE9E7",
        "grid": "#E8EBEF",
        "target": "#6B7785",
        "curve1": "#0072B2",
        "curve2": "#D55E00",
        "curve3": "#009E73",
        "curve4": "#B0568F",
        "curve5": "#3A9AD9",
        "curve6": "#B8860B",
    },
    "dark": {
        "canvas": "#14181D",
        "surface": "#1C2127",
        "sunken": "#101418",
        "hover": "#262D35",
        "border": "#2C333C",
        "border_strong": "#465160",
        "text": "#E7EBF0",
        "muted": "#A3AEBB",
        "faint": "#74808E",
        "accent": "#6BA4F5",
        "accent_hover": "#8AB8F8",
        "accent_soft": "#1F3048",
        "on_accent": "#0E1520",
        "ok": "#4CC79E",
        "ok_soft": "#17322A",
        "warn": "#E9B04E",
        "warn_soft": "#372A14",
        "error": "#F2877D",
        "error_soft": "#3B1E1C",
        "grid": "#262C34",
        "target": "#8C98A6",
        "curve1": "#56B4E9",
        "curve2": "#F0883E",
        "curve3": "#2FC096",
        "curve4": "#D98BB8",
        "curve5": "#8FB8FF",
        "curve6": "#E6C04A",
    },
}


class Theme(QObject):
    """The colours in use.

    Signals
    -------
    changed
        Colours or size of text are others now: repaint.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.name: str = "light"
        self._choice: Choice = "system"
        self._text_scale = 1.0
        self._icons: QTemporaryDir | None = None

    @property
    def is_dark(self) -> bool:
        """Whether text is lighter than what is behind it."""
        return self.name == "dark"

    @property
    def choice(self) -> Choice:
        """What a person chose."""
        return self._choice

    def token(self, name: str) -> str:
        """Return a colour as ``#rrggbb``."""
        return TOKENS[self.name][name]

    def colour(self, name: str, alpha: float = 1.0) -> QColor:
        """Return a colour, more or less transparent."""
        colour = QColor(self.token(name))
        colour.setAlphaF(alpha)
        return colour

    def mixed(self, name: str, share: float, over: str = "surface") -> QColor:
        """Return the opaque colour of a transparent one over another: a line in it is drawn far faster."""
        front, back = self.colour(name), self.colour(over)
        parts = (
            (front.redF(), back.redF()),
            (front.greenF(), back.greenF()),
            (front.blueF(), back.blueF()),
        )
        return QColor.fromRgbF(*(share * a + (1 - share) * b for a, b in parts))

    def choose(self, choice: Choice) -> None:
        """Use a light or a dark theme, or the system's."""
        self._choice = choice
        self._apply(_system_scheme() if choice == "system" else choice)

    def set_text_scale(self, scale: float) -> None:
        """Make all text larger or smaller; 1 is 10 pt."""
        self._text_scale = scale
        self._apply(self.name)

    def watch_system(self) -> None:
        """Follow the system while `choice` is ``"system"``."""
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._follow)

    def font(self, points: float = 10.0, *, bold: bool = False) -> QFont:
        """Return the interface's font at a size that is scaled as all text is."""
        font = QFont(QApplication.font())
        font.setPointSizeF(points * self._text_scale)
        font.setBold(bold)
        return font

    def _follow(self, _scheme: Qt.ColorScheme) -> None:
        if self._choice == "system":
            self._apply(_system_scheme())

    def _apply(self, name: str) -> None:
        self.name = name
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.setPalette(self._palette())
            application.setStyleSheet(self.style_sheet())
        self.changed.emit()

    def style_sheet(self) -> str:
        """Return the style sheet with the colours and sizes of now."""
        sizes = {
            f"pt{points}": f"{points * self._text_scale:.1f}pt" for points in (9, 10, 11, 13, 18)
        }
        return Template(STYLE).substitute(TOKENS[self.name], **sizes, **self._icon_files())

    def _icon_files(self) -> dict[str, str]:
        """Write the icons that the style sheet shows in the colours of now; it can read files only."""
        if self._icons is None:
            self._icons = QTemporaryDir()
        found = {}
        for name, colour in STYLE_ICONS.items():
            path = Path(self._icons.path()) / f"{self.name}-{name}.svg"
            source = (ICONS / f"{name}.svg").read_text("utf-8")
            path.write_text(source.replace("currentColor", self.token(colour)), "utf-8")
            found[f"icon_{name}"] = path.as_posix()
        return found

    def _palette(self) -> QPalette:
        palette = QPalette()
        roles = {
            QPalette.ColorRole.Window: "canvas",
            QPalette.ColorRole.WindowText: "text",
            QPalette.ColorRole.Base: "surface",
            QPalette.ColorRole.AlternateBase: "canvas",
            QPalette.ColorRole.Text: "text",
            QPalette.ColorRole.Button: "surface",
            QPalette.ColorRole.ButtonText: "text",
            QPalette.ColorRole.ToolTipBase: "surface",
            QPalette.ColorRole.ToolTipText: "text",
            QPalette.ColorRole.PlaceholderText: "faint",
            QPalette.ColorRole.Highlight: "accent",
            QPalette.ColorRole.HighlightedText: "on_accent",
            QPalette.ColorRole.Link: "accent",
            QPalette.ColorRole.Mid: "border_strong",
        }
        for role, name in roles.items():
            palette.setColor(role, self.colour(name))
        for role in (
            QPalette.ColorRole.Text,
            QPalette.ColorRole.ButtonText,
            QPalette.ColorRole.WindowText,
        ):
            palette.setColor(QPalette.ColorGroup.Disabled, role, self.colour("faint"))
        return palette


_THEME: Theme | None = None


def theme() -> Theme:
    """Return the one theme of the application."""
    global _THEME
    if _THEME is None:
        _THEME = Theme()
    return _THEME


def _system_scheme() -> str:
    scheme = QGuiApplication.styleHints().colorScheme()
    return "dark" if scheme == Qt.ColorScheme.Dark else "light"
