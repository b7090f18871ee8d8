"""The settings of a path-integral run: the form, the hint for the beads, the check, and what can be done with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from gui.session import Session
from gui.theme import UNIT, theme
from gui.viewmodels.quantum import QuantumModel, QuantumState
from gui.views.common.buttons import button
from gui.views.common.card import Card
from gui.views.common.form import SettingsForm
from gui.views.common.icons import pixmap
from gui.views.common.labels import label, restyle
from gui.views.common.scrolling import Scrolling
from gui.views.quantum.preview import PreviewDialog
from gui.views.quantum.settings_layout import LAYOUT
from ipi_driver.inputs.spec import PimdSpec

__all__ = ["SetupPanel"]

CHECK_AFTER_MS = 600
SIDE_WIDTH = 280
LOOKS = {
    QuantumState.EMPTY: ("info", "muted", "Not complete"),
    QuantumState.CHECKING: ("starting", "accent", "Checking model and structure…"),
    QuantumState.INVALID: ("error", "error", "Not ready"),
    QuantumState.READY: ("ok", "ok", "Ready to start"),
}
"""Icon, token and words of each state before a run."""


class SetupPanel(QWidget):
    """Everything before a run.

    Signals
    -------
    series_wanted
        A person wants the bead-convergence helper.
    """

    series_wanted = Signal()

    def __init__(
        self, session: Session, model: QuantumModel, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._model = model
        self._is_showing = False
        self.form = SettingsForm(PimdSpec, LAYOUT)
        self.nameEdit = QLineEdit()
        self.useButton = button("Use", self._use_suggestion, role="flat")
        self.seriesButton = button("Find out by a series…", self.series_wanted.emit, role="flat")
        self.startButton = button("Start", self.start, role="primary", icon_name="play")
        self.previewButton = button("Preview input.xml", model.preview, icon_name="eye")
        self.exportButton = button("Export folder…", self.export, icon_name="export")
        self._hint, self._hint_detail = label("", "subheading"), label("", "muted", wraps=True)
        self._icon, self._state, self._detail = (
            QLabel(),
            label("", "subheading", wraps=True),
            label("", "muted", wraps=True),
        )
        self.preview: PreviewDialog | None = None
        self._timer = QTimer(self, singleShot=True, interval=CHECK_AFTER_MS)
        self._build()
        self._connect()
        self._take_values()
        self._show_hint()
        self._show()

    # --- what a person does --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the run, or show what is missing."""
        if not self.form.is_valid:
            self.form.reveal_first_error()
            return
        self._model.name = self.nameEdit.text()
        self._model.start()

    def export(self) -> None:
        """Ask where to write the folder."""
        self._session.dialogs.save_file(
            "Export a folder for i-PI", self._model.export, name="i-pi-run"
        )

    def _use_suggestion(self) -> None:
        if self._model.suggested_beads is not None:
            self.form.set_value("beads", self._model.suggested_beads)

    def _browse(self, path: str) -> None:
        def take(files: list[Path]) -> None:
            self.form.set_value(path, str(files[0]))

        self._session.dialogs.open_files("Choose a file", take)

    # --- what is shown -------------------------------------------------------------------------------------------------

    def _on_form(self) -> None:
        if self._is_showing:
            return
        self._model.set_values(self.form.values())
        self._timer.start()

    def _take_values(self) -> None:
        """Show the model's values where they are others than the form's."""
        values = {k: v for k, v in self._model.values.items() if k not in ("model", "structure")}
        paths = {"model": self._model.model or "-", "structure": self._model.structure or "-"}
        self._is_showing = True
        self.form.set_values(values | {key: str(path) for key, path in paths.items()})
        self._is_showing = False

    def _on_check(self) -> None:
        mine = {k: v for k, v in self.form.values().items() if k not in ("model", "structure")}
        theirs = {k: v for k, v in self._model.values.items() if k not in ("model", "structure")}
        if any(mine.get(key) != value for key, value in theirs.items()):
            self._take_values()
        self._show_hint()
        self._show()
        if self._model.found is None and not self._model.problem:
            self._timer.start()

    def _check(self) -> None:
        model = self._model
        if model.run is None and model.found is None and not model.problem and self.isVisible():
            model.check()

    def _show_hint(self) -> None:
        model = self._model
        beads, chosen = model.suggested_beads, model.values.get("beads") or 32
        mode = model.values.get("mode", "pimd")
        self.useButton.setVisible(beads is not None and beads != chosen and mode != "classical")
        self.useButton.setText(f"Use {beads}")
        if mode == "classical":
            self._hint.setText("1 bead")
            self._hint_detail.setText("Classical nuclei have one bead.")
        elif mode == "piglet":
            self._hint.setText(f"{beads} beads")
            self._hint_detail.setText(
                "PIGLET needs few beads; the matrices must be made for their number."
            )
        elif beads is None:
            self._hint.setText("–")
            self._hint_detail.setText("Known once model and structure have been checked.")
        else:
            self._hint.setText(f"{beads} beads")
            self._hint_detail.setText(_reason(model))
        self._show_length()
        few = model.missing_energy
        is_few = (
            few is not None
            and beads is not None
            and mode not in ("piglet", "classical")
            and chosen < beads
        )
        self.form.set_note("beads", f"Hint: {beads}" if is_few else "", "warning")

    def _show_length(self) -> None:
        steps, timestep = (
            self._model.values.get("steps"),
            self._model.values.get("timestep") or 0.25,
        )
        text = f"{steps * timestep / 1000:g} ps" if isinstance(steps, int) and timestep > 0 else ""
        self.form.set_note("steps", text, "hint")

    def _show(self) -> None:
        model = self._model
        state = model.state if model.run is None else QuantumState.READY
        icon_name, token, words = LOOKS.get(state, LOOKS[QuantumState.READY])
        self._icon.setPixmap(pixmap(icon_name, token, 20))
        self._state.setText(words)
        self._detail.setText(self._details(state))
        restyle(self._detail, "role", "error" if state is QuantumState.INVALID else "muted")
        can_start = state is QuantumState.READY
        for widget in (self.startButton, self.previewButton, self.exportButton):
            widget.setEnabled(can_start)
        self.seriesButton.setEnabled(state in (QuantumState.READY, QuantumState.CHECKING))

    def _details(self, state: QuantumState) -> str:
        model = self._model
        if state is QuantumState.EMPTY:
            missing = [
                n for n, p in (("model", model.model), ("structure", model.structure)) if p is None
            ]
            return f"Choose a {' and a '.join(missing)} first."
        if state is QuantumState.INVALID:
            return model.problem or model.invalid()
        if model.found is None:
            return ""
        found = model.found
        elements = " ".join(f"{s}{n if n > 1 else ''}" for s, n in found["elements"].items())
        lines = [f"{found['n_atoms']} atoms: {elements}. The model knows all elements."]
        skip = "few-beads" if model.values.get("beads") else ""
        lines += [f"⚠ {w['msg']}." for w in found.get("warnings", ()) if w["code"] != skip]
        return "\n".join(lines)

    # --- building ------------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self.form.changed.connect(self._on_form)
        self.form.browse_requested.connect(self._browse)
        self._timer.timeout.connect(self._check)
        self._model.check_changed.connect(self._on_check)
        self._model.state_changed.connect(lambda _: self._show())
        self._model.previewed.connect(self._show_preview)
        theme().changed.connect(self._show)

    def _show_preview(self, found: dict[str, Any]) -> None:
        self.preview = PreviewDialog(found, self)
        self.preview.export_asked.connect(self.export)
        self.preview.show()

    def showEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        """Check what has been chosen meanwhile."""
        super().showEvent(event)
        self._timer.start()

    def _build(self) -> None:
        form = Card()
        form.body.addWidget(self.form)
        scroll = Scrolling()
        scroll.setWidget(form)
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(UNIT)
        column.addWidget(self._hint_card())
        column.addWidget(self._start_card())
        column.addStretch(1)
        beside = Scrolling()  # for large text in a small window
        beside.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        beside.setWidget(side)
        beside.setFixedWidth(SIDE_WIDTH)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT)
        layout.addWidget(scroll, 1)
        layout.addWidget(beside)

    def _hint_card(self) -> Card:
        card = Card("How many beads")
        row = QHBoxLayout()
        row.addWidget(self._hint)
        row.addStretch(1)
        row.addWidget(self.useButton)
        card.body.addLayout(row)
        card.body.addWidget(self._hint_detail)
        row = QHBoxLayout()
        row.addWidget(self.seriesButton)
        row.addStretch(1)
        card.body.addLayout(row)
        return card

    def _start_card(self) -> Card:
        card = Card("Run")
        self.nameEdit.setPlaceholderText("name (date and time)")
        self.nameEdit.setAccessibleName("Name of the run")
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        row.addWidget(self._icon)
        row.addWidget(self._state, 1)
        for item in (self.nameEdit,):
            card.body.addWidget(item)
        card.body.addLayout(row)
        card.body.addWidget(self._detail)
        card.body.addWidget(self.startButton)
        card.body.addWidget(self.previewButton)
        card.body.addWidget(self.exportButton)
        return card


def _reason(model: QuantumModel) -> str:
    """Return why so many beads are suggested."""
    text = (
        f"bring the fastest vibration ({model.wavenumber:.0f} cm⁻¹) within 3 % of its energy "
        f"at {model.values.get('temperature', 300):g} K."
    )
    beads, missing = model.values.get("beads"), model.missing_energy
    if beads and missing is not None and missing > 0.005:
        text += f" With {beads} it lacks {missing:.0%}."
    return text


def _demo() -> QWidget:
    from gui.demo import demo_session
    from gui.demo.path_integral import PREVIEW

    session = demo_session()
    model = QuantumModel(session.jobs, lambda: session.settings.runs_folder)
    panel = SetupPanel(session, model)
    model.set_model(Path("methanol.safetensors"))
    model.set_structure(Path("methanol.xyz"))
    model._on_checked(model.spec(), PREVIEW)
    panel._demo = session, model  # type: ignore[attr-defined]
    return panel


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 900, 600)
