"""One i-PI run, opened: what was printed, and where its frames are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ipi_driver.analysis.columns import Series, read_series
from ipi_driver.analysis.frames import Trajectory
from ipi_driver.analysis.layout import Replica, read_layout
from nequip_openmm.errors import BackendError, DataError

__all__ = ["Run", "open_runs"]


@dataclass(frozen=True)
class Run:
    """A system that was simulated, with its outputs.

    Attributes
    ----------
    replica
        What it was, and its files.
    series
        What was printed, see `read_series`; the beginning, where the system relaxes, is left out, and so is the primitive
        kinetic energy where it means nothing.
    beads
        Trajectories of the beads that were written.
    centroid
        Trajectory of the centroid, if it was written.
    symbols
        Name of every atom.
    skip
        Fraction that was left out at the beginning.
    """

    replica: Replica
    series: Mapping[str, Series]
    beads: tuple[Trajectory, ...]
    centroid: Trajectory | None
    symbols: tuple[str, ...]
    skip: float

    @property
    def name(self) -> str:
        """Folder, and the system's prefix where there are several."""
        return self.replica.name


def open_runs(folder: Path, *, skip: float = 0.2) -> list[Run]:
    """Return the systems that were simulated in a folder; one, but for replica exchange.

    Raises
    ------
    DataError
        If the folder holds no run of i-PI, or one without printed rows or frames.
    BackendError
        If i-PI, whose readers are used, is not installed.
    """
    try:
        import ipi  # noqa: F401
    except ImportError as error:
        raise BackendError(
            "reports on i-PI runs need i-PI: pip install 'nequip-openmm[ipi]'"
        ) from error
    return [_opened(replica, skip) for replica in read_layout(folder)]


def _opened(replica: Replica, skip: float) -> Run:
    if not replica.properties:
        raise DataError(f"{replica.name}: no file of properties lies there; has i-PI started?")
    beads = tuple(Trajectory(path) for path in replica.positions)
    centroid = None if replica.centroid is None else Trajectory(replica.centroid)
    symbols = next(
        (one.symbols for one in (*beads, centroid) if one is not None and one.symbols), ()
    )
    if not symbols:
        raise DataError(
            f"{replica.name}: holds no XYZ frames, which tell the elements; print <trajectory> of x_centroid or positions"
        )
    if not all(one.symbols in ((), symbols) for one in (*beads, centroid) if one is not None):
        raise DataError(f"{replica.name}: trajectories hold different atoms")
    series = read_series(replica.properties, replica.timestep)
    if replica.is_piglet:
        series = {name: one for name, one in series.items() if not name.startswith("kinetic_td")}
    return Run(
        replica,
        {name: _after(one, skip) for name, one in series.items()},
        beads,
        centroid,
        symbols,
        skip,
    )


def _after(series: Series, skip: float) -> Series:
    first = int(np.floor(skip * len(series.time)))
    return Series(series.time[first:], series.values[first:])
