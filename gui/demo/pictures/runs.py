"""The Runs page in every state."""

from __future__ import annotations

from typing import Any

from gui.demo.pictures.stage import Scene, Stage
from gui.demo.runs import write_runs

__all__ = ["SCENES"]


def _empty(stage: Stage) -> None:
    stage.page("runs")


def _page(stage: Stage) -> Any:
    write_runs(stage.session.settings.runs_folder)
    page = stage.page("runs")
    stage.settle(0.6)
    return page


def _row(page: Any, name: str) -> Any:
    return next(folder for folder in page.runs._summaries if folder.name == name)


def _list(stage: Stage) -> None:
    page = _page(stage)
    page.list.selectRow(2)


def _overlay(stage: Stage) -> None:
    page = _page(stage)
    for name in ("methanol-quick", "methanol-balanced", "water-accurate"):
        page.runs.tick(_row(page, name), True)


def _difference(stage: Stage) -> None:
    page = _page(stage)
    for name in ("methanol-quick", "methanol-balanced"):
        page.runs.tick(_row(page, name), True)
    page._tabs.setValue("settings")
    page._show_panel("settings")


def _invalid(stage: Stage) -> None:
    page = stage.page("runs")
    page.runs._fail(f"{page.runs.root} cannot be read: Permission denied")


SCENES: dict[str, Scene] = {
    "runs-empty": _empty,
    "runs-list": _list,
    "runs-overlay": _overlay,
    "runs-difference": _difference,
    "runs-invalid": _invalid,
}
