"""Potential: what it gives, batches, and structures it refuses."""

from __future__ import annotations

from pathlib import Path

import ase
import ase.build
import numpy as np
import pytest
import torch

import nequip_openmm
from nequip_openmm import Potential, engines
from nequip_openmm.data.frame import Frame
from nequip_openmm.errors import BackendError, DataError, ModelFileError, RunFailed, StructureError
from nequip_openmm.model.file import save_model
from tests.model import cases


@pytest.fixture(scope="module")
def potential() -> Potential:
    return cases.potential("l2-parity")


def test_a_file_becomes_a_potential(tmp_path: Path) -> None:
    model = cases.build(dtype=torch.float32)
    save_model(tmp_path / "m.safetensors", model, {"metrics": {"frames": 3}})
    found = nequip_openmm.load(tmp_path / "m.safetensors", device="cpu")
    assert found.species == cases.SPECIES
    assert (found.cutoff, found.dtype, found.device.type) == (3.5, torch.float32, "cpu")
    assert found.info.metrics == {"frames": 3}
    double = nequip_openmm.load(tmp_path / "m.safetensors", dtype="float64")
    assert double.dtype == torch.float64


def test_shapes_types_and_units_of_an_evaluation(potential: Potential) -> None:
    molecule = potential.evaluate(cases.ethanol())
    assert isinstance(molecule.energy, float)
    assert molecule.forces.shape == (9, 3)
    assert molecule.energies.shape == (9,)
    assert molecule.virial is not None
    assert molecule.virial.shape == (3, 3)
    assert molecule.stress is None
    for array in (molecule.forces, molecule.energies, molecule.virial):
        assert array.dtype == np.float64
    crystal = potential.evaluate(cases.triclinic())
    assert crystal.stress is not None
    assert crystal.virial is not None
    volume = cases.triclinic().get_volume()
    np.testing.assert_allclose(crystal.stress * volume, -crystal.virial, rtol=1e-14)
    assert potential.evaluate(cases.slab()).stress is None
    cheap = potential.evaluate(cases.triclinic(), stress=False)
    assert cheap.virial is None
    assert cheap.stress is None


def test_batches_agree_with_singles_however_they_are_cut(
    potential: Potential, monkeypatch: pytest.MonkeyPatch
) -> None:
    structures = [make() for make in cases.STRUCTURES.values()] * 2
    alone = [potential.evaluate(structure) for structure in structures]
    for limit in (1, 150, 10**9):
        monkeypatch.setitem(engines.MAX_EDGES, potential.engine, limit)
        together = potential.evaluate(structures)
        assert len(together) == len(structures)
        for a, b in zip(alone, together):
            assert a.energy == pytest.approx(b.energy, abs=1e-13)
            np.testing.assert_allclose(a.forces, b.forces, rtol=0, atol=1e-13)
            assert a.virial is not None
            assert b.virial is not None
            np.testing.assert_allclose(a.virial, b.virial, rtol=0, atol=1e-13)
            assert (a.stress is None) == (b.stress is None)


def test_frames_atoms_and_mixtures_are_alike(potential: Potential) -> None:
    atoms = cases.ethanol()
    a, b = potential.evaluate([atoms, Frame.from_ase(atoms)])
    assert a.energy == pytest.approx(b.energy, abs=1e-14)
    assert potential.evaluate([]) == []


def test_evaluating_changes_neither_structure_nor_calculator(potential: Potential) -> None:
    atoms = cases.triclinic()
    before = atoms.copy()
    potential.evaluate(atoms)
    assert atoms == before
    assert atoms.calc is None


def test_small_and_large_agree_on_a_repeated_crystal(potential: Potential) -> None:
    """2 × 2 × 2 cells, far more pairs than the largest batch of the other tests."""
    one = potential.evaluate(cases.triclinic())
    many = potential.evaluate(cases.triclinic().repeat(3))
    assert many.energy == pytest.approx(27 * one.energy, abs=1e-11)
    np.testing.assert_allclose(many.stress, one.stress, rtol=0, atol=1e-13)


SILANE = ase.build.molecule("SiH4")
NAN = ase.Atoms("CO", [[0, 0, 0], [0, np.nan, 0]])
OVERLAP = ase.Atoms("CHO", [[0, 0, 0], [2, 0, 0], [2, 0, 0.05]])
IMAGE = ase.Atoms("C", cell=[0.05, 5.0, 5.0], pbc=True)
NO_CELL = ase.Atoms("C", pbc=True)
FLAT = ase.Atoms("C", cell=[[3, 0, 0], [6, 0, 0], [0, 0, 3]], pbc=True)


@pytest.mark.parametrize(
    ("structure", "words"),
    [
        (ase.Atoms(), ("no atoms",)),
        (SILANE, ("Si", "atoms 0", "H, C, O")),
        (NAN, ("atom 1", "not finite")),
        (OVERLAP, ("atoms 1 (H) and 2 (O)", "0.05 Å")),
        (IMAGE, ("0.05 Å",)),
        (NO_CELL, ("periodic", "cell")),
        (FLAT, ("periodic", "dependent")),
    ],
)
def test_structures_that_cannot_be_evaluated(
    potential: Potential, structure: ase.Atoms, words: tuple[str, ...]
) -> None:
    with pytest.raises(StructureError) as caught:
        potential.evaluate(structure)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message
    with pytest.raises(StructureError, match="structure 1: "):
        potential.evaluate([cases.ethanol(), structure])


def test_other_things_are_refused(potential: Potential) -> None:
    with pytest.raises(DataError, match=r"expected ase.Atoms, a Frame or a list of them, got int"):
        potential.evaluate(3)  # type: ignore[call-overload]
    with pytest.raises(DataError, match=r"structure 0: expected ase\.Atoms"):
        potential.evaluate(["H2O"])  # type: ignore[list-item]


def test_devices_and_precisions_that_do_not_exist_are_named(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_model(path, cases.build())
    with pytest.raises(BackendError, match="device 'cuda:99' is not available"):
        nequip_openmm.load(path, device="cuda:99")
    with pytest.raises(BackendError, match="device 'toaster'"):
        nequip_openmm.load(path, device="toaster")
    with pytest.raises(BackendError, match="precision must be 'float32' or 'float64', got 'half'"):
        nequip_openmm.load(path, dtype="half")
    with pytest.raises(ModelFileError, match="cannot be read"):
        nequip_openmm.load(tmp_path / "none.safetensors")


def test_a_result_that_is_not_finite_is_never_returned() -> None:
    model = cases.build()
    with torch.no_grad():
        model.scale_shift.shifts.fill_(torch.inf)
    with pytest.raises(RunFailed, match="not finite") as caught:
        Potential(model).evaluate(cases.ethanol())
    assert caught.value.code == "non-finite"
