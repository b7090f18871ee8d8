"""Buttons as the style sheet knows them."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QPushButton, QToolButton, QWidget

from gui.views.common.icons import icon

__all__ = ["IconButton", "button"]

ICON_TOKENS = {"primary": "on_accent", "danger": "error", "flat": "accent", "": "muted"}


def button(
    text: str,
    on_click: Callable[[], object] | None = None,
    *,
    role: str = "",
    icon_name: str = "",
    tip: str = "",
) -> QPushButton:
    """Return a button; ``role`` is primary (one a page), danger, flat, or none."""
    made = QPushButton(text)
    made.setProperty("role", role)
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    if icon_name:
        made.setIcon(icon(icon_name, ICON_TOKENS.get(role, "muted")))
        made.setIconSize(QSize(16, 16))
    if tip:
        made.setToolTip(tip)
    if on_click is not None:
        made.clicked.connect(lambda _checked=False: on_click())
    return made


class IconButton(QToolButton):
    """A button that shows an icon only; its name is what screen readers say and the tool tip shows.

    Parameters
    ----------
    icon_name, name
        Picture and meaning.
    shortcut
        Shown in the tool tip.
    """

    def __init__(
        self,
        icon_name: str,
        name: str,
        on_click: Callable[[], object] | None = None,
        *,
        shortcut: str = "",
        checkable: bool = False,
        size: int = 18,
    ) -> None:
        super().__init__()
        self.setCheckable(checkable)
        self.setIconSize(QSize(size, size))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.show_as(icon_name, name, shortcut)
        if on_click is not None:
            self.clicked.connect(lambda _checked=False: on_click())

    def show_as(self, icon_name: str, name: str, shortcut: str = "") -> None:
        """Show another icon with another meaning."""
        self.setIcon(icon(icon_name))
        self.setAccessibleName(name)
        self.setToolTip(f"{name}  ({shortcut})" if shortcut else name)


def _demo() -> QWidget:
    from gui.demo import column

    roles = {
        "primary": "Start",
        "": "Check",
        "flat": "Show all",
        "danger": "Force stop",
        "link": "Test",
    }
    made = [button(text, role=role) for role, text in roles.items()]
    return column(*made, IconButton("save", "Save these settings as YAML…", shortcut="Ctrl+S"))


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 240, 320)
