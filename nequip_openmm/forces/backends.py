"""Which ways into OpenMM the installed packages offer, and why not the others.

TorchForce (package openmmtorch) runs TorchScript inside OpenMM; PythonForce (OpenMM itself) calls Python at every step;
PythonTorchForce (openmmtorch after 1.5) does so with tensors that stay on the GPU where OpenMM is on one. Versions that do not fit together end the process in C++ without an exception, so they are read from the packages' metadata
before anything is imported.
"""

from __future__ import annotations

import ctypes
import importlib.util
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from nequip_openmm.errors import BackendError, nearest

__all__ = [
    "BACKENDS",
    "Availability",
    "Choice",
    "available",
    "choose",
    "choose_loaded",
    "import_openmm",
    "import_openmmtorch",
    "incomplete_platforms",
]

logger = logging.getLogger(__name__)

BACKENDS = ("TorchForce", "PythonForce", "PythonTorchForce")
FITS = "openmmtorch 1.5 with torch 2.9 and OpenMM 8.5"
INSTALL = "pip install 'openmm>=8.5.2,<8.6' 'openmmtorch==1.5' 'torch>=2.9,<2.10'"


class Availability(NamedTuple):
    """Whether a backend works here.

    Attributes
    ----------
    name
        One of `BACKENDS`.
    works
        Whether it can be used.
    reason
        The versions that make it work, or what stands in the way and what to install.
    """

    name: str
    works: bool
    reason: str


class Choice(NamedTuple):
    """A backend that works, and why it was taken."""

    name: str
    reason: str


def available() -> tuple[Availability, ...]:
    """Return for every one of `BACKENDS` whether it works with the installed packages; imports none of them."""
    bridged = ("torch", "openmm", "openmmtorch")
    return (
        _availability("TorchForce", _against_torch_force(), bridged),
        _availability("PythonForce", _against_python_force(), ("torch", "openmm")),
        _availability("PythonTorchForce", _against_python_torch_force(), bridged),
    )


def choose(backend: str = "auto") -> Choice:
    """Return the backend to use.

    Parameters
    ----------
    backend
        One of `BACKENDS`, or ``"auto"`` for the first that works of PythonTorchForce, TorchForce and PythonForce.

    Raises
    ------
    BackendError
        If the backend is unknown, or does not work; the message names the versions that would.
    """
    if backend not in ("auto", *BACKENDS):
        close = nearest(str(backend), ("auto", *BACKENDS))
        raise BackendError(
            f"backend {backend!r} is unknown{close}; choose auto, {', '.join(BACKENDS[:-1])} or {BACKENDS[-1]}"
        )
    ways = available()
    if backend != "auto":
        asked = ways[BACKENDS.index(backend)]
        if not asked.works:
            raise BackendError(f"{asked.name} cannot be used: {asked.reason}")
        return Choice(asked.name, f"asked for; {asked.reason}")
    torch_force, python_force, python_torch_force = ways
    for way in (python_torch_force, torch_force):
        if way.works:
            return Choice(way.name, way.reason)
    if python_force.works:
        return Choice(python_force.name, f"TorchForce cannot be used: {torch_force.reason}")
    raise BackendError(python_force.reason)


def choose_loaded(backend: str = "auto") -> Choice:
    """Return the backend to use as `choose` does, after a look at the libraries that it loads.

    openmmtorch 1.5 asks OpenMM 8.5.2 for a function that it does not have, on the OpenCL platform only, where the first step of a
    TorchForce ends the process. If OpenMM has loaded that part of it, which it does in scripts that import torch before
    openmm, ``"auto"`` is PythonForce; whoever asks for TorchForce is warned.
    """
    choice = choose(backend)
    if choice.name != "TorchForce":
        return choice
    import_openmmtorch()
    incomplete = incomplete_platforms()
    if not incomplete:
        return choice
    reason = f"TorchForce would end the process on the platform {', '.join(incomplete)}"
    if backend == "auto":
        return Choice("PythonForce", reason)
    logger.warning("%s: use PythonForce there, or another platform", reason)
    return choice


def import_openmm() -> ModuleType:
    """Return the module ``openmm``; raises `BackendError` with the command that installs it."""
    try:
        import openmm
    except ImportError as error:
        raise BackendError(
            f"OpenMM is needed here and cannot be imported ({error}): pip install 'nequip-openmm[openmm]'"
        ) from error
    return openmm


def import_openmmtorch() -> ModuleType:
    """Return the module ``openmmtorch``, loaded in the order that works, whatever the script imported before.

    Needed too before a System with a TorchForce is read from XML in a new process: it also registers the operator by which
    the force calls the fused engine.

    Raises
    ------
    BackendError
        If the installed versions do not fit, or the library does not load.
    """
    if _against_python_torch_force() is not None:
        choose("TorchForce")
    import torch  # noqa: F401  openmmtorch links to libraries that torch has to load

    try:
        with _without_simtk_notice():
            import openmmtorch
    except ImportError as error:
        raise BackendError(f"openmmtorch does not load ({error}): {INSTALL}") from error
    _load_missing_plugins()
    import nequip_openmm.forces.ops  # noqa: F401  registers the operator

    return openmmtorch


