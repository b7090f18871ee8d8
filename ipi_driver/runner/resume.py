"""Going on with a run: the newest whole state, and outputs cut back to it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from ipi_driver.inputs.element import to_text
from ipi_driver.inputs.spec import PimdSpec
from ipi_driver.inputs.transport import Address
from ipi_driver.runner import files
from ipi_driver.runner.link import ORDERED
from ipi_driver.runner.sockets import remove_stale
from nequip_openmm.errors import UserError
from nequip_openmm.runs import RunFolder, atomic_write

__all__ = [
    "CONTINUE",
    "State",
    "address_of",
    "discard_states",
    "newest_state",
    "prepare_restart",
    "refuse_second_run",
    "saved_step",
]

CONTINUE = "restart.xml"
_STEP = re.compile(r"Step:\s*(\d+)")


@dataclass(frozen=True)
class State:
    """A state that i-PI can start from.

    Attributes
    ----------
    path
        Its file.
    step
        Steps that were done.
    """

    path: Path
    step: int


def newest_state(folder: RunFolder) -> State | None:
    """Return the whole state of the highest step in a run folder; files that were cut short are passed over."""
    return max(_states(folder), key=lambda state: state.step, default=None)


def discard_states(folder: RunFolder, after: int) -> None:
    """Remove the states of later steps than ``after``."""
    for state in _states(folder):
        if state.step > after:
            state.path.unlink()


def _states(folder: RunFolder) -> list[State]:
    names = [folder / name for name in (files.RESTART, ORDERED, CONTINUE)]
    candidates = [*names, *reversed(files.checkpoints(folder))]
    return [State(path, step) for path in candidates if (step := saved_step(path)) is not None]


def saved_step(path: Path) -> int | None:
    """Return the steps that a checkpoint has behind it; None if it is missing or not whole."""
    try:
        root = ET.parse(path).getroot()
        return int(root.findtext("step", "0"))
    except (OSError, ET.ParseError, ValueError):
        return None


def address_of(folder: RunFolder) -> Address | None:
    """Return where i-PI listens in a run, as its input says; None for a run without sockets."""
    path = folder / files.INPUT
    try:
        socket = ET.parse(path).getroot().find("ffsocket")
    except (OSError, ET.ParseError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    if socket is None:
        return None
    port = socket.findtext("port")
    name = socket.findtext("address", "").strip()
    return Address(name, None if port is None or socket.get("mode") == "unix" else int(port))


def refuse_second_run(address: Address | None) -> None:
    """Raise `UserError` if i-PI is running at the address; remove a socket that is left of one that was killed."""
    if address is not None and address.path is not None:
        remove_stale(address.path)


def prepare_restart(
    folder: RunFolder, spec: PimdSpec, state: State | None, address: Address | None, pes: Path
) -> None:
    """Write ``restart.xml``, a state (or the start) with what is wanted now, and cut the outputs.

    Parameters
    ----------
    spec
        Its number of steps is what may have changed.
    address, pes
        Where i-PI listens, or the PES file, on this machine.
    """
    root = ET.parse(folder / files.INPUT if state is None else state.path).getroot()
    _set(root, "total_steps", str(spec.steps))
    _set(root, "ffdirect/pes_path", str(pes))
    if address is not None and address.port is not None:
        _set(root, "ffsocket/port", str(address.port))
    with atomic_write(folder / CONTINUE) as temporary:
        temporary.write_text(to_text(root) + "\n", encoding="utf-8")
    (folder / files.RESTART).unlink(missing_ok=True)  # i-PI would keep a copy of each it finds
    if state is None:
        _remove_outputs(folder, spec)
    else:
        _cut_outputs(folder, spec, state.step)


def _remove_outputs(folder: RunFolder, spec: PimdSpec) -> None:
    outputs = (files.property_files(folder, spec), files.trajectory_files(folder))
    for path in [*outputs[0], *outputs[1], *files.checkpoints(folder)]:
        path.unlink(missing_ok=True)


def _cut_outputs(folder: RunFolder, spec: PimdSpec, step: int) -> None:
    """Take away what was written after a step, which the continued run writes again, and half-written ends."""
    for path in files.property_files(folder, spec):
        _cut(path, _end_of_rows(path, step))
    for path in files.trajectory_files(folder):
        _cut(path, _end_of_frames(path, files.atoms_in(folder) + 2, step))
    for path in files.checkpoints(folder):
        done = saved_step(path)
        if done is None or done > step:
            path.unlink()


def _set(root: ET.Element, path: str, text: str) -> None:
    found = root.find(path)
    if found is not None:
        found.text = f" {text} "


def _end_of_rows(path: Path, step: int) -> int:
    """Return the bytes up to the last row that belongs to ``step`` or before; the step is the first column."""
    end = 0
    if not path.exists():
        return end
    with path.open("rb") as file:
        for line in file:
            is_row = not line.startswith(b"#")
            if not line.endswith(b"\n") or (is_row and float(line.split()[0]) > step):
                break
            end += len(line)
    return end


def _end_of_frames(path: Path, lines_per_frame: int, step: int) -> int:
    """Return the bytes up to the last whole frame of ``step`` or before."""
    end = size = 0
    with path.open("rb") as file:
        for number, line in enumerate(file):
            size += len(line)
            found = _STEP.search(line.decode()) if number % lines_per_frame == 1 else None
            if not line.endswith(b"\n") or (found and int(found.group(1)) > step):
                break
            if (number + 1) % lines_per_frame == 0:
                end = size
    return end


def _cut(path: Path, size: int) -> None:
    if path.exists() and path.stat().st_size > size:
        with path.open("r+b") as file:
            file.truncate(size)
