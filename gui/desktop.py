"""Puts the app into the desktop's menu (freedesktop.org's desktop entry and icon theme specifications)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from nequip_openmm.errors import UserError

__all__ = ["APPLICATION", "install_desktop"]

APPLICATION = "nequip-openmm"
"""Name of the desktop entry, of the icon, and of windows under Wayland."""

ENTRY = """\
[Desktop Entry]
Type=Application
Version=1.5
Name=NequIP OpenMM
GenericName=Interatomic potentials
Comment=Train NequIP potentials and run molecular dynamics and path integrals
Exec={command} %F
Icon={name}
Terminal=false
StartupNotify=true
StartupWMClass={name}
Categories=Science;Chemistry;Physics;Education;
Keywords=molecular dynamics;machine learning;potential;NequIP;OpenMM;i-PI;
MimeType=chemical/x-xyz;chemical/x-extxyz;chemical/x-pdb;chemical/x-cif;
"""


def install_desktop(data_home: Path | None = None) -> list[Path]:
    """Write entry and icon for this user; return the files.

    Parameters
    ----------
    data_home
        In place of ``$XDG_DATA_HOME`` or ``~/.local/share``.

    Raises
    ------
    UserError
        If they cannot be written.
    """
    home = data_home or Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    entry = home / "applications" / f"{APPLICATION}.desktop"
    icon = home / "icons" / "hicolor" / "scalable" / "apps" / f"{APPLICATION}.svg"
    try:
        for path in (entry, icon):
            path.parent.mkdir(parents=True, exist_ok=True)
        entry.write_text(ENTRY.format(command=_command(), name=APPLICATION), "utf-8")
        shutil.copyfile(Path(__file__).with_name("icons") / "app.svg", icon)
    except OSError as error:
        raise UserError(f"{error.filename or home}: cannot be written: {error.strerror}") from error
    _refresh(entry.parent)
    return [entry, icon]


def _command() -> str:
    """Return the command that opens the window, quoted as the specification asks."""
    script = Path(sys.executable).with_name("nequip-openmm-gui")
    words = [str(script)] if script.exists() else [sys.executable, "-m", "gui"]
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    for special in '\\"`$':
        word = word.replace(special, "\\" + special)
    escaped = word.replace("%", "%%").replace("\\", "\\\\")
    return f'"{escaped}"' if any(c in word for c in " \t\"'\\><~|&;$*?#()`") else escaped


def _refresh(folder: Path) -> None:
    """Tell the desktop, where it has the usual tool; without it the entry appears after the next login."""
    tool = shutil.which("update-desktop-database")
    if tool is not None:
        subprocess.run([tool, str(folder)], check=False, capture_output=True, timeout=30)