@cache
def _load_missing_plugins() -> None:
    """Load those plugins of openmmtorch that OpenMM could not.

    They link to torch's libraries, so in a script that imports openmm before torch they failed when OpenMM was imported, and
    a Context would find that the platform lacks a kernel. A platform that this machine does not have (OpenCL, CUDA) fails
    again, which is no error. What lacks a function of OpenMM is left out: it would end the process when it is called.
    """
    openmm = import_openmm()
    loaded = {Path(name).name for name in openmm.pluginLoadedLibNames}
    for library in _torch_plugins():
        if library.name not in loaded and _is_complete(library):
            with suppress(openmm.OpenMMException):
                openmm.Platform.loadPluginLibrary(str(library))


def incomplete_platforms(loaded: bool = True) -> list[str]:
    """Return the platforms whose part of openmmtorch lacks a function of OpenMM; only those that OpenMM has loaded, or all."""
    names = {Path(name).name for name in import_openmm().pluginLoadedLibNames}
    broken = [lib for lib in _torch_plugins() if not _is_complete(lib)]
    return [
        lib.name.split(".")[0].partition("OpenMMTorch")[2]
        for lib in broken
        if not loaded or lib.name in names
    ]


def _torch_plugins() -> list[Path]:
    folder = Path(import_openmm().version.openmm_library_path) / "plugins"
    return sorted(folder.glob("*OpenMMTorch*"))


@cache
def _is_complete(library: Path) -> bool:
    """Return whether OpenMM has the function in question, or the library does not call it; loads nothing."""
    if _FUNCTION.encode() + b"\0" not in library.read_bytes():
        return True
    cores = Path(import_openmm().version.openmm_library_path).glob("libOpenMM.*")
    return any(hasattr(ctypes.CDLL(str(core)), _FUNCTION) for core in cores)


# ContextImpl::getPositions(std::vector<Vec3>&), which has one more argument in OpenMM 8.5.2
_FUNCTION = "_ZN6OpenMM11ContextImpl12getPositionsERSt6vectorINS_4Vec3ESaIS2_EE"


def _availability(name: str, objection: str | None, packages: tuple[str, ...]) -> Availability:
    if objection is not None:
        return Availability(name, False, objection)
    versions = ", ".join(f"{package} {_version(package)}" for package in packages)
    return Availability(name, True, f"{name} works with {versions}")


def _against_torch_force() -> str | None:
    """Return what forbids TorchForce, or None."""
    openmm, bridge, torch = (_version(name) for name in ("openmm", "openmmtorch", "torch"))
    if openmm is None:
        return _NO_OPENMM
    if bridge is None:
        return f"openmmtorch is not installed: {INSTALL}"
    if _release(bridge) != (1, 5):
        return f"openmmtorch {bridge} is not known to work; {FITS} does: {INSTALL}"
    if _release(openmm) != (8, 5):
        consequence = (
            "crashes when a TorchForce is copied" if _release(openmm) > (8, 5) else "is too old"
        )
        return f"OpenMM {openmm} {consequence} with openmmtorch {bridge}; {FITS} works: {INSTALL}"
    if torch is None or _release(torch) != (2, 9):
        return f"openmmtorch {bridge} does not run with torch {torch}; {FITS} works: {INSTALL}"
    return None


def _against_python_torch_force() -> str | None:
    """Return what forbids PythonTorchForce, or None."""
    bridge = _version("openmmtorch")
    if _version("openmm") is None:
        return _NO_OPENMM
    if bridge is None:
        return f"openmmtorch is not installed: {INSTALL}"
    if not _has_python_torch_force():
        return f"openmmtorch {bridge} has no PythonTorchForce, which came after 1.5"
    return _against_python_force()


def _has_python_torch_force() -> bool:
    """Return whether the installed openmmtorch has the class; reads its text, since importing it could end the process."""
    found = importlib.util.find_spec("openmmtorch")
    if found is None or found.origin is None or not found.origin.endswith(".py"):
        return False
    return "class PythonTorchForce(" in Path(found.origin).read_text(encoding="utf-8")


def _against_python_force() -> str | None:
    """Return what forbids PythonForce, or None."""
    openmm = _version("openmm")
    if openmm is None:
        return _NO_OPENMM
    if _release(openmm) < (8, 5):
        return f"PythonForce needs OpenMM 8.5 or later, found {openmm}: pip install 'openmm>=8.5.2'"
    return None


_NO_OPENMM = "OpenMM is not installed: pip install 'nequip-openmm[openmm]'"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _release(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version."""
    numbers = [int(n) for n in re.findall(r"\d+", version)[:2]]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (0, 0)


@contextmanager
def _without_simtk_notice() -> Iterator[None]:
    """Hide the one log record of openmmtorch 1.5 that importing simtk.openmm, as it does itself, is deprecated."""

    def keep(record: logging.LogRecord) -> bool:
        return "simtk.openmm" not in record.getMessage()

    root = logging.getLogger()
    root.addFilter(keep)
    try:
        yield
    finally:
        root.removeFilter(keep)
