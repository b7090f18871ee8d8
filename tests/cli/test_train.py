"""``nequip-openmm train`` as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nequip_openmm.cli.app import main
from nequip_openmm.runs.events import read_events
from nequip_openmm.training import load_config, train
from nequip_openmm.training.checkpoints import load_checkpoint
from tests.training.conftest import TINY
from tests.training.test_resume import assert_same_run

COMMAND = [sys.executable, "-m", "nequip_openmm", "train"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
PATIENCE = 300.0  # seconds; a loaded machine takes a minute to import everything

DIE_AT_STEP_26 = """
import os, signal, sys
from nequip_openmm.cli.app import main
from nequip_openmm.training.recorder import RunFiles

save = RunFiles.checkpoint

def save_or_die(self, module, best):
    if module.position.step == 26:
        os.kill(os.getpid(), signal.SIGKILL)
    save(self, module, best)

RunFiles.checkpoint = save_or_die
main(sys.argv[1:])
"""


def run(*arguments: str | Path) -> int:
    """Run in this process; return the exit code."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def start(*arguments: str | Path, **options) -> subprocess.Popen[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.Popen(
        command,
        env=ENVIRONMENT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,
    )


def wait_for_an_epoch(folder: Path, process: subprocess.Popen[str]) -> None:
    path = folder / "events.jsonl"
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        if path.exists() and any(event["ev"] == "epoch" for event in read_events(path)):
            return
        time.sleep(0.05)
    process.kill()
    raise TimeoutError(f"the run does not get there: {process.communicate()[0]}")


def test_a_yaml_file_and_overrides(tmp_path, cluster_file, capsys):
    settings = "\n".join(
        f"  {o.removeprefix('training.').replace('=', ': ')}"
        for o in TINY
        if o.startswith("training.")
    )
    rest = [o for o in TINY if not o.startswith("training.")]
    (tmp_path / "config.yaml").write_text(f"preset: quick\ntraining:\n{settings}\n")
    code = run(
        "train",
        tmp_path / "config.yaml",
        *rest,
        "training.max_epochs=1",
        "--dataset",
        cluster_file,
        "--output",
        tmp_path / "run",
    )
    assert code == 0
    assert "finished: all epochs done; 1 epochs, 5 steps" in capsys.readouterr().err
    spec = load_config(tmp_path / "run" / "spec.yaml")
    assert (spec.preset, spec.training.max_epochs, spec.training.batch_size) == ("quick", 1, 4)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["training.max_epoch=3"], "did you mean 'max_epochs'"),
        (["training.lr=0"], "training.lr = 0: must be a number > 0"),
        (["nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["a.yaml", "b.yaml"], "expected one YAML file"),
        (["--preset", "quik"], "did you mean 'quick'"),
        (["--dataset", "nowhere.xyz"], "nowhere.xyz"),
        (["data.n_train=1000"], "28 frames"),
        (["--events", "nowhere/events"], "nowhere/events"),
        (["--resume", "nowhere"], "not a run folder"),
        (["--resume", "nowhere", "--preset", "quick"], "cannot be given with it"),
        (["--resume", "nowhere", "training.lr=1"], "cannot be changed with --resume"),
    ],
)
def test_mistakes_end_with_code_2_and_one_line(
    tmp_path, cluster_file, monkeypatch, capsys, arguments, part
):
    monkeypatch.chdir(tmp_path)
    if "--dataset" not in arguments and "--resume" not in arguments:
        arguments = [*arguments, "--dataset", str(cluster_file)]
    assert run("train", *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert part in error
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_refused(tmp_path, cluster_file, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert run("train", "--dataset", cluster_file, "--output", tmp_path / "run") == 2
    assert "exists" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["notes.txt"]


def test_nothing_to_train_on(capsys):
    assert run("train") == 2
    assert "--dataset" in capsys.readouterr().err


@pytest.mark.slow
def test_killed_run_is_continued_bit_by_bit(tmp_path, cluster_file):
    """kill -9 in the middle of the second epoch, after a checkpoint that is not at an epoch's end."""
    overrides = [*TINY, "training.batch_size=1", "training.checkpoint_interval=0.001"]
    config = load_config(preset="quick", dataset=cluster_file, overrides=overrides)
    train(config, tmp_path / "whole")
    arguments = ["--dataset", cluster_file, "--output", tmp_path / "part", *overrides]
    command = [sys.executable, "-c", DIE_AT_STEP_26, "train", "--preset", "quick"]
    killed = subprocess.run(
        [*command, *map(str, arguments)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    state = load_checkpoint(tmp_path / "part" / "checkpoints" / "last.ckpt")
    assert state["position"]["step"] == 25  # of 18 an epoch
    assert run("train", "--resume", tmp_path / "part") == 0
    assert_same_run(tmp_path / "part", tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_save_and_end(tmp_path, cluster_file, number, code):
    overrides = [*TINY, "training.max_epochs=100000"]
    process = start(
        "--preset", "quick", "--dataset", cluster_file, "--output", tmp_path / "run", *overrides
    )
    wait_for_an_epoch(tmp_path / "run", process)
    process.send_signal(number)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert "Traceback" not in output
    assert "--resume" in output
    *_, done = read_events(tmp_path / "run" / "events.jsonl")
    assert (done["ev"], done["reason"]) == ("done", "stopped")
    step = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["position"]["step"]
    assert f"{step} steps" in output


@pytest.mark.slow
def test_events_and_commands(tmp_path, cluster_file):
    """A window reads events from a descriptor and stops the run on standard input."""
    reader, writer = os.pipe()
    arguments = [
        "--preset",
        "quick",
        "--dataset",
        cluster_file,
        "--output",
        tmp_path / "run",
        "--events",
        writer,
    ]
    process = start(
        *arguments, *TINY, "training.max_epochs=100000", stdin=subprocess.PIPE, pass_fds=[writer]
    )
    os.close(writer)
    kinds = []
    with os.fdopen(reader) as lines:
        for line in lines:
            kinds.append(json.loads(line)["ev"])
            if kinds.count("epoch") == 1 and kinds[-1] == "epoch":
                process.stdin.write('{"cmd": "stop"}\n')
                process.stdin.flush()
    assert process.wait(timeout=PATIENCE) == 0
    process.stdin.close()
    process.stdout.close()
    assert kinds[0] == "hello"
    assert kinds[-1] == "done"
