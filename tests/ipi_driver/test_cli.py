"""``nequip-ipi-driver``: options, exit codes, driver_error.json."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from ipi_driver import cli, pes
from ipi_driver.client import ConnectionSettings
from ipi_driver.driver import run
from ipi_driver.evaluator import Results
from ipi_driver.protocol import message
from nequip_openmm import load
from nequip_openmm.model.file import save_model
from nequip_openmm.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV
from tests.ipi_driver.fake import Harmonic, Server, posdata, structures
from tests.model import cases


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    logs = [logging.getLogger(name) for name in ("ipi_driver", "nequip_openmm")]
    before = [(list(log.handlers), log.level) for log in logs]
    yield
    for log, (handlers, level) in zip(logs, before):
        log.handlers[:] = handlers
        log.setLevel(level)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Options that name a model and a template."""
    save_model(tmp_path / "m.safetensors", cases.build(l_max=1, parity=False))
    cases.triclinic().write(tmp_path / "t.extxyz")
    return ["--model", "m.safetensors", "--template", "t.extxyz", "--device", "cpu"]


def error_file() -> dict[str, str]:
    content: dict[str, str] = json.loads(Path("driver_error.json").read_text())
    assert content.keys() == {"code", "title", "detail", "hint", "time"}
    return content


def test_a_run_from_the_command_line(
    tmp_path: Path, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    server = Server(tmp_path)
    atoms = cases.triclinic()
    potential = load("m.safetensors", "cpu")
    energies: list[float] = []

    def play() -> None:
        peer = server.accept()
        peer.greet("batch_size:2")
        positions = np.array([atoms.positions, atoms.positions + 0.01]) / BOHR_TO_ANGSTROM
        h = np.array([atoms.cell.array.T] * 2) / BOHR_TO_ANGSTROM
        reply = peer.ask(positions, h, True)
        energies.extend(reply.energies * HARTREE_TO_EV)
        peer.send(message("EXIT"))

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    Path("driver_error.json").write_text("of an earlier driver")
    where = ["--unix", "--address", "test", "--sockets-prefix", f"{tmp_path}/ipi_"]
    assert cli._run([*files, *where]) == 0
    thread.join(5.0)
    assert energies == pytest.approx([potential.evaluate(atoms).energy] * 2, abs=1e-9)
    said = capsys.readouterr().err
    assert "i-PI has sent EXIT" in said
    assert "2 structures in 1 evaluations" in said
    assert not Path("driver_error.json").exists()


def test_an_unexpected_failure_leaves_its_traceback_in_the_file_and_not_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(Harmonic):
        def evaluate(self, positions: np.ndarray, cells: np.ndarray) -> Results:
            raise ZeroDivisionError("by zero")

    server = Server(tmp_path)

    def play() -> None:
        peer = server.accept()
        peer.greet()
        peer.send(posdata(*structures(1), False), message("GETFORCE"))
        peer.socket.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    assert run(Broken(), ConnectionSettings(server.address)) == 3
    thread.join(5.0)
    assert error_file()["code"] == "evaluation"
    assert "ZeroDivisionError: by zero" in error_file()["title"]
    assert "Traceback" in error_file()["detail"]
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("what", ["atom-count", "protocol"])
def test_a_refused_request_ends_with_3(tmp_path: Path, files: list[str], what: str) -> None:
    server = Server(tmp_path)

    def play() -> None:
        peer = server.accept()
        peer.greet()
        four = np.zeros((1, 5, 3)), np.eye(3)[None]
        peer.send(posdata(*four, False) if what == "atom-count" else b"NO MESSAGE  ")
        peer.socket.close()

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    where = ["--unix", "--address", "test", "--sockets-prefix", f"{tmp_path}/ipi_"]
    assert cli._run([*files, *where, "--error-file", "driver_error.json"]) == 3
    thread.join(5.0)
    assert error_file()["code"] == what


def test_no_server_ends_with_4(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run([*files, "--unix", "--address", "nobody-xyzzy", "--retry", "0.1"]) == 4
    assert error_file()["code"] == "no-server"
    assert "no i-PI at /tmp/ipi_nobody-xyzzy" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--unix", "--address", "a"], "give --model and --template"),
        (["--model", "m", "--template", "t"], "say where i-PI listens"),
        (["--model", "m", "--template", "t", "--unix"], "say where i-PI listens"),
        (["--model", "m", "--template", "t", "--host", "h"], "say where i-PI listens"),
        (
            ["--model", "m", "--template", "t", "--unix", "--address", "a", "--port", "3"],
            "say where",
        ),
        (["--model", "m", "--template", "missing.xyz", "--unix", "--address", "a"], "no such file"),
        (["--model", "m", "--template", "t", "--host", "h", "--port", "99999"], "1 to 65535"),
    ],
)
def test_options_that_cannot_be_used_end_with_2(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli._run(options) == 2
    assert said in error_file()["title"]
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")


def test_models_and_templates_that_do_not_fit_end_with_2(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--unix", "--address", "a", "--retry", "0"]
    assert cli._run([*files, "--model", "other.safetensors", *where]) == 2
    assert "other.safetensors" in error_file()["title"]
    Path("gold.xyz").write_text("1\n\nAu 0 0 0\n")
    assert cli._run([*files, "--template", "gold.xyz", *where]) == 2
    assert "not Au" in error_file()["title"]
    assert cli._run([*files, *where, "--dtype", "int8"]) == 2
    assert "int8" in error_file()["title"]
    capsys.readouterr()


def test_a_model_that_gives_no_numbers_ends_with_3(
    tmp_path: Path, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    model = cases.build(l_max=1, parity=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1e300)
    save_model(tmp_path / "m.safetensors", model)
    assert cli._run([*files, "--unix", "--address", "a", "--retry", "0"]) == 3
    assert error_file()["code"] == "non-finite"
    assert "Traceback" not in capsys.readouterr().err


def test_unknown_options_are_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run(["--modle", "x"]) == 2
    assert capsys.readouterr().err.startswith("error: No such option")


def test_where_the_pes_file_is_and_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run(["--pes-path"]) == 0
    assert Path(capsys.readouterr().out.strip()) == Path(pes.__file__)
    assert cli._run(["--version"]) == 0
    assert capsys.readouterr().out.count(".") >= 1


def test_the_driver_starts_without_torch() -> None:
    """What needs no model answers at once; torch takes seconds."""
    code = "import sys, ipi_driver.cli, ipi_driver.driver, ipi_driver.pes, ipi_driver.potentials; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("moment", ["loading", "waiting"])
def test_sigterm_ends_the_driver_with_0_before_it_is_connected(
    files: list[str], moment: str
) -> None:
    command = [sys.executable, "-c", "from ipi_driver.cli import main; main()", *files]
    command += ["--unix", "--address", "nobody-xyzzy"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(moment in line for line in process.stderr)
        process.terminate()
        assert process.wait(120.0) == 0
