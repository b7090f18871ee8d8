"""What the window needs of the system, looked at before Qt is loaded: Qt ends the process where a library is missing.

Nothing here imports Qt, so that it can say what is missing on a bare machine.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

__all__ = ["Problem", "apt_line", "missing_libraries", "platform_of", "problems"]

BASE = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libX11.so.6": "libx11-6",
}
"""Libraries that Qt's own are linked with, and the Debian packages that hold them."""

PLATFORMS = {
    "xcb": {
        "libxcb.so.1": "libxcb1",
        "libX11-xcb.so.1": "libx11-xcb1",
        "libxcb-cursor.so.0": "libxcb-cursor0",
        "libxcb-icccm.so.4": "libxcb-icccm4",
        "libxcb-image.so.0": "libxcb-image0",
        "libxcb-keysyms.so.1": "libxcb-keysyms1",
        "libxcb-randr.so.0": "libxcb-randr0",
        "libxcb-render.so.0": "libxcb-render0",
        "libxcb-render-util.so.0": "libxcb-render-util0",
        "libxcb-shape.so.0": "libxcb-shape0",
        "libxcb-shm.so.0": "libxcb-shm0",
        "libxcb-sync.so.1": "libxcb-sync1",
        "libxcb-util.so.1": "libxcb-util1",
        "libxcb-xfixes.so.0": "libxcb-xfixes0",
        "libxcb-xkb.so.1": "libxcb-xkb1",
        "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    },
    "wayland": {
        "libwayland-client.so.0": "libwayland-client0",
        "libwayland-cursor.so.0": "libwayland-cursor0",
        "libwayland-egl.so.1": "libwayland-egl1",
    },
    "offscreen": {},
}
"""What each way to a screen needs besides."""

FONTS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")

RENAMED = {"libglib2.0-0": "libglib2.0-0t64"}
"""Packages that have another name since Debian 13 and Ubuntu 24.04."""


class Problem(NamedTuple):
    """One thing that keeps the window from opening: what, and what to do."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}\n    {self.remedy}"


def problems(
    environment: Mapping[str, str] = os.environ, load: Callable[[str], object] | None = None
) -> list[Problem]:
    """Return all that keeps the window from opening here; empty if nothing is known.

    Parameters
    ----------
    load
        Loads a library by its name, raising OSError; for tests.
    """
    found = _missing_packages()
    if sys.platform.startswith("linux"):
        platform = platform_of(environment)
        missing = missing_libraries(platform or "xcb", load)
        if missing:
            what = f"libraries that Qt needs are missing: {', '.join(missing)}"
            found.append(Problem(what, apt_line(missing.values())))
        if platform is None:
            found.append(
                Problem(
                    "there is no screen (neither DISPLAY nor WAYLAND_DISPLAY is set)",
                    "log in to a desktop, use 'ssh -X', or start it with 'xvfb-run'; without a window: nequip-openmm --help",
                )
            )
        if not _has_fonts():
            found.append(Problem("no font is installed", apt_line(["fonts-dejavu-core"])))
    return found


def platform_of(environment: Mapping[str, str]) -> str | None:
    """Return Qt's way to the screen: xcb, wayland, offscreen; None if there is none."""
    chosen = environment.get("QT_QPA_PLATFORM", "").split(";")[0].split(":")[0]
    if chosen:
        return chosen if chosen in PLATFORMS else "offscreen"
    # Qt takes wayland only where the session says so; everything else goes through X.
    if environment.get("WAYLAND_DISPLAY") and environment.get("XDG_SESSION_TYPE") == "wayland":
        return "wayland"
    if environment.get("DISPLAY"):
        return "xcb"
    return "wayland" if environment.get("WAYLAND_DISPLAY") else None


def missing_libraries(platform: str, load: Callable[[str], object] | None = None) -> dict[str, str]:
    """Return the libraries that cannot be loaded, each with its Debian package."""
    wanted = BASE | PLATFORMS.get(platform, {})
    return {name: package for name, package in wanted.items() if not _loads(name, load)}


def apt_line(packages: Iterable[str]) -> str:
    """Return the command that installs Debian packages."""
    names = sorted({RENAMED.get(name, name) if _has_long_time() else name for name in packages})
    sudo = "" if hasattr(os, "geteuid") and os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install -y --no-install-recommends {' '.join(names)}"


def _loads(name: str, load: Callable[[str], object] | None) -> bool:
    try:
        (load or ctypes.CDLL)(name)
    except OSError:
        return False
    return True


def _missing_packages() -> list[Problem]:
    install = "python -m pip install 'nequip-openmm[gui]'"
    found = []
    for name in ("PySide6-Essentials", "pyqtgraph"):
        try:
            installed = version(name)
        except PackageNotFoundError:
            found.append(Problem(f"the Python package {name} is not installed", install))
            continue
        if name == "PySide6-Essentials" and installed == "6.12.0" and sys.version_info < (3, 12):
            what = "PySide6 6.12.0 ends the process under Python 3.11 and older"
            found.append(Problem(what, "python -m pip install 'PySide6-Essentials!=6.12.0'"))
    return found


def _has_fonts() -> bool:
    return any(
        next(Path(folder).expanduser().rglob("*.[otp][tcf]*"), None) is not None
        for folder in FONTS
        if Path(folder).expanduser().is_dir()
    )


def _has_long_time() -> bool:
    """Return whether this is a Debian or Ubuntu after the change to 64-bit time, which renamed packages."""
    try:
        lines = Path("/etc/os-release").read_text("utf-8").splitlines()
        found = {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}
        number = float(found.get("VERSION_ID", "0"))
    except (OSError, ValueError):
        return False
    return number >= {"ubuntu": 24.04, "debian": 13.0}.get(found.get("ID", ""), float("inf"))
