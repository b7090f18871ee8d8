"""What the quantum mode concludes from files and events, without Qt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gui.core.bead_convergence import Outcome, Point, judge
from gui.core.block_means import BlockMeans
from gui.core.ipi_output import PropertyReader
from gui.core.lamps import Lamps, LampState, lamps_of
from gui.core.pimd_advice import Offer, advice_for
from gui.demo.path_integral import FakeRun, kinetic_energy
from nequip_openmm.analysis.statistics import Mean, block_average

HELLO = {"ev": "hello", "spec": {"processes": 2}}
STARTING = {"ev": "status", "state": "starting", "server": 10, "drivers": [11, 12]}


# --- properties ---------------------------------------------------------------------------------------------------------


def test_rows_are_read_piece_by_piece_and_each_once(tmp_path: Path) -> None:
    run = FakeRun(tmp_path / "run", 4, 1000)
    reader = PropertyReader(run.folder / "simulation.out")
    steps: list[float] = []
    for _ in range(10):
        run.write(21)
        while columns := reader.read(most=5):
            steps += columns["step"].tolist()
    assert steps == list(range(0, 1001, 5))


def test_half_a_row_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "simulation.out"
    path.write_text(
        "# column 1 --> step : x\n# column 2 --> potential{electronvolt} : x\n 0 1.5\n 10 2."
    )
    reader = PropertyReader(path)
    assert reader.read()["potential"].tolist() == [1.5]
    with path.open("a") as file:
        file.write("5\n")
    assert reader.read()["potential"].tolist() == [2.5]


def test_a_file_that_was_cut_is_read_again(tmp_path: Path) -> None:
    run = FakeRun(tmp_path / "run", 4, 100)
    path = run.folder / "simulation.out"
    run.finish()
    reader = PropertyReader(path)
    assert len(reader.read()["step"]) == 21
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-5]))
    assert reader.read() is None
    assert len(reader.read()["step"]) == 16


def test_no_file_is_no_rows(tmp_path: Path) -> None:
    assert PropertyReader(tmp_path / "missing").read() == {}


# --- means --------------------------------------------------------------------------------------------------------------


def test_means_of_blocks_are_those_of_the_rows() -> None:
    random = np.random.default_rng(2)
    noise = random.normal(size=40_000)
    rows = np.convolve(noise, np.ones(50) / 50**0.5, "same") + 3.0
    means = BlockMeans(capacity=512)
    for part in np.array_split(rows, 77):
        means.add({"x": part})
    assert means.rows == 40_000
    assert means.length >= 64
    found, exact = means.mean("x", skip=0.0), block_average(rows)
    assert found.value == pytest.approx(
        exact.value, abs=0.1 * exact.error
    )  # rows of the last block are not in it yet
    assert found.error == pytest.approx(exact.error, rel=0.35)


def test_the_running_mean_ends_at_the_mean() -> None:
    means = BlockMeans()
    means.add({"x": np.arange(1000.0)})
    running = means.running("x", skip=0.2)
    assert running.x[-1] == 1.0
    assert running.mean[-1] == means.mean("x", skip=0.2).value


# --- lamps --------------------------------------------------------------------------------------------------------------


def test_lamps_follow_what_the_run_says_of_its_drivers() -> None:
    lamps = lamps_of([HELLO, STARTING])
    assert [lamp.pid for lamp in (lamps.server, *lamps.drivers)] == [10, 11, 12]
    assert lamps.is_waiting
    for state, word in {
        "waiting": LampState.WAITING,
        "connected": LampState.CONNECTED,
        "computing": LampState.WORKING,
        "died": LampState.DEAD,
        "given-up": LampState.GIVEN_UP,
    }.items():
        lamps = lamps.after({"ev": "driver", "number": 2, "state": state})
        assert lamps.drivers[1].state is word
    assert lamps.drivers[1].can_be_restarted
    assert not lamps.after({"ev": "sample"}).drivers[1].is_alive


def test_lamps_are_concluded_where_the_run_says_little() -> None:
    lamps = lamps_of([HELLO, STARTING, {"ev": "status", "state": "running"}])
    assert lamps.n_working == 2
    died = {
        "ev": "warning",
        "code": "driver-died",
        "msg": "driver 2 (process 12) was killed by signal 9",
    }
    lamps = lamps.after(died)
    assert lamps.n_working == 1
    assert not lamps.is_waiting
    again = {"ev": "warning", "code": "driver-restarted", "msg": "driver 2 was started again"}
    assert lamps.after(again).after({"ev": "sample"}).n_working == 2


def test_after_the_end_nothing_is_alive() -> None:
    lamps = lamps_of(
        [
            HELLO,
            STARTING,
            {"ev": "error", "code": "ipi-died", "title": "i-PI was killed"},
            {"ev": "done"},
        ]
    )
    assert lamps.server.state is LampState.DEAD
    assert not any(lamp.is_alive for lamp in lamps.drivers)


def test_a_model_in_ipis_own_process_has_no_drivers() -> None:
    lamps = lamps_of(
        [
            {"ev": "hello", "spec": {"ffdirect": True}},
            {"ev": "status", "state": "starting", "server": 1},
        ]
    )
    assert lamps.drivers == ()
    assert not lamps.is_waiting


def test_what_is_not_known_changes_nothing() -> None:
    lamps = Lamps.of(1)
    for event in (
        {"ev": "new-kind"},
        {"ev": "driver", "state": "dancing"},
        {"ev": "warning", "code": "x"},
        {},
    ):
        assert lamps.after(event) == lamps


# --- how many beads -----------------------------------------------------------------------------------------------------


def series(beads: tuple[int, ...], error: float = 2e-4) -> list[Point]:
    return [Point(n, {"H": Mean(kinetic_energy("H", n), error, 1)}) for n in beads]


def test_the_verdict_is_that_of_the_exact_oscillator() -> None:
    exact = kinetic_energy("H", 4096)
    for last in (8, 16, 32, 64):
        verdict = judge(series((last // 2, last)))
        is_enough = 1.0 - kinetic_energy("H", last) / exact < 0.03
        assert (verdict.outcome is Outcome.CONVERGED) == is_enough, last


def test_the_number_of_beads_to_try_is_enough() -> None:
    verdict = judge(series((8, 16)))
    assert verdict.outcome is Outcome.NOT_CONVERGED
    assert verdict.beads is not None
    assert 16 < verdict.beads <= 40
    assert "H" in verdict.text


def test_noise_is_no_convergence() -> None:
    assert judge(series((16, 32), error=0.02)).outcome is Outcome.TOO_NOISY
    assert judge(series((16, 32), error=float("nan"))).outcome is Outcome.TOO_NOISY


def test_what_noise_cannot_hide_is_told() -> None:
    assert judge(series((2, 4), error=0.004)).outcome is Outcome.NOT_CONVERGED


def test_one_run_says_nothing() -> None:
    assert judge(series((16,))).outcome is Outcome.TOO_FEW


# --- ways on ------------------------------------------------------------------------------------------------------------


def test_every_end_offers_a_way_on() -> None:
    for state in ("finished", "stopped", "failed", "lost"):
        advice = advice_for(state, 100, 200)
        assert advice is not None
        assert advice.offers
    assert advice_for("running", 100, 200) is None


def test_hints_for_the_command_line_are_not_shown() -> None:
    error = {
        "code": "ipi-died",
        "title": "i-PI died",
        "hint": "See ipi.log in the run folder; go on with --resume.",
    }
    advice = advice_for("failed", 100, 200, error)
    assert advice is not None
    assert "--resume" not in advice.text
    assert "See ipi.log in the run folder." in advice.text
    assert Offer.RESUME in advice.offers
