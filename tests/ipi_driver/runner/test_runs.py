"""Runs that go well: what they leave, that they can be continued, and in which ways the model is reached."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ipi_driver.inputs import PimdSpec
from ipi_driver.runner import resume_pimd, run_pimd
from nequip_openmm.errors import UserError
from tests.ipi_driver.runner.conftest import events_of, frame_steps, leaves_nothing, steps_of

pytestmark = pytest.mark.usefixtures("springs")
Make = Callable[..., PimdSpec]


def _outputs(folder: Path) -> dict[str, str]:
    """Return the contents of all that i-PI has written, by name."""
    paths = [*folder.glob("simulation.out"), *folder.glob("simulation.*.xyz")]
    return {path.name: path.read_text() for path in paths}


def _is_number(word: str) -> bool:
    return word.lstrip("-")[:1].isdigit()


def _words(text: str) -> list[str]:
    return [word for word in text.split() if not _is_number(word)]


def _numbers(text: str) -> list[float]:
    return [float(word) for word in text.split() if _is_number(word)]


def test_a_run_leaves_folder_events_and_no_process(make_spec: Make, tmp_path: Path) -> None:
    result = run_pimd(make_spec(), tmp_path / "run")
    folder = result.folder
    assert (result.reason, result.step, result.signal) == ("finished", 60, None)
    assert steps_of(folder) == list(range(0, 61, 5))
    for bead in range(4):
        assert frame_steps(folder / f"simulation.pos_{bead}.xyz") == list(range(0, 61, 10))
    assert frame_steps(folder / "simulation.xc.xyz") == list(range(0, 61, 10))
    (start,) = [e for e in events_of(folder, "status") if e["state"] == "starting"]
    assert leaves_nothing(folder, [start["server"], *start["drivers"]])
    samples = events_of(folder, "sample")
    assert samples[-1]["step"] == 60
    assert samples[-1]["ekin"] == pytest.approx(result.last["kinetic_cv"])
    assert samples[-1]["elements"].keys() == {"C", "H", "O"}
    of_elements = [element["ekin"] for element in samples[-1]["elements"].values()]
    assert sum(of_elements) == pytest.approx(samples[-1]["ekin"])
    assert samples[-1]["elements"]["H"]["r_gyration"] > samples[-1]["elements"]["O"]["r_gyration"]
    assert samples[-1]["t_ps"] == pytest.approx(60 * 0.25e-3)
    assert [e["step"] for e in events_of(folder, "checkpoint")] == [0, 20, 40, 60]
    assert len(list(folder.glob("simulation.chk_*"))) == 2
    last = events_of(folder, "frame")[-1]
    assert (folder / last["path"]).stat().st_size == last["bytes"]
    assert events_of(folder, "done")[-1]["reason"] == "finished"


def test_a_resumed_run_equals_an_uninterrupted_one(make_spec: Make, tmp_path: Path) -> None:
    run_pimd(make_spec(steps=60), tmp_path / "whole")
    run_pimd(make_spec(steps=35), tmp_path / "parts")
    result = resume_pimd(tmp_path / "parts", steps=60)
    assert (result.reason, result.step) == ("finished", 60)
    whole, parts = _outputs(tmp_path / "whole"), _outputs(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    for name, text in whole.items():  # i-PI transforms the saved beads, which rounds
        assert _words(parts[name]) == _words(text), name
        np.testing.assert_allclose(_numbers(parts[name]), _numbers(text), rtol=1e-5, atol=1e-9)
    rows = [_numbers(outputs["simulation.out"]) for outputs in (whole, parts)]
    np.testing.assert_allclose(rows[1], rows[0], rtol=1e-11, atol=1e-12)


def test_a_run_over_tcp_is_resumed_at_a_free_port(make_spec: Make, tmp_path: Path) -> None:
    run_pimd(make_spec(steps=10, socket="inet"), tmp_path / "run")
    (hello,) = events_of(tmp_path / "run", "hello")
    with socket.create_server(("localhost", int(hello["address"].rpartition(":")[2]))):
        assert resume_pimd(tmp_path / "run", steps=20).step == 20


def test_a_run_without_any_state_begins_again(make_spec: Make, tmp_path: Path) -> None:
    run_pimd(make_spec(), tmp_path / "run")
    before = _outputs(tmp_path / "run")
    for path in [tmp_path / "run" / "RESTART", *(tmp_path / "run").glob("simulation.chk_*")]:
        path.write_text("<simulation> cut sh")
    assert resume_pimd(tmp_path / "run").step == 60
    assert _outputs(tmp_path / "run") == before


def test_a_finished_run_has_nothing_left_to_do(make_spec: Make, tmp_path: Path) -> None:
    run_pimd(make_spec(steps=10), tmp_path / "run")
    assert resume_pimd(tmp_path / "run").reason == "finished"
    assert (tmp_path / "run" / "RESTART").exists()  # other runs start from it
    with pytest.raises(UserError, match="has done 10 already"):
        resume_pimd(tmp_path / "run", steps=5)


def test_every_way_to_the_model_gives_the_same_numbers(make_spec: Make, tmp_path: Path) -> None:
    def table(**changes: Any) -> NDArray[np.float64]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        return np.loadtxt(run_pimd(make_spec(**changes), folder).folder / "simulation.out")

    usual = table()
    for changes in ({"processes": 2}, {"socket": "inet"}, {"batch_size": 1}, {"ffdirect": True}):
        np.testing.assert_allclose(table(**changes), usual, rtol=1e-10, err_msg=str(changes))


@pytest.mark.parametrize(
    ("mode", "beads"), [("trpmd", 4), ("rpmd", 4), ("classical", 1), ("minimise", 1)]
)
def test_modes_run(mode: str, beads: int, make_spec: Make, tmp_path: Path) -> None:
    spec = make_spec(mode=mode, beads=beads, steps=40, thermo_interval=1)
    result = run_pimd(spec, tmp_path / "run")
    assert result.reason == "finished"
    table = np.loadtxt(tmp_path / "run" / "simulation.out")
    assert np.isfinite(table).all()
    if mode == "rpmd":  # constant energy
        np.testing.assert_allclose(table[:, 2], table[0, 2], atol=5e-3)


def test_piglet_runs(make_spec: Make, tmp_path: Path) -> None:
    """With matrices by which every mode has white noise of friction 0.01 and one temperature."""
    shape, one = "shape='(4,2,2)'", "{0}, 0, 0, {0}"
    a, c = (", ".join([one.format(value)] * 4) for value in (0.01, 1200))
    gle = tmp_path / "gle.xml"
    gle.write_text(f"<A {shape}> [ {a} ] </A><C {shape} units='kelvin'> [ {c} ] </C>")
    run_pimd(make_spec(mode="piglet", gle=gle), tmp_path / "run")
    sample = events_of(tmp_path / "run", "sample")[-1]
    assert sample["elements"]["H"].keys() == {"ekin", "r_gyration"}
    assert sample["temp"] is None
    temperature = np.loadtxt(tmp_path / "run" / "simulation.out")[:, 3]
    assert 50.0 < temperature[4:].mean() < 900.0


def test_a_relaxation_says_whether_it_has_converged(make_spec: Make, tmp_path: Path) -> None:
    options = {"mode": "minimise", "beads": 1, "thermo_interval": 1}
    run_pimd(make_spec(**options, steps=60), tmp_path / "far")
    assert not events_of(tmp_path / "far", "warning")
    potential = [sample["epot"] for sample in events_of(tmp_path / "far", "sample")]
    assert potential[0] > 0.02
    assert potential[-1] == pytest.approx(0.0, abs=1e-5)
    run_pimd(make_spec(**options, steps=2), tmp_path / "near")
    (warning,) = events_of(tmp_path / "near", "warning")
    assert warning["code"] == "not-converged"


@pytest.mark.parametrize("barostat", ["isotropic", "anisotropic"])
def test_constant_pressure_changes_the_cell(
    barostat: str, make_spec: Make, box: Path, tmp_path: Path
) -> None:
    spec = make_spec(mode="npt", structure=box, barostat=barostat, pressure=1000.0)
    run_pimd(spec, tmp_path / "run")
    columns, _ = pytest.importorskip("ipi").read_output(str(tmp_path / "run" / "simulation.out"))
    volumes = columns["volume"]
    assert volumes[0] == pytest.approx(406.63, abs=0.01)
    assert volumes[-1] != pytest.approx(volumes[0], abs=1e-6)


@pytest.mark.parametrize("ffdirect", [False, True])
def test_replicas_exchange(ffdirect: bool, make_spec: Make, tmp_path: Path) -> None:
    spec = make_spec(
        mode="remd", beads=2, temperatures=(300, 330), exchange_interval=5, ffdirect=ffdirect
    )
    assert run_pimd(spec, tmp_path / "run").reason == "finished"
    replicas = {sample["replica"] for sample in events_of(tmp_path / "run", "sample")}
    assert replicas == {0, 1}


def test_a_run_starts_from_the_beads_of_another(make_spec: Make, tmp_path: Path) -> None:
    run_pimd(make_spec(steps=20), tmp_path / "first")
    spec = make_spec(mode="rpmd", start=tmp_path / "first" / "RESTART", steps=10)
    run_pimd(spec, tmp_path / "second")
    last, first = (np.loadtxt(tmp_path / name / "simulation.out") for name in ("first", "second"))
    kinetic_cv = 5
    assert first[0, kinetic_cv] == pytest.approx(last[-1, kinetic_cv], rel=1e-10)
