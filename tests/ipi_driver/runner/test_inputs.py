"""The writer of inputs: units, rules, structures, refusals; none of it needs i-PI."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree.ElementTree import Element

import ase.build
import ase.io
import numpy as np
import pytest
from ase.units import _amu, _c, _e
from pydantic import ValidationError

from ipi_driver.inputs import Address, PimdSpec, input_xml, new_address, read_start
from ipi_driver.inputs.beads import energy_deficit, suggested_beads
from ipi_driver.inputs.transport import batch_size, latency
from ipi_driver.inputs.vibrations import highest_wavenumber
from nequip_openmm.data.frame import Frame
from nequip_openmm.errors import ConfigError, StructureError

Make = Callable[..., PimdSpec]
HERE = Address("test")


def _root(spec: PimdSpec) -> Element:
    return ET.fromstring(input_xml(spec, read_start(spec.structure), HERE, Path("/pes.py")))


def _text(root: Element, path: str) -> str:
    return (root.findtext(path) or "").strip()


DIMENSIONS = {"timestep", "tau", "temperature", "pressure", "energy", "force", "position"}


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "pimd"},
        {"mode": "npt"},
        {"mode": "npt", "barostat": "anisotropic"},
        {"mode": "minimise", "beads": 1},
        {"mode": "remd", "temperatures": (300, 350)},
    ],
)
def test_units_are_always_written(changes: dict[str, Any], make_spec: Make, box: Path) -> None:
    root = _root(make_spec(structure=box, **changes))
    found = [item for item in root.iter() if item.tag in DIMENSIONS and (item.text or "").strip()]
    assert found
    assert all(item.get("units") for item in found)
    for table in root.iter("properties"):
        columns = [name.strip() for name in (table.text or "").strip(" []").split(",")]
        assert columns[0] == "step"
        assert all(name.endswith("}") for name in columns[1:])
    for trajectory in root.iter("trajectory"):
        assert trajectory.get("cell_units") == "angstrom"
        assert (trajectory.text or "").strip().endswith("{angstrom}")


def test_thermostats_of_the_modes(make_spec: Make, tmp_path: Path) -> None:
    dynamics = "system/motion/dynamics"
    pimd = _root(make_spec(mode="pimd", thermostat_tau=50))
    assert pimd.find(dynamics).attrib == {"mode": "nvt", "splitting": "baoab"}  # type: ignore[union-attr]
    assert pimd.find(f"{dynamics}/thermostat").get("mode") == "pile_g"  # type: ignore[union-attr]
    assert _text(pimd, f"{dynamics}/thermostat/tau") == "50"
    trpmd = _root(make_spec(mode="trpmd"))
    assert float(_text(trpmd, f"{dynamics}/thermostat/tau")) == 1e9  # the centroid is free
    assert _text(trpmd, f"{dynamics}/thermostat/pile_lambda") == "0.5"
    rpmd = _root(make_spec(mode="rpmd"))
    assert rpmd.find(dynamics).get("mode") == "nve"  # type: ignore[union-attr]
    assert rpmd.find(f"{dynamics}/thermostat") is None
    classical = _root(make_spec(mode="classical", beads=1))
    assert classical.find(f"{dynamics}/thermostat").get("mode") == "langevin"  # type: ignore[union-attr]
    assert classical.find("system/initialize").get("nbeads") == "1"  # type: ignore[union-attr]


def test_estimators_are_those_of_the_physical_system(make_spec: Make, box: Path) -> None:
    quantum = _text(_root(make_spec(structure=box)), "output/properties")
    for name in (
        "kinetic_cv{",
        "kinetic_td{",
        "potential{",
        "conserved{",
        "pressure_cv{",
        "r_gyration{",
        "kinetic_cv(H)",
    ):
        assert name in quantum
    assert "_md" not in quantum
    molecule = _text(_root(make_spec()), "output/properties")
    assert "pressure" not in molecule  # the cell of a molecule is ours, not its own


def test_piglet_takes_matrices_for_its_number_of_beads(make_spec: Make, tmp_path: Path) -> None:
    path = tmp_path / "gle.xml"
    numbers = ", ".join(["1200"] * 4 * 9)  # 4 beads at 300 K
    path.write_text(
        f"<!-- from gle4md.org -->\n<A shape='(4,3,3)'> [ {numbers} ] </A>\n"
        f"<C shape='(4,3,3)' units='kelvin'> [ {numbers} ] </C>"
    )
    thermostat = _root(make_spec(mode="piglet", gle=path)).find(".//thermostat")
    assert thermostat is not None
    assert thermostat.get("mode") == "nm_gle"
    assert [matrix.get("units") for matrix in thermostat] == ["atomic_unit", "kelvin"]
    assert "kinetic_td" not in _text(_root(make_spec(mode="piglet", gle=path)), "output/properties")
    with pytest.raises(ConfigError, match=r"are for 300 K, the run has 250 K"):
        _root(make_spec(mode="piglet", gle=path, temperature=250))
    with pytest.raises(ConfigError, match=r"has shape .4,3,3., but the run has 8 beads"):
        _root(make_spec(mode="piglet", gle=path, beads=8))
    path.write_text("<A> [1] </A>")
    with pytest.raises(ConfigError, match="lacks a matrix"):
        _root(make_spec(mode="piglet", gle=path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "classical", "beads": 4}, "mode classical has one bead"),
        ({"mode": "piglet"}, "needs gle"),
        ({"mode": "remd"}, "two or more, ascending"),
        ({"mode": "remd", "temperatures": (300, 200)}, "two or more, ascending"),
        ({"temperatures": (300, 400)}, "use mode remd"),
        ({"temperature": 0}, "greater than 0"),
        ({"beads": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_do_not_fit(changes: dict[str, Any], message: str, make_spec: Make) -> None:
    with pytest.raises(ValidationError, match=message):
        make_spec(**changes)


def test_a_molecule_has_no_pressure(make_spec: Make) -> None:
    with pytest.raises(ConfigError, match="no pressure"):
        _root(make_spec(mode="npt"))


# --- transport ----------------------------------------------------------------------------------------------------------


def test_batches_share_the_beads(make_spec: Make) -> None:
    assert batch_size(make_spec(beads=32)) == 32
    assert batch_size(make_spec(beads=32, processes=3)) == 11
    assert batch_size(make_spec(beads=32, processes=3, ffdirect=True)) == 32
    assert batch_size(make_spec(beads=32, batch_size=8)) == 8


def test_large_systems_wait_for_full_batches(make_spec: Make) -> None:
    spec = make_spec(beads=32)
    waits = [latency(spec, n_atoms) for n_atoms in (6, 60, 192)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (1e-4, 1e-2)
    assert latency(make_spec(beads=32, batch_size=1), 192) == 1e-4
    assert latency(make_spec(latency=0.5), 192) == 0.5


def test_addresses_are_unique_and_short(make_spec: Make) -> None:
    addresses = {str(new_address(make_spec())) for _ in range(100)}
    assert len(addresses) == 100
    assert all(len(address) <= 107 for address in addresses)
    port = new_address(make_spec(socket="inet")).port
    assert port is not None
    assert port > 1024
    with pytest.raises(ConfigError, match="cannot be listened on"):
        new_address(make_spec(socket="inet", host="no.such.host.invalid"))


def test_timeout_is_longer_than_the_loading_of_a_model(make_spec: Make) -> None:
    assert float(_text(_root(make_spec()), "ffsocket/timeout")) >= 300


def test_in_process_evaluation_is_one_full_batch(make_spec: Make) -> None:
    direct = _root(make_spec(ffdirect=True)).find("ffdirect")
    assert direct is not None
    assert direct.get("threaded") == "False"
    assert _text(direct, "batch_size") == "4"
    assert _text(direct, "pes_path") == "/pes.py"
    with pytest.raises(ConfigError, match="must divide the 4 beads"):
        _root(make_spec(ffdirect=True, batch_size=3))


# --- structure ------------------------------------------------------------------------------------------------------------


def test_the_cell_is_turned_with_its_atoms(box: Path, tmp_path: Path) -> None:
    before, start = ase.io.read(box), read_start(box)
    assert np.triu(start.cell, 1).max() == 0
    assert np.linalg.det(start.cell) == pytest.approx(before.get_volume())
    after = start.frame.to_ase()
    np.testing.assert_allclose(
        after.get_all_distances(mic=True), before.get_all_distances(mic=True), atol=1e-10
    )
    start.write(tmp_path)
    template = ase.io.read(tmp_path / "template.xyz")
    assert template.pbc.all()
    np.testing.assert_allclose(template.cell, start.cell, atol=1e-6)
    numbers = [float(word) for word in start.to_ipi().splitlines()[1].split()[2:11]]
    np.testing.assert_allclose(np.reshape(numbers, (3, 3)).T, start.cell, atol=1e-9)


def test_a_left_handed_cell_stays_the_same_crystal(tmp_path: Path) -> None:
    atoms = ase.build.bulk("NaCl", "rocksalt", a=5.6)
    atoms.rattle(0.1, seed=1)
    atoms.set_cell(atoms.cell[[1, 0, 2]])
    path = tmp_path / "salt.extxyz"
    ase.io.write(path, atoms)
    found = read_start(path).frame.to_ase()
    np.testing.assert_allclose(
        found.repeat(2).get_all_distances(mic=True).max(),
        atoms.repeat(2).get_all_distances(mic=True).max(),
        atol=1e-6,
    )
    np.testing.assert_allclose(
        found.get_distance(0, 1, mic=True), atoms.get_distance(0, 1, mic=True), atol=1e-6
    )


def test_a_molecule_gets_room_and_a_slab_too(methanol: Path, tmp_path: Path) -> None:
    start = read_start(methanol)
    assert not start.is_periodic
    assert not start.frame.cell.any()
    assert start.cell[0, 0] > 30
    slab = ase.build.fcc111("Cu", (2, 2, 2), vacuum=None)
    ase.io.write(tmp_path / "slab.extxyz", slab)
    found = read_start(tmp_path / "slab.extxyz")
    assert list(found.frame.pbc) == [True, True, False]
    assert found.cell[2, 2] > 30


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "cannot be read"),
        ("1\n\nX 0 0 0\n", "have no element"),
        ("1\n\nH nan 0 0\n", "not finite"),
    ],
)
def test_structures_that_cannot_be_used(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "structure.xyz"
    path.write_text(text)
    with pytest.raises(StructureError, match=message):
        read_start(path)
    with pytest.raises(StructureError, match="no such file"):
        read_start(tmp_path / "none.xyz")


# --- beads ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("beads", "millielectronvolt"), [(8, 69.14), (32, 90.72), (4000, 92.99)])
def test_energy_of_a_vibration_with_finite_beads(beads: int, millielectronvolt: float) -> None:
    """The published values for 3000 cm⁻¹ at 300 K; half the energy is potential."""
    exact = 92.99
    found = exact * (1.0 - energy_deficit(3000.0, 300.0, beads))
    assert found == pytest.approx(millielectronvolt, abs=0.02)


def test_more_beads_for_faster_and_colder() -> None:
    assert suggested_beads(3000, 300) == 30
    assert suggested_beads(3000, 100) > suggested_beads(3000, 300) > suggested_beads(500, 300)
    assert suggested_beads(5, 3000) == 1


def test_the_fastest_vibration_is_that_of_the_whole_hessian() -> None:
    atoms = ase.build.molecule("CH3OH")
    stiffness = 30.0
    vectors = atoms.positions[:, None] - atoms.positions

    hessian = np.zeros((6, 3, 6, 3))
    for i in range(6):
        for j in range(6):
            if i != j:
                unit = vectors[i, j] / np.linalg.norm(vectors[i, j])
                block = stiffness * np.outer(unit, unit)
                hessian[i, :, j] -= block
                hessian[i, :, i] += block
    mass = np.repeat(atoms.get_masses(), 3)
    weighted = hessian.reshape(18, 18) / np.sqrt(np.outer(mass, mass))
    # Wavenumber of k = 1 eV/Å² and m = 1 amu, from ASE's units: an independent factor.
    factor = np.sqrt(_e * 1e20 / _amu) / (2 * np.pi * _c * 100)
    expected = factor * np.sqrt(np.linalg.eigvalsh(weighted)[-1])
    found = highest_wavenumber(_Springs(atoms.positions, stiffness), Frame.from_ase(atoms))  # type: ignore[arg-type]
    assert found == pytest.approx(expected, rel=1e-3)


class _Springs:
    """A potential of springs between all atoms."""

    def __init__(self, rest: np.ndarray, stiffness: float) -> None:
        self.rest = np.linalg.norm(rest[:, None] - rest, axis=-1)
        self.stiffness = stiffness

    def evaluate(self, frames: list[Frame], *, stress: bool) -> list[SimpleNamespace]:
        return [SimpleNamespace(forces=self._forces(frame.positions)) for frame in frames]

    def _forces(self, positions: np.ndarray) -> np.ndarray:
        vectors = positions[:, None] - positions
        distances = np.linalg.norm(vectors, axis=-1) + np.eye(len(positions))
        scale = (distances - self.rest - np.eye(len(positions))) / distances
        return -self.stiffness * (scale[..., None] * vectors).sum(axis=1)
