"""Checks of an ``input.xml``, written by hand or by us, before i-PI opens a socket: also what i-PI does not check itself.

i-PI finds a misspelt property only after it has opened its socket, a trajectory in impossible units only at the first
output, and elements, cutoff and time-outs never.
"""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.etree.ElementTree import Element

import numpy as np

from ipi_driver.inputs.transport import MAX_PATH, PREFIX
from nequip_openmm.errors import ConfigError, nearest
from nequip_openmm.units import BOHR_TO_ANGSTROM

__all__ = ["Finding", "refuse_errors", "validate_input"]

SHORTEST_TIMEOUT_S = 60.0  # a model takes as long to load and compile, now and then
_PATIENCE_S = 120.0
_POLYMER = ("_md",)  # estimators of the extended ring polymer


@dataclass(frozen=True)
class Finding:
    """Something about an input.

    Attributes
    ----------
    level
        ``"error"``: the run cannot work, or its numbers would not be what they are called; ``"warning"``: seldom meant.
    where
        Which part.
    message
        What is wrong and what to do.
    """

    level: Literal["error", "warning"]
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.level}: {self.where}: {self.message}"


def validate_input(
    path: Path,
    *,
    species: tuple[str, ...] | None = None,
    cutoff: float | None = None,
    template: list[str] | None = None,
) -> list[Finding]:
    """Return what is wrong or odd about an input for i-PI.

    Parameters
    ----------
    path
        The ``input.xml``; what it names is looked for beside it.
    species, cutoff
        What the model knows and how far it sees, Å; None leaves these checks out.
    template
        Elements of the driver's template, in its order.

    Raises
    ------
    ConfigError
        If it cannot be read as XML.
    """
    root = _parse(path)
    findings = [*_of_sockets(root), *_of_direct(root), *_of_outputs(root)]
    answer = _ask_ipi(path)
    findings += [_from_ipi(where, text) for where, text in answer.get("problems", [])]
    for system in answer.get("systems", []):
        findings += _of_system(system, species, cutoff, template)
        findings += _of_estimators(root, system["nbeads"])
        findings += _of_batches(root, system["nbeads"])
    return list(dict.fromkeys(findings))


def refuse_errors(path: Path, findings: list[Finding]) -> None:
    """Raise `ConfigError` for the first error among findings."""
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise ConfigError(f"{path}: {errors[0].where}: {errors[0].message}{more}")


# --- the text alone -----------------------------------------------------------------------------------------------------


def _parse(path: Path) -> Element:
    try:
        return ET.parse(path).getroot()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ET.ParseError as error:
        raise ConfigError(f"{path}: is not XML: {error}") from error


def _of_sockets(root: Element) -> Iterator[Finding]:
    prefix = root.get("sockets_prefix", PREFIX)
    for socket in root.iter("ffsocket"):
        where = f"<ffsocket name={socket.get('name')!r}>"
        path = prefix + _text(socket, "address", "localhost")
        is_local = socket.get("mode", "inet") != "inet"
        if is_local and len(path.encode()) > MAX_PATH:
            text = f"the socket {path} is longer than {MAX_PATH} bytes; shorten the address or sockets_prefix"
            yield Finding("error", where, text)
        yield from _of_batch(socket, where)
        timeout = float(_text(socket, "timeout", "0"))
        if timeout == 0:
            text = "without <timeout> i-PI waits for ever for a driver that hangs; 600 is usual"
            yield Finding("warning", where, text)
        elif timeout < SHORTEST_TIMEOUT_S:
            text = f"<timeout> {timeout:g} s may be shorter than the first evaluation of a model; 600 is usual"
            yield Finding("warning", where, text)


def _of_batch(socket: Element, where: str) -> Iterator[Finding]:
    if int(_text(socket, "batch_size", "1")) == 1:
        return
    if socket.get("matching") == "lock":
        yield Finding("error", where, "matching='lock' does not go with <batch_size> above 1")
    if _text(socket, "consolidate_messages", "True") == "False":
        yield Finding("error", where, "<batch_size> above 1 needs <consolidate_messages> True")


def _of_direct(root: Element) -> Iterator[Finding]:
    for direct in root.iter("ffdirect"):
        path = _text(direct, "pes_path", "")
        if _text(direct, "pes", "") == "custom" and not Path(path).is_absolute():
            text = f"<pes_path> {path} is relative to where i-PI is started; nequip-ipi-driver --pes-path prints ours"
            yield Finding("warning", f"<ffdirect name={direct.get('name')!r}>", text)


