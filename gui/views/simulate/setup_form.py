"""The settings of a simulation as a form: what everyone sets in sight, the rest folded away."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QScrollArea, QWidget

from gui.core.fields import FieldSpec
from gui.core.run_settings import RunSettings, defaults, steps_of
from gui.views.common.form import Entry, Section, SettingsForm
from gui.views.common.form_editors import FieldEditor
from gui.views.common.segmented import SegmentedControl
from gui.views.simulate.stages_editor import StagesEditor

__all__ = ["SegmentedEditor", "SetupForm", "duration_text"]

_MISSING = {"model": "-", "structure": "-"}  # they have cards of their own

ENSEMBLES = {"nve": "NVE", "nvt": "NVT", "npt": "NPT"}
PLATFORMS = {"auto": "Best available"}
BACKENDS = {"auto": "Best available"}
_THERMOSTATS = {"langevin": "Langevin", "nose-hoover": "Nosé-Hoover"}
_FORMATS = {
    "dcd": "DCD (positions)",
    "xtc": "XTC (compressed)",
    "xyz": "Extended XYZ (with forces)",
}


class SegmentedEditor(FieldEditor):
    """One of a few words, side by side."""

    def __init__(
        self, spec: FieldSpec, labels: dict[str, str], parent: QWidget | None = None
    ) -> None:
        super().__init__(spec, parent)
        self.segments = SegmentedControl(labels, spec.title)
        self.segments.chosen.connect(lambda _word: self.changed.emit())
        self.row.addWidget(self.segments)
        self.row.addStretch(1)

    def value(self) -> Any:
        """Return the word."""
        return self.segments.value()

    def setValue(self, value: Any) -> None:
        """Show a word."""
        if value in ENSEMBLES:
            self.segments.setValue(value)

    def control(self) -> QWidget:
        """Return the segments."""
        return self.segments


def _has_thermostat(values: dict[str, Any]) -> bool:
    return bool(_ensembles(values) - {"nve"})


def _has_barostat(values: dict[str, Any]) -> bool:
    return "npt" in _ensembles(values)


def _ensembles(values: dict[str, Any]) -> set[str]:
    stages = values.get("stages") or ()
    own = {stage.get("ensemble") for stage in stages} - {None}
    uses_run = not stages or any(stage.get("ensemble") is None for stage in stages)
    return own | ({str(values.get("ensemble"))} if uses_run else set())


def _is_single(values: dict[str, Any]) -> bool:
    return not values.get("stages")


def _minimises(values: dict[str, Any]) -> bool:
    return bool(values.get("minimise"))


LAYOUT = (
    Section(
        "",
        [
            Entry("ensemble", editor=lambda spec: SegmentedEditor(spec, ENSEMBLES)),
            Entry("temperature"),
            Entry("thermostat", labels=_THERMOSTATS, shown_if=_has_thermostat),
            Entry("friction", shown_if=_has_thermostat),
            Entry("pressure", shown_if=_has_barostat),
            Entry("timestep", title="Time step"),
            Entry("length", title="Length", shown_if=_is_single),
            Entry("minimise", title="Minimise first"),
            Entry("platform", title="Device", labels=PLATFORMS),
            Entry("backend", labels=BACKENDS),
        ],
    ),
    Section(
        "Stages",
        [
            Entry("stages", title=" ", is_wide=True, editor=StagesEditor),
            Entry("temperature_end", title="Final temperature", blank="no ramp", shown_if=_is_single),
        ],
        is_advanced=True,
        note="Heating, equilibration and production in one run; the temperature of a stage may be a ramp.",
    ),
    Section(
        "Start",
        [
            Entry("frame", title="Frame of the file"),
            "seed",
            Entry("hydrogen_mass", title="Mass of hydrogen", blank="natural"),
            Entry("minimise_tolerance", title="Minimise until", shown_if=_minimises),
            Entry("minimise_iterations", title="Iterations at most", shown_if=_minimises),
        ],
        is_advanced=True,
    ),
    Section(
        "Cell",
        ["barostat", Entry("barostat_interval", title="Steps between tries"), Entry("molecules", title="Move whole molecules")],
        is_advanced=True,
    ),
    Section(
        "Output",
        [
            Entry("trajectory_format", title="Trajectory", labels=_FORMATS),
            Entry("trajectory_interval", title="Steps per frame"),
            Entry("thermo_interval", title="Steps per sample"),
            Entry("checkpoint_interval", title="Steps per checkpoint"),
            Entry("analysis", title="Averages", labels={"rdf": "RDF", "msd": "MSD"}),
            Entry("analysis_interval", title="Steps per average"),
        ],
        is_advanced=True,
    ),
    Section(
        "Guard",
        [
            Entry("max_temperature", title="Stop above"),
            Entry("max_force", title="Stop above force"),
            Entry("guard_interval", title="Steps per look"),
        ],
        is_advanced=True,
        note="A run that leaves physics behind is stopped before it spoils its trajectory.",
    ),
    Section(
        "Computation",
        [
            Entry("device", title="Model on", blank="as the device above"),
            Entry("precision", title="Precision of OpenMM"),
            Entry("dtype", title="Precision of the model"),
            "engine",
            Entry("threads", blank="all"),
        ],
        is_advanced=True,
    ),
)  # fmt: skip


class SetupForm(SettingsForm):
    """The form; ``setup_values`` and ``set_setup_values`` leave model and structure out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(RunSettings, LAYOUT, parent)
        self.set_setup_values(defaults())
        self.changed.connect(self._count)

    def setup_values(self) -> dict[str, Any]:
        """Return the settings."""
        return {name: value for name, value in self.values().items() if name not in _MISSING}

    def set_setup_values(self, values: dict[str, Any]) -> None:
        """Show settings."""
        self.set_values({**values, **_MISSING})
        self._count()

    def _count(self) -> None:
        """Say beside the length how many steps it is."""
        with QSignalBlocker(self):
            steps = steps_of(self.value("length"), self.value("timestep"))
            text = f"{steps:,} steps" if steps else ""
            self.set_note("length", text, "hint")


def duration_text(values: dict[str, Any]) -> str:
    """Return what a run is, in a line: steps, time step, what is saved."""
    timestep = values.get("timestep")
    stages = values.get("stages") or ()
    lengths = [stage.get("length") for stage in stages] or [values.get("length")]
    counts = [steps_of(length, timestep) for length in lengths]
    if not counts or any(count is None for count in counts):
        return ""
    interval = values.get("trajectory_interval")
    parts = [f"{sum(count or 0 for count in counts):,} steps of {timestep:g} fs"]
    if isinstance(interval, int) and interval > 0:
        parts.append(f"a frame every {interval * float(timestep or 0):g} fs")
    return "  ·  ".join(parts)


def _demo() -> QWidget:
    area = QScrollArea()
    area.setWidgetResizable(True)
    form = SetupForm()
    form.setObjectName("canvas")
    form.setContentsMargins(24, 24, 24, 24)
    area.setWidget(form)
    return area


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 920, 620)
