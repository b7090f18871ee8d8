"""What is missing is said before Qt ends the process: exact packages, one command."""

from __future__ import annotations

import ctypes
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gui import cli, desktop, preflight
from gui.preflight import BASE, PLATFORMS, missing_libraries, platform_of, problems

DESKTOP = {"DISPLAY": ":0"}


def loader(*missing: str) -> object:
    """Return a loader of libraries that lacks some, as on a bare machine."""

    def load(name: str) -> object:
        if name in missing:
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")
        return object()

    return load


@pytest.fixture(autouse=True)
def _linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(preflight, "_has_fonts", lambda: True)
    monkeypatch.setattr(preflight, "_has_long_time", lambda: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def test_nothing_is_missing() -> None:
    assert problems(DESKTOP, loader()) == []


@pytest.mark.parametrize("library", [*BASE, *PLATFORMS["xcb"]])
def test_each_library_names_its_package(library: str) -> None:
    (problem,) = problems(DESKTOP, loader(library))
    package = (BASE | PLATFORMS["xcb"])[library]
    assert library in problem.what
    assert problem.remedy == f"sudo apt-get install -y --no-install-recommends {package}"


def test_many_libraries_make_one_command() -> None:
    missing = ("libGL.so.1", "libxcb-cursor.so.0", "libglib-2.0.so.0", "libgthread-2.0.so.0")
    (problem,) = problems(DESKTOP, loader(*missing))
    assert problem.remedy.endswith("libgl1 libglib2.0-0 libxcb-cursor0")


def test_without_x_its_libraries_are_not_asked_for() -> None:
    assert missing_libraries("offscreen", loader(*PLATFORMS["xcb"])) == {}
    assert missing_libraries("wayland", loader("libxcb-cursor.so.0")) == {}
    assert "libwayland-cursor.so.0" in missing_libraries(
        "wayland", loader("libwayland-cursor.so.0")
    )


@pytest.mark.parametrize(
    ("environment", "platform"),
    [
        ({}, None),
        ({"DISPLAY": ":0"}, "xcb"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "wayland"),
        ({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, "xcb"),
        ({"WAYLAND_DISPLAY": "w", "DISPLAY": ":0", "XDG_SESSION_TYPE": "wayland"}, "wayland"),
        ({"QT_QPA_PLATFORM": "offscreen"}, "offscreen"),
        ({"QT_QPA_PLATFORM": "xcb;wayland"}, "xcb"),
        ({"QT_QPA_PLATFORM": "vnc:size=800x600"}, "offscreen"),
    ],
)
def test_the_way_to_the_screen(environment: dict[str, str], platform: str | None) -> None:
    assert platform_of(environment) == platform


def test_without_a_screen_that_is_said() -> None:
    (problem,) = problems({}, loader())
    assert "DISPLAY" in problem.what
    assert "xvfb-run" in problem.remedy


def test_without_fonts_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_has_fonts", lambda: False)
    (problem,) = problems(DESKTOP, loader())
    assert "fonts-dejavu-core" in problem.remedy


def test_newer_systems_have_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_has_long_time", lambda: True)
    (problem,) = problems(DESKTOP, loader("libglib-2.0.so.0"))
    assert problem.remedy.endswith(" libglib2.0-0t64")


def test_a_missing_python_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise preflight.PackageNotFoundError(name)

    monkeypatch.setattr(preflight, "version", version)
    found = problems(DESKTOP, loader())
    assert [problem.what.split()[3] for problem in found] == ["PySide6-Essentials", "pyqtgraph"]
    assert "pip install 'nequip-openmm[gui]'" in found[0].remedy


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="harmless there")
def test_the_release_of_qt_that_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "version", lambda _name: "6.12.0")
    assert "6.12.0" in problems(DESKTOP, loader())[0].what


# --- the command ---------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    return ended.value.code  # type: ignore[return-value]


def test_the_command_prints_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", loader("libxcb-cursor.so.0", "libxkbcommon-x11.so.0"))
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    assert run() == 1
    told = capsys.readouterr().err
    assert "libxcb-cursor.so.0, libxkbcommon-x11.so.0" in told
    assert (
        "sudo apt-get install -y --no-install-recommends libxcb-cursor0 libxkbcommon-x11-0" in told
    )


def test_check_says_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", loader("libEGL.so.1"))
    assert run("--check") == 1
    told = capsys.readouterr().out
    assert "libegl1" in told
    assert "PySide6-Essentials" in told


def test_check_opens_a_window_where_all_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--check") == 0
    assert "opens (offscreen" in capsys.readouterr().out


def test_a_wrong_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--paint-it-black") == 2


def test_a_bare_machine_gets_words_not_an_abort(tmp_path: Path) -> None:
    """The whole command in a process in which no library of Qt can be loaded, and Qt must not be tried."""
    script = (
        "import ctypes, sys\n"
        "def load(name, *rest, **more): raise OSError(name)\n"
        "ctypes.CDLL = load\n"
        "from gui.cli import main\n"
        "try: main([])\n"
        "finally: print('PySide6' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=os.environ | {"DISPLAY": ":0", "QT_QPA_PLATFORM": "xcb"}
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == "False\n"
    assert "apt-get install" in done.stderr
    assert "Traceback" not in done.stderr


# --- the desktop's menu --------------------------------------------------------------------------------------------------


def test_install_desktop(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert run("--install-desktop") == 0
    entry, icon = map(Path, capsys.readouterr().out.split())
    lines = dict(line.split("=", 1) for line in entry.read_text().splitlines() if "=" in line)
    assert lines["Exec"].endswith(" %F")
    assert Path(lines["Exec"].split()[0].strip('"')).exists()
    assert lines["Icon"] == icon.stem == entry.stem
    assert icon.read_text().startswith("<svg")
    assert run("--install-desktop") == 0  # again: the same files


def test_paths_with_blanks_are_quoted() -> None:
    assert desktop._quoted("/opt/my env/bin/python") == '"/opt/my env/bin/python"'
    assert desktop._quoted("/opt/50%/python") == "/opt/50%%/python"


def test_a_folder_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "applications").write_text("a file in the way")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert run("--install-desktop") == 2
    assert "cannot be written" in capsys.readouterr().err
    assert stat.S_ISREG((tmp_path / "applications").stat().st_mode)
