"""Files that leave a run's folder: its script with all that it needs, its trajectory with the topology."""

from __future__ import annotations

import shutil
from pathlib import Path

from nequip_openmm.errors import UserError

__all__ = ["SCRIPT", "export_script", "export_trajectory", "trajectory_of"]

SCRIPT = "simulate.py"
_NEEDED = (SCRIPT, "model.safetensors", "topology.pdb", "start.xml")
_TRAJECTORIES = ("trajectory.dcd", "trajectory.xtc", "trajectory.xyz")


def export_script(run: Path, target: Path) -> Path:
    """Copy the run's script, model, topology and start into a folder; return the script.

    Raises
    ------
    UserError
        If the run has not got so far, or the folder cannot be written to.
    """
    missing = [name for name in _NEEDED if not (run / name).is_file()]
    if missing:
        raise UserError(f"{run.name} has no {missing[0]} yet; wait until it has started")
    _copy([run / name for name in _NEEDED], target)
    return target / SCRIPT


def trajectory_of(run: Path) -> Path | None:
    """Return the trajectory of a run; None if it has none yet."""
    return next((run / name for name in _TRAJECTORIES if (run / name).is_file()), None)


def export_trajectory(run: Path, target: Path) -> Path:
    """Copy the run's trajectory to a file, and the topology beside it where the format needs one; return the file.

    Raises
    ------
    UserError
        If there is none yet, or the place cannot be written to.
    """
    source = trajectory_of(run)
    if source is None:
        raise UserError(f"{run.name} has no trajectory yet")
    target = target.with_suffix(source.suffix)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        if source.suffix != ".xyz":
            shutil.copyfile(run / "topology.pdb", target.with_suffix(".pdb"))
    except OSError as error:
        raise UserError(f"{target}: cannot be written: {error.strerror or error}") from error
    return target


def _copy(files: list[Path], target: Path) -> None:
    try:
        target.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(file, target / file.name)
    except OSError as error:
        raise UserError(f"{target}: cannot be written: {error.strerror or error}") from error
