"""The package as a whole: what importing it costs, what its commands answer."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import nequip_openmm
from nequip_openmm.cli.app import COMMANDS, main
from nequip_openmm.errors import DiskFull, RunFailed, UserError
from tests.conftest import ROOT


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_import_loads_nothing_heavy() -> None:
    heavy = ["torch", "openmm", "lightning", "matplotlib", "e3nn", "PySide6"]
    loaded = _python(
        "import sys, nequip_openmm, nequip_openmm.runs, nequip_openmm.units\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert loaded.strip() == "[]"


def test_library_imports_without_openmm_lightning_and_matplotlib() -> None:
    code = (
        "import sys\n"
        "for name in ('openmm', 'openmmtorch', 'lightning', 'matplotlib', 'mdtraj', 'PySide6', 'ipi'):\n"
        "    sys.modules[name] = None\n"
        "import nequip_openmm, nequip_openmm.ase, nequip_openmm.data, nequip_openmm.forces\n"
        "print(nequip_openmm.load.__name__, nequip_openmm.NequIPPotential.__name__)"
    )
    assert _python(code).split() == ["load", "NequIPPotential"]


def test_public_names_exist() -> None:
    for name in nequip_openmm.__all__:
        assert getattr(nequip_openmm, name) is not None
    with pytest.raises(AttributeError, match="nosuch"):
        _ = nequip_openmm.nosuch


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert all(re.search(rf"\b{name}\b", printed) for name in COMMANDS)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert "--help" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (UserError("no such thing"), 2, "error:"),
        (RunFailed("blew up", hint="why"), 3, "stopped:"),
        (DiskFull("no room", hint="free some"), 2, "stopped:"),
    ],
)
def test_errors_become_one_line_and_an_exit_code(
    error: Exception,
    code: int,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr("nequip_openmm.cli.app.app", fail)
    with pytest.raises(SystemExit) as stop:
        main(["info", "x"])
    assert stop.value.code == code
    shown = capsys.readouterr().err
    assert shown.startswith(word)
    assert str(error) in shown
    assert getattr(error, "hint", "") in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["frobnicate"], "No such command"),
        (["info"], "Missing argument"),
        (["info", "--dataset", "x"], "No such option"),
        (["md", "--steps", "many"], "--steps"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    shown = capsys.readouterr().err
    assert part in shown
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1


def test_run_script_is_posix_shell() -> None:
    assert subprocess.run(["sh", "-n", str(ROOT / "run")], check=False).returncode == 0
