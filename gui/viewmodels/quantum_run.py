"""One path-integral run as it is shown: curves, means and lamps, read from its folder and its events."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from PySide6.QtCore import QObject, Signal

from gui.core.block_means import BlockMeans, Running
from gui.core.ipi_output import Columns, PropertyReader
from gui.core.lamps import Lamps, lamps_of
from gui.core.series import Series
from gui.jobs.job import Job
from gui.jobs.states import ENDED, JobState
from nequip_openmm.analysis.statistics import Mean
from nequip_openmm.units import BOLTZMANN_EV_PER_K, MPA_TO_BAR

__all__ = ["ALL", "Averages", "QuantumRun", "averages_of", "read_means"]

ALL = "all"
"""In place of an element: every atom of the system."""
MEV = 1000.0  # in one eV
SKIP = 0.2  # part of a run that is left out of means: the system relaxes


class Averages(NamedTuple):
    """Means of one element, or of all atoms.

    Attributes
    ----------
    element
        Symbol, or ``ALL``.
    n_atoms
        Its atoms.
    virial, primitive
        Kinetic energy of an atom by the two estimators, meV.
    gyration
        Radius of gyration of a ring polymer, Å.
    """

    element: str
    n_atoms: int
    virial: Mean
    primitive: Mean
    gyration: Mean


class QuantumRun(QObject):
    """What is known of a run; `refresh` reads what is new.

    Signals
    -------
    lamps_changed
        The new `Lamps`.
    rows_read
        `series` and `means` have grown.
    restarted
        All that was read is void: a resumed run has cut its files.
    """

    lamps_changed = Signal(object)
    rows_read = Signal()
    restarted = Signal()

    def __init__(
        self, job: Job, clock: Callable[[], float] = time.monotonic, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.job = job
        self.lamps = lamps_of(job.events())
        self.series: Series | None = None
        self.means = BlockMeans()
        self.step = 0
        self.first: dict[str, float] = {}
        self._clock = clock
        self._waiting_since: float | None = None
        self._properties = PropertyReader(job.folder / "simulation.out")
        self._elements: Counter[str] | None = None
        job.event_received.connect(self._note)
        job.state_changed.connect(self._on_state)
        self._on_state(job.state)

    # --- what is asked of it -------------------------------------------------------------------------------------------

    @property
    def spec(self) -> dict[str, Any]:
        """Its settings, as it said them; empty before."""
        return dict(self.job.hello.get("spec") or {})

    @property
    def n_beads(self) -> int:
        """Beads of a ring polymer; 1 before it is known."""
        return int(self.job.hello.get("n_beads") or 1)

    @property
    def temperature(self) -> float | None:
        """Of the ensemble, K."""
        return self.spec.get("temperature")

    @property
    def classical(self) -> float | None:
        """Kinetic energy of a classical atom, meV."""
        t = self.temperature
        return None if t is None else 1.5 * BOLTZMANN_EV_PER_K * t * MEV

    @property
    def symbols(self) -> list[str]:
        """Elements of the atoms in order; empty before the run has written them."""
        return _symbols(self.job.folder / "start.xyz")

    @property
    def elements(self) -> Counter[str]:
        """Number of atoms by element, lightest trouble first: as in the file."""
        if not self._elements:
            self._elements = Counter(self.symbols)
        return self._elements

    @property
    def waiting_s(self) -> float:
        """Seconds since i-PI waits for drivers; 0 where it does not."""
        return 0.0 if self._waiting_since is None else self._clock() - self._waiting_since

    def averages(self) -> list[Averages]:
        """Return means of all atoms and of each element, with errors."""
        return averages_of(self.means, self.elements, self.n_beads, self.temperature)

    def running(self, quantity: str, element: str = ALL) -> Running:
        """Return the running mean of a kinetic energy of one atom, meV, against the time in ps.

        Parameters
        ----------
        quantity
            ``kinetic_cv`` or ``kinetic_td``.
        """
        name = quantity if element == ALL else f"{quantity}({element})"
        n = sum(self.elements.values()) if element == ALL else self.elements[element]
        found = self.means.running(name, SKIP)
        last = self.series.last["x"] if self.series is not None else 0.0
        scale = MEV / max(n, 1)
        return Running(found.x * last, found.mean * scale, found.error * scale)

    # --- reading -------------------------------------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Read what is new; return whether anything was."""
        return self._read_rows()

    def refresh_all(self) -> None:
        """Read all there is, for a run that is over and tests."""
        while self._read_rows() or self._properties.has_more:
            pass

    def _read_rows(self) -> bool:
        if not self.elements:
            return False
        columns = self._properties.read()
        if columns is None:
            self._forget()
        if not columns:
            return False
        shown: dict[str, Any] = _shown(columns, self.elements, self.first)
        if self.series is None:
            self.series = Series(tuple(shown))
        self.series.extend(
            columns["time"].tolist() if "time" in columns else columns["step"].tolist(), shown
        )
        self.means.add(_measured(columns))
        self.step = int(columns["step"][-1])
        self.rows_read.emit()
        return True

    def _forget(self) -> None:
        self._properties = PropertyReader(self._properties.path)
        self.series = None
        self.first.clear()
        self.means.clear()
        self.step = 0
        self.restarted.emit()

    # --- events --------------------------------------------------------------------------------------------------------

    def _note(self, event: Mapping[str, Any]) -> None:
        if event.get("ev") == "hello" and self.series is not None:
            self._forget()  # a resumed run has cut its files to a saved state
        self._set_lamps(self.lamps.after(event))

    def _on_state(self, state: JobState) -> None:
        if state in ENDED:
            self._set_lamps(self.lamps.all_ended())

    def _set_lamps(self, lamps: Lamps) -> None:
        if not lamps.is_waiting:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = self._clock()
        if lamps != self.lamps:
            self.lamps = lamps
            self.lamps_changed.emit(lamps)


