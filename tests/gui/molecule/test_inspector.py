"""The panel that shows a frame or a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gui.core.geometry import cell_text, distance, formula
from gui.demo.molecules import methanol, random_vectors, water
from gui.dialogs import Answers
from gui.session import Session
from gui.views.common.inspector import Inspector


def test_formulas() -> None:
    assert formula(methanol().numbers) == "CH4O"
    assert formula(np.array([11, 17, 17])) == "Cl2Na"
    assert formula(np.array([0, 1])) == "HX"


def test_cells_in_a_line() -> None:
    assert cell_text(np.diag([1.0, 2.0, 3.0])) == "1.00 × 2.00 × 3.00 Å"
    assert "60.0°" in cell_text(np.array([[2.0, 0, 0], [1.0, np.sqrt(3), 0], [0, 0, 3]]))


def test_distances_to_the_nearest_image() -> None:
    cell = np.array([[10.0, 0, 0], [4.0, 9.0, 0], [-3.0, 2.0, 8]])
    rng = np.random.default_rng(0)
    steps = np.array([(i, j, k) for i in range(-5, 6) for j in range(-5, 6) for k in range(-5, 6)])
    for first, second in rng.uniform(-15, 15, size=(50, 2, 3)):
        images = np.linalg.norm(second - first + steps @ cell, axis=1).min()
        assert distance(first, second, cell) == pytest.approx(images)
    assert distance(np.zeros(3), np.array([3.0, 4, 0]), np.zeros((3, 3))) == 5


@pytest.fixture
def panel(qtbot, session: Session) -> Inspector:  # type: ignore[no-untyped-def]
    panel = Inspector(session)
    qtbot.addWidget(panel)
    panel.show()
    return panel


def frame(**more: object) -> dict:
    atoms = water(2)
    return {
        "title": "Frame 7", "numbers": atoms.numbers, "positions": atoms.positions, "cell": atoms.cell, "pbc": True,
        "forces": random_vectors(24), **more,
    }  # fmt: skip


def test_nothing_at_first(panel: Inspector) -> None:
    assert not panel.summary.isVisible()
    panel.grab()


def test_a_frame(panel: Inspector, session: Session) -> None:
    session.frame_shown.emit(frame(atom=3))
    assert panel.summary.text() == "H16O8"
    assert "24 atoms · 6.21 × 6.21 × 6.21 Å · largest |F|" in panel.details.text()
    assert panel.atom.text().startswith("O  atom 3")
    assert not panel.player.scrubber.isVisible()


def test_two_picks_tell_their_distance(panel: Inspector, session: Session) -> None:
    session.frame_shown.emit(frame(atom=0))
    panel.view.setSelected(1)
    assert "0.957 Å from atom 0" in panel.atom.text()


def test_the_eye_stays_while_frames_of_the_same_atoms_are_shown(
    panel: Inspector, session: Session
) -> None:
    session.frame_shown.emit(frame())
    panel.view.setCamera(panel.view.camera().turned(0.5, 0.5))
    rotation = panel.view.camera().rotation
    session.frame_shown.emit(frame())
    assert panel.view.camera().rotation is rotation
    session.frame_shown.emit(
        {"numbers": methanol().numbers, "positions": methanol().positions, "title": "Frame 8"}
    )
    assert panel.summary.text() == "CH4O"


def test_an_image_is_saved_where_a_person_says(
    panel: Inspector, session: Session, answers: Answers, tmp_path: Path
) -> None:
    session.frame_shown.emit(frame())
    answers.ready["save_file"] = tmp_path / "water.png"
    panel.player.toolbar.saveButton.click()
    assert (tmp_path / "water.png").stat().st_size > 1000
    answers.ready["save_file"] = tmp_path / "nowhere" / "water.png"
    panel.player.toolbar.saveButton.click()
    assert "cannot be written" in session.notifications.history[-1].text
