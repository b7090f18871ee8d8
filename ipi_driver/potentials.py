"""Potentials as i-PI's engine: one model, or a committee whose mean drives the dynamics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from ipi_driver.evaluator import Results
from ipi_driver.extras import extras_texts
from ipi_driver.template import Template, read_template
from nequip_openmm.data.frame import Frame
from nequip_openmm.errors import ConfigError, StructureError

if TYPE_CHECKING:
    from nequip_openmm.potential import Evaluation, Potential

__all__ = ["PotentialEvaluator", "load_evaluator"]

FloatArray = NDArray[np.float64]


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
        self.potentials = list(potentials)
        self.template = template
        self.gives_atomic_energies = gives_atomic_energies
        self._has_seen_structure = False
        self._try_template()

    @property
    def n_atoms(self) -> int:
        """Number of atoms of every structure."""
        return len(self.template.frame)

    def evaluate(self, positions: FloatArray, cells: FloatArray) -> Results:
        """Evaluate n structures at once; see `ipi_driver.evaluator.Evaluator`."""
        self.template.check_cells(cells)
        if not self._has_seen_structure:
            self.template.check_order(positions[0])
            self._has_seen_structure = True
        return self._evaluate(positions, cells)

    def _try_template(self) -> None:
        """Evaluate the template: refuses what cannot work and warms up what is compiled when first called."""
        for potential in self.potentials:
            try:
                potential.evaluate(self.template.frame)
            except StructureError as error:
                raise StructureError(f"{self.template.source}: {error}") from error

    def _evaluate(self, positions: FloatArray, cells: FloatArray) -> Results:
        frame = self.template.frame
        frames = [
            Frame(frame.numbers, points, cell, frame.pbc) for points, cell in zip(positions, cells)
        ]
        members = [cast("list[Evaluation]", p.evaluate(frames)) for p in self.potentials]
        energies = np.array([[e.energy for e in member] for member in members])  # (K, n)
        forces = np.array([[e.forces for e in member] for member in members])  # (K, n, N, 3)
        virials = np.array([[e.virial for e in member] for member in members])  # (K, n, 3, 3)
        atomic = None
        if self.gives_atomic_energies:
            atomic = np.array([[e.energies for e in member] for member in members]).mean(axis=0)
        return Results(
            energies.mean(axis=0),
            forces.mean(axis=0),
            virials.mean(axis=0),
            extras_texts(energies, forces, virials, atomic),
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

    from nequip_openmm.potential import load

    potentials = [load(path, device, dtype) for path in models]
    return PotentialEvaluator(potentials, structure, gives_atomic_energies)
