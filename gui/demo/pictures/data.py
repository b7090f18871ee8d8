"""The Data page in every state."""

from __future__ import annotations

from gui.demo.datasets import methanol_dataset
from gui.demo.pictures.files import training_file
from gui.demo.pictures.stage import Scene, Stage

__all__ = ["SCENES", "open_methanol"]

FIELDS = [
    {"name": "dft_energy", "kind": "number", "example": "-3140.911"},
    {"name": "ccsdt_energy", "kind": "number", "example": "-3141.204"},
    {"name": "forces", "kind": "vectors", "example": "0.12 -0.48 1.03"},
    {"name": "virials", "kind": "tensor", "example": "0.3 0 0 0 0.3 0 0 0 0.3"},
    {"name": "config_type", "kind": "other", "example": "md"},
]


def _empty(stage: Stage) -> None:
    stage.page("data")


def _loading(stage: Stage) -> None:
    stage.page("data").open_file(training_file(stage, "water_pbe.xyz"))
    stage.tell("info", [{"ev": "progress", "done": 1000, "total": 1593, "text": "reading"}])


def _unclear(stage: Stage) -> None:
    path = training_file(stage, "two_methods.xyz")
    stage.page("data").open_file(path)
    stage.tell("info", [{"ev": "fields", "fields": FIELDS}])
    title = f"{path} line 2 (frame 0): two names could be the energy, dft_energy and ccsdt_energy; choose one"
    stage.refuse("info", title, "unclear-energy")


def _invalid(stage: Stage) -> None:
    path = training_file(stage, "cut_short.xyz")
    stage.page("data").open_file(path)
    title = f"{path} line 1204 (frame 6): expected 192 atoms, found 191; the file may have been cut short, copy it again"
    stage.refuse("info", title)


def open_methanol(stage: Stage) -> None:
    """Open a data set of methanol."""
    page = stage.page("data")
    page.model.take(methanol_dataset(path=training_file(stage)))


def _loaded(stage: Stage) -> None:
    open_methanol(stage)
    stage.page("data").overview.table.showFrame(214)


def _filtered(stage: Stage) -> None:
    open_methanol(stage)
    stage.page("data").model.pick_finding(0)


SCENES: dict[str, Scene] = {
    "data-empty": _empty,
    "data-loading": _loading,
    "data-unclear": _unclear,
    "data-invalid": _invalid,
    "data-loaded": _loaded,
    "data-filtered": _filtered,
}
