"""What every page is: a title, a state that is shown, files that it takes, things that can be done."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from gui.actions import Action
from gui.jobs import Job
from gui.session import Session
from gui.viewmodels.page_state import PageState

__all__ = ["Page", "PageState"]


class Page(QWidget):
    """Base of the pages: ``SomePage(session)``.

    Attributes
    ----------
    name, title, icon
        Key of the page, word in the navigation, name of its icon (``gui/icons/NAME.svg``).

    Signals
    -------
    state_changed
        The new `PageState`.
    """

    name = ""
    title = ""
    icon = ""

    state_changed = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._state = PageState.EMPTY
        self.setObjectName("canvas")

    @property
    def state(self) -> PageState:
        """What is shown now."""
        return self._state

    @state.setter
    def state(self, state: PageState) -> None:
        if state is not self._state:
            self._state = state
            self.state_changed.emit(state)

    def open_file(self, path: Path) -> bool:
        """Take a file that was dropped while this page was in front; return whether it was one for this page."""
        return False

    def show_mode(self, mode: str) -> None:
        """Show a mode of the page, such as ``quantum``; pages without modes do nothing."""

    def show_job(self, job: Job) -> None:
        """Show a run, whoever started it; pages without runs do nothing."""

    def actions_(self) -> list[Action]:
        """Return what can be done here, for menus and the command palette."""
        return []
