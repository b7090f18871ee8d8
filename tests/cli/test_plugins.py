"""Commands that other packages add by entry points."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
import typer

from nequip_openmm.cli import app

CALLS: list[str] = []


def greet(name: str = typer.Option("nobody")) -> None:
    """Greet somebody."""
    CALLS.append(name)


@pytest.fixture(autouse=True)
def _plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "greet": f"{__name__}:greet",
        "broken": "no_such_package_here:main",
        "md": f"{__name__}:greet",
    }
    points = [EntryPoint(name, value, app.PLUGINS) for name, value in values.items()]
    monkeypatch.setattr(app, "entry_points", lambda group: points)


def _call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["nequip-openmm", *arguments])
    with pytest.raises(SystemExit) as ended:
        app.main(list(arguments))
    return int(ended.value.code or 0)


def test_a_plugin_is_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _call(monkeypatch, "greet", "--name", "Ada") == 0
    assert CALLS[-1] == "Ada"


def test_the_overview_names_plugins_broken_ones_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(monkeypatch, "--help") == 0
    shown = capsys.readouterr().out
    assert "Greet somebody" in shown
    assert "no_such_package_here" in shown


def test_a_broken_plugin_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(monkeypatch, "broken") == 2
    assert "command 'broken'" in capsys.readouterr().err


def test_a_plugin_cannot_take_the_place_of_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(CALLS)
    assert _call(monkeypatch, "md", "--steps", "0") == 2
    assert len(CALLS) == before
