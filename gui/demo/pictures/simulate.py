"""The Simulate page in every state of its classical mode."""

from __future__ import annotations

from typing import Any

from gui.demo.molecules import DemoAtoms, methanol
from gui.demo.pictures.files import (
    boxed_water,
    model_file,
    preview_of,
    structure_file,
    write_frames,
)
from gui.demo.pictures.stage import NOW, Scene, Stage
from gui.demo.simulation import demo_events

__all__ = ["SCENES", "choose"]

READER = "nequip_openmm.cli.preview"
STEPS, BLOW_UP = 24_800, 8_120
SPEC = {
    "ensemble": "npt", "temperature": 300.0, "friction": 1.0, "pressure": 1.0, "timestep": 0.5, "steps": 100_000,
    "minimise": True, "analysis": ["rdf", "msd"],
}  # fmt: skip


def choose(stage: Stage, atoms: DemoAtoms, name: str, species: str) -> Any:
    """Choose a model and a structure; return the page."""
    page = stage.page("simulate")
    page.choose_model(model_file(stage, f"{name}.safetensors", species))
    page.choose_structure(structure_file(stage, atoms, f"{name}.xyz"))
    stage.answer(READER, preview_of(atoms))
    return page


def _water(stage: Stage) -> Any:
    page = choose(stage, boxed_water(), "water", "H O")
    page.model.take_spec(page.model.all_values() | SPEC)
    return page


def _empty(stage: Stage) -> None:
    stage.page("simulate")


def _loading(stage: Stage) -> None:
    page = stage.page("simulate")
    page.choose_model(model_file(stage, "water.safetensors", "H O"))
    page.choose_structure(structure_file(stage, boxed_water(), "water.xyz"))


def _ready(stage: Stage) -> None:
    _water(stage)


def _checked(stage: Stage) -> None:
    page = _water(stage)
    page.model.verify()
    stage.answer("--check", {})  # what it prints is its answer: given below
    page.model.verification_problem = ""
    page.model.verification = {
        "ok": True, "ms_per_step": 5.0, "wall_time_s": 500.0, "time_ps": 50.0, "platform": "CPU", "warnings": []
    }  # fmt: skip
    page.model.verified.emit()


def _invalid(stage: Stage) -> None:
    page = choose(stage, methanol(), "methanol", "H C")
    page.setup.form.set_value("ensemble", "npt")
    page.setup.form.set_value("timestep", 2.0)


def _start(stage: Stage) -> Any:
    page = _water(stage)
    page.model.name = "water-npt"
    page.model.start()
    return page


def _starting(stage: Stage) -> None:
    _start(stage)
    stage.wait(6.4)
    hello = {"ev": "hello", "kind": "md", "n_atoms": 192, "spec": SPEC, "pid": 4211}
    stage.tell("md", [hello, {"ev": "status", "state": "minimising"}])
    stage.wait(3.0)


def _run(stage: Stage, steps: int = STEPS) -> Any:
    page = _start(stage)
    frames = list(write_frames(page.model.job.folder, boxed_water(), 60, steps // 60))
    events = [{**event, "t": NOW + event["t"]} for event in demo_events(steps)]
    for event in events:
        if event["ev"] == "hello":
            event["spec"] = SPEC
    stage.tell("md", [*events[:-2], *frames, *events[-2:]])
    return page


def _running(stage: Stage) -> None:
    _run(stage)


def _rdf(stage: Stage) -> None:
    page = _run(stage)
    page.run.tabs.setCurrentWidget(page.run.rdf)


def _msd(stage: Stage) -> None:
    page = _run(stage)
    page.run.tabs.setCurrentWidget(page.run.msd)


def _paused(stage: Stage) -> None:
    _run(stage)
    stage.tell("md", [{"ev": "status", "state": "paused"}])


def _stopping(stage: Stage) -> None:
    _run(stage).model.job.stop()


def _stopped(stage: Stage) -> None:
    _run(stage)
    stage.tell("md", [{"ev": "done", "reason": "stopped", "step": STEPS}])
    stage.end("md")


def _finished(stage: Stage) -> None:
    _run(stage, SPEC["steps"])  # type: ignore[arg-type]
    stage.tell("md", [{"ev": "done", "reason": "finished", "step": SPEC["steps"]}])
    stage.end("md")


def _blow_up(stage: Stage) -> None:
    """The last samples run away, then the guard ends the run."""
    _run(stage, BLOW_UP)
    samples = [
        {
            "ev": "sample", "step": BLOW_UP + 10 * k, "t_ps": (BLOW_UP + 10 * k) * 0.0005, "epot": -29_426.0 + 0.4 * 3**k,
            "ekin": 7.5 * 1.9**k, "etot": -29_418.0 + 3**k, "temp": 300.0 * 1.9**k, "temp_target": 300.0, "max_force": 2.5 * 2**k,
            "rms_force": 0.7 * 1.7**k, "pressure": 500.0 * 2**k, "volume": 1930.0, "density": 0.99,
        }
        for k in range(5)
    ]  # fmt: skip
    step = BLOW_UP + 44
    error = {
        "ev": "error", "code": "blow-up", "step": step, "last_good_step": BLOW_UP, "detail": "",
        "title": f"the simulation blew up at step {step} ({step * 0.0005:.4g} ps): the temperature rose above 3,000 K",
        "hint": "Likely causes: a time step that is too long, a strained start, a structure unlike the training data.",
    }  # fmt: skip
    stage.tell("md", [*samples, error, {"ev": "done", "reason": "failed", "step": BLOW_UP}])
    stage.end("md", 3)


def _crashed(stage: Stage) -> None:
    _run(stage)
    stage.end("md", -11)


def _lost(stage: Stage) -> None:
    folder = stage.folder("water-elsewhere")
    frames = list(write_frames(folder, boxed_water(), 20, STEPS // 20))
    events = [{"v": 1, **event} for event in (*demo_events(STEPS), *frames)]
    events[0] |= {"pid": 2**22 - 1, "t": NOW - 9000, "spec": SPEC}
    _write_run(folder, "md", events)
    stage.page("simulate")
    stage.session.show_run(folder)
    stage.settle(1.3)


def _write_run(folder: Any, kind: str, events: list[dict[str, Any]]) -> None:
    import json

    import yaml

    (folder / "spec.yaml").write_text(yaml.safe_dump({"kind": kind, **SPEC}), "utf-8")
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (folder / "events.jsonl").write_text(lines, "utf-8")


SCENES: dict[str, Scene] = {
    "simulate-empty": _empty,
    "simulate-loading": _loading,
    "simulate-ready": _ready,
    "simulate-checked": _checked,
    "simulate-invalid": _invalid,
    "simulate-starting": _starting,
    "simulate-running": _running,
    "simulate-rdf": _rdf,
    "simulate-msd": _msd,
    "simulate-paused": _paused,
    "simulate-stopping": _stopping,
    "simulate-stopped": _stopped,
    "simulate-finished": _finished,
    "simulate-blow-up": _blow_up,
    "simulate-crashed": _crashed,
    "simulate-lost": _lost,
}
