"""The menu bar, drawn from the list of actions; it also makes the shortcuts work."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from gui.actions import Action, Actions

__all__ = ["Menus"]

ORDER = ("File", "View", "Run", "Tools", "Help")


class Menus(QObject):
    """Keeps the menu bar in step with `Actions`."""

    def __init__(self, window: QMainWindow, actions: Actions) -> None:
        super().__init__(window)
        self._window = window
        self._actions = actions
        self._items: list[tuple[QAction, Action]] = []
        self._menus: dict[str, QMenu] = {}
        for title in ORDER:
            menu = window.menuBar().addMenu(title)
            menu.aboutToShow.connect(self._set_enabled)
            menu.aboutToHide.connect(self._enable_all)
            self._menus[title] = menu
        actions.changed.connect(self._draw)
        self._draw()

    def _draw(self) -> None:
        for item, _ in self._items:
            item.deleteLater()
        self._items = []
        for menu in self._menus.values():
            menu.clear()
        for action in self._actions:
            menu = self._menus.get(action.menu, self._menus["Tools"])
            item = QAction(action.title, self)
            item.setShortcut(QKeySequence(action.shortcut))
            item.triggered.connect(lambda _checked=False, action=action: action.run())
            menu.addAction(item)
            self._items.append((item, action))
        for menu in self._menus.values():
            menu.menuAction().setVisible(not menu.isEmpty())

    def _set_enabled(self) -> None:
        for item, action in self._items:
            item.setEnabled(action.is_enabled())

    def _enable_all(self) -> None:
        """Let shortcuts through; whether an action makes sense is asked when it is pressed."""
        for item, _ in self._items:
            item.setEnabled(True)
