"""What ``md --check`` says is what the run would be, and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.build
import ase.io
import numpy as np
import pytest
from ase import Atoms

from nequip_openmm import load
from nequip_openmm.forces.backends import choose_loaded
from nequip_openmm.simulation.dry_run import dry_run


def _settings(model: Path, structure: Path, **more: Any) -> dict[str, Any]:
    return {"model": str(model), "structure": str(structure), "steps": 1000, **more}


def test_a_sound_run(model_file: Path, methanol_file: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    found = dry_run(_settings(model_file, methanol_file, platform="Reference", timestep=0.25))
    assert found.ok
    assert found.warnings == []
    assert found.n_atoms == 6
    assert found.elements == {"C": 1, "O": 1, "H": 4}
    assert (found.is_periodic, found.cell_height_A) == (False, None)
    assert (found.species, found.cutoff_A, found.unknown_elements) == (["H", "C", "O"], 4.0, [])
    assert (found.platform, found.backend) == ("Reference", choose_loaded().name)
    assert (found.engine, found.device, found.dtype) == ("fused", "cpu", "float64")
    assert found.reasons["platform"] == "asked for"
    assert found.reasons["backend"] == choose_loaded().reason
    assert (found.steps, found.time_ps) == (1000, 0.25)
    exact = load(model_file).evaluate(ase.io.read(methanol_file))
    assert found.energy_eV == pytest.approx(exact.energy, abs=1e-9)
    force = np.linalg.norm(exact.forces, axis=1).max()
    assert found.max_force_eV_per_A == pytest.approx(force, abs=1e-9)
    assert found.wall_time_s == pytest.approx(found.ms_per_step, rel=1e-12)  # of 1000 steps
    assert sorted(tmp_path.iterdir()) == before


def test_a_long_step_is_a_warning(model_file: Path, box_file: Path) -> None:
    atoms = ase.io.read(box_file)
    found = dry_run(_settings(model_file, box_file, timestep=3.0, ensemble="npt"))
    assert found.ok
    volume, cell = atoms.get_volume(), atoms.cell
    areas = [np.linalg.norm(np.cross(cell[i - 2], cell[i - 1])) for i in range(3)]
    assert found.cell_height_A == pytest.approx(volume / max(areas), rel=1e-5)
    assert [warning["code"] for warning in found.warnings] == ["long-timestep"]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"temperature": -1, "stepps": 3}, "temperature", "must be a number ≥ 0"),
        ({"structure": "no.xyz"}, "structure", "no such file"),
        ({"model": "no.safetensors"}, "model", "no.safetensors"),
        ({"ensemble": "npt"}, "ensemble", "has no periodic cell"),
        ({"max_force": 1e-6}, "structure", "above max_force"),
        ({"platform": "HIP"}, "platform", "this OpenMM has"),
        ({"backend": "Python"}, "backend", ""),
    ],
)
def test_errors_name_their_setting(
    model_file: Path, methanol_file: Path, changes: dict[str, Any], field: str, message: str
) -> None:
    found = dry_run(_settings(model_file, methanol_file) | changes)
    assert not found.ok
    assert field in [error["field"] for error in found.errors]
    assert any(message in error["msg"] for error in found.errors)
    assert all("\n" not in error["msg"] for error in found.errors)


def test_what_is_known_is_told_although_an_element_is_unknown(
    model_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "sulfur.xyz"
    ase.io.write(path, Atoms("HSH", [[0, 0, 0], [0, 0, 1.3], [0, 1.3, 1.3]]))
    found = dry_run(_settings(model_file, path))
    assert found.unknown_elements == ["S"]
    assert found.elements == {"H": 2, "S": 1}
    assert found.cutoff_A == 4.0
    (error,) = found.errors
    assert error["field"] == "structure"
    assert "not S" in error["msg"]
