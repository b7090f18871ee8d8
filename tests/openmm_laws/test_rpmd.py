"""Ring polymers in OpenMM: a harmonic potential has an exact answer, and every bead is one evaluation of the potential."""

from __future__ import annotations

import ase
import numpy as np
import pytest

from nequip_openmm.examples import METHANOL
from nequip_openmm.forces.computation import Computation
from nequip_openmm.potential import Potential, load
from nequip_openmm.units import (
    ANGSTROM_TO_NM,
    BOLTZMANN_EV_PER_K,
    EV_TO_KJ_PER_MOL,
    NM_TO_ANGSTROM,
    REDUCED_PLANCK_SQUARED_PER_AMU,
    ROOT_EV_PER_ANGSTROM2_AMU_TO_WAVENUMBER,
)
from tests.forces.cases import Case, methanol, openmm, stable_potential
from tests.openmm_laws.cases import ON_REFERENCE, ON_THE_CPU, Harmonic, StandIn, Way, unit, value

TEMPERATURE, BEADS = 300.0, 16
MASS = 1.00794  # OpenMM's hydrogen
WAVENUMBER = 2365.0
SPRING = MASS * (WAVENUMBER / ROOT_EV_PER_ANGSTROM2_AMU_TO_WAVENUMBER) ** 2  # eV/Å²


def mean_square(beads: int) -> float:
    """Return ⟨x²⟩ in Å² of a harmonic oscillator as a ring of beads.

    Kelvin normal modes: ⟨x²⟩ = (1/βm) Σ_k 1/(ω² + ω_k²), ω_k = (2P/βħ) sin(kπ/P); Habershon et al., Annu. Rev. Phys. Chem.
    64, 387 (2013), doi:10.1146/annurev-physchem-040412-110122.
    """
    kt = BOLTZMANN_EV_PER_K * TEMPERATURE
    chain = 4.0 * beads**2 * kt**2 * MASS / REDUCED_PLANCK_SQUARED_PER_AMU  # m (2P/βħ)²
    sines = np.sin(np.arange(beads) * np.pi / beads) ** 2
    return float((kt / (SPRING + chain * sines)).sum())


def rpmd(beads: int, friction: float, timestep: float, seed: int = 4) -> openmm.RPMDIntegrator:
    """Friction in 1/ps, time step in ps."""
    integrator = openmm.RPMDIntegrator(beads, TEMPERATURE, friction, timestep)
    integrator.setRandomNumberSeed(seed)
    return integrator


