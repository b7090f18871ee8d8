"""The check command: what it tells, and its exit code; the probes are run in earnest once."""

from __future__ import annotations

import json

import pytest

from nequip_openmm.cli import check, probes
from nequip_openmm.cli.app import main
from nequip_openmm.errors import BackendError
from nequip_openmm.forces.backends import Availability, Choice

GOOD = {
    "platforms": "Reference CPU",
    "platform": "works",
    "engine": "test energy",
    "backend": "test energy",
    "cuda": "no GPU",
    "openmmml": "openmm-ml",
    "ipi": "i-PI",
    "qt": "Qt",
}


def command(*argv: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["check", *argv])
    return int(stopped.value.code or 0)


class Probes:
    """Answers in place of processes; tests let some fail."""

    def __init__(self) -> None:
        self.failing: dict[tuple[str, ...], str] = {}

    def __call__(self, *name: str) -> tuple[bool, str]:
        return (False, self.failing[name]) if name in self.failing else (True, GOOD[name[0]])


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Probes:
    found = Probes()
    versions = dict.fromkeys(check.PACKAGES, "1.0")
    ways = (
        Availability("TorchForce", True, "TorchForce works"),
        Availability("PythonForce", True, "PythonForce works"),
        Availability("PythonTorchForce", False, "openmmtorch 1.5 has no PythonTorchForce"),
    )
    monkeypatch.setattr(check, "run", found)
    monkeypatch.setattr(check, "_version", versions.get)
    monkeypatch.setattr(check, "available", lambda: ways)
    monkeypatch.setattr(check, "choose", lambda: Choice("TorchForce", "TorchForce works"))
    return found


def test_everything_works(answers: Probes, capsys: pytest.CaptureFixture[str]) -> None:
    assert command() == 0
    out = capsys.readouterr().out
    for text in (
        "torch 1.0",
        "platform Reference: works",
        "force TorchForce on CPU: test energy",
        "force PythonForce on Reference: test energy",
        "absent  force PythonTorchForce: openmmtorch 1.5 has no PythonTorchForce",
        "backend auto: TorchForce",
        "i-PI: i-PI",
        "window: Qt",
        "all that is installed works",
    ):
        assert text in out


@pytest.mark.parametrize(
    ("failing", "part"),
    [
        (("engine",), "fused engine"),
        (("backend", "TorchForce", "CPU"), "force TorchForce on CPU"),
        (("ipi",), "i-PI"),
        (("qt",), "window"),
        (("platforms",), "OpenMM"),
        (("openmmml",), "openmm-ml"),
    ],
)
def test_what_is_installed_but_broken_gives_exit_code_1(
    answers: Probes, capsys: pytest.CaptureFixture[str], failing: tuple[str, ...], part: str
) -> None:
    answers.failing[failing] = "the process ended with -11: no message"
    assert command() == 1
    assert f"broken  {part}: the process ended with -11" in capsys.readouterr().out


def test_what_is_not_installed_is_no_error(
    answers: Probes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = {"openmm": "8.5.2", "torch": "2.9.1"}
    monkeypatch.setattr(check, "_version", versions.get)
    assert command("--json") == 0
    found = json.loads(capsys.readouterr().out)
    states = {row["part"]: row["state"] for row in found["parts"]}
    assert found["ok"] is True
    assert [states[part] for part in ("openmm-ml", "i-PI", "window")] == ["absent"] * 3
    assert "pip install 'nequip-openmm[gui]'" in found["parts"][-1]["text"]


def test_torch_force_on_a_gpu_platform_may_be_missing(
    answers: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GOOD, "platforms", "Reference OpenCL")
    answers.failing["backend", "TorchForce", "OpenCL"] = "no kernel"
    assert command() == 0
    answers.failing["backend", "PythonForce", "OpenCL"] = "wrong energy"
    assert command() == 1


def test_without_openmm_nothing_can_be_simulated(
    answers: Probes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "_version", {"torch": "2.9.1"}.get)
    assert command("--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert "pip install 'nequip-openmm[openmm]'" in json.dumps(found)


# --- the probes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["engine", "cuda"])
def test_probes_here(name: str) -> None:
    assert probes.PROBES[name]()


@pytest.mark.parametrize("name", ["TorchForce", "PythonForce"])
def test_a_test_energy(name: str) -> None:
    pytest.importorskip("openmm")
    try:
        assert "kJ/mol, as the potential" in probes.backend(name, "Reference")
    except BackendError as error:
        pytest.skip(str(error))


def test_a_wrong_energy_is_noticed() -> None:
    with pytest.raises(BackendError, match="wrong energy"):
        probes._compare(-1.0, -1.00001)
    with pytest.raises(BackendError, match="wrong energy"):
        probes._compare(float("nan"), 0.0)


def test_processes_that_fail_or_die_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    works, text = probes.run("platform", "NoSuch")
    assert not works
    assert "no registered Platform called" in text
    monkeypatch.setattr(probes.sys, "executable", "/bin/false")
    assert probes.run("engine") == (False, "no message")
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    monkeypatch.undo()
    original = probes.subprocess.run
    monkeypatch.setattr(
        probes.subprocess,
        "run",
        lambda command, **kw: original([command[0], "-c", code], **kw),
    )
    works, text = probes.run("engine")
    assert (works, text) == (False, "the process ended with -11: no message")
    monkeypatch.setattr(probes, "TIMEOUT", 0.001)
    assert probes.run("engine") == (False, "no answer within 0.001 s")


@pytest.mark.slow
def test_in_earnest(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openmm")
    assert command("--json") == 0
    found = json.loads(capsys.readouterr().out)
    states = {row["part"]: row["state"] for row in found["parts"]}
    assert found["ok"] is True
    assert states["force PythonForce on CPU"] == "works"
    assert "broken" not in states.values()
