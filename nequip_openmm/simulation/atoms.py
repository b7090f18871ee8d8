"""What potentials say about the atoms of any OpenMM simulation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import openmm
from numpy.typing import NDArray
from openmm import app, unit

from nequip_openmm.errors import StructureError, UserError
from nequip_openmm.evaluator import Evaluated, Evaluator
from nequip_openmm.potential import Potential, load
from nequip_openmm.simulation.output_files import FileReporter
from nequip_openmm.simulation.thermo import cell_angstrom, max_norm, positions_angstrom

__all__ = ["NequIPReporter"]

FloatArray = NDArray[np.float64]


class NequIPReporter(FileReporter):
    """Writes, as CSV, the energy of every atom and the largest force, and how far a committee of potentials disagrees.

    Columns: ``step``, ``time_ps``, ``energy_eV``, ``max_force_eV_per_A``; with a committee ``energy_std_eV`` and
    ``max_force_std_eV_per_A``; then ``atom_0_eV``, ``atom_1_eV``, ... by index in the topology. With a committee energies
    and forces are means over its members. The standard deviation of the energy is √⟨(E - ⟨E⟩)²⟩ over the members, that of the
    force on an atom √⟨|F - ⟨F⟩|²⟩, of which the largest of all atoms is written.

    Every member is evaluated once a report, whatever forces the simulation itself has.

    Parameters
    ----------
    potential
        A potential or its model file, or several of either: a committee.
    atoms
        Indices of the atoms that the potential describes, such as the ML part of a mixed system; None is all.

    Raises
    ------
    UserError
        For no potential, an interval below 1, or a file that is no model; at the first report `StructureError` for atoms
        that a potential does not know.

    Examples
    --------
    >>> simulation.reporters.append(NequIPReporter("atoms.csv", 100, "model.safetensors"))  # doctest: +SKIP
    """

    def __init__(
        self,
        file: Path | str,
        reportInterval: int,
        potential: Potential | Path | str | Sequence[Potential | Path | str],
        atoms: Iterable[int] | None = None,
        append: bool = False,
    ) -> None:
        members = [potential] if isinstance(potential, (Potential, Path, str)) else list(potential)
        if not members:
            raise UserError("potential: a committee needs one member or more, got none")
        self._potentials = [m if isinstance(m, Potential) else load(m) for m in members]
        self._atoms = None if atoms is None else [int(atom) for atom in atoms]
        self._evaluators: list[Evaluator] = []
        super().__init__(file, reportInterval, append)

    def _write_report(self, simulation: app.Simulation, state: openmm.State) -> None:
        if not self._evaluators:
            self._prepare(simulation)
        positions = positions_angstrom(state)[self._atoms]
        cell = cell_angstrom(state) if self._is_periodic else None
        found = [evaluator.evaluate(positions, cell) for evaluator in self._evaluators]
        time = float(state.getTime().value_in_unit(unit.picosecond))
        row = [simulation.currentStep, time, *_opinion(found)]
        self._out.write(",".join(repr(value) for value in row) + "\n")

    def _prepare(self, simulation: app.Simulation) -> None:
        every = list(simulation.topology.atoms())
        self._atoms = list(range(len(every))) if self._atoms is None else self._atoms
        numbers = _numbers(every, self._atoms)
        self._is_periodic = bool(simulation.system.usesPeriodicBoundaryConditions())
        self._evaluators = [p.evaluator(numbers, self._is_periodic) for p in self._potentials]
        if not self._continues:
            self._out.write(",".join(self._columns(self._atoms)) + "\n")

    def _columns(self, atoms: list[int]) -> list[str]:
        spread = ["energy_std_eV", "max_force_std_eV_per_A"] if len(self._potentials) > 1 else []
        first = ["step", "time_ps", "energy_eV", "max_force_eV_per_A"]
        return [*first, *spread, *(f"atom_{atom}_eV" for atom in atoms)]


def _numbers(every: list[app.topology.Atom], atoms: list[int]) -> list[int]:
    outside = [atom for atom in atoms if not 0 <= atom < len(every)]
    if outside:
        raise UserError(
            f"atoms: {outside[0]} is not in the topology, which has atoms 0 to {len(every) - 1}"
        )
    nameless = [atom for atom in atoms if every[atom].element is None]
    if nameless:
        raise StructureError(
            f"atom {nameless[0]} ({every[nameless[0]].name}) has no element; leave it out of atoms="
        )
    return [every[atom].element.atomic_number for atom in atoms]


def _opinion(found: list[Evaluated]) -> list[float]:
    """Return energy, largest force, their spread over several members, and the energies of the atoms."""
    energies = np.array([float(one.energy) for one in found])
    forces: FloatArray = np.array([one.forces for one in found])  # (members, N, 3)
    row = [float(energies.mean()), max_norm(forces.mean(axis=0))]
    if len(found) > 1:
        variance = ((forces - forces.mean(axis=0)) ** 2).sum(axis=2).mean(axis=0)  # (N,)
        row += [float(energies.std()), float(np.sqrt(variance.max()))]
    return [*row, *np.mean([one.energies for one in found], axis=0).tolist()]
