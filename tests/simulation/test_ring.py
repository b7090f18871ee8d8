"""Ring polymers: estimators, what is kept of every bead, a resume and a script that repeat the run, and what is refused."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import openmm
import pytest
from openmm import app, unit

from nequip_openmm import load
from nequip_openmm.analysis.statistics import block_average, read_thermo
from nequip_openmm.errors import ConfigError, RunFailed, UserError
from nequip_openmm.runs import Command
from nequip_openmm.simulation import SimulationSpec, resume_simulation, run_simulation, system
from nequip_openmm.simulation.dry_run import dry_run
from nequip_openmm.simulation.ring import RingSimulation, refuse_rigid
from nequip_openmm.simulation.ring_thermo import RingThermometer
from nequip_openmm.units import (
    BOLTZMANN_EV_PER_K,
    EV_TO_KJ_PER_MOL,
    KJ_PER_MOL_TO_EV,
    REDUCED_PLANCK_SQUARED_PER_AMU,
)

from .outputs import MakeSpec, assert_same_outputs, events

BEADS = 4
STAGES = (
    {"name": "heat", "steps": 25, "temperature": 200, "temperature_end": 300, "friction": 10},
    {"name": "free", "steps": 15, "ensemble": "nve"},
)


def _assert_same_run(whole: Path, broken: Path) -> None:
    """Compare outputs and every bit of every bead."""
    assert_same_outputs(whole, broken)
    first, second = (np.load(*folder.glob("checkpoint-*.beads.npz")) for folder in (whole, broken))
    for name in ("positions", "velocities"):
        assert first[name].shape[0] == BEADS
        assert np.ptp(first[name], axis=0).min() > 0.0
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.usefixtures("springs")
@pytest.mark.parametrize(
    ("platform", "trajectory_format"), [("Reference", "dcd"), ("CPU", "xtc"), ("CPU", "xyz")]
)
def test_a_resumed_run_equals_an_uninterrupted_one(
    make_spec: MakeSpec, tmp_path: Path, platform: str, trajectory_format: str
) -> None:
    changes = {"platform": platform, "trajectory_format": trajectory_format, "beads": BEADS}
    for ensemble in ("nvt", "nve"):
        spec = [make_spec(steps=n, ensemble=ensemble, **changes) for n in (90, 33)]
        whole = run_simulation(spec[0], tmp_path / f"whole-{ensemble}").folder
        broken = run_simulation(spec[1], tmp_path / f"broken-{ensemble}").folder
        resume_simulation(broken, steps=66)
        assert resume_simulation(broken, steps=90).step == 90
        _assert_same_run(whole, broken)


class _Order:
    """A new temperature after so many steps, then nothing."""

    def __init__(self, folder: Path, step: int) -> None:
        self.thermo = folder / "thermo.csv"
        self.step: int | None = step

    def poll(self) -> Command | None:
        if self.step is None or not self.thermo.exists():
            return None
        last = self.thermo.read_text().splitlines()[-1].split(",")[0]
        if not last.isdigit() or int(last) < self.step:
            return None
        self.step = None
        return Command("set", {"temperature": 250.0, "friction": 3.0})

    def poll_unknown(self) -> str | None:
        return None


@pytest.mark.parametrize("kind", ["dcd", "xtc"])
def test_stages_and_orders_are_in_resume_and_script(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("nequip_openmm.simulation.loop._CHUNK_S", 0.0)
    changes = {"steps": None, "beads": BEADS, "trajectory_format": kind, "trajectory_interval": 4}
    orders: Any = _Order(tmp_path / "whole", 10)
    spec = make_spec(stages=STAGES, **changes)
    whole = run_simulation(spec, tmp_path / "whole", commands=orders).folder
    (order,) = (event for event in events(whole) if event["ev"] == "set")
    assert order["temperature"] == 250.0

    orders = _Order(tmp_path / "broken", 10)
    short = (STAGES[0], STAGES[1] | {"steps": 5})
    spec = make_spec(stages=short, **changes)
    broken = run_simulation(spec, tmp_path / "broken", commands=orders).folder
    resume_simulation(broken, steps=40)
    _assert_same_run(whole, broken)
    _assert_script_repeats(whole, monkeypatch)


def _assert_script_repeats(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["simulate.py"])
    runpy.run_path(str(folder / "simulate.py"))
    (first,), (second,) = (
        [p.read_bytes() for p in f.glob("trajectory.*")] for f in (folder, folder / "repeated")
    )
    assert max(map(len, (folder / "simulate.py").read_text().splitlines())) <= 140
    skipped = 276 if (folder / "trajectory.dcd").exists() else 0  # a date
    assert len(first) > skipped
    assert first[skipped:] == second[skipped:]


def test_a_model_relaxes_resumes_and_repeats(
    make_spec: MakeSpec, single_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"model": single_model, "beads": BEADS, "minimise": True, "minimise_iterations": 5}
    changes |= {"platform": "CPU", "trajectory_interval": 3}
    whole = run_simulation(make_spec(steps=20, **changes), tmp_path / "whole").folder
    run_simulation(make_spec(steps=11, **changes), tmp_path / "broken")
    resume_simulation(tmp_path / "broken", steps=20)
    _assert_same_run(whole, tmp_path / "broken")
    _assert_script_repeats(whole, monkeypatch)


def test_a_frame_is_the_first_bead_with_its_own_energy_and_forces(
    make_spec: MakeSpec, model_file: Path, tmp_path: Path
) -> None:
    spec = make_spec(beads=BEADS, trajectory_format="xyz", steps=20, timestep=0.2)
    folder = run_simulation(spec, tmp_path / "run").folder
    frame = ase.io.read(folder / "trajectory.xyz", index=-1)
    (beads,) = folder.glob("checkpoint-*.beads.npz")
    np.testing.assert_allclose(frame.positions, 10.0 * np.load(beads)["positions"][0], atol=1e-7)
    expected = load(model_file).evaluate(frame)
    assert frame.get_potential_energy() == pytest.approx(expected.energy, abs=1e-6)
    np.testing.assert_allclose(frame.get_forces(), expected.forces, atol=1e-6)


STIFFNESS_KJ = 2.0e5  # kJ/mol/nm², 1,500 cm⁻¹ for carbon


@pytest.fixture
def wells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold every atom by itself in a harmonic well, which has exact averages."""

    def make_system(spec: SimulationSpec, topology: app.Topology, potential: Any) -> openmm.System:
        result = openmm.System()
        well = openmm.CustomExternalForce(f"{STIFFNESS_KJ / 2}*(x*x+y*y+z*z)")
        for atom in topology.atoms():
            well.addParticle(result.addParticle(atom.element.mass))
        result.addForce(well)
        return result

    monkeypatch.setattr(system, "make_system", make_system)


