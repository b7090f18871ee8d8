"""The page's logic: every state, what leads to it, what is sent to the worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from gui.jobs import Action, JobState
from gui.viewmodels.page_state import PageState
from gui.viewmodels.simulation import SimulationModel

Make = Callable[..., SimulationModel]


def _reaches(qtbot, model: SimulationModel, name: str) -> None:
    qtbot.waitUntil(lambda: model.state.name == name)


def test_a_page_begins_empty_and_is_ready_with_model_and_structure(
    make_simulation: Make, qtbot, model_file: Path, structure_file: Path
) -> None:
    model = make_simulation(filled=False)
    assert model.state is PageState.EMPTY
    model.set_model(model_file)
    assert model.state is PageState.EMPTY
    model.set_structure(structure_file)
    assert model.state is PageState.LOADING
    _reaches(qtbot, model, "READY")
    assert model.structure is not None
    assert model.structure.formula == "CH₄O"
    assert model.can_start
    assert model.suggested_name == "methanol-nvt"


def test_an_unknown_element_keeps_a_run_from_starting(
    make_simulation: Make, qtbot, make_model: Callable[..., Path]
) -> None:
    model = make_simulation()
    model.set_model(make_model(("H", "O"), name="water"))
    assert model.state is PageState.INVALID
    assert "C (atom 0)" in model.findings()[0].text
    assert model.findings()[0].field == "structure"


@pytest.mark.parametrize("values", [{"timestep": -1}, {"length": "long"}, {"ensemble": "npt"}])
def test_wrong_settings_keep_a_run_from_starting(make_simulation: Make, values: dict) -> None:
    model = make_simulation()
    model.set_values(model.values | values)
    assert model.state is PageState.INVALID


def test_files_that_cannot_be_read_are_told_beside_their_field(
    make_simulation: Make, qtbot, tmp_path: Path
) -> None:
    model = make_simulation()
    bad = tmp_path / "bad.xyz"
    bad.write_text("nothing")
    model.set_structure(bad)
    _reaches(qtbot, model, "INVALID")
    model.set_model(bad)
    assert {f.field for f in model.findings() if f.level == "error"} == {"model", "structure"}


def test_a_newer_structure_wins_over_one_that_is_still_read(
    make_simulation: Make, qtbot, tmp_path: Path, structure_file: Path
) -> None:
    model = make_simulation(filled=False)
    water = tmp_path / "water.xyz"
    water.write_text("3\n\nO 0 0 0\nH 0.76 0.59 0\nH -0.76 0.59 0\n")
    model.set_structure(structure_file)
    model.set_structure(water)
    qtbot.waitUntil(lambda: model.structure is not None)
    qtbot.wait(300)
    assert model.structure is not None
    assert model.structure.formula == "H₂O"


def test_a_run_starts_runs_and_finishes(make_simulation: Make, qtbot) -> None:
    model = make_simulation("ok")
    seen: list[str] = []
    model.state_changed.connect(lambda state: seen.append(state.name))
    model.set_values(model.values | {"length": 2.0, "temperature": 320.0})
    job = model.start()
    assert job is not None
    assert model.state is PageState.STARTING
    _reaches(qtbot, model, "FINISHED")
    assert seen[0] == "STARTING"
    assert "RUNNING" in seen
    spec = yaml.safe_load((job.folder / "spec.yaml").read_text())
    assert (spec["steps"], spec["temperature"]) == (4000, 320.0)
    assert model.record is not None
    assert len(model.record.series.arrays("temp")[0]) == 20


def test_pause_set_checkpoint_stop_reach_the_worker(make_simulation: Make, qtbot) -> None:
    model = make_simulation("slow")
    job = model.start()
    assert job is not None
    _reaches(qtbot, model, "RUNNING")
    assert model.set_knob("temperature", 350.0)
    qtbot.waitUntil(lambda: model.record.knobs.get("temperature") == 350.0)
    assert any("temperature 350 K" in mark.text for mark in model.record.marks)
    job.pause()
    _reaches(qtbot, model, "PAUSED")
    job.checkpoint()
    qtbot.waitUntil(lambda: model.record.checkpoint_step is not None)
    job.resume()
    _reaches(qtbot, model, "RUNNING")
    job.stop()
    assert model.state is PageState.STOPPING
    _reaches(qtbot, model, "STOPPED")
    assert job.can(Action.CONTINUE)


def test_settings_can_be_seen_while_a_run_goes_on(make_simulation: Make, qtbot) -> None:
    model = make_simulation("slow")
    model.start()
    _reaches(qtbot, model, "RUNNING")
    model.set_up()
    assert model.state is PageState.READY
    model.show_run()
    assert model.state is PageState.RUNNING


def test_samples_cost_nothing_but_themselves_while_settings_are_shown(
    make_simulation: Make, qtbot, monkeypatch
) -> None:
    model = make_simulation("slow")
    model.start()
    _reaches(qtbot, model, "RUNNING")
    model.set_up()
    monkeypatch.setattr(model, "findings", lambda: pytest.fail("checked for a sample"))
    before = len(model.record.series)
    qtbot.waitUntil(lambda: len(model.record.series) > before + 5)


def test_a_blow_up_offers_half_the_time_step_and_does_it(make_simulation: Make, qtbot) -> None:
    model = make_simulation("fail")
    first = model.start()
    _reaches(qtbot, model, "FAILED")
    trouble = model.trouble()
    assert trouble is not None
    assert "blew up" in trouble.title
    assert trouble.remedies[0].key == "shorter-timestep"
    model.apply("shorter-timestep")
    assert model.job is not first
    assert model.values["timestep"] == 0.25
    given = next(model.job.folder.parent.glob(f".{model.job.folder.name}.settings.yaml"))
    spec = yaml.safe_load(given.read_text())
    assert spec["timestep"] == 0.25
    assert spec["steps"] == 40_000  # the length in ps stays


def test_minimise_first(make_simulation: Make, qtbot) -> None:
    model = make_simulation("fail")
    model.start()
    _reaches(qtbot, model, "FAILED")
    model.apply("minimise")
    assert model.values["minimise"] is True


@pytest.mark.parametrize(("mode", "word"), [("crash", "signal 11"), ("kill", "signal 9")])
def test_a_crash_keeps_the_data_and_offers_a_way_on(
    make_simulation: Make, qtbot, mode: str, word: str
) -> None:
    model = make_simulation(mode)
    model.start()
    _reaches(qtbot, model, "FAILED")
    trouble = model.trouble()
    assert trouble is not None
    assert word in trouble.title
    assert "are safe" in trouble.text
    assert len(model.record.series.arrays("temp")[0]) == 10


def test_resuming_goes_on_in_the_same_folder(make_simulation: Make, qtbot) -> None:
    model = make_simulation("slow")
    job = model.start()
    _reaches(qtbot, model, "RUNNING")
    job.stop()
    _reaches(qtbot, model, "STOPPED")
    model.apply("continue")
    assert model.state is PageState.STARTING
    _reaches(qtbot, model, "RUNNING")
    assert model.job is job


def test_what_the_worker_refuses_is_told(make_simulation: Make, qtbot) -> None:
    model = make_simulation("user-error")
    model.start()
    _reaches(qtbot, model, "FAILED")
    trouble = model.trouble()
    assert trouble.title == "This cannot be simulated"
    assert trouble.text.startswith("Timestep = 50: must be")
    model.apply("settings")
    assert model.state is PageState.READY


def test_a_run_whose_watcher_and_worker_are_gone_is_lost(
    make_simulation: Make, qtbot, tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "spec.yaml").write_text("kind: md\nsteps: 10\n")
    (folder / "events.jsonl").write_text(
        '{"v":1,"ev":"hello","t":1,"kind":"md","pid":999999,"spec":{"timestep":0.5,"steps":100}}\n'
        '{"v":1,"ev":"status","t":2,"state":"running"}\n'
        '{"v":1,"ev":"sample","t":3,"step":10,"t_ps":0.005,"temp":300}\n'
    )
    model = make_simulation(filled=False)
    model.follow(model._jobs.attach(folder))
    _reaches(qtbot, model, "LOST")
    assert model.trouble().remedies[0].key == "restart"


def test_a_run_that_is_over_is_shown_with_all_its_rows(make_simulation: Make, qtbot) -> None:
    model = make_simulation("ok")
    job = model.start()
    _reaches(qtbot, model, "FINISHED")
    other = make_simulation("ok", filled=False)
    other.follow(job)
    assert other.state is PageState.FINISHED
    assert len(other.record.series.arrays("temp")[0]) == 20


def test_settings_of_a_file_fill_the_form(
    make_simulation: Make, qtbot, model_file: Path, structure_file: Path
) -> None:
    model = make_simulation(filled=False)
    spec = {
        "model": str(model_file),
        "structure": str(structure_file),
        "steps": 8000,
        "timestep": 0.25,
        "ensemble": "nve",
    }
    with qtbot.waitSignal(model.values_changed):
        model.take_spec(spec)
    assert model.values["length"] == pytest.approx(2.0)
    _reaches(qtbot, model, "READY")
    assert {k: v for k, v in model.spec().items() if k in spec} == spec


def test_the_thorough_check_is_a_child_whose_answer_is_kept(make_simulation: Make, qtbot) -> None:
    model = make_simulation("ok")
    model.verify()
    assert model.is_verifying
    qtbot.waitUntil(lambda: model.verification is not None)
    assert model.verification == {"answer": 42}
    model.set_values(model.values | {"timestep": 0.25})
    assert model.verification is None  # it was about other settings


def test_a_folder_that_cannot_be_made_is_told(make_simulation: Make, qtbot, tmp_path: Path) -> None:
    model = make_simulation("ok")
    (tmp_path / "runs").write_text("a file")
    with qtbot.waitSignal(model.failed):
        assert model.start() is None
    assert model.state is PageState.READY


def test_no_torch_in_the_window(make_simulation: Make) -> None:
    import subprocess
    import sys

    code = "import gui.viewmodels.simulation, sys; print({'torch', 'openmm', 'ipi'} & set(sys.modules))"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "set()\n"
    )


def test_job_states_all_have_a_state_of_the_page() -> None:
    assert {state.name for state in JobState} <= set(PageState.__members__)
