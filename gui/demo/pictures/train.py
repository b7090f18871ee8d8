"""The Train page in every state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gui.demo.pictures.data import open_methanol
from gui.demo.pictures.stage import Scene, Stage
from gui.demo.training import EPOCHS, FOUND, demo_comparison, demo_events, write_run

__all__ = ["SCENES"]

NAME = "methanol-quick"
FORCE_RMS = 1.31  # eV/Å
OUT_OF_MEMORY = {
    "code": "out-of-memory",
    "title": "the GPU ran out of memory in epoch 3",
    "detail": "",
    "hint": "Take fewer frames in a batch.",
}


def _empty(stage: Stage) -> None:
    stage.page("train")


def _set_up(stage: Stage) -> Any:
    open_methanol(stage)
    page = stage.page("train")
    page.setup.presets.setValue("quick")
    page.setup.presets._on_clicked()
    return page


def _ready(stage: Stage) -> None:
    _set_up(stage)


def _checking(stage: Stage) -> None:
    page = _set_up(stage)
    page.model.setup.start_check()
    stage.tell("--check", [{"ev": "progress", "done": 620, "total": 1000, "text": "timing steps"}])


def _checked(stage: Stage) -> None:
    page = _set_up(stage)
    page.model.setup.start_check()
    stage.answer("--check", FOUND)


def _invalid(stage: Stage) -> None:
    page = _set_up(stage)
    page.setup.form.set_value("training.lr", 9.0)
    page.setup.form.reveal_first_error()


def _start(stage: Stage) -> Any:
    page = _set_up(stage)
    page.model.setup.set_name(NAME)
    page.model.start()
    return page


def _run(stage: Stage, n_epochs: int, end: str = "", error: dict[str, str] | None = None) -> Any:
    page = _start(stage)
    events = demo_events(n_epochs, end, error)
    folder = write_run(stage.folder(NAME), events)
    (folder / "model.safetensors").touch()
    page.model.run.force_rms, page.model.run.n_atoms = FORCE_RMS, 6.0
    stage.tell("train", events)
    return page


def _starting(stage: Stage) -> None:
    _start(stage)
    stage.tell("train", [{"ev": "status", "state": "reading"}])


def _running(stage: Stage) -> None:
    _run(stage, 137)


def _parity(stage: Stage) -> None:
    page = _run(stage, EPOCHS, "finished")
    page.run.tabs.setCurrentWidget(page.run.parity)
    arguments, _ = stage.played.find("evaluate")
    _save_comparison(Path(arguments[arguments.index("--save") + 1]))
    stage.answer("evaluate", {"frames": 36})


def _inspected(stage: Stage) -> None:
    """A point of the parity plot was clicked: the inspector shows its frame."""
    _parity(stage)
    page = stage.page("train")
    page.run.parity.show_worst()
    stage.window.show_inspector(True).view.setForcesShown(True)


def _save_comparison(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, array in demo_comparison().arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "errors.json").write_text('{"frames": 36}', "utf-8")


def _elements(stage: Stage) -> None:
    page = _run(stage, EPOCHS, "finished")
    page.run.tabs.setCurrentIndex(2)


def _models(stage: Stage) -> None:
    page = _run(stage, EPOCHS, "finished")
    page.run.tabs.setCurrentWidget(page.run.models)


def _paused(stage: Stage) -> None:
    _run(stage, 137, "paused")


def _stopping(stage: Stage) -> None:
    _run(stage, 137).model.run.job.stop()


def _stopped(stage: Stage) -> None:
    _run(stage, 137, "stopped")


def _finished(stage: Stage) -> None:
    _run(stage, EPOCHS, "finished")


def _failed(stage: Stage) -> None:
    _run(stage, 3, "failed", OUT_OF_MEMORY)


def _lost(stage: Stage) -> None:
    events = demo_events(90)
    events[0]["pid"] = 2**22 - 1
    folder = write_run(stage.folder("methanol-elsewhere"), events)
    (folder / "model.safetensors").touch()
    stage.page("train")
    stage.session.show_run(folder)
    stage.settle(1.3)


SCENES: dict[str, Scene] = {
    "train-empty": _empty,
    "train-ready": _ready,
    "train-checking": _checking,
    "train-checked": _checked,
    "train-invalid": _invalid,
    "train-starting": _starting,
    "train-running": _running,
    "train-paused": _paused,
    "train-stopping": _stopping,
    "train-stopped": _stopped,
    "train-finished": _finished,
    "train-parity": _parity,
    "train-inspected": _inspected,
    "train-elements": _elements,
    "train-models": _models,
    "train-failed": _failed,
    "train-lost": _lost,
}