def _exact_potential(topology: app.Topology, beads: int, temperature: float) -> float:
    """Return ⟨V⟩ in eV of a ring of so many beads; ⟨K⟩ is the same.

    3/2 kT Σ_i Σ_k k/(k + m_i ω_k²) with ω_k = (2 P kT/ħ) sin(kπ/P); S. Habershon et al., Annu. Rev. Phys. Chem. 64, 387 (2013),
    doi:10.1146/annurev-physchem-040412-110122.
    """
    kt = BOLTZMANN_EV_PER_K * temperature
    stiffness = STIFFNESS_KJ / EV_TO_KJ_PER_MOL / 100.0  # eV/Å²
    masses = [atom.element.mass.value_in_unit(unit.dalton) for atom in topology.atoms()]
    sines = np.sin(np.arange(beads) * np.pi / beads) ** 2
    chain = np.outer(masses, sines) * (2 * beads * kt) ** 2 / REDUCED_PLANCK_SQUARED_PER_AMU
    return float((1.5 * kt * stiffness / (stiffness + chain)).sum())


@pytest.mark.usefixtures("wells")
def test_energies_of_a_harmonic_ring(make_spec: MakeSpec, tmp_path: Path) -> None:
    """⟨V⟩, ⟨K⟩ and the temperature within four standard errors of the exact values, which are far from the classical ones."""
    spec = make_spec(
        beads=8,
        steps=4_000,
        timestep=0.2,
        temperature=300.0,
        friction=400.0,
        engine="reference",
        thermo_interval=12,
        guard_interval=12,
        trajectory_interval=4_000,
        checkpoint_interval=4_000,
        max_force=1e6,
    )
    folder = run_simulation(spec, tmp_path / "run").folder
    thermo = read_thermo(folder / "thermo.csv")
    topology = app.PDBFile(str(folder / "topology.pdb")).topology
    exact = _exact_potential(topology, 8, 300.0)
    classical = _exact_potential(topology, 1, 300.0)
    assert exact > 2.0 * classical
    for name, expected in (
        ("potential_eV", exact),
        ("kinetic_eV", exact),
        ("temperature_K", 300.0),
    ):
        found = block_average(thermo[name][40:])
        assert abs(found.value - expected) < 4.0 * found.error
        assert found.error < 0.03 * expected


