"""The quantum mode of the Simulate page in every state."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from gui.demo.molecules import methanol
from gui.demo.path_integral import PREVIEW, FakeRun
from gui.demo.pictures.simulate import choose
from gui.demo.pictures.stage import Scene, Stage
from gui.viewmodels.bead_series import SeriesState

__all__ = ["SCENES"]

NAME = "methanol-pimd"
BEADS, STEPS = 32, 20_000
DIED = "driver 1 was killed by signal 9 (SIGKILL) five times; the system ends programs this way when memory runs out"


def _empty(stage: Stage) -> None:
    stage.page("simulate").show_mode("quantum")


def _set_up(stage: Stage) -> Any:
    page = choose(stage, methanol(), "methanol", "H C O")
    page.show_mode("quantum")
    quantum = page.quantum
    quantum.model.check()
    stage.answer("--dry-run", PREVIEW)
    return quantum


def _ready(stage: Stage) -> None:
    _set_up(stage)


def _invalid(stage: Stage) -> None:
    quantum = _set_up(stage)
    quantum.setup.form.set_value("timestep", -1.0)


def _preview(stage: Stage) -> QWidget:
    quantum = _set_up(stage)
    quantum.model.preview()
    return quantum.setup.preview


def _start(stage: Stage, steps: int = STEPS) -> tuple[Any, FakeRun]:
    quantum = _set_up(stage)
    quantum.model.set_values({**quantum.model.values, "beads": BEADS, "steps": steps})
    quantum.model.name = NAME
    quantum.model.start()
    run = FakeRun(stage.folder(NAME), BEADS, steps, spec={"structure": "methanol.xyz"})
    run.listener = lambda event: stage.tell("pimd", [event])
    run.hello(4240)
    run.event("status", state="starting", server=4241, drivers=[4242])
    run.event("server", state="running", pid=4241)
    run.event("driver", number=1, state="starting", pid=4242, msg="loading the model")
    quantum.model.run._clock = lambda: 12.0
    quantum.model.run._waiting_since = 0.0
    return quantum, run


def _waiting(stage: Stage) -> None:
    _start(stage)


def _run(stage: Stage, part: float = 0.42, steps: int = STEPS) -> tuple[Any, FakeRun]:
    quantum, run = _start(stage, steps)
    for state in ("waiting", "connected", "computing"):
        run.event("driver", number=1, state=state, pid=4242)
    run.event("status", state="running")
    run.write(int(part * steps / run.thermo_interval))
    run.event(
        "progress", done=run.step, total=steps, eta_s=(steps - run.step) * 0.012, ns_per_day=1.8
    )
    quantum.model.run.refresh_all()
    quantum.run.kinetic.draw_means()
    return quantum, run


def _running(stage: Stage) -> None:
    _run(stage)


def _curves(stage: Stage) -> None:
    quantum, _ = _run(stage)
    quantum.run.tabs.setCurrentIndex(1)


def _finished(stage: Stage) -> None:
    quantum, run = _run(stage, 1.0, 12_000)
    run.finish()
    quantum.model.run.refresh_all()
    run.event("progress", done=run.step, total=run.steps, eta_s=0.0, ns_per_day=1.8)
    run.event("done", reason="finished", step=run.step)
    stage.end("pimd")


def _driver_died(stage: Stage) -> None:
    quantum, run = _run(stage, 0.3)
    run.event("driver", number=1, state="given-up", msg=DIED)
    quantum.model.run._clock = lambda: 59.0


def _failed(stage: Stage) -> None:
    _, run = _run(stage, 0.3)
    title = f"i-PI was killed by signal 9 at step {run.step} of {run.steps}"
    run.event("error", code="ipi-died", title=title, detail="", hint="See ipi.log.")
    run.event("done", reason="failed", step=run.step)
    stage.end("pimd", 3)


def _lost(stage: Stage) -> None:
    folder = stage.folder("methanol-elsewhere")
    run = FakeRun(folder, BEADS, STEPS, spec={"structure": "methanol.xyz"})
    run.hello(2**22 - 1)
    run.event("status", state="running")
    run.write(800)
    stage.page("simulate").show_mode("quantum")
    stage.session.show_run(folder)
    stage.settle(1.3)


def _series(stage: Stage, beads: tuple[int, ...], state: SeriesState) -> None:
    from gui.views.quantum.bead_plot import demo_points

    quantum = _set_up(stage)
    quantum.setup.seriesButton.click()
    series = quantum.model.series
    series.beads, series.temperature, series.state = (4, 8, 16, 32), 300.0, state
    series.points = {point.beads: point for point in demo_points() if point.beads in beads}
    series.changed.emit()


def _series_running(stage: Stage) -> None:
    _series(stage, (4, 8), SeriesState.RUNNING)


def _series_finished(stage: Stage) -> None:
    _series(stage, (4, 8, 16, 32), SeriesState.FINISHED)


SCENES: dict[str, Scene] = {
    "quantum-empty": _empty,
    "quantum-ready": _ready,
    "quantum-invalid": _invalid,
    "quantum-preview": _preview,
    "quantum-waiting": _waiting,
    "quantum-running": _running,
    "quantum-curves": _curves,
    "quantum-finished": _finished,
    "quantum-driver-died": _driver_died,
    "quantum-failed": _failed,
    "quantum-lost": _lost,
    "quantum-series-running": _series_running,
    "quantum-series": _series_finished,
}
