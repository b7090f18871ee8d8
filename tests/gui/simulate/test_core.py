"""What the page knows without Qt: settings in ps, checks, the story that events tell, what went wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gui.core.model_header import read_model_header
from gui.core.run_export import export_script, export_trajectory
from gui.core.run_settings import RunSettings, defaults, from_spec, steps_of, to_spec
from gui.core.simulation_checks import StructurePreview, check
from gui.core.simulation_record import SimulationRecord
from gui.core.simulation_trouble import describe_trouble
from nequip_openmm.errors import ModelFileError, UserError
from nequip_openmm.settings import find_problems
from nequip_openmm.simulation.spec import SimulationSpec

FILES = {"model": "m.safetensors", "structure": "s.xyz"}


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "timestep", "steps"), [(10, 0.5, 20_000), (1, 0.3, 3333), (1e-9, 1, 1)]
)
def test_steps_follow_from_length_and_time_step(length: float, timestep: float, steps: int) -> None:
    spec = to_spec({**defaults(), **FILES, "length": length, "timestep": timestep})
    assert spec["steps"] == steps
    assert SimulationSpec.model_validate(spec).steps == steps


@pytest.mark.parametrize("wrong", [("x", 1), (1, 0), (None, 1), (1e30, 1), (-1, 1)])
def test_a_length_that_is_none_has_no_steps(wrong: tuple) -> None:
    assert steps_of(*wrong) is None


def test_stages_have_lengths_too() -> None:
    stages = [
        {"name": "heat", "length": 1.0, "temperature": 50, "temperature_end": 300},
        {"length": 2.0},
    ]
    spec = SimulationSpec.model_validate(to_spec({**defaults(), **FILES, "stages": stages}))
    assert [stage.steps for stage in spec.stages] == [2000, 4000]
    assert spec.steps == 6000


def test_settings_of_a_run_come_back_to_the_form_unchanged() -> None:
    stages = [{"length": 1.5, "save_frames": False}, {"length": 2.0, "ensemble": "npt"}]
    values = {**defaults(), **FILES, "timestep": 0.25, "temperature": 350.0, "stages": stages}
    spec = to_spec(values)
    assert to_spec(from_spec(spec | {"kind": "md"})) == spec


def test_problems_stand_at_the_fields_of_the_form() -> None:
    values = {**defaults(), **FILES, "length": 0, "timestep": -1, "temperature": "warm"}
    assert {p.location for p in find_problems(RunSettings, values)} == {
        ("length",),
        ("timestep",),
        ("temperature",),
    }


# --- model and structure ----------------------------------------------------------------------------------------------


def test_the_header_tells_elements_cutoff_and_error(model_file: Path) -> None:
    header = read_model_header(model_file)
    assert (header.species, header.cutoff, header.force_error) == (("H", "C", "O"), 4.0, 18.49)
    assert "force MAE 18.5 meV/Å" in header.facts


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"\x08\0\0\0\0\0\0\0{}      ", b"\xff" * 40]
)
def test_what_is_no_model_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"^bad\.safetensors [^\n]+$"):
        read_model_header(path)


def _structure(symbols: list[int], cell: float | None = None, **more: object) -> StructurePreview:
    box = None if cell is None else np.eye(3) * cell
    return StructurePreview(
        Path("s.xyz"), np.array(symbols), np.zeros((len(symbols), 3)), box, **more
    )  # type: ignore[arg-type]


def _texts(
    model_file: Path, structure: StructurePreview, level: str, **settings: object
) -> list[str]:
    values = {**defaults(), **settings}
    return [
        f.text for f in check(read_model_header(model_file), structure, values) if f.level == level
    ]


def test_elements_that_the_model_does_not_know_are_named_with_their_atoms(model_file: Path) -> None:
    (text,) = _texts(model_file, _structure([8, 1, 1, 11, 11]), "error")
    assert text == "Model knows H, C, O; structure has Na (atoms 3, 4)"


def test_known_elements_are_said_to_be_good(model_file: Path) -> None:
    assert _texts(model_file, _structure([8, 1, 1]), "good") == [
        "Elements H O: all known to the model"
    ]


@pytest.mark.parametrize(
    ("edge", "level", "word"),
    [
        (3.0, "warning", "feel their own images"),
        (7.0, "warning", "2 × cutoff"),
        (9.0, "good", "above 2 × cutoff"),
    ],
)
def test_cells_are_compared_with_the_cutoff(
    model_file: Path, edge: float, level: str, word: str
) -> None:
    texts = _texts(model_file, _structure([8, 1, 1], edge), level)
    assert any(word in text for text in texts)


def test_constant_pressure_needs_a_cell_also_in_a_stage(model_file: Path) -> None:
    molecule = _structure([8, 1, 1])
    assert "NPT needs a periodic cell" in _texts(model_file, molecule, "error", ensemble="npt")[0]
    assert _texts(model_file, molecule, "error", stages=[{"ensemble": "npt"}])
    assert not _texts(model_file, _structure([8, 1, 1], 20.0), "error", ensemble="npt")


def test_long_time_steps_and_close_atoms_are_told(model_file: Path) -> None:
    assert "1 fs" in _texts(model_file, _structure([8, 1]), "warning", timestep=2.0)[0]
    assert not _texts(model_file, _structure([8, 1]), "warning", timestep=2.0, hydrogen_mass=3.0)
    assert "overlap" in _texts(model_file, _structure([8, 1], closest=(0, 1, 0.1)), "error")[0]
    assert "minimise" in _texts(model_file, _structure([8, 1], closest=(0, 1, 0.7)), "warning")[0]


def test_formula_by_hill() -> None:
    assert _structure([8, 1, 6, 1, 1, 1]).formula == "CH₄O"
    assert _structure([8, 1, 1]).formula == "H₂O"


# --- events -----------------------------------------------------------------------------------------------------------


def _record(tmp_path: Path, **spec: object) -> SimulationRecord:
    record = SimulationRecord(tmp_path)
    record.begin(100.0)
    record.take({"ev": "hello", "t": 103.0, "spec": {"timestep": 0.5, "steps": 1000, "ensemble": "nvt", "temperature": 300.0, "friction": 1.0, **spec}})  # fmt: skip
    return record


def _sample(step: int, **values: float) -> dict:
    return {
        "ev": "sample",
        "t": 110.0,
        "step": step,
        "t_ps": step * 0.0005,
        "temp": 300.0,
        **values,
    }


def test_ticks_have_times(tmp_path: Path) -> None:
    record = _record(tmp_path, minimise=True)
    assert [(s.name, s.state) for s in record.steps] == [("loading", "done"), ("minimising", "working"), ("running", "waiting")]  # fmt: skip
    record.take({"ev": "status", "t": 104.0, "state": "minimising"})
    record.take({"ev": "status", "t": 107.0, "state": "running"})
    assert [(s.state, s.seconds) for s in record.steps] == [
        ("done", 3.0),
        ("done", 4.0),
        ("done", 0.0),
    ]
    assert record.is_running


def test_steps_that_nobody_planned_are_shown_too(tmp_path: Path) -> None:
    record = SimulationRecord(tmp_path)
    record.begin(100.0)
    record.take({"ev": "status", "t": 101.0, "state": "compiling"})
    assert [s.title for s in record.steps] == [
        "Loading PyTorch and the model",
        "Compiling",
        "Running",
    ]


def test_samples_become_curves_and_none_is_a_gap(tmp_path: Path) -> None:
    record = _record(tmp_path)
    for step in range(0, 1000, 10):
        record.take(_sample(step, epot=-1.0, volume=None))
    assert len(record.series.arrays("epot")[0]) == 100
    assert len(record.series.arrays("volume")[0]) == 0
    assert not record.has_volume
    assert record.last_time_ps == pytest.approx(0.495)


def test_energies_are_counted_from_the_first_structure_and_drift_is_their_slope(
    tmp_path: Path,
) -> None:
    record = _record(tmp_path)
    record.n_atoms = 5
    for step in range(0, 2000, 100):
        time_ps = step * 0.0005
        record.take(_sample(step, epot=-3140.0 + time_ps, conserved=-3139.0 + 0.002 * time_ps))
    assert record.zero_ev == -3140.0
    assert record.series.arrays("epot")[1][0] == 0.0
    assert record.drift() == pytest.approx(2.0 / 5)


def test_changed_settings_are_marked(tmp_path: Path) -> None:
    record = _record(tmp_path)
    assert record.knobs == {"temperature": 300.0, "friction": 1.0}
    record.take({"ev": "set", "t": 1, "step": 200, "temperature": 350.0})
    assert record.knobs["temperature"] == 350.0
    assert record.marks == [(0.1, "temperature 350 K")]


def test_a_resumed_run_forgets_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    record = _record(tmp_path)
    for step in range(0, 1000, 10):
        record.take(_sample(step))
    record.begin_again(200.0)
    record.take({"ev": "status", "t": 203.0, "state": "resumed", "step": 500})
    assert record.series.arrays("temp")[0][-1] == pytest.approx(0.25)
    assert record.last_step == 500


def test_rdf_and_msd_replace_what_was_before(tmp_path: Path) -> None:
    record = _record(tmp_path)
    record.take(
        {"ev": "rdf", "t": 1, "frames": 4, "r_A": [0.5, 1.5], "pairs": {"H-O": [0.0, None]}}
    )
    record.take({"ev": "msd", "t": 1, "frames": 4, "lag_ps": [0.05], "elements_A2": {"H": [0.1]}})
    assert record.rdf.frames == 4
    assert np.isnan(record.rdf.y["H-O"][1])
    assert record.msd.y["H"].tolist() == [0.1]


def test_files_have_all_rows_where_events_were_thinned(tmp_path: Path) -> None:
    record = _record(tmp_path)
    record.take(_sample(0, temp_target=300.0))
    record.take(_sample(100, temp_target=350.0))
    rows = "".join(f"{s},{s * 0.0005},-1,0.1,-0.9,300.0\n" for s in range(0, 110, 10))
    (tmp_path / "thermo.csv").write_text(
        "step,time_ps,potential_eV,kinetic_eV,total_eV,temperature_K\n" + rows
    )
    (tmp_path / "checkpoint.json").write_text('{"step": 80}')
    record.read_history()
    assert record.checkpoint_step == 80
    assert len(record.series.arrays("temp")[0]) == 11
    assert record.series.arrays("temp_target")[1].tolist() == [300.0] * 10 + [350.0]


# --- trouble ----------------------------------------------------------------------------------------------------------

BLOW_UP = {
    "code": "blow-up",
    "title": "the simulation blew up at step 812 (0.406 ps): temperature 1.2e+04 K, above max_temperature = 10000 K; "
    "all frames before and the last checkpoint are kept",
    "hint": "Likely causes: a time step of 0.5 fs is too long.",
}


def test_a_blow_up_names_time_reason_and_remedies(tmp_path: Path) -> None:
    trouble = describe_trouble(BLOW_UP, _record(tmp_path), {"timestep": 0.5})
    assert trouble.title == "The simulation blew up at 0.406 ps (step 812)"
    assert trouble.text.startswith("Temperature 1.2e+04 K, above max_temperature = 10000 K. ")
    assert trouble.time_ps == pytest.approx(0.406)
    assert [r.key for r in trouble.remedies] == ["shorter-timestep", "minimise", "settings"]
    assert trouble.remedies[0].title == "Halve the time step (0.5 → 0.25 fs)"
    bold = describe_trouble(BLOW_UP, _record(tmp_path), {"timestep": 5.0})
    assert bold.remedies[0].title == "Shorten the time step (5 → 0.5 fs)"
    again = describe_trouble(BLOW_UP, _record(tmp_path), {"timestep": 0.5, "minimise": True})
    assert [r.key for r in again.remedies] == ["shorter-timestep", "settings"]


def test_a_crash_says_what_is_safe_and_where_to_go_on(tmp_path: Path) -> None:
    record = _record(tmp_path)
    for step in range(0, 1000, 100):
        record.take(_sample(step))
    record.take({"ev": "checkpoint", "t": 1, "path": "checkpoint-800.chk", "step": 800})
    error = {"code": "crashed", "title": "The program ended unexpectedly (signal 11, SIGSEGV)."}
    trouble = describe_trouble(error, record, {})
    assert "signal 11" in trouble.title
    assert "Your data up to 0.45 ps are safe." in trouble.text
    assert trouble.remedies[0].title == "Resume from checkpoint at 0.4 ps"


def test_before_the_first_checkpoint_a_run_begins_anew(tmp_path: Path) -> None:
    trouble = describe_trouble({"code": "crashed", "title": "x"}, SimulationRecord(tmp_path), {})
    assert [r.key for r in trouble.remedies] == ["restart", "settings"]


# --- export -----------------------------------------------------------------------------------------------------------


def test_a_script_leaves_with_all_that_it_needs(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(UserError, match=r"simulate\.py"):
        export_script(run, tmp_path / "out")
    for name in ("simulate.py", "model.safetensors", "topology.pdb", "start.xml", "trajectory.dcd"):
        (run / name).write_text(name)
    assert export_script(run, tmp_path / "out").read_text() == "simulate.py"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["model.safetensors", "simulate.py", "start.xml", "topology.pdb"]  # fmt: skip
    assert export_trajectory(run, tmp_path / "t" / "mine.xyz").name == "mine.dcd"
    assert (tmp_path / "t" / "mine.pdb").is_file()
