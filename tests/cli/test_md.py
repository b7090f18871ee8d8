"""``nequip-openmm md`` as a user calls it: settings, exit codes, one-line errors, interruption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import ase.build
import ase.io
import numpy as np
import pytest
import torch
import yaml

from nequip_openmm.analysis.statistics import read_thermo
from nequip_openmm.cli.app import main
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.file import save_model
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.runs import read_events

pytest.importorskip("openmm")

PATIENCE = 300.0  # seconds, for what takes some on a machine at rest


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    config = ModelConfig(
        species=("H", "C", "O"),
        cutoff=4.0,
        l_max=1,
        num_layers=1,
        num_features=2,
        radial_mlp_width=4,
        avg_num_neighbors=5.0,
        per_type_energy_scales=0.05,
    )
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, NequIP(config, torch.float64), {})
    return path


@pytest.fixture
def here(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a structure and the model."""
    ase.io.write(tmp_path / "methanol.xyz", ase.build.molecule("CH3OH"))
    (tmp_path / "model.safetensors").write_bytes(model.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["md", *arguments])
    return int(ended.value.code or 0)


def _options(*more: str) -> list[str]:
    return [
        *("--model", "model.safetensors", "--structure", "methanol.xyz", "--steps", "20"),
        *("thermo_interval=5", "trajectory_interval=5", *more),
    ]


def test_options_make_a_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = _options("--ensemble", "nve", "--temperature", "200", "--timestep", "0.25")
    assert _call(*options, "--output", "run") == 0
    spec = yaml.safe_load((here / "run" / "spec.yaml").read_text())
    expected = {
        "kind": "md",
        "ensemble": "nve",
        "temperature": 200.0,
        "timestep": 0.25,
        "steps": 20,
    }
    assert expected.items() <= spec.items()
    assert Path(spec["model"]).is_absolute()
    shown = capsys.readouterr().err
    assert "finished at step 20" in shown
    assert "temperature (K)" in shown
    assert "results: run" in shown


def test_a_yaml_file_options_and_single_settings_in_this_order(here: Path) -> None:
    values = {"model": "model.safetensors", "structure": "methanol.xyz", "steps": 10, "seed": 3}
    (here / "md.yaml").write_text(yaml.safe_dump(values | {"friction": 5.0, "timestep": 0.1}))
    assert _call("md.yaml", "friction=7", "--seed", "4", "--output", "run") == 0
    spec = yaml.safe_load((here / "run" / "spec.yaml").read_text())
    assert (spec["friction"], spec["seed"], spec["timestep"]) == (7.0, 4, 0.1)
    # The settings of a run folder start the same run again.
    assert _call("run/spec.yaml", "--output", "again") == 0
    thermo = [(here / name / "thermo.csv").read_text() for name in ("run", "again")]
    assert thermo[0] == thermo[1]


