"""OpenGL is tried in another process, and given up where it fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gui.demo.molecules import methanol
from gui.views.molecule import acceleration as module
from gui.views.molecule.acceleration import Acceleration, OpenGLError
from gui.views.molecule.menu import molecule_menu
from gui.views.molecule.view import MoleculeView

SCRIPT = """
import sys
import numpy as np
from PySide6.QtWidgets import QApplication
application = QApplication([])
from gui.demo.molecules import *
from gui.views.molecule.acceleration import acceleration
from gui.views.molecule.view import MoleculeView
view = MoleculeView()
view.resize(400, 300)
atoms = water(2)
def picture(use):
    acceleration().is_on = use
    view.setAtoms(atoms.numbers, True)
    view.setFrame(atoms.positions, atoms.cell, forces=random_vectors(24))
    view.setForcesShown(True)
    image = view.grab().toImage()
    assert acceleration().is_on is use, acceleration().problem
    rgb = [image.pixelColor(x, y).getRgb()[:3] for y in range(0, 300, 2) for x in range(0, 400, 2)]
    return np.array(rgb, float)
painted, drawn = picture(False), picture(True)
print(np.abs(painted - drawn).mean(), np.corrcoef(painted.ravel(), drawn.ravel())[0, 1])
"""


def program(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("print('no context'); raise SystemExit(1)", "no context"),
        ("raise SystemExit(1)", "the trial failed"),
        ("import os; os.kill(os.getpid(), 11)", "its driver crashes"),
    ],
)
def test_a_trial_that_fails(qtbot, code: str, problem: str) -> None:  # type: ignore[no-untyped-def]
    choice = Acceleration(program(code))
    choice.choose(True)
    assert choice.is_trying
    qtbot.waitUntil(lambda: not choice.is_trying)
    assert not choice.is_on
    assert choice.problem == problem
    assert choice.renderer() is None


def test_a_trial_that_cannot_start(qtbot) -> None:  # type: ignore[no-untyped-def]
    choice = Acceleration(["/nowhere/python"])
    choice.choose(True)
    qtbot.waitUntil(lambda: choice.problem != "")
    assert not choice.is_trying


def test_a_trial_that_goes_well(qtbot) -> None:  # type: ignore[no-untyped-def]
    choice = Acceleration(program("print('ok')"))
    choice.choose(True)
    qtbot.waitUntil(lambda: choice.is_on)
    choice.choose(False)
    assert not choice.is_on


def test_a_card_that_fails_later_is_given_up(qtbot, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    class Broken:
        def image(self, *_: object) -> None:
            raise OpenGLError("the context was lost")

    choice = Acceleration()
    choice.is_on, choice._renderer = True, Broken()  # type: ignore[assignment]
    monkeypatch.setattr(module, "_ACCELERATION", choice)
    view = MoleculeView()
    qtbot.addWidget(view)
    atoms = methanol()
    view.setAtoms(atoms.numbers)
    view.setFrame(atoms.positions)
    image = view.grab().toImage()
    assert len({image.pixel(x, image.height() // 2) for x in range(image.width())}) > 10
    assert not choice.is_on
    texts = [action.text() for action in molecule_menu(view).actions()]
    assert "Draw with OpenGL: the context was lost" in texts


@pytest.mark.slow
def test_the_card_draws_what_is_painted() -> None:
    """Software OpenGL under a virtual screen: the same picture but for shading and edges."""
    if shutil.which("xvfb-run") is None:
        pytest.skip("xvfb-run is not installed")
    root = Path(__file__).parents[3]
    run = subprocess.run(
        ["xvfb-run", "-a", "-s", "-screen 0 1280x1024x24", "env", "QT_QPA_PLATFORM=xcb", sys.executable, "-c", SCRIPT],
        cwd=root, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if "no OpenGL context" in run.stderr:
        pytest.skip("no OpenGL here")
    assert run.returncode == 0, run.stderr
    difference, correlation = map(float, run.stdout.split()[-2:])
    assert difference < 4.0
    assert correlation > 0.96
