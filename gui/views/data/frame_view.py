"""One frame in 3D, with its forces as arrows, and a way from frame to frame."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from gui.core.datasets import SETS, OpenDataset
from gui.theme import theme
from gui.views.common.buttons import IconButton
from gui.views.common.labels import Elided, label
from gui.views.common.segmented import SegmentedControl
from gui.views.molecule.view import MoleculeView

__all__ = ["FrameView"]

PLAY_MS = 120
LONG_ARROW = 1.6  # Å; for the forces that only few frames exceed


class FrameView(QFrame):
    """Shows a frame of a data set.

    Signals
    -------
    step_wanted
        So many rows of the table further.
    """

    step_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.molecule = MoleculeView()
        self.molecule.setForcesShown(True)
        self.molecule.setMinimumSize(160, 96)
        self._title, self._facts = label("", "subheading"), Elided("", "caption")
        self._timer = QTimer(self, interval=PLAY_MS)
        self._timer.timeout.connect(lambda: self.step_wanted.emit(1))
        self._shown: bytes = b""
        self._scaled_for: object = None
        self._scale: float | None = None
        self._build()

    def showFrame(self, dataset: OpenDataset, index: int) -> None:
        """Show a frame; the view stays as it was turned where the atoms are the same."""
        frame = dataset.frame(index)
        atoms = frame.numbers.tobytes() + frame.pbc.tobytes()
        if atoms != self._shown:
            self._shown = atoms
            self.molecule.setAtoms(frame.numbers, frame.pbc)
        if dataset.arrays is not self._scaled_for:
            self._scaled_for = dataset.arrays
            self._set_scale(dataset)
        cell = frame.cell if frame.pbc.any() else None
        self.molecule.setFrame(frame.positions, cell, frame.forces)
        self._title.setText(f"Frame {index:,}  ·  {SETS[dataset.set_of_frame[index]]}")
        self._facts.setText("  ·  ".join(_facts(dataset, index)))

    def clear(self) -> None:
        """Forget the data set."""
        self._shown = b""
        self._timer.stop()
        self._play.setChecked(False)

    def _build(self) -> None:
        before = IconButton("left", "Frame before", lambda: self.step_wanted.emit(-1))
        after = IconButton("right", "Next frame", lambda: self.step_wanted.emit(1))
        self._play = IconButton("play", "Play", checkable=True)
        self._play.toggled.connect(self._run)
        self._colour = SegmentedControl({"element": "Element", "force": "|F|"}, "Colour by")
        self._colour.chosen.connect(self.molecule.setColouring)
        self._forces = IconButton("vectors", "Forces as arrows", checkable=True)
        self._forces.setChecked(True)
        self._forces.toggled.connect(self._show_forces)
        head = QVBoxLayout()
        head.setContentsMargins(16, 8, 8, 0)
        head.setSpacing(0)
        head.addWidget(self._title)
        head.addWidget(self._facts)
        foot = QHBoxLayout()
        foot.setContentsMargins(8, 0, 8, 8)
        foot.setSpacing(4)
        for button in (before, self._play, after):
            foot.addWidget(button)
        foot.addStretch()
        foot.addWidget(self._forces)
        foot.addWidget(self._colour)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addWidget(self.molecule, 1)
        layout.addLayout(foot)
        theme().changed.connect(self.molecule.update)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def _set_scale(self, dataset: OpenDataset) -> None:
        """Choose arrows that can be compared from frame to frame: most are no longer than a bond."""
        forces = np.asarray(dataset.arrays["max_forces"])
        forces = forces[np.isfinite(forces) & (forces > 0.0)]
        self._scale = LONG_ARROW / float(np.quantile(forces, 0.95)) if len(forces) else None
        self._show_forces(self._forces.isChecked())

    def _show_forces(self, is_on: bool) -> None:
        self.molecule.setForcesShown(is_on, self._scale)

    def _run(self, is_on: bool) -> None:
        self._play.show_as(*(("pause", "Stop playing") if is_on else ("play", "Play")))
        if is_on:
            self._timer.start()
        else:
            self._timer.stop()


def _facts(dataset: OpenDataset, index: int) -> list[str]:
    """Return what is worth saying of a frame in a line."""
    energy = float(dataset.arrays["energies_per_atom"][index])
    force = float(dataset.arrays["max_forces"][index])
    facts = [f"{energy:.4f} eV/atom".replace("-", "−")] if energy == energy else []
    facts += [f"max |F| {force:.2f} eV/Å"] if force == force else ["no forces"]
    return facts


def _demo() -> QWidget:
    """Return a made-up frame."""
    from gui.demo.datasets import demo_dataset

    view = FrameView()
    view.showFrame(demo_dataset(), 0)
    return view


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 420, 360)
