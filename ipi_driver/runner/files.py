"""What the run folder of an i-PI simulation holds, by name; all of it works with plain ``i-pi input.xml`` as well."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from ipi_driver.cli import PES_FILE
from ipi_driver.inputs import Address, PimdSpec, Start, input_xml
from ipi_driver.inputs.outputs import CENTROID, CHECKPOINT, POSITIONS, PREFIX, PROPERTIES
from ipi_driver.inputs.structure import TEMPLATE
from ipi_driver.inputs.transport import MODEL
from nequip_openmm.errors import UserError
from nequip_openmm.runs import RunFolder, atomic_write
from nequip_openmm.settings import validate

__all__ = [
    "INPUT",
    "IPI_LOG",
    "KIND",
    "RESTART",
    "atoms_in",
    "checkpoints",
    "property_files",
    "read_spec",
    "save_spec",
    "trajectory_files",
    "trajectory_to_watch",
    "write_inputs",
]

KIND = "pimd"
INPUT = "input.xml"
RESTART = "RESTART"  # what i-PI leaves when it ends in order
IPI_LOG = "ipi.log"


def write_inputs(folder: RunFolder, spec: PimdSpec, start: Start, address: Address | None) -> None:
    """Copy the model; write structure, template and ``input.xml``."""
    with atomic_write(folder / MODEL) as temporary:
        shutil.copyfile(spec.model, temporary)
    start.write(folder.path)
    with atomic_write(folder / INPUT) as temporary:
        temporary.write_text(input_xml(spec, start, address, PES_FILE), encoding="utf-8")


def atoms_in(folder: RunFolder) -> int:
    """Return the number of atoms of the run in a folder."""
    path = folder / TEMPLATE
    try:
        with path.open(encoding="utf-8") as file:
            return int(next(file))
    except (OSError, StopIteration, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error


def read_spec(folder: RunFolder) -> PimdSpec:
    """Return the settings of a run folder; raises `UserError` if they were damaged."""
    values = {key: value for key, value in folder.read_spec().items() if key != "kind"}
    return validate(PimdSpec, values, str(folder / "spec.yaml"))


def save_spec(folder: RunFolder, spec: PimdSpec) -> None:
    """Replace ``spec.yaml``."""
    with atomic_write(folder / "spec.yaml") as temporary:
        values = {"kind": KIND, **spec.model_dump(mode="json")}
        temporary.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), "utf-8")


def property_files(folder: RunFolder, spec: PimdSpec) -> list[Path]:
    """Return the files of properties, one per replica."""
    return [folder / f"{name}{PREFIX}.{PROPERTIES}" for name in _replicas(spec)]


def trajectory_files(folder: RunFolder) -> list[Path]:
    """Return the trajectories that are there."""
    names = (f"*{PREFIX}.{POSITIONS}_*.xyz", f"*{PREFIX}.{CENTROID}.xyz")
    return sorted(path for name in names for path in folder.path.glob(name) if path.name[0] != "#")


def trajectory_to_watch(folder: RunFolder, spec: PimdSpec) -> Path:
    """Return the trajectory whose frames are told: the centroid's, or that of the first bead."""
    first = _replicas(spec)[0]
    if spec.n_beads > 1 and spec.trajectory != "beads":
        return folder / f"{first}{PREFIX}.{CENTROID}.xyz"
    digits = len(str(spec.n_beads))
    return folder / f"{first}{PREFIX}.{POSITIONS}_{0:0{digits}d}.xyz"


def checkpoints(folder: RunFolder) -> list[Path]:
    """Return i-PI's periodic checkpoints, the oldest first."""
    found = folder.path.glob(f"{PREFIX}.{CHECKPOINT}_*")
    numbered = [(path.name.rpartition("_")[2], path) for path in found]
    return [path for _, path in sorted((int(n), path) for n, path in numbered if n.isdigit())]


def _replicas(spec: PimdSpec) -> list[str]:
    """Return what i-PI puts before the names of a replica's files."""
    return [f"r{i}_" for i in range(spec.n_replicas)] if spec.mode == "remd" else [""]
