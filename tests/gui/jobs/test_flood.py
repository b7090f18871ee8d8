"""A worker that tells faster than the window paints: nothing is lost, and the window keeps its turns."""

from __future__ import annotations

import sys
import tempfile
import time
from typing import Any

from PySide6.QtCore import QTimer

from gui.jobs.process import TURN_S, Process

N = 60_000
CHILD = """
import os, sys
pipe = os.fdopen(int(sys.argv[sys.argv.index("--events") + 1]), "w")
for step in range({n}):
    pipe.write('{{"v": 1, "ev": "sample", "step": %d, "epot": -100.25, "temp": 300.5, "volume": null}}\\n' % step)
"""


def test_a_flood_is_taken_in_turns(qtbot: Any) -> None:
    """Longest stay in one go, in this process's own time: other programs may hold the processor for longer."""
    process = Process()
    steps: list[int] = []
    own: list[float] = []
    last = time.process_time()

    def tick() -> None:
        nonlocal last
        now = time.process_time()
        own.append(now - last)
        last = now

    timer = QTimer()
    timer.timeout.connect(tick)
    timer.start(0)
    process.received.connect(lambda events: steps.extend(event["step"] for event in events))
    with (
        qtbot.waitSignal(process.ended) as ended,
        tempfile.TemporaryFile() as output,
    ):
        process.start([sys.executable, "-S", "-c", CHILD.format(n=N)], output)
    assert ended.args == [0]
    assert steps == list(range(N))
    assert sorted(own)[int(0.99 * len(own))] < 10 * TURN_S