def averages_of(
    means: BlockMeans, elements: Mapping[str, int], n_beads: int, temperature: float | None
) -> list[Averages]:
    """Return means of all atoms and of each element; of one bead they are known without a run."""
    groups = {ALL: sum(elements.values()), **elements}
    return [_averages(means, name, n, n_beads, temperature) for name, n in groups.items() if n]


def read_means(folder: Path) -> tuple[BlockMeans, Counter[str]]:
    """Return means of a whole run and its elements; for a run that is over."""
    reader, means = PropertyReader(folder / "simulation.out"), BlockMeans()
    while (columns := reader.read()) or reader.has_more:
        if columns:
            means.add(_measured(columns))
    return means, Counter(_symbols(folder / "start.xyz"))


def _averages(
    means: BlockMeans, element: str, n: int, n_beads: int, temperature: float | None
) -> Averages:
    if n_beads == 1 and temperature is not None:
        kinetic = Mean(1.5 * BOLTZMANN_EV_PER_K * temperature * MEV, 0.0, 1)
        return Averages(element, n, kinetic, kinetic, Mean(0.0, 0.0, 1))
    suffix = "" if element == ALL else f"({element})"
    virial, primitive = (
        _scaled(means.mean(f"{name}{suffix}", SKIP), MEV / n)
        for name in ("kinetic_cv", "kinetic_td")
    )
    return Averages(element, n, virial, primitive, means.mean(f"r_gyration{suffix}", SKIP))


def _scaled(mean: Mean, factor: float) -> Mean:
    return Mean(mean.value * factor, mean.error * factor, mean.block)


def _measured(columns: Columns) -> Columns:
    """Return the columns that have a mean."""
    return {name: values for name, values in columns.items() if name not in ("step", "time")}


def _shown(columns: Columns, elements: Mapping[str, int], first: dict[str, float]) -> Columns:
    """Return the columns as they are plotted: kinetic energies and drift in meV an atom, pressure in bar."""
    n_atoms = sum(elements.values())
    shown: Columns = {}
    for name, values in columns.items():
        what, _, element = name.rstrip(")").partition("(")
        if what.startswith("kinetic"):
            shown[name] = values * MEV / (elements.get(element) or n_atoms)
        elif what == "conserved":
            reference = first.setdefault("conserved", float(values[0]))
            shown["drift"] = (values - reference) * MEV / n_atoms
        elif what.startswith("pressure"):
            shown["pressure"] = values * MPA_TO_BAR
        elif what not in ("step", "time"):
            shown[name] = values
    return shown


def _symbols(path: Path) -> list[str]:
    """Return the first column of an XYZ file; empty while it is not whole."""
    try:
        lines = path.read_text("utf-8").splitlines()
        n_atoms = int(lines[0])
    except (OSError, ValueError, IndexError):
        return []
    symbols = [line.split()[0] for line in lines[2 : 2 + n_atoms] if line.strip()]
    return symbols if len(symbols) == n_atoms else []
