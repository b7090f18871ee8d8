"""The first page: what to do, what was opened last, what there is on this computer."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gui.core.kinds import FileKind, kind_of_file
from gui.core.wording import short_path
from gui.session import Session
from gui.theme import UNIT, theme
from gui.views.common.buttons import button
from gui.views.common.card import Card
from gui.views.common.icons import IconLabel, pixmap
from gui.views.common.labels import Elided, clear, label
from gui.views.common.page import Page, PageState
from gui.views.common.scrolling import Scrolling
from gui.views.computer import ComputerCard

__all__ = ["HomePage"]

N_RECENT = 6
ICONS = {
    FileKind.DATASET: "data",
    FileKind.MODEL: "star",
    FileKind.STRUCTURE: "molecule",
    FileKind.RUN: "runs",
}
WORDS = {
    FileKind.DATASET: "data set",
    FileKind.MODEL: "model",
    FileKind.STRUCTURE: "structure",
    FileKind.RUN: "run",
    FileKind.TRAINING_SETTINGS: "settings",
    FileKind.SIMULATION_SETTINGS: "settings",
}


class Choice(QFrame):
    """A large button: icon, what it does, what it needs.

    Signals
    -------
    chosen
        It was clicked, or Return or Space was pressed.
    """

    chosen = Signal()

    def __init__(self, icon_name: str, title: str, text: str) -> None:
        super().__init__()
        self.setProperty("role", "choice")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(f"{title}: {text}")
        self._icon_name = icon_name
        self._icon = QLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, 3 * UNIT, 3 * UNIT, 3 * UNIT)
        layout.setSpacing(UNIT)
        layout.addWidget(self._icon)
        layout.addSpacing(UNIT)
        layout.addWidget(label(title, "heading", wraps=True))
        layout.addWidget(label(text, "muted", wraps=True))
        layout.addStretch(1)
        theme().changed.connect(self._draw)
        self._draw()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Choose."""
        if self.rect().contains(event.position().toPoint()):
            self.chosen.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose with the keyboard."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit()
        else:
            super().keyPressEvent(event)

    def _draw(self) -> None:
        self._icon.setPixmap(pixmap(self._icon_name, "accent", 32))


class HomePage(Page):
    """Where everyone begins; EMPTY before anything was opened, READY after."""

    name, title, icon = "home", "Home", "home"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(5 * UNIT, 5 * UNIT, 5 * UNIT, 4 * UNIT)
        column.setSpacing(3 * UNIT)
        column.addLayout(self._heading())
        column.addLayout(self._choices())
        column.addLayout(self._start())
        lower = QHBoxLayout()
        lower.setSpacing(2 * UNIT)
        self._recent = Card("Recent")
        lower.addWidget(self._recent, 3)
        lower.addWidget(ComputerCard(session), 2)
        column.addLayout(lower)
        column.addStretch(1)
        content.setMaximumWidth(140 * UNIT)
        area = Scrolling()
        area.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        area.setWidget(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)
        session.settings.changed.connect(
            lambda name: self._fill_recent() if name == "recent" else None
        )
        self._fill_recent()

    def _heading(self) -> QVBoxLayout:
        words = QVBoxLayout()
        words.setSpacing(UNIT // 2)
        words.addWidget(label("What do you want to do?", "title"))
        text = (
            "From reference calculations to a potential, to molecular dynamics, to quantum nuclei."
        )
        words.addWidget(label(text, "muted", wraps=True))
        return words

    def _choices(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2 * UNIT)
        made = (
            ("train", "Train a potential", "Needs a data set with energies and forces.", "data"),
            ("simulate", "Run molecular dynamics", "Needs a trained model and a structure.", "simulate"),
            ("quantum", "Quantum nuclei", "Path integrals: the same model and structure, more beads.", "quantum"),
        )  # fmt: skip
        for icon_name, title, text, page in made:
            choice = Choice(icon_name, title, text)
            choice.chosen.connect(lambda page=page: self.session.page_wanted.emit(page))
            row.addWidget(choice, 1)
        return row

    def _start(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        row.addWidget(button("Open…", self._open, role="primary", icon_name="open"))
        example = button("Try the methanol example", self._open_example)
        example.setToolTip(
            "360 configurations at CCSD(T): training takes a few minutes on a laptop"
        )
        row.addWidget(example)
        row.addWidget(label("or drop a file anywhere in this window", "muted"))
        row.addStretch(1)
        return row

    def _open(self) -> None:
        self.session.dialogs.open_files("Open", self.session.open_files)

    def _open_example(self) -> None:
        from nequip_openmm.examples import METHANOL

        self.session.open_file(Path(METHANOL))

    def _fill_recent(self) -> None:
        body = self._recent.body
        clear(body)
        paths = self.session.settings.recent[:N_RECENT]
        for path in paths:
            body.addWidget(self._recent_row(path))
        if not paths:
            body.addWidget(label("What you open will be listed here.", "muted"))
        body.addStretch(1)
        self.state = PageState.READY if paths else PageState.EMPTY

    def _recent_row(self, path: Path) -> QWidget:
        kind = kind_of_file(path)
        made = button("", lambda: self.session.open_file(path), role="row", tip=str(path))
        made.setAccessibleName(f"Open {path.name}, {WORDS.get(kind, 'file')}, in {path.parent}")
        made.setMinimumHeight(4 * UNIT)
        layout = QHBoxLayout(made)
        layout.setContentsMargins(UNIT, 0, UNIT, 0)
        layout.setSpacing(UNIT)
        layout.addWidget(IconLabel(ICONS.get(kind, "file")))
        layout.addWidget(label(path.name))
        layout.addWidget(
            Elided(short_path(path.parent), "caption", Qt.TextElideMode.ElideMiddle), 1
        )
        layout.addWidget(label(WORDS.get(kind, ""), "caption"))
        return made


def _demo() -> QWidget:
    from gui.demo import demo_session
    from gui.demo.runs import write_runs

    session = demo_session()
    write_runs(session.settings.runs_folder)
    for name in ("methanol-balanced", "methanol-nvt-300K", "methanol-pimd-32"):
        session.settings.add_recent(session.settings.runs_folder / name)
    page = HomePage(session)
    session.setParent(page)
    return page


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 1000, 700)
