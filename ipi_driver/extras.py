"""What travels beside energies and forces: a JSON object per structure, always with the same keys, in atomic units."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipi_driver.atomic_units import energies_in_hartree, forces_in_atomic_units

__all__ = ["extras_texts"]

FloatArray = NDArray[np.float64]


def extras_texts(
    energies: FloatArray,
    forces: FloatArray,
    virials: FloatArray,
    atomic_energies: FloatArray | None = None,
) -> list[str]:
    """Return n texts for a committee of K members, empty ones if there is nothing to say.

    Keys are those that i-PI's ``<ffcommittee>`` reads with ``<parse_json> True </parse_json>``: committee_pot (K), committee_force
    (K, 3N), committee_virial (K, 9); besides, committee_uncertainty is the standard deviation of committee_pot with K - 1
    in the denominator, as i-PI's own output of that name, and atomic_energies (N) is there on request.

    Parameters
    ----------
    energies
        (K, n) eV.
    forces
        (K, n, N, 3) eV/Å.
    virials
        (K, n, 3, 3) eV.
    atomic_energies
        (n, N) eV, or None.
    """
    n_members, n = energies.shape
    columns: dict[str, FloatArray] = {}
    if n_members > 1:
        columns["committee_pot"] = energies_in_hartree(energies).T
        columns["committee_uncertainty"] = energies_in_hartree(energies.std(axis=0, ddof=1))
        columns["committee_force"] = _rows(forces_in_atomic_units(forces))
        columns["committee_virial"] = _rows(energies_in_hartree(virials))
    if atomic_energies is not None:
        columns["atomic_energies"] = energies_in_hartree(atomic_energies)
    return [_text({key: column[k] for key, column in columns.items()}) for k in range(n)]


def _rows(values: FloatArray) -> FloatArray:
    """Return (n, K, M) for (K, n, ...)."""
    n_members, n = values.shape[:2]
    return np.swapaxes(values, 0, 1).reshape(n, n_members, -1)


def _text(fields: dict[str, Any]) -> str:
    if not fields:
        return ""
    return json.dumps({key: value.tolist() for key, value in fields.items()}, allow_nan=False)
