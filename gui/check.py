"""``nequip-openmm-gui --check``: versions, what is missing, and whether a window really opens."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Generator
from importlib.metadata import PackageNotFoundError, version

from gui.preflight import platform_of, problems

__all__ = ["check"]

PACKAGES = ("nequip-openmm", "PySide6-Essentials", "pyqtgraph", "torch", "openmm", "ipi")

PROBE = """
from PySide6.QtWidgets import QApplication, QWidget
application = QApplication([])
window = QWidget()
window.show()
application.processEvents()
screen = application.primaryScreen()
size = screen.size()
print(f"{application.platformName()}, {size.width()} x {size.height()}, scale {screen.devicePixelRatio():g}")
"""
"""Run in a child: where Qt gives up it ends the process."""


def check() -> Generator[str, None, bool]:
    """Yield the findings, line by line; return whether the window can be opened."""
    for name in PACKAGES:
        yield f"{name:20s}{_version(name)}"
    yield f"{'Python':20s}{platform.python_version()} on {platform.platform()}"
    yield f"{'way to the screen':20s}{platform_of(os.environ) or 'none'}"
    found = problems()
    for problem in found:
        yield f"\nmissing: {problem}"
    if found:
        return False
    works, text = _probe()
    yield f"{'window':20s}{text}"
    if works:
        yield "\nThe window can be opened. What computes is checked by: nequip-openmm check"
    return works


def _probe() -> tuple[bool, str]:
    """Open a window in a child process."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=60
        )
    except subprocess.TimeoutExpired:
        return False, "does not open: no answer for 60 s"
    if done.returncode == 0:
        return True, f"opens ({done.stdout.strip()})"
    return False, f"does not open:\n{done.stderr.strip()}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
