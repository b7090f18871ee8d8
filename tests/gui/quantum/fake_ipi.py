"""Stands in for ``nequip-openmm``: path integrals of methanol that never was, which go wrong in the way that is asked for.

``python fake_ipi.py MODE ARGUMENTS...``; MODE is one of ok, long, driver-dies, ipi-dies, kill, refuse, blow-up, silent-start.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from gui.demo.path_integral import PREVIEW, FakeRun

MODE, ARGUMENTS = sys.argv[1], sys.argv[2:]


def option(name: str) -> str | None:
    return ARGUMENTS[ARGUMENTS.index(name) + 1] if name in ARGUMENTS else None


def orders(seconds: float) -> list[dict[str, Any]]:
    ready, _, _ = select.select([0], [], [], seconds)
    if not ready:
        return []
    data = os.read(0, 65536)
    return [json.loads(line) for line in data.splitlines()] if data else [{"cmd": "stop"}]


class Worker:
    def __init__(self, run: FakeRun) -> None:
        self.run = run
        self.stream = os.fdopen(int(option("--events") or 1), "w")
        run.listener = self.tell

    def tell(self, event: dict[str, Any]) -> None:
        self.stream.write(json.dumps(event) + "\n")
        self.stream.flush()

    def emit(self, ev: str, **fields: Any) -> None:
        self.run.event(ev, **fields)

    def driver(self, state: str, **fields: Any) -> None:
        self.emit("driver", number=1, state=state, pid=4242, **fields)

    def work(self) -> int:
        self.run.hello(os.getpid())
        self.emit("status", state="starting", server=4241, drivers=[4242])
        self.emit("server", state="running", pid=4241)
        self.driver("starting", msg="loading the model")
        if MODE == "silent-start":
            return self.wait()
        for state in ("waiting", "connected", "computing"):
            self.driver(state)
        self.emit("status", state="running")
        while self.run.step < self.run.steps:
            self.run.write(20)
            self.emit(
                "progress", done=self.run.step, total=self.run.steps, eta_s=3.0, ns_per_day=5.2
            )
            if self.run.step > 0.3 * self.run.steps and (code := self.fault()) is not None:
                return code
            for order in orders(0.05 if MODE == "long" else 0.0):
                if order["cmd"] == "stop":
                    return self.end("stopped", 0)
        return self.end("finished", 0)

    def fault(self) -> int | None:
        if MODE == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if MODE == "ipi-dies":
            title = f"i-PI was killed by signal 9 at step {self.run.step} of {self.run.steps}"
            return self.fail("ipi-died", title, "See ipi.log.")
        if MODE == "blow-up":
            return self.fail(
                "blow-up", f"the simulation blew up at step {self.run.step}", "Likely causes: ..."
            )
        if MODE == "driver-dies":
            self.driver("given-up", msg="driver 1 was killed by signal 9")
            code = self.wait()
            if code is not None:
                return code
            globals()["MODE"] = "ok"
            self.driver("computing")
        return None

    def wait(self) -> int | None:
        while True:
            for order in orders(0.05):
                if order["cmd"] == "stop":
                    return self.end("stopped", 0)
                if order["cmd"] == "restart":
                    self.driver("starting", msg="loading the model")
                    return None

    def fail(self, code: str, title: str, hint: str) -> int:
        self.emit("error", code=code, title=title, detail="", hint=hint)
        return self.end("failed", 3)

    def end(self, reason: str, code: int) -> int:
        self.emit("done", reason=reason, step=self.run.step)
        return code


def settings() -> dict[str, Any]:
    values: dict[str, Any] = {}
    for argument in ARGUMENTS[1:]:
        if argument.startswith("-"):
            break
        if "=" in argument:
            key, _, text = argument.partition("=")
            values[key] = yaml.safe_load(text)
        else:
            values |= yaml.safe_load(Path(argument).read_text("utf-8"))
    return values


def dry_run() -> int:
    stream = os.fdopen(int(option("--events") or 1), "w")
    if MODE == "refuse":
        error = {"ev": "error", "code": "user-error", "title": "the model does not know Na"}
        stream.write(json.dumps(error) + "\n")
        return 2
    time.sleep(0.05)
    stream.write(json.dumps({"v": 1, "ev": "result", **PREVIEW}) + "\n")
    return 0


def report() -> int:
    folder = Path(option("--output") or "report")
    folder.mkdir()
    (folder / "report.html").write_text("<html></html>")
    with os.fdopen(int(option("--events") or 1), "w") as stream:
        stream.write(
            json.dumps({"v": 1, "ev": "result", "report": str(folder / "report.html")}) + "\n"
        )
    return 0


def main() -> int:
    if ARGUMENTS[0] == "pimd-report":
        return report()
    if "--dry-run" in ARGUMENTS:
        return dry_run()
    if "--prepare" in ARGUMENTS:
        folder = Path(option("--output") or "run")
        folder.mkdir()
        for name, text in PREVIEW["files"].items():
            (folder / name).write_text(text, "utf-8")
        return 0
    given = settings()
    if (resumed := option("--resume")) is not None:
        before = yaml.safe_load((Path(resumed) / "spec.yaml").read_text("utf-8"))
        for old in Path(resumed).glob("simulation.*"):
            old.unlink()
        given = {k: v for k, v in (before | given).items() if k != "kind"}
        globals()["MODE"] = "ok"
    folder = Path(resumed or option("--output") or "run")
    run = FakeRun(
        folder, given.get("beads") or 1, given["steps"], given.get("temperature", 300.0), spec=given
    )
    return Worker(run).work()


if __name__ == "__main__":
    sys.exit(main())
