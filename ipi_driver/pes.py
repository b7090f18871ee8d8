"""A PES file for i-PI: the potential is called within i-PI's own process, without a socket.

In i-PI's input::

    <ffdirect name='nequip'>
        <pes> custom </pes> <pes_path> FILE </pes_path> <batch_size> 32 </batch_size>
        <parameters> {model: model.safetensors, template: start.xyz} </parameters>
    </ffdirect>

or on the command line ``i-pi-driver-py -m custom -P FILE -o model=model.safetensors,template=start.xyz``, where FILE is what
``nequip-ipi-driver --pes-path`` prints. Several models, separated by colons, make a committee. i-PI loads this file by its
path, looks for the class named below and calls it; nothing of i-PI is imported here.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipi_driver.evaluator import Evaluator
from ipi_driver.failures import write_error
from ipi_driver.protocol import Request
from ipi_driver.rounds import answer_requests
from nequip_openmm.errors import ConfigError, RunFailed, UserError

__all__ = ["PES"]

__DRIVER_NAME__ = "nequip"
__DRIVER_CLASS__ = "PES"

FloatArray = NDArray[np.float64]
Answer: TypeAlias = "tuple[float, FloatArray, FloatArray, str]"
"""Energy in hartree, forces (N, 3) in hartree/bohr, virial (3, 3) in hartree, extras."""


class PES:
    """NequIP as i-PI calls a potential-energy surface.

    Parameters
    ----------
    model
        Model file, or several separated by colons.
    template
        Structure with i-PI's atoms in i-PI's order.
    device, dtype, atomic_energies, error_file
        As the options of ``nequip-ipi-driver``.
    evaluator
        Takes the place of model and template.
    **of_ipi
        ``verbosity`` and ``verbose``, which i-PI hands to every PES.

    Raises
    ------
    UserError
        If model or template cannot be used, or a parameter is not known.
    """

    def __init__(
        self,
        model: str | Path = "",
        template: str | Path = "",
        *,
        device: str | None = None,
        dtype: str | None = None,
        atomic_energies: bool = False,
        error_file: str | Path = "driver_error.json",
        evaluator: Evaluator | None = None,
        **of_ipi: Any,
    ) -> None:
        self.error_file = Path(error_file)
        try:
            _refuse_unknown(of_ipi)
            self.evaluator = evaluator or _load(model, template, device, dtype, atomic_energies)
        except UserError as error:
            write_error(self.error_file, error)
            raise

    def __call__(
        self, cell: ArrayLike | Sequence[ArrayLike], pos: ArrayLike | Sequence[ArrayLike]
    ) -> Answer | list[Answer]:
        """Evaluate one structure, or a list of them in one go.

        Parameters
        ----------
        cell
            (3, 3) lattice vectors as columns in bohr, or a list of n such.
        pos
            (N, 3) positions in bohr, or a list of n such.
        """
        if isinstance(cell, list):
            return self._evaluate(np.array(pos, dtype=np.float64), np.array(cell))
        return self._evaluate(np.array(pos, dtype=np.float64)[None], np.array(cell)[None])[0]

    compute = __call__

    def _evaluate(self, positions: FloatArray, h: FloatArray) -> list[Answer]:
        try:
            self._check_atoms(positions)
            (found,), _ = answer_requests(self.evaluator, [Request(positions, h)])
        except RunFailed as error:
            write_error(self.error_file, error)
            _stop_ipi()
            raise
        # i-PI zeroes components of the virial in place, so every caller gets an array of its own
        return [
            (float(found.energies[k]), found.forces[k].copy(), found.virials[k].copy(), extras)
            for k, extras in enumerate(found.extras)
        ]

    def _check_atoms(self, positions: FloatArray) -> None:
        if positions.shape[1:] != (self.evaluator.n_atoms, 3):
            raise RunFailed(
                f"i-PI has {positions.shape[1]} atoms, the template {self.evaluator.n_atoms}",
                code="atom-count",
                hint="Give the structure of i-PI's input as template, with its atoms in the same order.",
            )


def _load(
    model: str | Path,
    template: str | Path,
    device: str | None,
    dtype: str | None,
    atomic_energies: bool,
) -> Evaluator:
    from ipi_driver.potentials import load_evaluator

    if not (model and template):
        raise ConfigError("the PES needs <parameters> {model: FILE, template: FILE} </parameters>")
    models = [Path(name) for name in str(model).split(os.pathsep)]
    return load_evaluator(models, Path(template), device, dtype, atomic_energies)


def _refuse_unknown(parameters: dict[str, Any]) -> None:
    unknown = sorted(set(parameters) - {"verbosity", "verbose"})
    if unknown:
        raise ConfigError(
            f"<parameters>: unknown {', '.join(unknown)}; known are model, template, device, dtype, atomic_energies, error_file"
        )


def _stop_ipi() -> None:
    """Ask i-PI to stop, where an exception would end its polling thread only and leave the rest waiting for ever."""
    if threading.current_thread() is not threading.main_thread():
        os.kill(os.getpid(), signal.SIGTERM)
