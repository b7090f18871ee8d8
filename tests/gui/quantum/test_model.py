"""The quantum mode without a widget: every state, the hint, faults and the way on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gui.core.lamps import LampState
from gui.core.pimd_advice import Offer
from gui.jobs.job import Job
from gui.jobs.states import Trigger
from gui.viewmodels.quantum import QuantumModel, QuantumState
from gui.viewmodels.quantum_run import ALL

Make = Callable[..., QuantumModel]


def reached(qtbot: Any, model: QuantumModel, state: QuantumState) -> None:
    qtbot.waitUntil(lambda: model.state is state)


def run_to_the_end(qtbot: Any, model: QuantumModel, state: QuantumState) -> None:
    model.start()
    reached(qtbot, model, state)
    assert model.run is not None
    model.run.refresh_all()


def test_without_model_or_structure_the_page_is_empty(make_model: Make) -> None:
    model = make_model()
    assert model.state is QuantumState.READY
    model.set_structure(None)
    assert model.state is QuantumState.EMPTY


def test_settings_that_cannot_be_are_invalid(make_model: Make) -> None:
    model = make_model(timestep=-1.0)
    assert model.state is QuantumState.INVALID
    assert "timestep" in model.invalid()
    model.set_values({**model.values, "timestep": 0.25})
    assert model.state is QuantumState.READY


def test_piglet_needs_its_matrices(make_model: Make) -> None:
    assert "gle" in make_model(mode="piglet").invalid()


def test_a_check_finds_the_hint_for_the_beads(qtbot: Any, make_model: Make) -> None:
    model = make_model()
    assert model.suggested_beads is None
    model.check()
    assert model.state is QuantumState.CHECKING
    reached(qtbot, model, QuantumState.READY)
    assert model.wavenumber == 3702.0
    assert model.suggested_beads == 36
    model.set_values({**model.values, "temperature": 600.0})
    assert model.suggested_beads == 18  # without another check
    assert model.missing_energy is not None
    model.set_values({**model.values, "mode": "piglet"})
    assert model.suggested_beads == 6
    model.set_values({**model.values, "mode": "classical"})
    assert model.suggested_beads == 1


def test_what_the_check_refuses_is_invalid(qtbot: Any, make_model: Make) -> None:
    model = make_model("refuse")
    model.check()
    reached(qtbot, model, QuantumState.INVALID)
    assert model.problem == "the model does not know Na"
    model.set_structure(Path("other.xyz"))
    assert model.state is QuantumState.READY


def test_preview_and_export(qtbot: Any, make_model: Make, tmp_path: Path) -> None:
    model = make_model()
    with qtbot.waitSignal(model.previewed) as told:
        model.preview()
    assert "<ffsocket" in told.args[0]["files"]["input.xml"]
    with qtbot.waitSignal(model.exported):
        model.export(tmp_path / "exported")
    assert (tmp_path / "exported" / "input.xml").is_file()


def test_a_run_from_start_to_end(qtbot: Any, make_model: Make) -> None:
    model = make_model()
    seen: list[QuantumState] = []
    model.state_changed.connect(seen.append)
    run_to_the_end(qtbot, model, QuantumState.FINISHED)
    run = model.run
    assert run is not None
    assert seen[0] is QuantumState.STARTING
    assert QuantumState.RUNNING in seen
    assert run.step == 1000
    assert run.elements == {"C": 1, "O": 1, "H": 4}
    assert {"drift", "potential", "kinetic_cv", "kinetic_td", "r_gyration(H)"} <= set(
        run.series.columns
    )
    assert [one.element for one in run.averages()] == [ALL, "C", "O", "H"]
    assert model.advice is not None
    assert model.advice.offers[0] is Offer.REPORT
    assert run.lamps.server.state is LampState.ENDED


def test_a_report_is_made(qtbot: Any, make_model: Make) -> None:
    model = make_model()
    run_to_the_end(qtbot, model, QuantumState.FINISHED)
    with qtbot.waitSignal(model.reported) as told:
        model.report()
    assert told.args[0].is_file()


def test_while_the_driver_loads_the_page_waits(qtbot: Any, make_model: Make) -> None:
    model = make_model("silent-start")
    model.start()
    reached(qtbot, model, QuantumState.WAITING)
    assert model.advice is not None
    assert not model.advice.offers  # it only needs its time
    assert model.run is not None
    assert model.run.waiting_s >= 0.0
    model.stop()
    reached(qtbot, model, QuantumState.STOPPED)


def test_a_dead_driver_is_restarted_by_a_person(qtbot: Any, make_model: Make) -> None:
    model = make_model("driver-dies")
    model.start()
    reached(qtbot, model, QuantumState.WAITING)
    qtbot.waitUntil(lambda: bool(model.advice and model.advice.offers))
    assert model.advice is not None
    assert model.advice.offers[0] is Offer.RESTART_DRIVER
    assert model.run is not None
    model.run.refresh_all()
    assert model.run.step > 0  # what it had computed is shown
    model.restart_driver(1)
    reached(qtbot, model, QuantumState.FINISHED)


@pytest.mark.parametrize(
    ("mode", "title"), [("ipi-dies", "i-PI was killed"), ("kill", "ended unexpectedly")]
)
def test_what_was_computed_before_a_death_is_kept_and_resumed(
    qtbot: Any, make_model: Make, mode: str, title: str
) -> None:
    model = make_model(mode)
    run_to_the_end(qtbot, model, QuantumState.FAILED)
    run, advice = model.run, model.advice
    assert run is not None
    assert advice is not None
    assert title.lower() in advice.title.lower()
    assert 0 < run.step < 1000
    assert len(run.series) > 0
    assert Offer.RESUME in advice.offers
    model.resume()
    reached(qtbot, model, QuantumState.FINISHED)
    run.refresh_all()
    assert run.step == 1000


def test_after_a_blow_up_half_the_time_step_is_offered(qtbot: Any, make_model: Make) -> None:
    model = make_model("blow-up")
    run_to_the_end(qtbot, model, QuantumState.FAILED)
    assert model.advice is not None
    assert model.advice.offers[0] is Offer.HALF_TIMESTEP
    model.use_settings_of_run(timestep=0.125)
    assert model.run is None
    assert model.values["timestep"] == 0.125
    assert model.state is QuantumState.READY


def test_a_run_is_stopped_and_a_checkpoint_asked_for(qtbot: Any, make_model: Make) -> None:
    model = make_model("long", steps=100_000)
    model.start()
    reached(qtbot, model, QuantumState.RUNNING)
    model.checkpoint()
    model.stop()
    reached(qtbot, model, QuantumState.STOPPED)
    assert model.advice is not None
    assert model.advice.offers[0] is Offer.RESUME


def test_a_run_that_vanished_is_lost(qtbot: Any, make_model: Make) -> None:
    model = make_model()
    run_to_the_end(qtbot, model, QuantumState.FINISHED)
    assert model.run is not None
    other = make_model()
    job = Job("pimd", model.run.job.folder, is_ours=False, parent=other)
    job._receive([event for event in model.run.job.events() if event["ev"] != "done"])
    other.follow(job)
    assert other.state is QuantumState.RUNNING
    job._go(Trigger.VANISHED)
    assert other.state is QuantumState.LOST
    assert other.advice is not None
    assert other.advice.offers[0] is Offer.RESUME
    assert not other.run.lamps.server.is_alive


def test_a_run_of_another_window_is_shown(qtbot: Any, make_model: Make) -> None:
    model = make_model()
    run_to_the_end(qtbot, model, QuantumState.FINISHED)
    assert model.run is not None
    folder = model.run.job.folder
    other = make_model()
    other.follow(other._jobs.attach(folder))
    reached(qtbot, other, QuantumState.FINISHED)
    other.run.refresh_all()
    assert other.run.step == 1000
    assert other.run.n_beads == 4


def test_a_folder_that_cannot_be_made_is_told(qtbot: Any, make_model: Make, tmp_path: Path) -> None:
    model = make_model()
    (tmp_path / "runs").write_text("a file, no folder")
    with qtbot.waitSignal(model.failed) as told:
        model.start()
    assert "runs" in told.args[0]