@pytest.mark.usefixtures("springs")
def test_nve_conserves_the_energy_of_the_whole_ring(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(beads=BEADS, ensemble="nve", timestep=0.05, steps=200, checkpoint_interval=200)
    assert "cold-ring" in {w["code"] for w in dry_run(spec.model_dump(mode="json")).warnings}
    folder = run_simulation(spec, tmp_path / "run").folder
    thermo = read_thermo(folder / "thermo.csv")
    conserved = np.asarray(thermo["conserved_eV"])
    assert np.ptp(conserved) < 1e-3 * np.ptp(BEADS * np.asarray(thermo["potential_eV"]))


@pytest.mark.usefixtures("springs")
def test_the_energy_of_the_ring_is_that_of_openmm(make_spec: MakeSpec) -> None:
    from nequip_openmm.simulation.prepare import load_potential, read_start_of
    from nequip_openmm.simulation.ring import set_first_velocities

    spec = make_spec(beads=BEADS, ensemble="nve")
    potential = load_potential(spec.model, spec)
    phase = spec.phases[0]
    simulation = system.make_simulation(spec, read_start_of(spec), potential, phase)
    assert isinstance(simulation, RingSimulation)
    set_first_velocities(simulation, spec, 300.0)
    simulation.step(7)
    assert simulation.currentStep == 7
    state = simulation.state(positions=True, velocities=True, forces=True, energy=True)
    thermometer = RingThermometer(simulation.system, spec.timestep, conserves_energy=True)
    sample = thermometer.measure(7, state, simulation.context)
    expected = simulation.integrator.getTotalEnergy().value_in_unit(unit.kilojoule_per_mole)
    assert sample.conserved_eV == pytest.approx(
        expected * KJ_PER_MOL_TO_EV, rel=1e-6
    )  # its ħ has few digits
    energies = [bead.getPotentialEnergy()._value * KJ_PER_MOL_TO_EV for bead in state.beads]
    assert sample.potential_eV == pytest.approx(np.mean(energies), rel=1e-12)


@pytest.mark.usefixtures("springs")
def test_the_guard_looks_at_every_bead(make_spec: MakeSpec, tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=r"temperature .* above max_temperature = 5 K"):
        run_simulation(make_spec(beads=BEADS, max_temperature=5.0), tmp_path / "hot")
    spec = make_spec(beads=BEADS, max_force=0.01, minimise=True, minimise_tolerance=100.0)
    with pytest.raises(RunFailed, match=r"force .* on an atom, above max_force = 0.01"):
        run_simulation(spec, tmp_path / "strong")


@pytest.mark.usefixtures("springs")
def test_distances_are_those_of_all_beads(make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(beads=BEADS, analysis=("rdf", "msd"), analysis_interval=10, steps=60)
    found = events(run_simulation(spec, tmp_path / "run").folder)
    last = {event["ev"]: event for event in found if event["ev"] in ("rdf", "msd")}
    assert (last["rdf"]["frames"], last["msd"]["frames"]) == (6 * BEADS, 6)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"ensemble": "npt"}, "beads = 4 have no barostat here; use nvt or nve"),
        ({"thermostat": "nose-hoover"}, "beads = 4 have the thermostat PILE; use langevin"),
        ({"temperature": 0, "ensemble": "nve"}, "temperature = 0: beads = 4 need more than 0 K"),
        ({"stages": [{"steps": 1}, {"steps": 1, "ensemble": "npt"}]}, "ensemble = npt: beads = 4"),
        ({"beads": 0}, "beads"),
        (
            {"mixed": {"forcefield": "tip3p.xml", "residues": "MOH", "inner_steps": 2}},
            "mixed.inner_steps: beads = 4 have none",
        ),
        (
            {"mixed": {"forcefield": "tip3p.xml", "residues": "MOH", "contraction": 4}},
            "mixed.contraction = 4: it must be less than the number of beads, 4",
        ),
        (
            {"mixed": {"forcefield": "a", "residues": "b", "contraction": 1, "coupling": 0.5}},
            "goes with coupling = 1 only",
        ),
    ],
)
def test_settings_that_do_not_go_with_beads(
    model_file: Path, methanol_file: Path, more: dict[str, Any], message: str
) -> None:
    settings = {"model": str(model_file), "structure": str(methanol_file), "beads": BEADS}
    settings |= {} if "stages" in more else {"steps": 1}
    found = dry_run(settings | more)
    assert any(message in problem["msg"] or message == problem["field"] for problem in found.errors)


def test_rigid_bonds_and_virtual_sites_are_refused() -> None:
    rigid, with_site = openmm.System(), openmm.System()
    for each in (rigid, with_site):
        each.addParticle(16.0)
        each.addParticle(1.0)
    rigid.addConstraint(0, 1, 0.1)
    with_site.addParticle(0.0)
    with pytest.raises(ConfigError, match="rigid_water: false and constraints: none"):
        refuse_rigid(rigid)
    with pytest.raises(ConfigError, match="beads: a ring polymer has no virtual sites"):
        refuse_rigid(with_site)


@pytest.mark.usefixtures("springs")
def test_beads_that_are_damaged_are_said(make_spec: MakeSpec, tmp_path: Path) -> None:
    folder = run_simulation(make_spec(beads=BEADS), tmp_path / "run").folder
    (path,) = folder.glob("checkpoint-*.beads.npz")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"beads.npz cannot be loaded"):
        resume_simulation(folder, steps=80)
    with pytest.raises(ConfigError, match=r"beads = 8.* was started with 4; only steps"):
        run_simulation(make_spec(beads=8), folder, resume=True)
