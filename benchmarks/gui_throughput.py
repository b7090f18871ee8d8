"""How the window bears a flood: samples per second, gaps of its event loop, memory.

A worker that computes nothing tells samples of a simulation through the same pipe as a real one; the window shows its page
with all plots. ``python -m benchmarks.gui_throughput [--rate 20000] [--samples 1000000] [--page simulate]``. Without a screen
it runs offscreen. Targets: 20,000 samples/s, 99 of 100 gaps below 100 ms, memory flat over a million samples.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

FLUSH_S = 0.03
TICK_MS = 5


def flood(rate: float, samples: int, folder: Path, descriptor: int) -> None:
    """Be the worker: ``samples`` samples at ``rate`` per second, in bundles of 30 ms."""
    folder.mkdir(parents=True)
    (folder / "spec.yaml").write_text("kind: md\n")
    with os.fdopen(descriptor, "w") as pipe, (folder / "events.jsonl").open("w") as log:
        hello = {"v": 1, "ev": "hello", "t": time.time(), "kind": "md", "pid": os.getpid()}
        for sink in (pipe, log):
            sink.write(json.dumps(hello) + "\n" + '{"v": 1, "ev": "status", "state": "running"}\n')
        begin, sent = time.perf_counter(), 0
        while sent < samples:
            due = min(samples, int(rate * (time.perf_counter() - begin)))
            pipe.write("".join(_sample(step) for step in range(sent, due)))
            pipe.write(
                f'{{"v": 1, "ev": "progress", "done": {due}, "total": {samples}, "eta_s": 1}}\n'
            )
            pipe.flush()
            sent = due
            time.sleep(FLUSH_S)
        pipe.write('{"v": 1, "ev": "done", "reason": "finished"}\n')


def _sample(step: int) -> str:
    temperature = 300 + (step * 7919 % 1000) / 50
    return (
        f'{{"v": 1, "ev": "sample", "t": 1, "step": {step}, "t_ps": {step * 0.0005:.4f}, "epot": {-100 + temperature / 1e3:.6f}, '
        f'"ekin": 0.31, "etot": -99.69, "temp": {temperature:.3f}, "temp_target": 300.0, "volume": null, "density": null, '
        f'"pressure": null, "max_force": 1.5, "rms_force": 0.4, "conserved": null, "stage": 1}}\n'
    )


def watch(rate: float, samples: int, page: str) -> dict[str, float]:
    """Be the window; return what was measured."""
    from PySide6.QtCore import QTimer

    from gui.app import make_application, make_window
    from gui.demo import demo_session

    application = make_application()
    session = demo_session()
    session.jobs.program = [sys.executable, __file__, "--flood", str(rate), str(samples)]
    window = make_window(session)
    window.show_page(page)
    window.show()
    job = session.start_job("md", {"steps": samples}, "flood")
    session.job_shown.emit(job)

    gaps: list[float] = []
    own_gaps: list[float] = []  # the share of a gap in which this process had a processor
    memory: list[tuple[int, float]] = []
    last, last_cpu = time.perf_counter(), time.process_time()
    received = 0

    def count(event: dict[str, object]) -> None:
        nonlocal received
        received += event["ev"] == "sample"

    def tick() -> None:
        nonlocal last, last_cpu
        now, cpu = time.perf_counter(), time.process_time()
        if received:
            gaps.append(now - last)
            own_gaps.append(cpu - last_cpu)
        last, last_cpu = now, cpu

    job.event_received.connect(count)
    ticker = QTimer()
    ticker.timeout.connect(tick)
    ticker.start(TICK_MS)
    rss = QTimer()
    rss.timeout.connect(lambda: memory.append((received, _rss_mb())))
    rss.start(1000)
    while not received:
        application.processEvents()
    begin, cpu = time.perf_counter(), time.process_time()
    job.state_changed.connect(lambda _state: None if job.is_alive else application.quit())
    application.exec()
    spent = time.perf_counter() - begin
    gaps.sort()
    own_gaps.sort()
    settled = [value for n, value in memory if n > samples / 5] or [memory[-1][1]]
    return {
        "samples": received,
        "samples_per_s": received / spent,
        "gap_p50_ms": 1000 * gaps[len(gaps) // 2],
        "gap_p99_ms": 1000 * gaps[int(len(gaps) * 0.99)],
        "gap_max_ms": 1000 * gaps[-1],
        "own_gap_p99_ms": 1000 * own_gaps[int(len(own_gaps) * 0.99)],
        "cpu_us_per_sample": 1e6 * (time.process_time() - cpu) / received,
        "cpu_share": (time.process_time() - cpu) / spent,
        "rss_mb_at_one_fifth": settled[0],
        "rss_mb_at_end": _rss_mb(),
    }


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Measure and print."""
    if "--flood" in sys.argv:
        at = sys.argv.index("--flood")
        option = {name: sys.argv[sys.argv.index(name) + 1] for name in ("--output", "--events")}
        flood(
            float(sys.argv[at + 1]),
            int(sys.argv[at + 2]),
            Path(option["--output"]),
            int(option["--events"]),
        )
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=20_000)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--page", default="simulate")
    options = parser.parse_args()
    result = watch(options.rate, options.samples, options.page)
    for name, value in result.items():
        print(f"{name:22s}{value:12,.1f}")


if __name__ == "__main__":
    main()
