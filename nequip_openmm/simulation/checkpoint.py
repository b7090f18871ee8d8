"""Checkpoints: OpenMM's own, with a note of where every output file ended.

``checkpoint.json`` names the binary that it belongs to, so the pair changes in one rename and a crash at any moment leaves a
whole one. OpenMM's binary holds positions, velocities, cell, step and the state of the random numbers; it can be loaded
by the same version of OpenMM on the same platform.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import openmm
from openmm import app

from nequip_openmm.errors import UserError
from nequip_openmm.runs import RunFolder, atomic_write
from nequip_openmm.simulation.live import LiveAnalysis
from nequip_openmm.simulation.output_files import FileReporter, cut
from nequip_openmm.simulation.ring import RingSimulation, load_beads, save_beads
from nequip_openmm.simulation.schedule import Schedule

__all__ = ["Checkpoint", "read_checkpoint", "restore", "save_checkpoint"]

_NOTE = "checkpoint.json"


@dataclass(frozen=True)
class Checkpoint:
    """A point from which a run goes on as if it had never stopped.

    Attributes
    ----------
    step
        Time steps done.
    state
        Name of OpenMM's binary in the run folder.
    outputs
        Name of every output file and how far it had been written.
    stage
        Number of the stage, counted from 0, that OpenMM's binary belongs to.
    orders
        Settings that were changed while the run went on, such as the temperature, by the step at which they were.
    platform, openmm
        What wrote the binary.
    """

    step: int
    state: str
    outputs: dict[str, dict[str, int]]
    stage: int
    orders: dict[int, dict[str, float]]
    platform: str
    openmm: str

    @property
    def averages(self) -> str:
        """Name of the file with the averages of the analysis, if there is any."""
        return f"checkpoint-{self.step}.npz"

    @property
    def beads(self) -> str:
        """Name of the file with positions and velocities of every bead of a ring polymer."""
        return f"checkpoint-{self.step}.beads.npz"


def save_checkpoint(
    folder: RunFolder,
    simulation: app.Simulation,
    reporters: Sequence[FileReporter],
    schedule: Schedule,
    stage: int,
    analysis: LiveAnalysis | None = None,
) -> Checkpoint:
    """Write a checkpoint of the simulation; the previous one stays until the new one is whole."""
    step = simulation.currentStep
    checkpoint = Checkpoint(
        step=step,
        state=f"checkpoint-{step}.chk",
        outputs={reporter.path.name: reporter.mark() for reporter in reporters},
        stage=stage,
        orders=schedule.orders,
        platform=simulation.context.getPlatform().getName(),
        openmm=openmm.__version__,
    )
    with atomic_write(folder / checkpoint.state) as temporary:
        temporary.write_bytes(simulation.context.createCheckpoint())
    if analysis is not None:
        with atomic_write(folder / checkpoint.averages) as temporary, temporary.open("wb") as file:
            analysis.save(file)
    if isinstance(simulation, RingSimulation):
        with atomic_write(folder / checkpoint.beads) as temporary, temporary.open("wb") as file:
            save_beads(simulation, file)
    with atomic_write(folder / _NOTE) as temporary:
        temporary.write_text(json.dumps(asdict(checkpoint), indent=1), encoding="utf-8")
    for old in folder.path.glob("checkpoint-*.*"):
        if old.name not in (checkpoint.state, checkpoint.averages, checkpoint.beads):
            old.unlink()
    return checkpoint


def read_checkpoint(folder: RunFolder) -> Checkpoint | None:
    """Return the last whole checkpoint, or None if the run had not got that far.

    Raises
    ------
    UserError
        If the file was damaged.
    """
    path = folder / _NOTE
    if not path.exists():
        return None
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        orders = {int(step): order for step, order in values.pop("orders").items()}
        return Checkpoint(**values, orders=orders)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{path} is damaged ({error}); start the run again in a new folder"
        ) from error


def restore(checkpoint: Checkpoint, folder: RunFolder, simulation: app.Simulation) -> None:
    """Put the simulation into the checkpoint's state and take the output files back to it.

    Raises
    ------
    UserError
        If OpenMM cannot load the state, or an output file has become shorter.
    """
    _load(folder / checkpoint.state, checkpoint, simulation)
    if isinstance(simulation, RingSimulation):
        _load_beads(folder / checkpoint.beads, simulation)
    for name, mark in checkpoint.outputs.items():
        cut(folder / name, mark)


def _load(path: Path, checkpoint: Checkpoint, simulation: app.Simulation) -> None:
    here = (simulation.context.getPlatform().getName(), openmm.__version__)
    if here != (checkpoint.platform, checkpoint.openmm):
        raise UserError(
            f"{path} was written by OpenMM {checkpoint.openmm} on {checkpoint.platform}; this is OpenMM {here[1]} on "
            f"{here[0]}, which cannot load it: resume where it was written"
        )
    try:
        simulation.context.loadCheckpoint(path.read_bytes())
    except (OSError, openmm.OpenMMException) as error:
        raise UserError(f"{path} cannot be loaded: {error}") from error


def _load_beads(path: Path, simulation: RingSimulation) -> None:
    try:
        load_beads(simulation, path)
    except (OSError, EOFError, ValueError, KeyError, BadZipFile, openmm.OpenMMException) as error:
        raise UserError(f"{path} cannot be loaded: {error}") from error
