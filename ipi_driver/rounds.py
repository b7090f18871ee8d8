"""One evaluation for all that the server has asked: padding left out, results checked and dealt out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ipi_driver.atomic_units import cells_from_columns, in_atomic_units, positions_in_angstrom
from ipi_driver.evaluator import Evaluator, Results
from ipi_driver.protocol import AtomicResults, Request
from nequip_openmm.errors import RunFailed, UserError

__all__ = ["answer_requests", "check_request", "n_distinct"]

FloatArray = NDArray[np.float64]

INVERSE_TOLERANCE = 1e-6
"""Largest component of h h⁻¹ - 1; i-PI's own lie at rounding level."""


def answer_requests(
    evaluator: Evaluator, requests: Sequence[Request]
) -> tuple[list[AtomicResults], int]:
    """Evaluate requests together.

    Returns
    -------
    The answer to every request, and how many structures were evaluated.

    Raises
    ------
    RunFailed
        If a structure makes no sense, cannot be evaluated, or the results are not finite.
    """
    for request in requests:
        check_request(request)
    counts = [n_distinct(request) for request in requests]
    positions = np.concatenate([r.positions[:n] for r, n in zip(requests, counts)])
    h = np.concatenate([r.h[:n] for r, n in zip(requests, counts)])
    found = _evaluate(evaluator, positions_in_angstrom(positions), cells_from_columns(h))
    answers, first = [], 0
    for request, n in zip(requests, counts):
        rows = first + np.minimum(np.arange(len(request.positions)), n - 1)
        answers.append(in_atomic_units(found[rows]))
        first += n
    return answers, first


def n_distinct(request: Request) -> int:
    """Return the number of structures without those that repeat the last one, with which i-PI fills a batch."""
    same = (request.positions == request.positions[-1]).all(axis=(1, 2))
    same &= (request.h == request.h[-1]).all(axis=(1, 2))
    others = np.flatnonzero(~same)
    return int(others[-1]) + 2 if len(others) else 1


def check_request(request: Request) -> None:
    """Refuse numbers that no simulation in order would send.

    Raises
    ------
    RunFailed
        For positions or cells that are not finite, or an inverse that is not that of the cell.
    """
    if not np.isfinite(request.positions).all():
        bead, atom = np.argwhere(~np.isfinite(request.positions))[0][:2]
        raise RunFailed(
            f"the server sent a position that is not finite (structure {bead}, atom {atom}, counted from 0)",
            code="positions",
            hint="The simulation has blown up: shorten the time step, or relax the start.",
        )
    if not np.isfinite(request.h).all():
        raise RunFailed("the server sent a cell that is not finite", code="cell")
    if request.inverse_h is not None:
        _check_inverse(request.h, request.inverse_h)


def _check_inverse(h: FloatArray, inverse: FloatArray) -> None:
    """Refuse a pair that shows that the message was damaged, or is of another protocol."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is infinite fails below
        has_volume = np.linalg.det(h) != 0.0  # servers of systems without a cell send zeros
        product = h[has_volume] @ inverse[has_volume]
    if not (np.abs(product - np.eye(3)) < INVERSE_TOLERANCE).all():  # false for NaN as well
        raise RunFailed(
            "the server sent a cell and an inverse that do not belong together",
            code="cell",
            hint="The messages are not those of i-PI's protocol as this driver knows it, or were damaged on their way.",
        )


def _evaluate(evaluator: Evaluator, positions: FloatArray, cells: FloatArray) -> Results:
    try:
        found = evaluator.evaluate(positions, cells)
    except RunFailed:
        raise
    except UserError as error:
        raise RunFailed(str(error), code="structure") from error
    except Exception as error:
        detail = " ".join(str(error).split())
        raise RunFailed(
            f"the evaluation failed with {type(error).__name__}: {detail}", code="evaluation"
        ) from error
    _check_results(found, positions)
    return found


def _check_results(found: Results, positions: FloatArray) -> None:
    n = len(positions)
    shapes = (found.energies.shape, found.forces.shape, found.virials.shape, (len(found.extras),))
    if shapes != ((n,), positions.shape, (n, 3, 3), (n,)):
        raise RunFailed(f"the evaluator returned arrays of shapes {shapes}", code="evaluation")
    parts = {"energy": found.energies, "force": found.forces, "virial": found.virials}
    for name, values in parts.items():
        if not np.isfinite(values).all():
            raise RunFailed(
                f"the model gave {'an' if name == 'energy' else 'a'} {name} that is not finite",
                code="non-finite",
                hint="The structure is probably far from all training data; look for atoms that are too close.",
            )
