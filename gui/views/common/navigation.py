"""The rail at the left: pages as icons with words."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QButtonGroup, QFrame, QToolButton, QVBoxLayout, QWidget

from gui.theme import UNIT, theme
from gui.views.common.buttons import IconButton
from gui.views.common.icons import icon

__all__ = ["NavigationRail"]


class NavigationRail(QFrame):
    """One button a page, extra buttons at the bottom (`addTool`).

    Parameters
    ----------
    entries
        Name of the page to its word and icon.

    Signals
    -------
    chosen
        Name of a page.
    """

    chosen = Signal(str)

    def __init__(
        self, entries: Mapping[str, tuple[str, str]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setProperty("role", "rail")
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QToolButton] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(UNIT, 2 * UNIT, UNIT, UNIT)
        self._layout.setSpacing(UNIT // 2)
        for number, (name, (title, icon_name)) in enumerate(entries.items(), start=1):
            self._layout.addWidget(self._button(name, title, icon_name, f"Ctrl+{number}"))
        self._layout.addStretch(1)
        theme().changed.connect(self._fit)
        self._fit()

    def select(self, name: str) -> None:
        """Mark the page that is in front."""
        self._buttons[name].setChecked(True)

    def addTool(self, tool: IconButton) -> None:
        """Put a small button at the bottom."""
        self._layout.addWidget(tool, 0, Qt.AlignmentFlag.AlignHCenter)

    def _fit(self) -> None:
        """Be as wide as the longest word needs at the size of text of now."""
        metrics = QFontMetrics(theme().font(9, bold=True))
        widest = max(metrics.horizontalAdvance(made.text()) for made in self._buttons.values())
        width = max(9 * UNIT, widest + 2 * UNIT)
        for made in self._buttons.values():
            made.setFixedSize(width, 5 * UNIT + metrics.height() + 4)
        self.setFixedWidth(width + 2 * UNIT)

    def _button(self, name: str, title: str, icon_name: str, shortcut: str) -> QToolButton:
        made = QToolButton()
        made.setProperty("role", "page")
        made.setText(title)
        made.setIcon(icon(icon_name))
        made.setIconSize(QSize(24, 24))
        made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        made.setCheckable(True)
        made.setCursor(Qt.CursorShape.PointingHandCursor)
        made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        made.setToolTip(f"{title}  ({shortcut})")
        made.setAccessibleName(f"Page {title}")
        made.clicked.connect(lambda _checked=False: self.chosen.emit(name))
        self._group.addButton(made)
        self._buttons[name] = made
        return made


def _demo() -> QWidget:
    from gui.views.main_window import PAGES

    rail = NavigationRail({name: (page.title, page.icon) for name, page in PAGES.items()})
    rail.addTool(IconButton("theme", "Dark or light"))
    rail.select("train")
    return rail


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 88, 480)