def _of_outputs(root: Element) -> Iterator[Finding]:
    outputs = root.find("output")
    names: list[str] = []
    for item in outputs if outputs is not None else []:
        what = (item.text or "").strip()
        if item.tag == "trajectory" and item.get("format") == "ase":
            unit = what.partition("{")[2].rstrip("}")
            if unit not in ("", "ase"):
                text = (
                    f"format='ase' cannot be written in {unit}; leave the unit out or give {{ase}}"
                )
                yield Finding("error", f"trajectory {what}", text)
        names.append(item.get("filename", item.tag))
    for name in {name for name in names if names.count(name) > 1}:
        yield Finding("error", f"output {name!r}", "two outputs have this filename")


# --- with what i-PI made of it --------------------------------------------------------------------------------------------


def _ask_ipi(path: Path) -> dict[str, Any]:
    """Return i-PI's answer; nothing where it is not installed."""
    command = [sys.executable, "-m", "ipi_driver.inputs.ask_ipi", str(path.resolve())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    if "No module named 'ipi'" in done.stderr:
        return {}
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = done.stderr.strip().splitlines()[-1:] or ["no answer"]
        return {"problems": [["input", f"i-PI could not be asked: {last[0]}"]]}


def _from_ipi(where: str, text: str) -> Finding:
    kind, is_unknown, known = text.partition("unknown:")
    if is_unknown and not kind:
        name = where.partition(" ")[2].partition("{")[0].partition("(")[0]
        text = f"i-PI knows none of this name{nearest(name, known.split(','))}"
    return Finding("error", where, text)


def _of_system(
    system: dict[str, Any],
    species: tuple[str, ...] | None,
    cutoff: float | None,
    template: list[str] | None,
) -> Iterator[Finding]:
    names = system["names"]
    if species is not None and (unknown := sorted(set(names) - set(species))):
        text = f"the model knows {', '.join(species)}, not {', '.join(unknown)}"
        yield Finding("error", "structure", text)
    if template is not None and template != names:
        text = "its atoms and their order differ from those of the driver's template"
        yield Finding("error", "structure", text)
    cell = np.array(system["cell_bohr"]) * BOHR_TO_ANGSTROM
    height = float(1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0).max())
    if cutoff is not None and height < cutoff:
        text = (
            f"the cell is {height:.2f} Å high at its narrowest, less than the model's cutoff of {cutoff:g} Å; "
            "if the template is periodic, atoms feel their own images"
        )
        yield Finding("warning", "cell", text)


def _of_estimators(root: Element, n_beads: int) -> Iterator[Finding]:
    """Warn of columns that are n_beads times what their name suggests."""
    if n_beads == 1:
        return
    for table in root.iter("properties"):
        for column in (table.text or "").strip(" []\n").split(","):
            name = column.strip().partition("{")[0].partition("(")[0]
            if name.endswith(_POLYMER) and name.partition("_")[0] in (
                "pressure",
                "stress",
                "kstress",
                "virial",
                "kinetic",
            ):
                text = f"belongs to the extended ring polymer, {n_beads} times too large; use {name[:-3]}_cv"
                yield Finding("warning", f"property {name}", text)


def _of_batches(root: Element, n_beads: int) -> Iterator[Finding]:
    for direct in root.iter("ffdirect"):
        size = int(_text(direct, "batch_size", "1"))
        if direct.get("threaded", "False") == "False" and n_beads % size:
            text = (
                f"<batch_size> {size} does not divide the {n_beads} beads: without threads i-PI waits for ever; "
                "set threaded='True' or another size"
            )
            yield Finding("error", f"<ffdirect name={direct.get('name')!r}>", text)
    for socket in root.iter("ffsocket"):
        size = int(_text(socket, "batch_size", "1"))
        if size == 1 < n_beads or size > n_beads:
            text = f"<batch_size> {size} with {n_beads} beads; the beads divided by the number of drivers keeps batches full"
            yield Finding("warning", f"<ffsocket name={socket.get('name')!r}>", text)


def _text(parent: Element, tag: str, default: str) -> str:
    return (parent.findtext(tag) or default).strip()