def test_the_engine_is_a_setting(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _call(*_options("--engine", "reference", "threads=1", "--output", "run")) == 0
    spec = yaml.safe_load((here / "run" / "spec.yaml").read_text())
    assert (spec["engine"], spec["threads"]) == ("reference", 1)
    assert _call(*_options("--engine", "fast", "--output", "other")) == 2
    assert "engine = 'fast'" in capsys.readouterr().err
    assert not (here / "other").exists()


def test_the_default_folder_is_new(here: Path) -> None:
    assert _call(*_options()) == 0
    (folder,) = (here / "runs").iterdir()
    assert folder.name.startswith("md-")


def test_resume_makes_a_run_longer(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _call(*_options(), "--output", "run") == 0
    assert _call("--resume", "run", "--steps", "40") == 0
    steps = read_thermo(here / "run" / "thermo.csv")["step"]
    np.testing.assert_array_equal(steps, np.arange(5, 41, 5))
    for arguments, message in (
        (("--steps", "10"), "has done 40 already"),
        (("--temperature", "10"), "--temperature: --resume goes on with the settings"),
        (("--output", "x"), "--output: --resume goes on"),
        (("steps=0",), "steps = 0: must be a whole number ≥ 1"),
    ):
        assert _call("--resume", "run", *arguments) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--steps", "0"), "steps = 0: must be a whole number ≥ 1"),
        (("--ensemble", "nvp"), "ensemble = 'nvp': should be 'nve', 'nvt' or 'npt'"),
        (("temprature=3",), "unknown key 'temprature' (did you mean 'temperature'?)"),
        (("--ensemble", "npt"), "has no periodic cell"),
        (("--model", "no.safetensors"), "no.safetensors"),
        (("--model", "damaged.safetensors"), "damaged.safetensors"),
        (("--structure", "no.xyz"), "structure"),
        (("--structure", "sulfur.xyz"), "not S"),
        (("--resume", "no-folder"), "is not a run folder"),
        (("no.yaml",), "no.yaml: cannot be read"),
        (("broken.yaml",), "broken.yaml, line 3"),
        (("--output", "full"), "exists and is not an empty folder"),
        (("--events", "/nonexistent/e.jsonl"), "events /nonexistent/e.jsonl"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    content = (here / "model.safetensors").read_bytes()
    (here / "damaged.safetensors").write_bytes(content[: len(content) // 2])
    ase.io.write(here / "sulfur.xyz", ase.build.molecule("CH3SH"))
    (here / "broken.yaml").write_text("steps: 5\nmodel: [\n")
    (here / "full").mkdir()
    (here / "full" / "x").write_text("")
    options = [] if "--resume" in arguments else [*_options(), "--output", "run"]
    assert _call(*options, *arguments) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert shown.startswith("error: ")
    assert not (here / "run").exists()
    assert [path.name for path in (here / "full").iterdir()] == ["x"]


def test_a_check_says_what_a_run_would_be(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(here.iterdir())
    assert _call(*_options(), "--check") == 0
    assert "can be run" in capsys.readouterr().out
    assert _call(*_options("--temperature", "-1"), "--check", "--json") == 2
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["errors"][0]["field"]) == (False, "temperature")
    reader, writer = os.pipe()  # a standard input that does not end
    monkeypatch.setattr(sys, "stdin", os.fdopen(reader))
    assert _call(*_options(), "--check", "--events", str(here / "events")) == 0
    result = [event for event in read_events(here / "events") if event["ev"] == "result"]
    assert result[0]["n_atoms"] == 6
    os.close(writer)
    (here / "events").unlink()
    assert sorted(here.iterdir()) == before
    assert _call(*_options(), "--json") == 2
    assert _call(*_options(), "--check", "--output", "run") == 2


def test_a_blow_up_is_exit_code_3_with_causes(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = _options("max_temperature=20000", "--temperature", "15000", "--steps", "1000000")
    assert _call(*options, "--timestep", "1", "--output", "run") == 3
    shown = capsys.readouterr().err
    assert "stopped: the simulation blew up at step" in shown
    assert "Likely causes: a time step of 1 fs is too long" in shown


def _wait_for_step(folder: Path, step: int, process: subprocess.Popen[str] | None = None) -> None:
    """Wait for a checkpoint; a loaded machine takes a minute to import everything."""
    note = folder / "checkpoint.json"
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and (process is None or process.poll() is None):
        if note.exists() and json.loads(note.read_text())["step"] >= step:
            return
        time.sleep(0.05)
    raise TimeoutError("no checkpoint came")


def test_kill_9_and_a_window_that_closes(here: Path) -> None:
    """A killed run goes on without lost or doubled rows; closed standard input ends a run that has a window."""
    command = [sys.executable, "-m", "nequip_openmm", "md"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    options = _options("--steps", "1000000", "checkpoint_interval=50", "--output", "run")
    process = subprocess.Popen([*command, *options], cwd=here, env=environment, text=True)
    _wait_for_step(here / "run", 50, process)
    process.kill()
    process.wait()
    done = json.loads((here / "run" / "checkpoint.json").read_text())["step"]
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [*command, "--resume", "run", "--events", str(writer)],
        cwd=here,
        env=environment,
        pass_fds=[writer],
        stdin=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    with os.fdopen(reader) as lines:
        events = []
        for line in lines:
            events.append(json.loads(line))
            if events[-1]["ev"] == "sample" and process.stdin is not None:
                process.stdin.close()  # closing twice does nothing
    assert process.wait(timeout=PATIENCE) == 0
    assert events[0]["ev"] == "hello"
    assert {"state": "resumed", "step": done}.items() <= events[1].items()
    assert events[-1]["reason"] == "stopped"
    steps = read_thermo(here / "run" / "thermo.csv")["step"]
    np.testing.assert_array_equal(steps, np.arange(5, steps[-1] + 1, 5))
    assert steps[-1] > done
    assert [event["ev"] for event in read_events(here / "run" / "events.jsonl")][-1] == "done"


def test_ctrl_c_saves_and_tells(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:  # the first checkpoint is written when signals are listened to
        _wait_for_step(here / "run", 0)
        os.kill(os.getpid(), signal.SIGINT)

    person = threading.Thread(target=interrupt, daemon=True)
    person.start()
    assert _call(*_options("--steps", "1000000", "--output", "run")) == 128 + signal.SIGINT
    person.join()
    shown = capsys.readouterr().err
    assert "stopped at step" in shown
    assert "go on with: nequip-openmm md --resume run" in shown
    assert "Traceback" not in shown


def test_a_run_is_steered_on_standard_input_and_remembers(here: Path) -> None:
    """set, pause, resume, checkpoint and stop as JSON lines; the temperature that was set outlives the process."""
    command = [sys.executable, "-m", "nequip_openmm", "md"]
    command += _options("--steps", "1000000", "--output", "run")
    told = here / "events.jsonl"
    process = subprocess.Popen(
        [*command, "friction=50", "--events", str(told)],
        stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdin is not None

    def say(order: dict[str, object], answer: str, **fields: object) -> dict[str, object]:
        """Give an order; wait for the event that answers it."""
        before = len(list(read_events(told)))
        assert process.stdin is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        return _wait_for(told, before, {"ev": answer, **fields})

    _wait_for(told, 0, {"ev": "sample", "temp_target": 300.0})
    found = say({"cmd": "set", "temperature": 900, "friction": 80}, "set", temperature=900.0)
    assert found["friction"] == 80.0
    say({"cmd": "set", "temperature": -5}, "warning", code="bad-command")
    say({"cmd": "dance"}, "warning", code="unknown-command")
    paused = say({"cmd": "pause"}, "status", state="paused")
    time.sleep(0.3)
    say({"cmd": "set", "temperature": 700}, "set", step=paused["step"])  # no step was made
    say({"cmd": "resume"}, "status", state="running")
    _wait_for(told, 0, {"ev": "sample", "temp_target": 700.0})
    say({"cmd": "checkpoint"}, "checkpoint")
    done = say({"cmd": "stop"}, "done", reason="stopped")
    assert process.wait(timeout=PATIENCE) == 0
    process.stdin.close()
    steps = int(done["step"]) + 200  # type: ignore[call-overload]
    assert _call("--resume", "run", "--steps", str(steps)) == 0
    samples = [e for e in read_events(here / "run" / "events.jsonl") if e["ev"] == "sample"]
    assert {e["temp_target"] for e in samples if e["step"] > int(done["step"])} == {700.0}  # type: ignore[call-overload]


def _wait_for(path: Path, first: int, wanted: dict[str, object]) -> dict[str, object]:
    """Return the first event after so many that holds what is wanted."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        events = list(read_events(path))[first:] if path.exists() else []
        for event in events:
            if wanted.items() <= event.items():
                return event
        time.sleep(0.05)
    raise AssertionError(f"no event {wanted} in {PATIENCE} s")


def test_stages_come_from_a_file_and_resume(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "md.yaml").write_text(
        "model: model.safetensors\nstructure: methanol.xyz\nplatform: Reference\nthermo_interval: 5\n"
        "stages:\n"
        "  - {name: heating, steps: 20, temperature: 50, temperature_end: 300, friction: 10}\n"
        "  - {name: production, steps: 20, thermostat: nose-hoover}\n"
    )
    assert _call("md.yaml", "--output", "run") == 0
    said = capsys.readouterr().err
    assert "heating: nvt, 50 K to 300 K, to step 20" in said
    assert "production: nvt, 300 K, to step 40" in said
    assert _call("--resume", "run", "--steps", "60") == 0
    assert yaml.safe_load((here / "run" / "spec.yaml").read_text())["stages"][1]["steps"] == 40
    capsys.readouterr()
    assert _call("--resume", "run", "--steps", "15") == 2
    assert "the stages before the last have 20 already" in capsys.readouterr().err
