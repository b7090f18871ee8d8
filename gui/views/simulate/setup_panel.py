"""Before the start: the form, the structure in 3D, and at the bottom what will be done and the button that does it."""

from __future__ import annotations

from pathlib import Path

import yaml
from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from gui.core.simulation_checks import Finding, StructurePreview
from gui.session import Session
from gui.theme import UNIT
from gui.viewmodels.page_state import PageState
from gui.viewmodels.simulation import SimulationModel
from gui.views.common.banner import Banner
from gui.views.common.buttons import IconButton, button
from gui.views.common.card import Card
from gui.views.common.labels import Elided, label
from gui.views.common.scrolling import Scrolling
from gui.views.molecule.player import MoleculeToolbar
from gui.views.molecule.view import MoleculeView
from gui.views.simulate.setup_form import SetupForm, duration_text
from gui.views.simulate.verification import verification_text

__all__ = ["SetupPanel"]

_BESIDE = {"ensemble", "timestep", "temperature"}
"""Fields of the form beside which findings are shown; the others stand on the cards of model and structure."""


class SetupPanel(QWidget):
    """Edits what a `SimulationModel` will run."""

    def __init__(
        self, session: Session, model: SimulationModel, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._model = session, model
        self._shown: StructurePreview | None = None
        self.form = SetupForm()
        self.view = MoleculeView()
        self.view.clear("The structure is shown here")
        self.checkBanner = Banner(closable=True)
        self.nameEdit = QLineEdit()
        self.nameEdit.setAccessibleName("Name of the run")
        self.nameEdit.setMaximumWidth(220)
        self.summary = Elided("", "muted")
        self.checkButton = button(
            "Check",
            model.verify,
            tip="Load the model and look at everything, without running (a few seconds)",
        )
        self.saveButton = IconButton("save", "Save these settings as YAML…", self.save_settings)
        self.startButton = button("Start simulation", self.start, role="primary", icon_name="play")
        self._build()
        self._connect()
        self.refresh()

    # --- what can be done -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start, or go to what is wrong."""
        if not self.form.is_valid:
            self.form.reveal_first_error()
            return
        self._model.start()

    def save_settings(self) -> None:
        """Ask where, and write the settings for ``nequip-openmm md``."""
        if (
            not self._model.is_valid()
            or self._model.model_path is None
            or self._model.structure_path is None
        ):
            self._session.notifications.warn(
                "Choose model and structure, and correct what is marked, before saving."
            )
            return
        name = f"{self._model.suggested_name}.yaml"
        self._session.dialogs.save_file(
            "Save settings", self._write, name=name, kinds="YAML (*.yaml)"
        )

    # --- keeping up -----------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show what the model of the page knows."""
        self._show_structure(self._model.structure)
        self._show_findings(self._model.findings())
        self.nameEdit.setPlaceholderText(self._model.suggested_name)
        self.summary.setText(duration_text(self._model.values))
        state = self._model._setup_state()
        self.startButton.setEnabled(state in (PageState.READY, PageState.INVALID))
        blocking = any(finding.level == "error" for finding in self._model.findings())
        self.startButton.setEnabled(self.startButton.isEnabled() and not blocking)
        self.startButton.setToolTip(_why_not(state, blocking))
        self.checkButton.setEnabled(state is PageState.READY and not self._model.is_verifying)
        self._show_verification()

    def _show_findings(self, findings: list[Finding]) -> None:
        with QSignalBlocker(self.form):
            for field in _BESIDE:
                mine = next((f for f in findings if f.field == field and f.level != "good"), None)
                self.form.set_note(
                    field, mine.text if mine else "", mine.level if mine else "warning"
                )

    def _show_structure(self, structure: StructurePreview | None) -> None:
        if structure is self._shown:
            return
        self._shown = structure
        if structure is None:
            self.view.clear("The structure is shown here")
            return
        self.view.setAtoms(structure.numbers, structure.cell is not None)
        self.view.setFrame(structure.positions, structure.cell)

    def _show_verification(self) -> None:
        model = self._model
        self.checkButton.setText("Checking…" if model.is_verifying else "Check")
        if model.verification_problem:
            self.checkBanner.show_("error", model.verification_problem)
        elif model.verification is not None:
            self.checkBanner.show_(*verification_text(model.verification))
        else:
            self.checkBanner.hide()

    def _take_values(self) -> None:
        with QSignalBlocker(self.form):
            self.form.set_setup_values(self._model.values)
        self.refresh()

    def _give_values(self) -> None:
        self._model.set_values(self.form.setup_values())

    def _give_name(self) -> None:
        self._model.name = self.nameEdit.text().strip()

    def _write(self, path: Path) -> None:
        try:
            text = yaml.safe_dump(self._model.spec(), sort_keys=False, allow_unicode=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            self._session.notifications.error(f"{path}: cannot be written: {error.strerror}")
        else:
            self._session.notifications.ok(
                f"Saved {path.name}; run it with: nequip-openmm md {path.name}"
            )

    # --- building -------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self.form.changed.connect(self._give_values)
        self.nameEdit.textEdited.connect(self._give_name)
        self._model.inputs_changed.connect(self.refresh)
        self._model.state_changed.connect(self.refresh)
        self._model.values_changed.connect(self._take_values)
        self._model.verified.connect(self.refresh)

    def _build(self) -> None:
        settings = Card()
        area = Scrolling()
        area.setWidget(self.form)
        self.form.setContentsMargins(0, 0, UNIT, 0)
        settings.body.addWidget(area)
        settings.setMinimumWidth(280)
        picture = QFrame()
        picture.setProperty("role", "card")
        inside = QVBoxLayout(picture)
        inside.setContentsMargins(1, 1, 1, 1)
        inside.setSpacing(0)
        self.toolbar = MoleculeToolbar(self.view)
        inside.addWidget(self.toolbar)
        inside.addWidget(self.view, 1)
        picture.setMinimumWidth(200)
        split = QSplitter()
        split.setChildrenCollapsible(False)
        split.setHandleWidth(2 * UNIT)
        split.addWidget(settings)
        split.addWidget(picture)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        split.setSizes([560, 340])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2 * UNIT)
        column.addWidget(split, 1)
        column.addWidget(self.checkBanner)
        column.addLayout(self._footer())

    def _footer(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        name = label("Name", "muted")
        name.setBuddy(self.nameEdit)
        row.addWidget(name)
        row.addWidget(self.nameEdit)
        row.addSpacing(UNIT)
        row.addWidget(self.summary, 1)
        for widget in (self.saveButton, self.checkButton, self.startButton):
            row.addWidget(widget)
        return row


def _why_not(state: PageState, is_blocked: bool) -> str:
    if state is PageState.EMPTY:
        return "Choose a model and a structure first"
    if state is PageState.LOADING:
        return "The structure is being read"
    return "Something marked red keeps it from starting" if is_blocked else "Ctrl+R"


def _demo() -> QWidget:
    from gui.demo import demo_session
    from gui.demo.molecules import methanol

    session = demo_session()
    model = SimulationModel(session.jobs, lambda: session.settings.runs_folder, parent=session)
    atoms = methanol()
    model.structure_path = Path("methanol.xyz")
    model.structure = StructurePreview(model.structure_path, atoms.numbers, atoms.positions)
    panel = SetupPanel(session, model)
    panel.setObjectName("canvas")
    session.setParent(panel)
    return panel


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 936, 620)
