"""Potentials as i-PI's engine: one model, or a committee whose mean drives the dynamics."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ipi_driver.evaluator import Results
from ipi_driver.extras import extras_texts
from ipi_driver.template import Template, read_template
from nequip_openmm.errors import ConfigError, StructureError

if TYPE_CHECKING:
    from nequip_openmm.potential import Potential

__all__ = ["PotentialEvaluator", "load_evaluator"]

log = logging.getLogger(__name__)
FloatArray = NDArray[np.float64]

STRONG_FORCE = 50.0
"""eV/Å; a structure that is meant has none as strong."""


class PotentialEvaluator:
    """Evaluates structures that have the template's atoms.

    Parameters
    ----------
    potentials
        One, or the members of a committee.
    template
        Elements and periodicity.
    gives_atomic_energies
        Whether the extras hold the energy of every atom.

    Raises
    ------
    StructureError
        If a potential cannot evaluate the template, as with an element it does not know.
    """

    def __init__(
        self,
        potentials: Sequence[Potential],
        template: Template,
        gives_atomic_energies: bool = False,
    ) -> None:
        if not potentials:
            raise ConfigError("a driver needs at least one model; give --model")
        self.template = template
        self.gives_atomic_energies = gives_atomic_energies
        self._has_seen_structure = False
        frame = template.frame
        try:
            self._members = [p.evaluator(frame.numbers, frame.pbc) for p in potentials]
            self._evaluate(frame.positions[None], frame.cell[None])  # also compiles what must be
        except StructureError as error:
            raise StructureError(f"{template.source}: {error}") from error

    @property
    def n_atoms(self) -> int:
        """Number of atoms of every structure."""
        return len(self.template.frame)

    def evaluate(self, positions: FloatArray, cells: FloatArray) -> Results:
        """Evaluate n structures at once; see `ipi_driver.evaluator.Evaluator`."""
        self.template.check_cells(cells)
        is_first, self._has_seen_structure = not self._has_seen_structure, True
        if is_first:
            self.template.check_start(positions[0])
        results = self._evaluate(positions, cells)
        if is_first:
            _warn_of_strong_forces(results.forces)
        return results

    def _evaluate(self, positions: FloatArray, cells: FloatArray) -> Results:
        found = [member.evaluate(positions, cells) for member in self._members]
        energies = np.array([member.energy for member in found])  # (K, n)
        forces = np.array([member.forces for member in found])  # (K, n, N, 3)
        virials = np.array([member.virial for member in found])  # (K, n, 3, 3)
        atomic = None
        if self.gives_atomic_energies:
            atomic = np.mean([member.energies for member in found], axis=0)
        return Results(
            energies.mean(axis=0),
            forces.mean(axis=0),
            virials.mean(axis=0),
            extras_texts(energies, forces, virials, atomic),
        )


def _warn_of_strong_forces(forces: FloatArray) -> None:
    strongest = float(np.linalg.norm(forces, axis=-1).max())
    if strongest > STRONG_FORCE:
        log.warning(
            "the first structure has a force of %.0f eV/Å: do template and i-PI's input hold the same atoms in the same "
            "order, with units written, and is the start relaxed?",
            strongest,
        )


def load_evaluator(
    models: Sequence[Path],
    template: Path,
    device: str | None = None,
    dtype: str | None = None,
    gives_atomic_energies: bool = False,
) -> PotentialEvaluator:
    """Read models and template.

    Raises
    ------
    UserError
        If one of them cannot be used, or they do not fit together.
    """
    structure = read_template(template)  # before torch is loaded, which takes seconds

    log.info("loading %s", ", ".join(map(str, models)))
    from nequip_openmm.potential import load

    potentials = [load(path, device, dtype) for path in models]
    return PotentialEvaluator(potentials, structure, gives_atomic_energies)
