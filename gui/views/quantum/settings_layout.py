"""Which settings of a path-integral run are shown, where, and under which names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gui.core.fields import FieldSpec
from gui.viewmodels.quantum import MODES
from gui.views.common.form import Entry, Section
from gui.views.common.form_editors import FieldEditor, make_editor

__all__ = ["LAYOUT"]

METHODS = {
    "pimd": "PIMD (PILE-G)",
    "piglet": "PIGLET (GLE)",
    "trpmd": "TRPMD",
    "rpmd": "RPMD",
    "npt": "PIMD at constant pressure",
    "classical": "Classical (1 bead)",
}
FROM_THE_STRUCTURE = "from the structure"


def _method_editor(spec: FieldSpec) -> FieldEditor:
    """Return the editor of the modes that this page offers."""
    choices: dict[str | None, str] = {
        key: text for key, text in spec.choices.items() if key in MODES
    }
    return make_editor(replace(spec, choices=choices), "Method", None, METHODS)


def _is(*modes: str) -> Any:
    return lambda values: values.get("mode", "pimd") in modes


LAYOUT = (
    Section(
        "Quantum nuclei",
        [
            Entry("mode", "Method", editor=_method_editor),
            Entry("beads", "Beads", blank="32", shown_if=lambda v: v.get("mode") != "classical"),
            Entry("temperature", "Temperature"),
            Entry("pressure", "Pressure", shown_if=_is("npt")),
            Entry("barostat", "Barostat", shown_if=_is("npt")),
            Entry("gle", "GLE matrices (gle4md.org)", shown_if=_is("piglet"), is_wide=True),
            Entry(
                "start",
                "Start from",
                blank=FROM_THE_STRUCTURE,
                shown_if=_is("rpmd", "trpmd"),
                is_wide=True,
            ),
        ],
    ),
    Section("Length", [Entry("timestep", "Time step"), Entry("steps", "Steps")]),
    Section(
        "Computer",
        [Entry("processes", "Drivers"), Entry("device", "Device", blank="the best there is")],
    ),
    Section(
        "Thermostat",
        [
            Entry("thermostat_tau", "Thermostat's time", shown_if=_is("pimd", "npt", "classical")),
            Entry(
                "pile_lambda", "Friction of internal modes", shown_if=_is("pimd", "npt", "trpmd")
            ),
            Entry("barostat_tau", "Barostat's time", shown_if=_is("npt")),
            "seed",
            Entry("fix_com", "Hold centre of mass"),
        ],
        is_advanced=True,
    ),
    Section(
        "Output",
        ["thermo_interval", "trajectory_interval", "checkpoint_interval", "trajectory"],
        is_advanced=True,
    ),
    Section("Guard", ["max_temperature", "max_force", "max_restarts"], is_advanced=True),
    Section(
        "Drivers",
        ["ffdirect", "socket", "host", "port", "batch_size", "latency", "timeout", "dtype"],
        is_advanced=True,
    ),
)
