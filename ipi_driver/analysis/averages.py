"""Averages of a path-integral run: kinetic energies and sizes of ring polymers by element, drift, thermodynamics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ipi_driver.analysis.columns import Series, per_element
from ipi_driver.analysis.run import Run
from nequip_openmm.analysis.statistics import Drift, Mean, block_average, energy_drift
from nequip_openmm.units import BOLTZMANN_EV_PER_K, REDUCED_PLANCK_SQUARED_PER_AMU

__all__ = ["Element", "Summary", "disagreement", "free_gyration", "summarise"]

QUANTITIES = ("potential", "temperature", "pressure_cv", "volume", "density")
RING_POLYMER = ("kinetic_cv", "kinetic_td", "r_gyration")
CLASSICAL = ("pressure_md",)  # of several beads it would be that of the ring polymer


@dataclass(frozen=True)
class Element:
    """Averages over the atoms of one element, or over all.

    Attributes
    ----------
    name
        As in the trajectory; ``all`` for the whole system.
    n_atoms
        Number of its atoms.
    kinetic_cv, kinetic_td
        Centroid-virial and primitive quantum kinetic energy of an atom, eV; None if not printed, or without meaning.
    r_gyration
        Mean radius of gyration of a ring polymer, Å; None if not printed.
    free_gyration
        Root mean square radius of gyration of a free particle of that mass, Å; None if the mass is not known.
    """

    name: str
    n_atoms: int
    kinetic_cv: Mean | None
    kinetic_td: Mean | None
    r_gyration: Mean | None
    free_gyration: float | None

    @property
    def is_known(self) -> bool:
        """Whether anything was printed for these atoms."""
        return any(one is not None for one in (self.kinetic_cv, self.kinetic_td, self.r_gyration))


@dataclass(frozen=True)
class Summary:
    """Averages of one run.

    Attributes
    ----------
    name, n_beads, temperature, timestep, mode, symbols, is_piglet
        As in `Replica` and `Run`.
    duration
        Time that averages were taken over, ps.
    samples
        Rows that they were taken over.
    total
        Kinetic energies and radius of gyration over all atoms, per atom.
    elements
        The same by element, as far as it was printed.
    means
        Of other quantities, by i-PI's name: eV, K, bar, Å³, g/cm³.
    drift
        Of the conserved quantity; None if it was not printed.
    """

    name: str
    n_beads: int
    temperature: float
    timestep: float
    mode: str
    symbols: tuple[str, ...]
    duration: float
    samples: int
    total: Element
    elements: tuple[Element, ...]
    means: Mapping[str, Mean]
    drift: Drift | None
    is_piglet: bool = False

    @property
    def classical(self) -> float:
        """Kinetic energy of a classical atom, 3/2 k_B T, eV."""
        return 1.5 * BOLTZMANN_EV_PER_K * self.temperature


def summarise(run: Run) -> Summary:
    """Return the averages of a run; errors are standard errors from blocks of independent length."""
    replica = run.replica
    longest = max(run.series.values(), key=lambda one: len(one.time))
    return Summary(
        run.name,
        replica.n_beads,
        replica.temperature,
        replica.timestep,
        replica.mode,
        run.symbols,
        duration=float(longest.time[-1] - longest.time[0]),
        samples=len(longest.time),
        total=_element(run, "all", len(run.symbols), run.series),
        elements=_elements(run),
        means={name: _mean(run.series[name]) for name in _quantities(run)},
        drift=_drift(run),
        is_piglet=replica.is_piglet,
    )


def disagreement(element: Element) -> float | None:
    """Return by how many standard errors the two estimators of the kinetic energy differ; None if that is unknown."""
    cv, td = element.kinetic_cv, element.kinetic_td
    if cv is None or td is None:
        return None
    error = math.hypot(cv.error, td.error)
    return abs(cv.value - td.value) / error if error > 0 else None


def free_gyration(mass: float, temperature: float, n_beads: int) -> float:
    """Return the root mean square radius of gyration of a free ring polymer of P beads, Å.

    In each direction the P - 1 internal modes of frequency ω_k = 2 P/(βħ) sin(kπ/P) have the variance 1/(β m ω_k²); with
    Σ_k 1/sin²(kπ/P) = (P² - 1)/3 the sum over three directions is ⟨r²⟩ = (βħ²/4m)(1 - 1/P²).

    M. E. Tuckerman, Statistical Mechanics: Theory and Molecular Simulation (Oxford, 2010), chapter 12.

    Parameters
    ----------
    mass
        In amu.
    temperature
        In K.
    """
    square = REDUCED_PLANCK_SQUARED_PER_AMU / (4.0 * mass * BOLTZMANN_EV_PER_K * temperature)
    return math.sqrt(square * (1.0 - 1.0 / n_beads**2))


def _quantities(run: Run) -> list[str]:
    wanted = QUANTITIES + (CLASSICAL if run.replica.n_beads == 1 else ())
    return [name for name in wanted if name in run.series]


def _elements(run: Run) -> tuple[Element, ...]:
    names = sorted(set(run.symbols))
    printed = {quantity: per_element(run.series, quantity) for quantity in RING_POLYMER}
    elements = (
        _element(
            run,
            name,
            run.symbols.count(name),
            {quantity: one[name] for quantity, one in printed.items() if name in one},
        )
        for name in names
    )
    return tuple(one for one in elements if one.is_known)


def _element(run: Run, name: str, n_atoms: int, series: Mapping[str, Series]) -> Element:
    def mean(quantity: str, divisor: int) -> Mean | None:
        if quantity in series:
            return _mean(series[quantity], divisor)
        return _of_one_bead(run, quantity)

    return Element(
        name,
        n_atoms,
        mean("kinetic_cv", n_atoms),
        mean("kinetic_td", n_atoms),
        mean("r_gyration", 1),
        None if name == "all" else _free(run, name),
    )


def _of_one_bead(run: Run, quantity: str) -> Mean | None:
    """Return what the estimators are by definition where the ring polymer has one bead, and nothing for several."""
    if run.replica.n_beads > 1:
        return None
    kinetic = 1.5 * BOLTZMANN_EV_PER_K * run.replica.temperature
    return Mean(0.0 if quantity == "r_gyration" else kinetic, 0.0, 1)


def _mean(series: Series, divisor: int = 1) -> Mean:
    return block_average(series.values / divisor)


def _free(run: Run, name: str) -> float | None:
    """Return the radius of gyration of a free atom with i-PI's mass for its name."""
    from ipi.utils.units import Elements, unit_to_user

    if run.replica.has_own_masses:
        return None
    mass = float(unit_to_user("mass", "dalton", Elements.mass(name)))
    return free_gyration(mass, run.replica.temperature, run.replica.n_beads)


def _drift(run: Run) -> Drift | None:
    conserved = run.series.get("conserved")
    if conserved is None or len(conserved.time) < 2:
        return None
    return energy_drift(conserved.time, conserved.values, len(run.symbols))
