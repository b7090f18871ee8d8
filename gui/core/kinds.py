"""What a file is for the window, decided by what is in it."""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path

__all__ = ["FileKind", "kind_of_file"]

PEEK = 65_536

STRUCTURE_ONLY = {".pdb", ".cif", ".mmcif", ".gro", ".mol", ".sdf", ".mol2"}
DATASET_ONLY = {".npz", ".db", ".aselmdb", ".h5", ".hdf5", ".lmdb", ".traj", ".zst", ".zip", ".tar"}


class FileKind(Enum):
    """What can be opened."""

    DATASET = auto()
    STRUCTURE = auto()
    MODEL = auto()
    RUN = auto()
    TRAINING_SETTINGS = auto()
    SIMULATION_SETTINGS = auto()
    UNKNOWN = auto()
    MISSING = auto()


def kind_of_file(path: Path) -> FileKind:
    """Return what a file or folder is."""
    if not path.exists():
        return FileKind.MISSING
    if path.is_dir():
        return _kind_of_folder(path)
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return FileKind.MODEL
    if suffix in (".yaml", ".yml"):
        return _kind_of_yaml(path)
    if suffix in STRUCTURE_ONLY:
        return FileKind.STRUCTURE
    if suffix in DATASET_ONLY:
        return FileKind.DATASET
    name = path.name.lower()
    if name.startswith(("poscar", "contcar")) or suffix in (".vasp", ".poscar"):
        return FileKind.STRUCTURE
    if suffix in (".xyz", ".extxyz"):
        return _kind_of_xyz(path)
    if name.startswith("outcar") or (name.startswith("vasprun") and suffix == ".xml"):
        return FileKind.DATASET
    return FileKind.UNKNOWN


def _kind_of_folder(path: Path) -> FileKind:
    if (path / "spec.yaml").is_file():
        return FileKind.RUN
    is_deepmd = (path / "type.raw").is_file() or any(path.glob("set.*"))
    return FileKind.DATASET if is_deepmd else FileKind.UNKNOWN


def _kind_of_yaml(path: Path) -> FileKind:
    text = _head(path)
    keys = {line.split(":")[0] for line in text.splitlines() if line[:1].isalpha() and ":" in line}
    if keys & {"data", "training", "preset", "model_settings"}:
        return FileKind.TRAINING_SETTINGS
    if keys & {"structure", "ensemble", "beads", "steps", "timestep"}:
        return FileKind.SIMULATION_SETTINGS
    return FileKind.UNKNOWN


def _kind_of_xyz(path: Path) -> FileKind:
    """An XYZ file is a data set if it has energies or forces for more than one frame, else a structure."""
    lines = _head(path).splitlines()
    try:
        n_atoms = int(lines[0])
    except (IndexError, ValueError):
        return FileKind.UNKNOWN
    comment = lines[1].lower() if len(lines) > 1 else ""
    has_labels = "energy" in comment or "force" in comment
    is_alone = len(lines) <= n_atoms + 3 and path.stat().st_size < PEEK
    return FileKind.DATASET if has_labels and not is_alone else FileKind.STRUCTURE


def _head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(PEEK).decode("utf-8", "replace")
    except OSError:
        return ""
