"""A worker that computes nothing: speaks the protocol of ``nequip-openmm`` and goes wrong in the way it is told.

``python fake_worker.py MODE KIND ARGUMENTS...``; MODE is one of ok, slow, slow-start, crash, kill, garbage, hang, deaf,
fail, user-error, flood, silent, quiet-start, disk-full. KIND and ARGUMENTS are those of nequip-openmm.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from pathlib import Path

MODE, ARGUMENTS = sys.argv[1], sys.argv[2:]


class Stream:
    def __init__(self, folder: Path | None, descriptor: int | None) -> None:
        self.files = []
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self.files.append((folder / "events.jsonl").open("a"))
        if descriptor is not None:
            self.files.append(os.fdopen(descriptor, "w"))

    def emit(self, ev: str, **fields: object) -> None:
        self.raw(json.dumps({"v": 1, "ev": ev, "t": round(time.time(), 3), **fields}))

    def raw(self, line: str) -> None:
        for file in list(self.files):
            try:
                file.write(line + "\n")
                file.flush()
            except BrokenPipeError:
                self.files.remove(file)


class Orders:
    """Commands on standard input; its end means stop unless told to keep running."""

    def __init__(self) -> None:
        self.keeps = False
        self.rest = b""
        self.is_open = True

    def poll(self, seconds: float) -> list[dict]:
        if not self.is_open:
            time.sleep(seconds)
            return []
        ready, _, _ = select.select([0], [], [], seconds)
        if not ready:
            return []
        data = os.read(0, 65536)
        if not data:
            self.is_open = False
            return [] if self.keeps else [{"cmd": "stop"}]
        *lines, self.rest = (self.rest + data).split(b"\n")
        orders = [json.loads(line) for line in lines if line.strip()]
        for order in orders:
            if order["cmd"] == "keep":
                self.keeps = bool(order["running"])
        return orders


def option(name: str) -> str | None:
    return ARGUMENTS[ARGUMENTS.index(name) + 1] if name in ARGUMENTS else None


def sample(kind: str, step: int) -> dict:
    if kind == "train":
        return {
            "epoch": step, "step": 10 * step, "elapsed_s": 0.1 * step, "learning_rate": 0.01,
            "train_loss": 1.0 / step, "valid_loss": 1.2 / step,
            "train_energy_mae_mev_per_atom": 50.0 / step, "valid_energy_mae_mev_per_atom": 60.0 / step,
            "train_forces_mae_mev_per_angstrom": 500.0 / step, "valid_forces_mae_mev_per_angstrom": 600.0 / step,
            "is_best": True,
        }  # fmt: skip
    return {
        "step": 10 * step, "t_ps": 0.005 * step, "epot": -100.0 + 0.01 * (step % 7), "ekin": 0.3, "etot": -99.7,
        "temp": 300.0 + step % 11, "temp_target": 300.0, "volume": None, "density": None, "pressure": None,
        "max_force": 1.5, "conserved": None, "stage": 1,
    }  # fmt: skip


def run(kind: str) -> int:
    folder = Path(option("--output") or option("--resume") or "run")
    if MODE == "user-error":
        print(
            "error: settings.yaml: timestep = 50: must be a number > 0 and ≤ 10 fs", file=sys.stderr
        )
        return 2
    if MODE == "quiet-start":
        time.sleep(60)
    if MODE == "slow-start":
        time.sleep(1.5)
    descriptor = option("--events")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "spec.yaml").exists():
        given = Path(ARGUMENTS[1])
        text = given.read_text() if given.is_file() else ""
        (folder / "spec.yaml").write_text(f"kind: {kind}\n{text}")
    stream = Stream(folder, int(descriptor) if descriptor else None)
    stream.emit("hello", kind=kind, pid=os.getpid(), versions={"nequip-openmm": "0"})
    print("chatter on stdout")
    print("chatter on stderr", file=sys.stderr)
    stream.emit("status", state="training" if kind == "train" else "running")
    return work(kind, stream)


def work(kind: str, stream: Stream) -> int:
    orders = Orders()
    total = {"slow": 10_000, "deaf": 10_000, "hang": 10_000, "silent": 10_000}.get(MODE, 20)
    asked = []
    if MODE == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: asked.append({"cmd": "stop"}))
    is_paused, step = False, 0
    while step < total:
        for order in [*orders.poll(0.01), *asked]:
            if MODE == "deaf":
                continue
            name = order["cmd"]
            if name == "stop":
                stream.emit("checkpoint", path="last.ckpt", step=step)
                stream.emit("done", reason="stopped", step=step)
                return 0
            if name == "pause":
                is_paused = True
                stream.emit("status", state="paused")
            elif name == "resume":
                is_paused = False
                stream.emit("status", state="training" if kind == "train" else "running")
            elif name == "checkpoint":
                stream.emit("checkpoint", path="last.ckpt", step=step)
            elif name == "set":
                stream.emit("set", step=step, **{k: v for k, v in order.items() if k != "cmd"})
        if is_paused or (MODE == "silent" and step > 2):
            continue
        step += 1
        stream.emit("epoch" if kind == "train" else "sample", **sample(kind, step))
        stream.emit(
            "progress",
            done=10 * step,
            total=10 * total,
            eta_s=0.01 * (total - step),
            ns_per_day=12.5,
        )
        misbehave(step, stream)
    stream.emit("done", reason="finished", step=10 * total)
    return 0


def misbehave(step: int, stream: Stream) -> None:
    if step != 10:
        return
    if MODE == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif MODE == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif MODE == "hang":
        time.sleep(3600)
    elif MODE == "garbage":
        stream.raw("Segmentation fault? no, only a stray line")
        stream.raw('{"ev": 3}')
        stream.raw("[1, 2")
        stream.raw('{"v": 1, "ev": "news-of-tomorrow", "x": 1}')
        stream.raw("\x00\x7f ÿ")
    elif MODE == "warn":
        stream.emit("warning", code="low-fill", msg="drivers wait for one another")
    elif MODE == "fail":
        stream.emit(
            "error",
            code="blow-up",
            title="temperature rose to 1e5 K at step 100",
            detail="",
            hint="Halve the time step.",
        )
        stream.emit("done", reason="failed")
        sys.exit(3)
    elif MODE == "disk-full":
        stream.emit(
            "error",
            code="disk-full",
            title="the disk is full (thermo.csv)",
            detail="",
            hint="Free some space, then continue with --resume.",
        )
        stream.emit("done", reason="failed")
        sys.exit(2)


def short(kind: str) -> int:
    """A sub-command with a result: info, evaluate, check."""
    descriptor = option("--events")
    stream = Stream(None, int(descriptor) if descriptor else None)
    stream.emit("hello", kind=kind, pid=os.getpid())
    for done in range(4):
        stream.emit("progress", done=done, total=4, text="reading")
        time.sleep(0.02)
    if MODE == "hang":
        time.sleep(3600)
    if MODE == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if MODE == "user-error":
        stream.emit(
            "error",
            code="user-error",
            title="data.xyz, line 3: expected 192 atoms, got 191",
            detail="",
            hint="",
        )
        stream.emit("done", reason="failed")
        return 2
    if MODE == "garbage":
        stream.raw("no event at all")
    stream.emit("result", answer=42)
    stream.emit("done", reason="finished")
    if descriptor is None:
        print(json.dumps({"answer": 42}))
    return 0


if __name__ == "__main__":
    kind = ARGUMENTS[0]
    is_run = kind in ("train", "md", "pimd") and not {"--check", "--dry-run"} & set(ARGUMENTS)
    sys.exit(run(kind) if is_run else short(kind))
