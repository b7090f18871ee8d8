"""Frames are found whatever a crash left in the file, and read as i-PI reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ipi import read_trajectory

from ipi_driver.analysis.frames import Trajectory
from nequip_openmm.errors import DataError

from .conftest import SYMBOLS, frame_text


def test_any_frame_is_that_of_i_pi_itself(harmonic) -> None:
    path = harmonic(4) / "simulation.pos_2.xyz"
    trajectory = Trajectory(path)
    expected = read_trajectory(str(path))
    assert trajectory.symbols == SYMBOLS
    assert trajectory.steps == list(range(0, 3001, 5))
    assert len(expected) == len(trajectory.steps)
    chosen = [500, 3000, 0]
    for step, frame in zip(chosen, trajectory.frames(chosen)):
        reference = expected[trajectory.steps.index(step)]
        np.testing.assert_allclose(frame.positions, reference.positions, atol=1e-7)
        np.testing.assert_allclose(frame.cell, reference.cell.array, rtol=1e-6, atol=1e-9)


def test_a_restart_counts_every_step_once(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_text("".join(frame_text(k, shift) for k, shift in ((0, 0), (1, 0), (2, 0), (1, 5), (2, 5))))  # fmt: skip
    trajectory = Trajectory(path)
    assert trajectory.steps == [0, 1, 2]
    assert [frame.positions[0, 0] for frame in trajectory.frames([0, 1, 2])] == pytest.approx([0, 5, 5])  # fmt: skip


@pytest.mark.parametrize("lost", [1, 20, 60, 150, 240])
def test_half_a_frame_at_the_end_is_left_out(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "a.xyz"
    path.write_text((frame_text(0) + frame_text(1))[:-lost])
    assert Trajectory(path).steps == [0]


@pytest.mark.parametrize("lost", [1, 20, 60, 150])
def test_writing_behind_half_a_frame_loses_no_more_than_the_neighbour(
    tmp_path: Path, lost: int
) -> None:
    path = tmp_path / "a.xyz"
    path.write_text(frame_text(0) + frame_text(1)[:-lost] + frame_text(2, 7.0) + frame_text(3, 8.0))
    trajectory = Trajectory(path)
    assert set(trajectory.steps) <= {0, 2, 3}
    assert {0, 3} <= set(trajectory.steps)
    assert next(trajectory.frames([3])).positions[0, 0] == pytest.approx(8.0)


def test_what_is_no_trajectory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_text("1\n# a comment\nH 0 0 0\n")
    with pytest.raises(DataError, match="no trajectory of i-PI"):
        Trajectory(path)
    path.write_text(frame_text(0).replace("0.00000e+00", "        nan"))
    with pytest.raises(DataError, match="not finite at step 0"):
        list(Trajectory(path).frames([0]))


def test_an_empty_file_has_no_frames(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("")
    assert Trajectory(tmp_path / "a.xyz").steps == []
