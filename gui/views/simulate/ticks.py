"""What is being done before the first time step, with ticks and times."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from gui.core.simulation_record import Step
from gui.theme import UNIT, theme
from gui.views.common.card import Card
from gui.views.common.clock import clock
from gui.views.common.icons import pixmap
from gui.views.common.labels import label, restyle
from gui.views.simulate.flow import clear_layout

__all__ = ["Ticks"]

_ICONS = {"waiting": ("dot", "faint"), "working": ("starting", "accent"), "done": ("check", "ok")}
_WORDS = {"waiting": "waiting", "working": "working", "done": "done"}
_LONG_S = 12.0


class Ticks(Card):
    """A short list: done, being done, to come."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Getting ready", parent=parent)
        self._steps: list[Step] = []
        self._rows: list[tuple[QLabel, QLabel, QLabel]] = []
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(UNIT + UNIT // 2)
        self._grid.setVerticalSpacing(UNIT)
        self._grid.setColumnStretch(1, 1)
        self.note = label("", "muted", wraps=True)
        self.body.addLayout(self._grid)
        self.body.addWidget(self.note)
        self.setMinimumWidth(44 * UNIT)
        theme().changed.connect(self.refresh)
        clock().register(self)

    def setSteps(self, steps: Sequence[Step]) -> None:
        """Show these steps from now on; they may change while they are shown."""
        self._steps = list(steps)
        clear_layout(self._grid)
        self._rows = []
        for number, step in enumerate(self._steps):
            row = QLabel(), label(step.title), label("", "muted")
            row[2].setAlignment(Qt.AlignmentFlag.AlignRight)
            for column, widget in enumerate(row):
                self._grid.addWidget(widget, number, column)
            self._rows.append(row)
        self.refresh()

    def steps(self) -> list[Step]:
        """Return what is shown."""
        return self._steps

    def refresh(self) -> None:
        """Show how far it is; the clock calls this."""
        now = time.time()
        for step, (mark, title, seconds) in zip(self._steps, self._rows):
            shown = (step.state, theme().name)
            if mark.property("shown") != shown:
                mark.setProperty("shown", shown)
                mark.setPixmap(pixmap(*_ICONS[step.state], 16))
                mark.setAccessibleName(f"{step.title}: {_WORDS[step.state]}")
                restyle(title, "role", "muted" if step.state == "waiting" else "")
            seconds.setText(_duration(step, now))
        self.note.setText(self._note(now))
        self.note.setVisible(bool(self.note.text()))

    def _note(self, now: float) -> str:
        """Say that a long start is no error."""
        working = next((step for step in self._steps if step.state == "working"), None)
        if working is None or not working.begun or now - working.begun < _LONG_S:
            return ""
        if working.name == "loading":
            return "The first start takes longer: PyTorch is read from disk and the model's kernels are compiled."
        return ""


def _duration(step: Step, now: float) -> str:
    if step.seconds is not None:
        return f"{step.seconds:.1f} s"
    if step.state == "working" and step.begun:
        return f"{max(0.0, now - step.begun):.0f} s"
    return ""


def _demo() -> QWidget:
    made = QWidget()
    made.setObjectName("canvas")
    column = QVBoxLayout(made)
    column.setContentsMargins(24, 24, 24, 24)
    ticks = Ticks()
    ticks.setSteps(
        [
            Step("loading", "Loading PyTorch and the model", 3.4, "done"),
            Step("minimising", "Relaxing the structure", None, "working", time.time() - 15),
            Step("running", "Running"),
        ]
    )
    column.addWidget(ticks)
    column.addStretch(1)
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 480, 240)
