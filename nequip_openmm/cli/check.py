"""``nequip-openmm check``: what of an installation works, and what stands in the way of the rest."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from importlib import metadata
from typing import Annotated, NamedTuple

import typer
from rich.console import Console

from nequip_openmm._version import __version__
from nequip_openmm.cli.probes import run
from nequip_openmm.errors import BackendError
from nequip_openmm.forces.backends import available, choose

__all__ = ["check"]

PACKAGES = (
    "torch",
    "e3nn",
    "ase",
    "numpy",
    "vesin",
    "ziglang",
    "openmm",
    "openmmtorch",
    "openmmml",
    "ipi",
    "PySide6-Essentials",
    "pyqtgraph",
)
STYLES = {"works": "green", "absent": "yellow", "broken": "bold red"}


class Row(NamedTuple):
    """One line of the answer.

    Attributes
    ----------
    part
        What was looked at.
    state
        ``"works"``, ``"absent"`` (not installed or not possible here, which is no error) or ``"broken"``.
    text
        What was found, or what to do.
    """

    part: str
    state: str
    text: str


def check(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Say which parts work here: engines, OpenMM's platforms and forces, openmm-ml, i-PI, Qt.

    Exit code 0: an OpenMM force works and nothing that is installed is broken; 1: otherwise.
    """
    console = Console(highlight=False, soft_wrap=True)
    rows = []
    for row in _rows():
        rows.append(row)
        if not as_json:
            console.print(f"{row.state:<7}", style=STYLES[row.state], end=" ")
            console.print(f"{row.part}: {row.text}", markup=False)
    has_force = any(row.part.startswith("force ") and row.state == "works" for row in rows)
    broken = [row.part for row in rows if row.state == "broken"]
    if as_json:
        document = {"ok": has_force and not broken, "parts": [row._asdict() for row in rows]}
        typer.echo(json.dumps(document, indent=2))
    elif not has_force:
        console.print("no OpenMM force works", style="bold red")
    elif broken:
        console.print(f"broken: {', '.join(broken)}", style="bold red")
    else:
        console.print("all that is installed works", style="green")
    if broken or not has_force:
        raise typer.Exit(1)


def _rows() -> Iterator[Row]:
    yield _versions()
    yield _tried("fused engine", "engine")
    yield _tried("PyTorch's GPUs", "cuda")
    yield from _openmm()
    yield _tried("openmm-ml", "openmmml", package="openmmml", install="openmmml")
    yield _tried("i-PI", "ipi", package="ipi", install="nequip-openmm[ipi]")
    yield _tried("window", "qt", package="PySide6-Essentials", install="nequip-openmm[gui]")


def _versions() -> Row:
    found = [("nequip-openmm", __version__), ("Python", platform.python_version())]
    found += [(name, version) for name in PACKAGES if (version := _version(name)) is not None]
    return Row("versions", "works", ", ".join(f"{name} {version}" for name, version in found))


def _openmm() -> Iterator[Row]:
    if _version("openmm") is None:
        yield Row("OpenMM", "absent", "not installed: pip install 'nequip-openmm[openmm]'")
        return
    works, text = run("platforms")
    if not works:
        yield Row("OpenMM", "broken", text)
        return
    usable = []
    for name in text.split():
        works, found = run("platform", name)
        # a platform whose driver or device is missing
        yield Row(f"platform {name}", "works" if works else "absent", found)
        if works:
            usable.append(name)
    yield from _forces(usable)


def _forces(platforms: list[str]) -> Iterator[Row]:
    for way in available():
        if not way.works:
            yield Row(f"force {way.name}", "absent", way.reason)
            continue
        for name in platforms:
            works, text = run("backend", way.name, name)
            impossible = way.name == "TorchForce" and name not in ("Reference", "CPU")
            state = "works" if works else "absent" if impossible else "broken"
            yield Row(f"force {way.name} on {name}", state, text)
    try:
        name, reason = choose()
    except BackendError as error:
        yield Row("backend auto", "broken", str(error))
    else:
        yield Row("backend auto", "works", f"{name}: {reason}")


def _tried(part: str, probe: str, package: str | None = None, install: str = "") -> Row:
    """Return what a probe finds; absent if it needs a package that is not installed."""
    if package is not None and _version(package) is None:
        return Row(part, "absent", f"not installed: pip install '{install}'")
    works, text = run(probe)
    return Row(part, "works" if works else "broken", text)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
