"""One list of everything that can be done; menus, the command palette and the page of shortcuts are drawn from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, Signal

__all__ = ["Action", "Actions"]


def _always() -> bool:
    return True


@dataclass(frozen=True)
class Action:
    """One thing that can be done.

    Attributes
    ----------
    id
        Unique, such as ``"file.open"``; the part before the dot is the menu.
    title
        What a person reads, such as ``"Open…"``.
    callback
        Does it.
    shortcut
        As Qt writes it, such as ``"Ctrl+O"``; empty for none.
    is_enabled
        Tells whether it can be done now; asked when a menu or the palette opens, and when the shortcut is pressed.
    hint
        One line more, for the palette.
    """

    id: str
    title: str
    callback: Callable[[], object]
    shortcut: str = ""
    is_enabled: Callable[[], bool] = field(default=_always)
    hint: str = ""

    @property
    def menu(self) -> str:
        """Name of the menu that it stands in."""
        return self.id.partition(".")[0].capitalize()

    def run(self) -> bool:
        """Do it, if it can be done now; return whether it was."""
        if not self.is_enabled():
            return False
        self.callback()
        return True


class Actions(QObject):
    """The list.

    Signals
    -------
    changed
        Something was added or removed.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._actions: dict[str, Action] = {}

    def __iter__(self) -> Iterator[Action]:
        return iter(list(self._actions.values()))

    def __getitem__(self, id_: str) -> Action:
        return self._actions[id_]

    def add(self, actions: Iterable[Action]) -> None:
        """Add actions; one with a known id takes the place of the old one."""
        self._actions.update((action.id, action) for action in actions)
        self.changed.emit()

    def remove(self, ids: Iterable[str]) -> None:
        """Remove actions."""
        for id_ in ids:
            self._actions.pop(id_, None)
        self.changed.emit()