def test_the_formula_is_that_of_many_beads_and_of_one() -> None:
    kt = BOLTZMANN_EV_PER_K * TEMPERATURE
    quantum = np.sqrt(REDUCED_PLANCK_SQUARED_PER_AMU / (SPRING * MASS)) / 2.0
    angle = 0.5 * np.sqrt(REDUCED_PLANCK_SQUARED_PER_AMU * SPRING / MASS) / kt
    assert mean_square(1) == pytest.approx(kt / SPRING, rel=1e-12)
    assert mean_square(2000) == pytest.approx(quantum / np.tanh(angle), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("way", ON_REFERENCE)
def test_the_width_of_a_harmonic_ring(way: Way) -> None:
    """⟨x²⟩ of 16 beads within four standard errors and 1.5 %; the classical one is five times smaller."""
    n = 60
    case = Case(ase.Atoms(f"H{n}", np.zeros((n, 3))))
    system = way.system(StandIn(Harmonic(SPRING)), case, removeCMMotion=False)
    integrator = rpmd(BEADS, 400.0, 0.000125)  # strong friction: it forgets within some steps
    context = way.context(system, integrator)
    rng = np.random.default_rng(1)
    for bead in range(BEADS):
        spread = np.sqrt(mean_square(BEADS)) * ANGSTROM_TO_NM
        integrator.setPositions(bead, rng.normal(0.0, spread, (n, 3)))
        integrator.setVelocities(bead, np.zeros((n, 3)))
    integrator.step(50)
    found = []
    for _ in range(96):
        integrator.step(12)
        x = np.array([positions_of(integrator, bead) for bead in range(BEADS)]) * NM_TO_ANGSTROM
        found.append((x**2).mean())
    blocks = [np.mean(block) for block in np.array_split(found, 12)]
    error = np.std(blocks, ddof=1) / np.sqrt(len(blocks))
    expected = mean_square(BEADS)
    assert context is not None
    assert abs(np.mean(found) - expected) < min(4.0 * error, 0.015 * expected)
    assert np.mean(found) > 4.0 * mean_square(1)


def positions_of(integrator: openmm.RPMDIntegrator, bead: int) -> np.ndarray:
    """In nm."""
    state = integrator.getState(bead, getPositions=True)
    return np.array(state.getPositions(asNumpy=True).value_in_unit(unit.nanometer))


@pytest.mark.parametrize("way", ON_THE_CPU)
def test_every_bead_is_an_evaluation_of_the_potential(way: Way) -> None:
    potential, case = stable_potential(), methanol()
    integrator = rpmd(4, 20.0, 0.00025)
    context = way.context(way.system(potential, case), integrator)
    for bead in range(4):
        integrator.setPositions(bead, case.positions)
    integrator.step(40)
    atoms = case.atoms
    energies = []
    for bead in range(4):
        state = integrator.getState(bead, getEnergy=True, getForces=True)
        atoms.positions[:] = positions_of(integrator, bead) * NM_TO_ANGSTROM
        expected = potential.evaluate(atoms)
        energy = value(state.getPotentialEnergy(), unit.kilojoule_per_mole) / EV_TO_KJ_PER_MOL
        forces = state.getForces(asNumpy=True)._value / (EV_TO_KJ_PER_MOL / ANGSTROM_TO_NM)
        assert energy == pytest.approx(expected.energy, rel=1e-14)
        np.testing.assert_allclose(forces, expected.forces, atol=1e-10)
        energies.append(energy)
    assert context is not None
    assert np.ptp(energies) > 1e-3


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Potential:
    """A potential that a few epochs have taught methanol's bonds."""
    from nequip_openmm.training import load_config, train

    small = ["training.max_epochs=4", "data.n_train=40", "data.n_valid=10", "model.num_features=8"]
    small += ["model.num_layers=2"]
    config = load_config(None, "quick", small, METHANOL)
    model = train(config, tmp_path_factory.mktemp("train") / "run").model
    assert model is not None
    return load(model)


@pytest.mark.slow
@pytest.mark.parametrize("way", ON_REFERENCE)
def test_beads_of_a_trained_model(trained: Potential, way: Way) -> None:
    """RPMD sees at every bead what a single evaluation of its structure gives."""
    case = methanol()
    integrator = rpmd(16, 10.0, 0.00025)
    context = way.context(way.system(trained, case), integrator)
    for bead in range(16):
        integrator.setPositions(bead, case.positions)
    integrator.step(100)
    assert context is not None
    for bead in range(16):
        state = integrator.getState(bead, getEnergy=True, getForces=True)
        atoms = case.atoms.copy()
        atoms.positions[:] = positions_of(integrator, bead) * NM_TO_ANGSTROM
        expected = trained.evaluate(atoms)
        energy = value(state.getPotentialEnergy(), unit.kilojoule_per_mole) / EV_TO_KJ_PER_MOL
        forces = state.getForces(asNumpy=True)._value / (EV_TO_KJ_PER_MOL / ANGSTROM_TO_NM)
        assert energy == pytest.approx(expected.energy, rel=1e-12)
        np.testing.assert_allclose(forces, expected.forces, atol=1e-9)


@pytest.mark.parametrize("way", ON_REFERENCE)
@pytest.mark.parametrize(("contraction", "calls"), [(None, 8), (4, 4), (1, 1)])
def test_a_contraction_saves_evaluations(
    contraction: int | None, calls: int, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    original = Computation._evaluate
    monkeypatch.setattr(
        Computation, "_evaluate", lambda self, *args: counted.append(1) or original(self, *args)
    )
    system = way.system(stable_potential(), methanol(), forceGroup=1, removeCMMotion=False)
    contractions = {} if contraction is None else {1: contraction}
    integrator = openmm.RPMDIntegrator(8, TEMPERATURE, 1.0, 0.00025, contractions)
    context = way.context(system, integrator)
    for bead in range(8):
        moved = methanol().positions + 1e-4 * np.random.default_rng(bead).normal(size=(6, 3))
        integrator.setPositions(bead, moved)
    integrator.step(1)
    counted.clear()
    integrator.step(10)
    assert context is not None
    assert len(counted) == 10 * calls
