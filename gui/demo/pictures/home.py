"""Home, and what lies over any page: log, commands, keys, job bar."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from gui.demo.pictures.files import boxed_water, model_file, structure_file, training_file
from gui.demo.pictures.stage import NOW, Scene, Stage
from gui.demo.runs import write_train

__all__ = ["SCENES"]


def _empty(stage: Stage) -> None:
    stage.page("home")


def _used(stage: Stage) -> None:
    """Files were opened before; runs are at work, one has failed."""
    settings, run = stage.session.settings, stage.folder("methanol-balanced")
    write_train(run, NOW - 86400, force=17.9, l_max=2)
    for path in (
        structure_file(stage, boxed_water(), "water-64.xyz"),
        run,
        model_file(stage),
        training_file(stage),
    ):
        settings.add_recent(path)
    _start_jobs(stage)
    stage.page("home")


def _start_jobs(stage: Stage) -> None:
    start = stage.session.start_job
    start("train", {}, "methanol-accurate")
    stage.tell("train", [
        {"ev": "hello", "kind": "train", "pid": 4101, "t": NOW - 412},
        {"ev": "status", "state": "training", "t": NOW - 409},
        {"ev": "log", "level": "info", "msg": "methanol.xyz: 360 frames of 6 atoms", "t": NOW - 408},
        {"ev": "warning", "code": "duplicates", "msg": "4 frames are copies of others; they weigh twice", "t": NOW - 408},
        {"ev": "progress", "done": 3973, "total": 11600, "eta_s": 790.0, "epoch": 137, "epochs": 400},
    ])  # fmt: skip
    start("md", {}, "water-npt")
    stage.tell("md", [
        {"ev": "hello", "kind": "md", "pid": 4211, "t": NOW - 48},
        {"ev": "status", "state": "running", "t": NOW - 41},
        {"ev": "progress", "done": 24_800, "total": 100_000, "eta_s": 372.0, "ns_per_day": 8.6},
    ])  # fmt: skip

    start("md", {}, "methanol-2fs")
    stage.tell("md", [
        {"ev": "hello", "kind": "md", "pid": 4180, "t": NOW - 39},
        {"ev": "status", "state": "running", "t": NOW - 31},
        {"ev": "progress", "done": 800, "total": 50_000, "eta_s": 41.0, "ns_per_day": 38.2},
        {"ev": "error", "code": "blow-up", "title": "the temperature rose above 3,000 K at step 812", "detail": "",
         "hint": "Likely causes: a time step that is too long, a strained start.", "step": 812, "last_good_step": 800},
        {"ev": "done", "reason": "failed", "step": 800},
    ])  # fmt: skip
    stage.end("md", 3)


def _log(stage: Stage) -> None:
    _used(stage)
    stage.hush()
    stage.window.toggle_log()


def _commands(stage: Stage) -> None:
    stage.page("home")
    stage.window.open_palette()


def _shortcuts(stage: Stage) -> QWidget:
    from gui.views.shortcuts import ShortcutSheet

    stage.page("home")
    sheet = ShortcutSheet(stage.window.actions_, stage.window)
    sheet.show()
    return sheet


def _preferences(stage: Stage) -> QWidget:
    from gui.views.preferences import PreferencesDialog

    stage.page("home")
    dialog = PreferencesDialog(stage.session, stage.window)
    dialog.show()
    return dialog


SCENES: dict[str, Scene] = {
    "home-empty": _empty,
    "home-used": _used,
    "log": _log,
    "commands": _commands,
    "shortcuts": _shortcuts,
    "preferences": _preferences,
}
