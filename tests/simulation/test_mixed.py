"""A potential inside a force field: energies, virtual sites, multiple time steps, a script and a resume that repeat the run."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import ase
import numpy as np
import pytest
from openmm import Context, NonbondedForce, Platform, VerletIntegrator, app, unit

from nequip_openmm import load
from nequip_openmm.analysis.statistics import read_thermo
from nequip_openmm.errors import ConfigError, StructureError
from nequip_openmm.simulation import resume_simulation, run_simulation
from nequip_openmm.simulation.dry_run import dry_run
from nequip_openmm.units import EV_TO_KJ_PER_MOL

from .outputs import MakeSpec, assert_same_outputs

pytest.importorskip("openmmml")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FIELDS = ("amber14/protein.ff14SB.xml", str(EXAMPLES / "methanol_amber.xml"))
WATER = np.array([[0.0, 0.0, 0.0], [0.9572, 0.0, 0.0], [-0.24, 0.9266, 0.0]])  # Å
PLACES = ([4.0, 0.5, 0.0], [-3.5, 1.5, 1.0], [0.5, -4.0, 0.5])


@pytest.fixture(scope="module")
def solvated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Methanol and three waters, without a cell."""
    pdb = app.PDBFile(str(EXAMPLES / "methanol.pdb"))
    modeller = app.Modeller(pdb.topology, pdb.positions)
    topology = app.Topology()
    chain = topology.addChain()
    for _ in PLACES:
        residue = topology.addResidue("HOH", chain)
        oxygen, *hydrogens = (
            topology.addAtom(name, app.Element.getBySymbol(name[0]), residue)
            for name in ("O", "H1", "H2")
        )
        for hydrogen in hydrogens:
            topology.addBond(oxygen, hydrogen)
    centre = np.mean(pdb.getPositions(asNumpy=True).value_in_unit(unit.angstrom), axis=0)
    waters = np.concatenate([centre + np.array(place) + WATER for place in PLACES])
    modeller.add(topology, waters * unit.angstrom)
    path = tmp_path_factory.mktemp("solvated") / "start.pdb"
    with path.open("w") as file:
        app.PDBFile.writeFile(modeller.topology, modeller.positions, file, keepIds=True)
    return path


def _mixed(water: str = "amber14/tip3p.xml", **more: Any) -> dict[str, Any]:
    return {"forcefield": (*FIELDS, water), "residues": "MOH", **more}


def _mm_energy(pdb: app.PDBFile, atoms: list[int] | None = None) -> float:
    """Return the energy in eV by the force field of all atoms, or of some by themselves."""
    modeller = app.Modeller(pdb.topology, pdb.positions)
    if atoms is not None:
        modeller.delete([a for a in modeller.topology.atoms() if a.index not in atoms])
    field = app.ForceField(*FIELDS, "amber14/tip3p.xml")
    system = field.createSystem(modeller.topology, constraints=None, rigidWater=True)
    assert any(isinstance(force, NonbondedForce) for force in system.getForces())
    reference = Platform.getPlatformByName("Reference")
    context = Context(system, VerletIntegrator(0.001), reference)
    context.setPositions(modeller.positions)
    energy = context.getState(energy=True).getPotentialEnergy()
    return float(energy.value_in_unit(unit.kilojoule_per_mole)) / EV_TO_KJ_PER_MOL


@pytest.mark.parametrize("coupling", [0.0, 0.5, 1.0])
def test_energy_is_that_of_the_parts(
    solvated: Path, model_file: Path, methanol_file: Path, coupling: float
) -> None:
    pdb = app.PDBFile(str(solvated))
    positions = pdb.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    ml = list(range(6))
    symbols = [atom.element.symbol for atom in pdb.topology.atoms()]
    network = load(model_file).evaluate(ase.Atoms(symbols[:6], positions[:6])).energy
    mm, mm_alone = _mm_energy(pdb), _mm_energy(pdb, ml)
    settings = {"model": str(model_file), "structure": str(solvated), "steps": 1}
    found = dry_run(settings | {"platform": "Reference", "mixed": _mixed(coupling=coupling)})
    assert found.errors == []
    # bonded terms inside the ML part go as well, so its force field energy is taken out whole
    expected = mm + coupling * (float(network) - mm_alone)
    assert found.energy_eV == pytest.approx(expected, abs=1e-4)  # 0.01 kJ/mol


def _repeated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[bytearray, bytearray]:
    """Return the trajectories of a run and of its script, without their date."""
    monkeypatch.setattr(sys, "argv", ["simulate.py"])
    runpy.run_path(str(folder / "simulate.py"))
    first, second = (
        bytearray((each / "trajectory.dcd").read_bytes()) for each in (folder, folder / "repeated")
    )
    first[180:260] = second[180:260] = b""
    return first, second


