"""Shared memory of i-PI's mode 'shm': six segments that the server owns, of which the client maps a view."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import resource_tracker, shared_memory

import numpy as np
from numpy.typing import NDArray

from nequip_openmm.errors import RunFailed

__all__ = ["KINDS", "Segments"]

FloatArray = NDArray[np.float64]

KINDS = ("pos", "h", "ih", "pot", "force", "vir")
"""What the segments hold, in the order in which their names arrive."""


class Segments:
    """Views of the server's segments; closed they are empty."""

    def __init__(self) -> None:
        self._handles: list[shared_memory.SharedMemory] = []
        self._views: dict[str, FloatArray] = {}

    @property
    def is_open(self) -> bool:
        """Whether the segments are mapped."""
        return bool(self._views)

    def open(self, names: Sequence[str], n: int, n_atoms: int) -> None:
        """Map the segments for batches of n structures.

        Raises
        ------
        RunFailed
            If one is missing or too small.
        """
        shapes = ((n, n_atoms, 3), (n, 3, 3), (n, 3, 3), (n,), (n, n_atoms, 3), (n, 3, 3))
        for kind, name, shape in zip(KINDS, names, shapes):
            handle = _attach(name)
            self._handles.append(handle)
            if handle.size < 8 * np.prod(shape):
                raise _unusable(name, f"has {handle.size} bytes, too few for {shape} numbers")
            self._views[kind] = np.ndarray(shape, np.float64, buffer=handle.buf)

    def read(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return copies of positions (n, N, 3), h and its inverse (n, 3, 3)."""
        return self._views["pos"].copy(), self._views["h"].copy(), self._views["ih"].copy()

    def write(self, energies: FloatArray, forces: FloatArray, virials: FloatArray) -> None:
        """Put results (n,), (n, N, 3), (n, 3, 3) where the server reads them."""
        for kind, value in (("pot", energies), ("force", forces), ("vir", virials)):
            self._views[kind][...] = value

    def close(self) -> None:
        """Unmap; the server removes the segments."""
        self._views.clear()
        while self._handles:
            with suppress(
                BufferError
            ):  # a view that is still referred to is unmapped with the process
                self._handles.pop().close()


def _attach(name: str) -> shared_memory.SharedMemory:
    if not re.fullmatch(r"[\w.-]+", name):
        raise _unusable(name, "is no valid name")
    try:
        if sys.version_info >= (3, 13):
            return shared_memory.SharedMemory(name=name, track=False)
        handle = shared_memory.SharedMemory(name=name)
    except (OSError, ValueError) as error:
        raise _unusable(name, f"cannot be opened: {error}") from error
    # these versions of Python would remove the server's segment when this process ends
    tracked: str = handle._name  # type: ignore[attr-defined]
    resource_tracker.unregister(tracked, "shared_memory")
    return handle


def _unusable(name: str, what: str) -> RunFailed:
    return RunFailed(
        f"shared memory {name!r} {what}",
        code="shared-memory",
        hint="Mode 'shm' needs i-PI and driver on the same machine; use mode 'unix' or 'inet'.",
    )
