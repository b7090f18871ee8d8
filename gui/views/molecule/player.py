"""A 3D view of a run, with what belongs to it: colouring, image, frames."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from gui.core.run_atoms import RunAtoms
from gui.core.trajectory import Frame
from gui.jobs.job import Job
from gui.viewmodels.trajectory import Trajectory
from gui.views.common.buttons import IconButton
from gui.views.common.labels import Elided
from gui.views.molecule.menu import molecule_menu
from gui.views.molecule.scrubber import Scrubber
from gui.views.molecule.view import MoleculeView

__all__ = ["MoleculePlayer", "MoleculeToolbar"]


class MoleculeToolbar(QWidget):
    """Above a 3D view: what it is coloured by, forces, fit, image, and all else in a menu."""

    saveAsked = Signal()
    """A person wants an image; whoever has dialogs asks where."""

    def __init__(self, view: MoleculeView, title: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = view
        self.titleLabel = Elided(title, "subheading")
        self.colouringBox = QComboBox()
        self.colouringBox.setAccessibleName("Colour by")
        self.colouringBox.setToolTip("What the colours of the atoms tell")
        for name in ("element", "force", "velocity", "value"):
            self.colouringBox.addItem(name.capitalize(), name)
        self.colouringBox.activated.connect(self._choose_colouring)
        self.forcesButton = IconButton(
            "vectors", "Forces as arrows, 1 Å for each eV/Å", shortcut="V", checkable=True
        )
        self.forcesButton.toggled.connect(lambda on: view.setForcesShown(on))
        self.fitButton = IconButton("fit", "Show everything", view.fit, shortcut="F")
        self.saveButton = IconButton("camera", "Save image…", self.saveAsked.emit)
        self.menuButton = IconButton("more", "More ways to look at the atoms", self._open_menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(4)
        row.addWidget(self.titleLabel, 1)
        for widget in (
            self.colouringBox,
            self.forcesButton,
            self.fitButton,
            self.saveButton,
            self.menuButton,
        ):
            row.addWidget(widget)
        view.lookChanged.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what the view shows; what is not known of the atoms cannot be chosen."""
        look, snapshot = self._view.look(), self._view.snapshot()
        self.colouringBox.setCurrentIndex(self.colouringBox.findData(look.colouring))
        for index in range(1, self.colouringBox.count()):
            name = self.colouringBox.itemData(index)
            is_known = snapshot is not None and snapshot.quantity(name) is not None
            model = self.colouringBox.model()
            if isinstance(model, QStandardItemModel):
                model.item(index).setEnabled(is_known)
        has_forces = snapshot is not None and snapshot.forces is not None
        self.forcesButton.setEnabled(has_forces)
        self.forcesButton.setChecked(look.shows_forces)

    def _choose_colouring(self, index: int) -> None:
        self._view.setColouring(self.colouringBox.itemData(index))

    def _open_menu(self) -> None:
        menu = molecule_menu(self._view)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.menuButton.mapToGlobal(self.menuButton.rect().bottomLeft()))


class MoleculePlayer(QFrame):
    """Shows the frames of a job as they come, and the last 500.

    `view` is the 3D view, `trajectory` knows the frames, `toolbar` has the signal ``saveAsked``.
    """

    def __init__(self, title: str = "Structure", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.view = MoleculeView()
        self.trajectory = Trajectory(self)
        self.toolbar = MoleculeToolbar(self.view, title)
        self.scrubber = Scrubber(self.trajectory)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addWidget(self.toolbar)
        column.addWidget(self.view, 1)
        column.addWidget(self.scrubber)
        self.trajectory.atoms_changed.connect(self._take_atoms)
        self.trajectory.frame_changed.connect(self._take_frame)
        self.trajectory.failed.connect(self._tell)
        self.view.clear("No frames yet")

    def setJob(self, job: Job | None, timestep_fs: float | None = None) -> None:
        """Show another job; the view stays as it is until the first frame comes."""
        self.scrubber.setTimestep(timestep_fs)
        if job is None:
            self.view.clear("No frames yet")
        self.trajectory.set_job(job)

    def _take_atoms(self, atoms: RunAtoms) -> None:
        self.view.setAtoms(atoms.numbers, atoms.is_periodic)

    def _take_frame(self, frame: Frame) -> None:
        had_forces = self._has_forces()
        self.view.setFrame(frame.positions, frame.cell, frame.forces, beads=frame.beads)
        if self._has_forces() != had_forces:
            self.toolbar.refresh()

    def _has_forces(self) -> bool:
        snapshot = self.view.snapshot()
        return snapshot is not None and snapshot.forces is not None

    def _tell(self, text: str) -> None:
        if self.view.snapshot() is None:
            self.view.clear(text)
        self.scrubber.label.setToolTip(text)


def _demo() -> QWidget:
    """Return a player with made-up ring polymers of methanol."""
    from gui.demo.molecules import methanol, ring_polymers

    player = MoleculePlayer()
    atoms = methanol()
    player.view.setAtoms(atoms.numbers)
    player.view.setFrame(atoms.positions, beads=ring_polymers(atoms))
    return player


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 560, 480)