@pytest.mark.parametrize(
    "changes",
    [
        {"ensemble": "nve", "mixed": _mixed(inner_steps=4)},
        {"mixed": _mixed("amber14/tip4pew.xml", coupling=0.3)},
        {"scale": 0.5, "periodic": False},
        {"beads": 4, "timestep": 0.2, "mixed": _mixed(rigid_water=False, contraction=1)},
    ],
    ids=["nve", "virtual sites", "scale", "ring polymer with a contraction"],
)
def test_script_and_resume_repeat_the_run_bit_for_bit(
    make_spec: MakeSpec,
    solvated: Path,
    methanol_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:
    changes = changes | {"structure": solvated if "mixed" in changes else methanol_file}
    whole = run_simulation(make_spec(steps=40, **changes), tmp_path / "whole").folder
    first, second = _repeated(whole, monkeypatch)
    assert first == second
    run_simulation(make_spec(steps=20, **changes), tmp_path / "broken")
    resume_simulation(tmp_path / "broken", steps=40)
    assert_same_outputs(whole, tmp_path / "broken")


def test_multiple_time_steps_with_a_thermostat(
    make_spec: MakeSpec, solvated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resume repeats the run; a script has other noise, as OpenMM draws it anew for every kinetic energy, but it runs."""
    first = {"steps": 20, "temperature": 200.0, "temperature_end": 250.0}
    second = {"steps": 20, "friction": 3.0, "temperature": 300.0}
    mixed = _mixed("amber14/tip4pew.xml", inner_steps=2)
    changes = {"structure": solvated, "mixed": mixed}
    whole = run_simulation(
        make_spec(steps=None, stages=(first, second), **changes), tmp_path / "whole"
    ).folder
    ours, theirs = _repeated(whole, monkeypatch)
    assert len(ours) == len(theirs)
    run_simulation(
        make_spec(steps=None, stages=(first, second | {"steps": 10}), **changes),
        tmp_path / "broken",
    )
    resume_simulation(tmp_path / "broken", steps=40)
    rows = [read_thermo(tmp_path / name / "thermo.csv") for name in ("whole", "broken")]
    np.testing.assert_array_equal(rows[0]["step"], rows[1]["step"])


def test_virtual_sites_are_added_and_weigh_nothing(
    make_spec: MakeSpec, solvated: Path, tmp_path: Path
) -> None:
    mixed = _mixed("amber14/tip4pew.xml")
    spec = make_spec(structure=solvated, mixed=mixed, temperature=300.0, ensemble="nve", steps=20)
    folder = run_simulation(spec, tmp_path / "run").folder
    topology = app.PDBFile(str(folder / "topology.pdb")).topology
    assert [atom.element for atom in topology.atoms()].count(None) == len(PLACES)
    thermo = read_thermo(folder / "thermo.csv")
    assert np.ptp(thermo["conserved_eV"]) < 0.05 * thermo["kinetic_eV"].mean()


def test_inner_steps_follow_what_the_force_field_does_fast(
    make_spec: MakeSpec, solvated: Path, tmp_path: Path
) -> None:
    """The error of a flexible water in steps of 0.5 fs is less when its forces are computed eight times as often."""
    spread = []
    for inner in (1, 8):
        mixed = _mixed(inner_steps=inner, rigid_water=False)
        spec = make_spec(
            structure=solvated,
            mixed=mixed,
            ensemble="nve",
            timestep=0.5,
            steps=100,
            thermo_interval=1,
        )
        thermo = read_thermo(run_simulation(spec, tmp_path / str(inner)).folder / "thermo.csv")
        spread.append(thermo["conserved_eV"].std())
    assert spread[1] < 0.5 * spread[0]


@pytest.mark.parametrize(
    ("mixed", "error", "message"),
    [
        (
            _mixed() | {"residues": "XYZ"},
            ConfigError,
            "no residue is called XYZ; there are HOH, MOH",
        ),
        (_mixed() | {"residues": (), "atoms": (99,)}, ConfigError, "99 is not among the atoms"),
        (_mixed("no.xml"), ConfigError, "mixed.forcefield: cannot be read"),
        (
            {"forcefield": "amber14/tip3p.xml", "residues": "MOH"},
            StructureError,
            "the force field cannot describe it",
        ),
    ],
)
def test_what_cannot_be_embedded_is_one_line(
    make_spec: MakeSpec,
    solvated: Path,
    tmp_path: Path,
    mixed: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message) as caught:
        run_simulation(make_spec(structure=solvated, mixed=mixed), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_settings_that_do_not_go_together_are_refused(model_file: Path, solvated: Path) -> None:
    settings = {"model": str(model_file), "structure": str(solvated), "steps": 1}
    for more, message in (
        ({"mixed": _mixed() | {"atoms": (1,)}}, "either residues or atoms"),
        ({"mixed": _mixed(), "scale": 0.5}, "periodic and scale go without mixed"),
        ({"mixed": _mixed(inner_steps=2), "thermostat": "nose-hoover"}, "use langevin"),
    ):
        found = dry_run(settings | more)
        assert any(message in problem["msg"] for problem in found.errors)


def test_ring_polymers_have_no_rigid_water(
    make_spec: MakeSpec, solvated: Path, tmp_path: Path
) -> None:
    spec = make_spec(structure=solvated, mixed=_mixed(), beads=2)
    with pytest.raises(ConfigError, match="in mixed set rigid_water: false"):
        run_simulation(spec, tmp_path / "run")
    assert not (tmp_path / "run").exists()
