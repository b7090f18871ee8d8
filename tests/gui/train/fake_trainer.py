"""The fake worker, with the sub-commands of the Train page: ``train --check`` and ``evaluate --save``."""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
MODE, ARGUMENTS = sys.argv[1], sys.argv[2:]


def option(name: str) -> str:
    return ARGUMENTS[ARGUMENTS.index(name) + 1]


def tell(kind: str, result: dict) -> None:
    with os.fdopen(int(option("--events")), "w") as stream:

        def emit(ev: str, **fields: object) -> None:
            stream.write(json.dumps({"v": 1, "ev": ev, "t": time.time(), **fields}) + "\n")
            stream.flush()

        emit("hello", kind=kind)
        emit("progress", done=0, total=1000, text="timing steps")
        if MODE == "check-hang":
            time.sleep(3600)
        if MODE == "check-fail":
            emit(
                "error",
                code="user-error",
                title="no frame has forces",
                detail="",
                hint="Name them.",
            )
            emit("done", reason="failed")
            sys.exit(2)
        emit("result", **result)
        emit("done", reason="finished")


def evaluate() -> None:
    sys.path.insert(0, str(ROOT))
    import numpy as np

    from gui.demo.training import demo_comparison

    folder = Path(option("--save"))
    folder.mkdir(parents=True)
    comparison = demo_comparison()
    for name, array in comparison.arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / "errors.json").write_text(json.dumps({"frames": 36}))
    (folder.parent.parent / "evaluate-arguments.json").write_text(json.dumps(ARGUMENTS))
    tell("evaluate", {"frames": 36, "folder": str(folder)})


if ARGUMENTS[0] == "evaluate":
    evaluate()
elif "--check" in ARGUMENTS:
    sys.path.insert(0, str(ROOT))
    from gui.demo.training import FOUND

    tell("train-check", FOUND)
else:
    if "--output" in ARGUMENTS:  # a real run leaves these
        folder = Path(option("--output"))
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "checkpoints" / "last.ckpt").touch()
        (folder / "model.safetensors").touch()
    runpy.run_path(str(ROOT / "tests" / "gui" / "fake_worker.py"), run_name="__main__")
