"""From generated C to functions that Python can call: compiled once for every machine, kept on disk.

The compiler is clang as the package ``ziglang`` brings it from PyPI for every platform, so nothing has to be installed by hand;
the environment variable ``NEQUIP_OPENMM_CC`` names another one, such as ``gcc``.
"""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import importlib.util
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

from platformdirs import user_cache_path

from nequip_openmm.errors import BackendError

__all__ = ["cache_folder", "load_library"]

logger = logging.getLogger(__name__)

FLAGS = (
    "-std=c11",
    "-O3",
    "-ffp-contract=fast",  # a multiplication and an addition are one operation, always
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fPIC",
    "-shared",
)
_lock = threading.Lock()


def load_library(name: str, source: str, *, announces: bool = True) -> ctypes.CDLL:
    """Return the library compiled from C, from the cache on disk if it is there.

    The file's name holds a digest of all that the machine code depends on: source, flags, compiler and processor. Safe to call
    from several threads and processes at once.

    Parameters
    ----------
    name
        What the user reads while it compiles, and the beginning of the file's name.
    source
        One translation unit.
    announces
        Whether the user is told when it has to be compiled.

    Raises
    ------
    BackendError
        If there is no compiler, it fails, or the library cannot be loaded.
    """
    with _lock:
        return _load(name, source, announces)


@cache
def _load(name: str, source: str, announces: bool) -> ctypes.CDLL:
    compiler = _compiler()
    path = _library_path(name, source, compiler)
    if not path.exists():
        begin = time.monotonic()
        # Warnings, because Python shows no other messages unless told to, and the user should know what takes seconds.
        if announces:
            logger.warning("compiling the %s for this processor: once, a few seconds", name)
        _compile(source, compiler, path)
        if announces:
            logger.warning("compiled the %s in %.1f s: %s", name, time.monotonic() - begin, path)
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise BackendError(
            f"the compiled kernels {path} do not load ({error}): delete the file, or set NEQUIP_OPENMM_CACHE to a "
            'folder that may hold programs, or use engine="reference"'
        ) from error


@cache
def cache_folder() -> Path:
    """Return the folder of compiled kernels: ``NEQUIP_OPENMM_CACHE``, else the platform's place for caches.

    Where that cannot be written, as in a container with a read-only home, a folder of this process serves, and a warning says so.
    """
    chosen = os.environ.get("NEQUIP_OPENMM_CACHE")
    folder = Path(chosen) if chosen else user_cache_path("nequip-openmm") / "kernels"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        temporary = _temporary_folder()
        logger.warning(
            "compiled kernels cannot be kept in %s (%s); set NEQUIP_OPENMM_CACHE to a folder that can be written",
            folder,
            error,
        )
        return temporary
    return folder


@cache
def _temporary_folder() -> Path:
    """Return a folder that is removed when the process ends."""
    folder = tempfile.mkdtemp(prefix="nequip-openmm-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _compiler() -> tuple[str, ...]:
    chosen = os.environ.get("NEQUIP_OPENMM_CC")
    if chosen:
        return tuple(shlex.split(chosen))
    if importlib.util.find_spec("ziglang") is None:
        raise BackendError(
            "the fast engine needs the package ziglang, which brings its compiler: pip install ziglang; "
            "or set NEQUIP_OPENMM_CC to a C compiler"
        )
    return (sys.executable, "-m", "ziglang", "cc")


def _library_path(name: str, source: str, compiler: tuple[str, ...]) -> Path:
    parts = (source, *_flags(compiler), *_compiler_version(compiler), *_processor())
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    suffix = ".dll" if sys.platform == "win32" else ".so"
    return cache_folder() / f"{name.replace(' ', '-')}-{digest}{suffix}"


def _flags(compiler: tuple[str, ...]) -> tuple[str, ...]:
    if platform.machine().lower() in ("x86_64", "amd64"):
        # without the second, clang halves the vectors that the code asks for
        flags = [*FLAGS, "-march=native", "-mprefer-vector-width=512"]
    else:
        flags = [*FLAGS, "-mcpu=native"]
    if "ziglang" in compiler and sys.platform == "linux":
        # the few functions of libc that are called are in the process already; zig would build its own libc, for seconds
        flags.append("-nostdlib")
    return tuple(flags)


def _compiler_version(compiler: tuple[str, ...]) -> tuple[str, ...]:
    if "ziglang" not in compiler:
        return compiler
    options = compiler[compiler.index("ziglang") + 1 :]  # wherever the Python is that runs it
    return ("ziglang", metadata.version("ziglang"), *options)


@cache
def _processor() -> tuple[str, ...]:
    """Return what ``-march=native`` depends on."""
    facts = [platform.system(), platform.machine(), platform.processor()]
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
        wanted = ("model name", "cpu family", "model", "stepping", "flags", "Features", "CPU part")
        facts += [line for line in lines if line.split(":")[0].strip() in wanted]
    return tuple(facts)


def _compile(source: str, compiler: tuple[str, ...], path: Path) -> None:
    """Write ``path`` at once or not at all, so that no other process sees half of it."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".compiling-") as folder:
        code, library = Path(folder, "kernels.c"), Path(folder, path.name)
        code.write_text(source, encoding="utf-8")
        command = [*compiler, *_flags(compiler), str(code), "-o", str(library)]
        environment = {
            **os.environ,
            "ZIG_LOCAL_CACHE_DIR": str(Path(folder, "zig")),
            "ZIG_GLOBAL_CACHE_DIR": str(path.parent / "zig"),
        }
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise BackendError(f"the compiler {compiler[0]!r} does not start: {error}") from error
        if done.returncode != 0:
            raise BackendError(
                f"compiling the kernels failed ({' '.join(command)}): {done.stderr.strip()[-2000:]}"
            )
        os.replace(library, path)
