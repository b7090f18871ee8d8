"""A path-integral run of methanol that never was: the files of i-PI and the events of its runner, for demos, tests, screenshots."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nequip_openmm.units import (
    BOLTZMANN_EV_PER_K,
    REDUCED_PLANCK_SQUARED_PER_AMU,
    WAVENUMBER_TO_EV,
)

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from gui.viewmodels.quantum_run import QuantumRun

__all__ = ["ELEMENTS", "PREVIEW", "FakeRun", "finished_run", "kinetic_energy"]

ELEMENTS = ("C", "O", "H", "H", "H", "H")
POSITIONS = np.array(
    [
        [-0.047, 0.664, 0.0],
        [-0.047, -0.758, 0.0],
        [-1.093, 0.970, 0.0],
        [0.878, -1.048, 0.0],
        [0.437, 1.080, 0.889],
        [0.437, 1.080, -0.889],
    ]
)
_MASS = {"C": 12.011, "O": 15.999, "H": 1.008}
_WAVENUMBERS = {
    "C": (500.0, 1100.0, 1300.0),
    "O": (300.0, 900.0, 1300.0),
    "H": (700.0, 1450.0, 3200.0),
}
_GROUPS = ("", "(C)", "(O)", "(H)")
_QUANTITIES = {"kinetic_cv": "electronvolt", "kinetic_td": "electronvolt", "r_gyration": "angstrom"}


def kinetic_energy(element: str, beads: int, temperature: float = 300.0) -> float:
    """Return the kinetic energy of an atom in three harmonic wells with P beads, eV (see ipi_driver.inputs.beads)."""
    kT = BOLTZMANN_EV_PER_K * temperature
    springs = 2.0 * beads * np.sin(np.pi * np.arange(beads) / beads)
    total = 0.0
    for wavenumber in _WAVENUMBERS[element]:
        x = wavenumber * WAVENUMBER_TO_EV / kT
        total += 0.5 * kT * float(np.sum(x**2 / (springs**2 + x**2)))
    return total


class FakeRun:
    """Writes the folder of a run, piece by piece.

    Parameters
    ----------
    folder
        Is made.
    beads, steps, temperature, is_periodic
        Settings of the run; a periodic one has volume and pressure.
    seed
        Of the noise.
    """

    thermo_interval = 5
    frame_interval = 20

    def __init__(
        self,
        folder: Path,
        beads: int = 8,
        steps: int = 4000,
        temperature: float = 300.0,
        *,
        is_periodic: bool = False,
        seed: int = 1,
        spec: dict[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.beads = beads
        self.steps = steps
        self.temperature = temperature
        self.is_periodic = is_periodic
        self.step = -self.thermo_interval
        self.listener: Callable[[dict[str, Any]], None] | None = None
        self.spec = {
            "model": "/models/methanol.safetensors",
            "structure": "/structures/methanol.xyz",
            "mode": "npt" if is_periodic else "pimd",
            "beads": beads,
            "temperature": temperature,
            "timestep": 0.25,
            "steps": steps,
            "processes": 1,
            "ffdirect": False,
        } | (spec or {})
        self._random = np.random.default_rng(seed)
        self._noise: dict[str, float] = {}
        self._drift = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        self._begin()

    def event(self, ev: str, **fields: Any) -> dict[str, Any]:
        """Append an event to ``events.jsonl`` and return it."""
        event = {"v": 1, "ev": ev, "t": round(time.time(), 3), **fields}
        with (self.folder / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")
        if self.listener is not None:
            self.listener(event)
        return event

    def hello(self, pid: int = 0) -> dict[str, Any]:
        """Tell who writes."""
        return self.event(
            "hello", kind="pimd", pid=pid, versions={}, n_atoms=6, n_beads=self.beads, spec=self.spec, ipi="3.3.1"
        )  # fmt: skip

    def write(self, rows: int) -> int:
        """Write so many rows of properties, and the frames that belong to them; return the last step."""
        with (self.folder / "simulation.out").open("a", encoding="ascii") as file:
            for _ in range(rows):
                if self.step >= self.steps:
                    break
                self.step += self.thermo_interval
                values = self._row()
                file.write("  " + "   ".join(f"{value:.16e}" for value in values) + "   \n")
                if self.step % self.frame_interval == 0:
                    self._write_frame()
        return self.step

    def finish(self) -> None:
        """Write all that is left."""
        self.write(self.steps // self.thermo_interval + 1)

    # --- files ---------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        rows = "\n".join(
            f"{s} {x:.6f} {y:.6f} {z:.6f}" for s, (x, y, z) in zip(ELEMENTS, POSITIONS)
        )
        (self.folder / "start.xyz").write_text(f"6\n# CELL(H): ...\n{rows}\n", "utf-8")
        look = "Properties=species:S:1:pos:R:3 pbc=" + (
            '"T T T"' if self.is_periodic else '"F F F"'
        )
        lattice = 'Lattice="10 0 0 0 10 0 0 0 10" ' if self.is_periodic else ""
        (self.folder / "template.xyz").write_text(f"6\n{lattice}{look}\n{rows}\n", "utf-8")
        text = "kind: pimd\n" + "".join(f"{k}: {json.dumps(v)}\n" for k, v in self.spec.items())
        (self.folder / "spec.yaml").write_text(text, "utf-8")
        (self.folder / "ipi.log").write_text(
            " # i-PI version: 3.3.1\n # Initializing...\n", "utf-8"
        )
        (self.folder / "driver-1.log").write_text("waiting for i-PI\nconnected\n", "utf-8")
        header = [
            f"# column {k:3d}     --> {name} : A quantity."
            for k, name in enumerate(self._columns(), 1)
        ]
        (self.folder / "simulation.out").write_text("\n".join(header) + "\n", "ascii")

    def _columns(self) -> list[str]:
        names = ["step", "time{picosecond}", "conserved{electronvolt}", "temperature{kelvin}"]
        names.append("potential{electronvolt}")
        names += [f"{q}{g}{{{unit}}}" for g in _GROUPS for q, unit in _QUANTITIES.items()]
        if self.is_periodic:
            names += ["volume{angstrom3}", "density{g/cm3}", "pressure_cv{megapascal}"]
        return names

    def _row(self) -> list[float]:
        kinetic = {s: kinetic_energy(s, self.beads, self.temperature) for s in _MASS}
        counts = {s: ELEMENTS.count(s) for s in _MASS}
        settle = 1.0 - np.exp(-self.step / 400.0)
        by_element = {
            s: [
                kinetic[s] * n * (0.35 + 0.65 * settle) * (1.0 + 0.10 * self._noisy(f"cv{s}")),
                kinetic[s] * n * (0.35 + 0.65 * settle) * (1.0 + 0.25 * self._noisy(f"td{s}")),
                self._gyration(s) * settle**0.5 * (1.0 + 0.06 * self._noisy(f"rg{s}")),
            ]
            for s, n in counts.items()
        }
        table = np.array([by_element[s] for s in ("C", "O", "H")])
        total = [table[:, 0].sum(), table[:, 1].sum(), (table[:, 2] * [1, 1, 4]).sum() / 6]
        self._drift += 2e-5 * self._random.normal()
        row = [
            float(self.step),
            self.step * 0.25e-3,
            -3138.93 + self._drift,
            self.temperature * (1.0 + 0.09 * self._noisy("T")),
            -3140.73 + 0.62 * settle + 0.06 * self._noisy("V"),
            *total,
            *table.ravel(),
        ]
        if self.is_periodic:
            volume = 1000.0 * (1.0 + 0.02 * self._noisy("box"))
            row += [volume, 53.2 / volume * 14.9, 5.0 + 30.0 * self._noisy("P")]
        return row

    def _gyration(self, element: str) -> float:
        square = REDUCED_PLANCK_SQUARED_PER_AMU / (
            4.0 * _MASS[element] * BOLTZMANN_EV_PER_K * self.temperature
        )
        return 0.55 * float(np.sqrt(square * (1.0 - 1.0 / self.beads**2)))

    def _noisy(self, name: str) -> float:
        """Return a number about 0 with unit variance that remembers its last values."""
        old = self._noise.get(name, 0.0)
        self._noise[name] = new = 0.9 * old + np.sqrt(1 - 0.81) * self._random.normal()
        return float(new)

    def _write_frame(self) -> None:
        centre = POSITIONS + 0.03 * self._random.normal(size=(6, 3))
        spread = np.array([self._gyration(s) / np.sqrt(3) for s in ELEMENTS])[:, None]
        phase = np.exp(2j * np.pi * np.arange(self.beads)[:, None] * np.arange(1, 4) / self.beads)
        waves = (
            self._random.normal(size=(2, 3, 6, 3)) / np.array([1.0, 2.0, 3.0])[None, :, None, None]
        )
        rings = np.einsum("pk,kad->pad", phase.real, waves[0]) + np.einsum(
            "pk,kad->pad", phase.imag, waves[1]
        )
        digits = len(str(self.beads))
        for bead in range(self.beads):
            positions = centre + spread * rings[bead] / 1.4
            lines = [
                f"{s:>8} {x:12.5e} {y:12.5e} {z:12.5e}" for s, (x, y, z) in zip(ELEMENTS, positions)
            ]
            cell = "  ".join(["  32.64316"] * 3 + ["  90.00000"] * 3)
            comment = f"# CELL(abcABC): {cell}  Step: {self.step:11d}  Bead: {bead:7d} positions{{angstrom}}  cell{{angstrom}}"
            path = self.folder / f"simulation.pos_{bead:0{digits}d}.xyz"
            with path.open("a", encoding="ascii") as file:
                file.write("\n".join(["6", comment, *lines]) + "\n")
        self._write_centroid(centre + spread * rings.mean(axis=0) / 1.4, cell)

    def _write_centroid(self, positions: np.ndarray, cell: str) -> None:
        lines = [
            f"{s:>8} {x:12.5e} {y:12.5e} {z:12.5e}" for s, (x, y, z) in zip(ELEMENTS, positions)
        ]
        comment = f"# CELL(abcABC): {cell}  Step: {self.step:11d}  Bead:       0 x_centroid{{angstrom}}  cell{{angstrom}}"
        path = self.folder / "simulation.xc.xyz"
        with path.open("a", encoding="ascii") as file:
            file.write("\n".join(["6", comment, *lines]) + "\n")
        frames = self.step // self.frame_interval + 1
        size = path.stat().st_size
        self.event("frame", step=self.step, path=path.name, bytes=size, frames=frames)


PREVIEW: dict[str, Any] = {
    "n_atoms": 6,
    "elements": {"C": 1, "O": 1, "H": 4},
    "is_periodic": False,
    "cell_height_A": None,
    "model": {"cutoff_A": 4.0, "species": ["H", "C", "O"]},
    "beads": {"n": 32, "wavenumber_cm1": 3702.0, "suggested": 36, "deficit": 0.037},
    "batch": {"size": 32, "latency_s": 1e-4},
    "duration_ps": 5.0,
    "warnings": [],
    "files": {
        "input.xml": "<simulation verbosity='medium' threading='False'>\n"
        "  <output prefix='simulation'>\n"
        "    <properties filename='out' stride='10'> [ step, time{picosecond}, kinetic_cv{electronvolt} ] </properties>\n"
        "    <trajectory filename='pos' stride='100' format='xyz'> positions{angstrom} </trajectory>\n"
        "  </output>\n"
        "  <total_steps> 20000 </total_steps>\n"
        "  <prng>\n    <seed> 1 </seed>\n  </prng>\n"
        "  <ffsocket name='nequip' mode='unix' pbc='False'>\n"
        "    <address> nequip-preview </address>\n"
        "    <!-- beads divided by drivers -->\n"
        "    <batch_size> 32 </batch_size>\n"
        "  </ffsocket>\n"
        "</simulation>\n",
        "start.xyz": "6\n# CELL(H): ...\nC 0 0 0\n",
        "template.xyz": "6\n\nC 0 0 0\n",
    },
    "commands": [
        "i-pi input.xml",
        "nequip-ipi-driver --model model.safetensors --template template.xyz --unix --address nequip-preview",
    ],
}
"""What ``nequip-openmm pimd --dry-run`` says of such a run."""


def finished_run(parent: QObject | None = None, **settings: Any) -> QuantumRun:
    """Return a run that has been read, in a folder that is thrown away at some time."""
    from gui.jobs.job import Job
    from gui.viewmodels.quantum_run import QuantumRun
    from nequip_openmm.runs import read_events

    folder = Path(tempfile.mkdtemp(prefix="nequip-openmm-demo-")) / "methanol-32beads"
    fake = FakeRun(folder, **{"beads": 32, "steps": 8000, **settings})
    job = Job("pimd", folder, is_ours=False, parent=parent)
    fake.frame_interval = 200  # enough to look at, and soon written
    fake.hello()
    fake.event("status", state="starting", server=4241, drivers=[4242])
    fake.event("status", state="running")
    fake.finish()
    fake.event("done", reason="finished", step=fake.step)
    job._receive(list(read_events(folder / "events.jsonl")))
    run = QuantumRun(job, parent=parent)
    run.refresh_all()
    return run
