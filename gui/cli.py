"""The ``nequip-openmm-gui`` command. Looks at the system before it loads Qt, which would end the process without a word.

Exit codes: 0 closed; 1 the window cannot be opened here; 2 a wrong argument.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from nequip_openmm._version import __version__
from nequip_openmm.errors import UserError

__all__ = ["main"]


def main(argv: list[str] | None = None) -> NoReturn:
    """Open the window, or do what an option asks; exits."""
    sys.exit(_run(_parser().parse_args(argv)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nequip-openmm-gui",
        description="Train NequIP potentials and simulate with them, in a window.",
    )
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="data set, model, structure, settings or run folder",
    )
    parser.add_argument(
        "--check", action="store_true", help="say what works here and what is missing, and end"
    )
    parser.add_argument(
        "--install-desktop", action="store_true", help="add the app to the desktop's menu, and end"
    )
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _run(options: argparse.Namespace) -> int:
    from gui.preflight import problems

    if options.install_desktop:
        return _install_desktop()
    if options.check:
        return _check()
    found = problems()
    if found:
        print("nequip-openmm-gui: the window cannot be opened:", file=sys.stderr)
        for problem in found:
            print(f"  {problem}", file=sys.stderr)
        return 1
    from gui.app import run

    return run(options.files)


def _check() -> int:
    from gui.check import check

    lines = check()
    while True:
        try:
            print(next(lines), flush=True)
        except StopIteration as end:
            return 0 if end.value else 1


def _install_desktop() -> int:
    from gui.desktop import install_desktop

    try:
        for path in install_desktop():
            print(path)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
