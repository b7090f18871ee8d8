"""The PES file, called as i-PI calls it."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from ipi_driver import pes as module
from ipi_driver.evaluator import Results
from ipi_driver.pes import PES
from nequip_openmm.errors import RunFailed, UserError
from nequip_openmm.model.file import save_model
from tests.ipi_driver.fake import Harmonic, in_atomic_units, structures
from tests.model import cases


def test_one_structure_and_a_list_of_them() -> None:
    engine = Harmonic()
    pes = PES(evaluator=engine, verbosity=True)
    positions, h = structures(4)
    energies, forces, virials = in_atomic_units(positions, h)
    single = pes(h[0], positions[0])
    batch = pes(list(h), list(positions))
    assert engine.sizes == [1, 4]
    assert isinstance(single, tuple)
    assert isinstance(batch, list)
    for k, (energy, force, virial, extras) in enumerate(batch):
        assert isinstance(energy, float)
        assert energy == pytest.approx(energies[k], rel=1e-13)
        np.testing.assert_allclose(force, forces[k], rtol=1e-13)
        np.testing.assert_allclose(virial, virials[k], rtol=1e-13)
        assert json.loads(extras).keys() == {"label"}
    assert single[0] == batch[0][0]


def test_arrays_are_the_callers_own_and_writable() -> None:
    """i-PI zeroes the lower triangle of the virial in place."""
    pes = PES(evaluator=Harmonic())
    positions, h = structures(1)
    twice = [h[0], h[0]], [positions[0], positions[0]]
    first, second = pes(*twice)
    first[2][:], first[1][:] = 0.0, 0.0
    assert np.abs(second[2]).min() > 0.0
    assert np.abs(second[1]).min() > 0.0
    assert np.abs(pes(*twice)[0][2]).min() > 0.0


def test_it_loads_as_ipi_loads_it_and_imports_nothing_of_it() -> None:
    path = Path(module.__file__)
    names = {
        target.id: node.value.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert names["__DRIVER_CLASS__"] == "PES"
    assert names["__DRIVER_NAME__"] == "nequip"
    spec = importlib.util.spec_from_file_location("pes", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules["pes"] = loaded
    try:
        spec.loader.exec_module(loaded)
        assert loaded.PES(evaluator=Harmonic()) is not None
    finally:
        del sys.modules["pes"]


def test_models_and_template_from_parameters(tmp_path: Path) -> None:
    for k in range(2):
        save_model(tmp_path / f"{k}.safetensors", cases.build(seed=k, l_max=0))
    cases.ethanol().write(tmp_path / "t.xyz")
    models = f"{tmp_path}/0.safetensors:{tmp_path}/1.safetensors"
    pes = PES(model=models, template=f"{tmp_path}/t.xyz", device="cpu", dtype="float64", verbose=0)
    positions = cases.ethanol().positions / 0.529177210903
    answer = pes(np.zeros((3, 3)), positions)
    assert isinstance(answer, tuple)
    assert len(json.loads(answer[3])["committee_pot"]) == 2


@pytest.mark.parametrize(
    ("parameters", "match"),
    [({}, "model: FILE"), ({"modle": "x"}, "unknown modle"), ({"model": "a"}, "template")],
)
def test_parameters_that_cannot_be_used(
    tmp_path: Path, parameters: dict[str, str], match: str
) -> None:
    file = tmp_path / "error.json"
    with pytest.raises(UserError, match=match):
        PES(error_file=file, **parameters)  # type: ignore[arg-type]
    assert match in json.loads(file.read_text())["title"]


class NotFinite(Harmonic):
    def evaluate(self, positions: np.ndarray, cells: np.ndarray) -> Results:
        found = super().evaluate(positions, cells)
        found.energies[0] = np.nan
        return found


def test_a_failure_is_told_and_never_returned(tmp_path: Path) -> None:
    file = tmp_path / "error.json"
    pes = PES(evaluator=NotFinite(), error_file=file)
    positions, h = structures(1)
    with pytest.raises(RunFailed, match="not finite"):
        pes(h[0], positions[0])
    assert json.loads(file.read_text())["code"] == "non-finite"
    with pytest.raises(RunFailed, match="4 atoms"):
        pes(h[0], structures(1, 4)[0][0])


def test_in_a_thread_a_failure_stops_the_process_that_would_wait_for_ever(tmp_path: Path) -> None:
    pes = PES(evaluator=NotFinite(), error_file=tmp_path / "error.json")
    positions, h = structures(1)
    received: list[int] = []
    failures: list[Exception] = []
    previous = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))

    def poll() -> None:
        try:
            pes(h[0], positions[0])
        except RunFailed as error:
            failures.append(error)

    try:
        thread = threading.Thread(target=poll)
        thread.start()
        thread.join(5.0)
        os.getpid()  # lets the handler run
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert received == [signal.SIGTERM]
    assert len(failures) == 1
