"""The panel at the right: the frame or the run that is looked at, in three dimensions, and what is known of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from gui.core.geometry import cell_text, distance, formula
from gui.jobs import Job
from gui.session import Session
from gui.views.common.labels import Elided
from gui.views.molecule.captions import atom_text
from gui.views.molecule.player import MoleculePlayer
from gui.views.molecule.saving import ask_and_save

__all__ = ["Inspector"]

_FRAME_FIELDS = ("cell", "forces", "velocities", "beads", "values")


class Inspector(QWidget):
    """Shows what `Session.frame_shown` and `Session.job_shown` tell.

    Parameters
    ----------
    session
        Of the window.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._previous = -1
        self._current = -1
        self.heading = Elided("", "subheading")
        self.player = MoleculePlayer("")
        self.view = self.player.view
        self.summary = self._line("")
        self.details = self._line("muted")
        self.atom = self._line("muted")
        self.atom.setAccessibleName("Picked atom")
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(8)
        column.addWidget(self.heading)
        column.addWidget(self.player, 1)
        column.addWidget(self.summary)
        column.addWidget(self.details)
        column.addWidget(self.atom)
        self.setMinimumWidth(280)
        self.clear()
        self.view.picked.connect(self._pick)
        self.player.trajectory.frame_changed.connect(self._describe)
        self.player.toolbar.saveAsked.connect(self._save)
        session.frame_shown.connect(self.showFrame)
        session.job_shown.connect(self.showJob)

    def clear(self) -> None:
        """Show nothing."""
        self.player.setJob(None)
        self.player.scrubber.hide()
        self.heading.setText("Structure")
        self.view.clear("Choose a frame or a run to see it here")
        self._describe()

    def showFrame(self, frame: dict[str, Any]) -> None:
        """Show one frame.

        Parameters
        ----------
        frame
            ``numbers`` and ``positions``; ``pbc``, ``cell``, ``forces``, ``velocities``, ``beads``, ``values`` and ``title``
            where known; ``atom`` to pick one.
        """
        self.player.setJob(None)
        self.player.scrubber.hide()
        self.heading.setText(str(frame.get("title", "Structure")))
        self._take_atoms(frame)
        self.view.setFrame(frame["positions"], **{name: frame.get(name) for name in _FRAME_FIELDS})
        self.view.setSelected(int(frame.get("atom", -1)))
        self.player.toolbar.refresh()
        self._describe()

    def showJob(self, job: Job) -> None:
        """Show the frames of a run; a training has none."""
        if job.kind == "train":
            return
        self.player.scrubber.show()
        self.heading.setText(job.name)
        self.player.setJob(job)

    def _take_atoms(self, frame: dict[str, Any]) -> None:
        """Keep the camera while the atoms stay the same, as when a table of frames is walked through."""
        numbers, pbc = np.asarray(frame["numbers"], int), frame.get("pbc", False)
        shown = self.view.snapshot()
        is_same = shown is not None and np.array_equal(shown.numbers, numbers)
        is_periodic = bool(np.any(pbc)) and frame.get("cell") is not None
        if shown is None or not is_same or shown.is_periodic != is_periodic:
            self.view.setAtoms(numbers, pbc)

    def _describe(self, _frame: object = None) -> None:
        shown = self.view.snapshot()
        for label in (self.summary, self.details):
            label.setVisible(shown is not None)
        self.atom.setVisible(shown is not None and self._current >= 0)
        if shown is None:
            return
        self.summary.setText(formula(shown.numbers))
        parts = [f"{len(shown):,} atoms"]
        if shown.is_periodic:
            parts.append(cell_text(shown.cell))
        if shown.beads is not None:
            parts.append(f"{len(shown.beads)} beads")
        if shown.forces is not None and len(shown):
            parts.append(f"largest |F| {np.linalg.norm(shown.forces, axis=1).max():.3f} eV/Å")
        self.details.setText(" · ".join(parts))
        self._describe_atom()

    def _pick(self, atom: int) -> None:
        if atom >= 0 and self._current >= 0 and atom != self._current:
            self._previous = self._current
        elif atom < 0:
            self._previous = -1
        self._current = atom
        self._describe()

    def _describe_atom(self) -> None:
        shown = self.view.snapshot()
        if shown is None or not 0 <= self._current < len(shown):
            return
        lines = atom_text(shown, self._current)
        if 0 <= self._previous < len(shown):
            here, there = shown.positions[self._current], shown.positions[self._previous]
            lines.append(f"{distance(here, there, shown.cell):.3f} Å from atom {self._previous}")
        self.atom.setText("\n".join(lines))

    def _save(self) -> None:
        ask_and_save(self._session, self.view)

    @staticmethod
    def _line(role: str) -> QLabel:
        label = QLabel()
        label.setProperty("role", role)
        label.setWordWrap(True)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        return label


def _demo() -> QWidget:
    """Return an inspector with a frame of water."""
    from gui.demo import demo_session
    from gui.demo.molecules import random_vectors, water

    session = demo_session()
    panel = Inspector(session)
    numbers, positions, cell = water()
    frame = {"title": "Frame 214", "numbers": numbers, "positions": positions, "cell": cell}
    session.frame_shown.emit(
        frame | {"pbc": True, "forces": random_vectors(len(numbers)), "atom": 120}
    )
    return panel


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 360, 560)
