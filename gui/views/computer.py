"""What there is on this computer: versions at once, a real test on request."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from gui.jobs import Task
from gui.session import Session
from gui.theme import UNIT, theme
from gui.views.common.buttons import button
from gui.views.common.card import Card
from gui.views.common.icons import pixmap
from gui.views.common.labels import Elided, clear, label

__all__ = ["ComputerCard"]

PARTS = {"Training": "torch", "Molecular dynamics": "openmm", "Quantum nuclei": "ipi"}
NAMES = {"torch": "PyTorch", "openmm": "OpenMM", "ipi": "i-PI"}
MARKS = {"works": ("ok", "ok"), "absent": ("minus", "faint"), "broken": ("error", "error")}


class ComputerCard(Card):
    """Lists the parts; the test runs ``nequip-openmm check`` in a child process."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("This computer", parent=parent)
        self._session = session
        self._task: Task | None = None
        self._test = button(
            "Test", self._start, role="link", tip="Try every part; takes half a minute"
        )
        self.addHeadWidget(self._test)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(UNIT)
        self._grid.setVerticalSpacing(UNIT)
        self._grid.setColumnStretch(2, 1)
        self.body.addLayout(self._grid)
        self._outcome = label("", "caption", wraps=True)
        self.body.addWidget(self._outcome)
        self.body.addStretch(1)
        self._rows = [(title, *_installed(name)) for title, name in PARTS.items()]
        theme().changed.connect(self._draw)
        self._draw()

    def _draw(self) -> None:
        clear(self._grid)
        for row, (title, mark, text) in enumerate(self._rows):
            picture = QLabel()
            picture.setPixmap(pixmap(*MARKS[mark], 16))
            picture.setAccessibleName(mark)
            self._grid.addWidget(picture, row, 0)
            self._grid.addWidget(label(title), row, 1)
            self._grid.addWidget(Elided(text, "muted"), row, 2)

    def _start(self) -> None:
        self._test.setEnabled(False)
        self._outcome.setText("Testing every part; this takes half a minute…")
        self._task = self._session.task(["check", "--json"], events=False, parent=self)
        self._task.finished.connect(self._take)
        self._task.failed.connect(self._take_failure)

    def _take(self, result: dict[str, Any]) -> None:
        parts = [part for part in result.get("parts", []) if part.get("part") != "versions"]
        self._rows = [
            (p["part"], p["state"] if p["state"] in MARKS else "broken", p["text"]) for p in parts
        ]
        self._draw()
        self._end(
            "Everything that is installed works." if result.get("ok") else "Not everything works."
        )

    def _take_failure(self, error: dict[str, Any]) -> None:
        self._end(f"The test failed: {error['title']}")

    def _end(self, text: str) -> None:
        self._outcome.setText(text)
        self._test.setEnabled(True)


def _installed(name: str) -> tuple[str, str]:
    try:
        return "works", f"{NAMES[name]} {version(name)}"
    except PackageNotFoundError:
        return "absent", f"{NAMES[name]} is not installed"


def _demo() -> QWidget:
    from gui.demo import column, demo_session

    session = demo_session()
    card = ComputerCard(session)
    session.setParent(card)
    return column(card)


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 420, 240)
