"""Output files are read while they grow."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ipi_driver.inputs import PimdSpec
from ipi_driver.runner.guard import sound_rows
from ipi_driver.runner.tail import FrameTail, PropertyTail

HEADER = """# column   1     --> step : The current simulation time step.
# column   2     --> kinetic_cv(H){electronvolt} : The centroid-virial
# cols.  3-4   --> cell_h{angstrom} : The cell
"""


def test_rows_come_once_and_only_when_they_are_complete(tmp_path: Path) -> None:
    path = tmp_path / "simulation.out"
    tail = PropertyTail(path)
    assert tail.rows() == []  # not there yet
    text = (
        HEADER
        + "   0.0e+00   1.5e-01   7.0e+00 8.0e+00 \n   1.0e+00   2.5e-01   7.0e+00 9.0e+00 \n"
    )
    found = []
    for end in range(0, len(text) + 1, 7):
        path.write_text(text[:end])
        found += tail.rows()
    path.write_text(text)
    found += tail.rows()
    assert found == [
        {"step": 0.0, "kinetic_cv(H)": 0.15, "cell_h[0]": 7.0, "cell_h[1]": 8.0},
        {"step": 1.0, "kinetic_cv(H)": 0.25, "cell_h[0]": 7.0, "cell_h[1]": 9.0},
    ]
    assert tail.rows() == []
    later = PropertyTail(path)
    later.skip()
    path.write_text(text + "   2.0e+00   3.5e-01   7.0e+00 9.0e+00 \n")
    assert [row["step"] for row in later.rows()] == [2.0]


def test_frames_are_counted_when_they_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "positions.xyz"
    frames = [
        f"2\n# CELL(abcABC): 1 Step: {step} Bead: 0\nH 0 0 0\nH 0 0 {step}\n" for step in (0, 10)
    ]
    tail = FrameTail(path, n_atoms=2)
    assert not tail.update()
    path.write_text(frames[0] + frames[1][:-3])
    assert tail.update()
    assert (tail.frames, tail.step, tail.bytes) == (1, 0, len(frames[0]))
    assert not tail.update()
    path.write_text("".join(frames))
    assert tail.update()
    assert (tail.frames, tail.step, tail.bytes) == (2, 10, len("".join(frames)))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"step": 5.0, "potential": float("nan")}, "step 5 .*potential is not finite"),
        ({"step": 5.0, "temperature": 1e5}, "above max_temperature"),
        ({"step": 5.0, "conserved": float("inf")}, "conserved is not finite"),
    ],
)
def test_the_guard_stops_what_is_no_physics(row: dict[str, float], message: str) -> None:
    spec = PimdSpec(model="m", structure="s", steps=10)
    good = {"step": 4.0, "potential": -3.0, "temperature": 400.0}
    before, blow_up = sound_rows([good, row, good], spec)
    assert before == [good]
    assert blow_up is not None
    assert blow_up.code == "blow-up"
    assert re.search(message, str(blow_up))
    assert sound_rows([good], spec) == ([good], None)
