"""From the example data set to quantum nuclei, by mouse and keys, with real workers: ``python -m ... FOLDER``.

Runs in a process of its own, on the screen that ``DISPLAY`` names, with its settings and runs below the folder.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyqtgraph as pg
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from gui.app import make_application, make_window
from gui.jobs import Job, JobState
from gui.session import Session
from gui.settings import SettingsStore
from tests.gui.end_to_end.person import Person

TRAINING_S, RUN_S = 420.0, 240.0  # at most, on two busy cores
DCD_HEADER = 276  # bytes, a date among them


def main(folder: Path) -> None:
    """Do what a chemist does, once."""
    application = make_application()
    settings = SettingsStore(folder / "gui.json")
    settings.set("runs_folder", folder / "runs")
    session = Session(settings)
    window = make_window(session)
    window.resize(1280, 860)
    window.show()
    person = Person(window, folder)
    person.wait(window.isVisible, "the window")
    open_example(person)
    train(person, session)
    simulate(person, session, folder)
    quantum_nuclei(person, session)
    window.close()
    application.processEvents()
    loaded = {"torch", "openmm", "ipi", "e3nn", "lightning"} & set(sys.modules)
    assert not loaded, f"the window's process has loaded {loaded}"
    print("done", flush=True)


def open_example(person: Person) -> None:
    person.picture("home")
    person.click("Try the methanol example")
    person.wait(lambda: person.find("Continue to training"), "the data set", 60)
    person.picture("data")
    person.click("Continue to training")


def train(person: Person, session: Session) -> None:
    person.click(next(name for name in _names(person) if name.startswith("Preset Quick")))
    person.picture("training settings")
    person.click("Start training")
    job = _newest(person, session, "train")
    _wait_for(person, job, JobState.RUNNING, 120)
    _wait_for(person, job, JobState.FINISHED, TRAINING_S)
    person.picture("training finished")
    look_at_parity(person, session)
    person.click("Use in simulation")


def look_at_parity(person: Person, session: Session) -> None:
    """Compare predictions with labels; a click on a point opens its frame."""
    frames: list[object] = []
    session.frame_shown.connect(frames.append)
    person.click_tab("Parity")
    name = "Force components: predictions against labels"
    plot = person.wait(lambda: person.find(name, pg.PlotWidget), "the parity plot", 90)
    QTest.qWait(500)  # it is laid out when it is first shown
    items = plot.getPlotItem().items
    points = next(x for x in items if isinstance(x, pg.ScatterPlotItem) and len(x.data))
    place = plot.mapFromScene(plot.getPlotItem().vb.mapViewToScene(points.points()[0].pos()))
    QTest.mouseMove(plot.viewport(), place)
    person.click_on(plot.viewport(), place)
    person.wait(lambda: frames, "the frame of a point")
    person.picture("parity")


def simulate(person: Person, session: Session, folder: Path) -> None:
    person.wait(lambda: person.find("Start simulation"), "the Simulate page")
    person.type_into("Time step, fs", "0.1")  # takes ten seconds, so that there is time to steer
    person.type_into("Length, ps", "2")
    person.picture("simulation settings")
    person.click("Start simulation")
    job = _newest(person, session, "md")
    _wait_for(person, job, JobState.RUNNING, RUN_S)
    person.click("Pause")
    _wait_for(person, job, JobState.PAUSED, RUN_S)
    person.type_into("Temperature, K", "350")
    person.click("Resume")
    _wait_for(person, job, JobState.FINISHED, RUN_S)
    person.picture("simulation finished")
    repeat(person, job, folder / "exported")


def repeat(person: Person, job: Job, folder: Path) -> None:
    """Export the script of a run and run it: it must give the same trajectory, the change of temperature included."""
    folder.mkdir()
    person.choose("Export simulate.py")
    person.choose_folder(folder)
    script = person.wait(lambda: next(folder.rglob("simulate.py"), None), "the script")
    subprocess.run([sys.executable, script.name], cwd=script.parent, check=True, timeout=RUN_S)
    again = script.parent / "repeated" / "trajectory.dcd"
    first = job.folder / "trajectory.dcd"
    assert again.read_bytes()[DCD_HEADER:] == first.read_bytes()[DCD_HEADER:]


def quantum_nuclei(person: Person, session: Session) -> None:
    person.click("Quantum nuclei")
    person.type_into("Beads", "8")
    person.type_into("Steps", "100")
    person.picture("quantum settings")
    person.click("Start", within_s=60)
    job = _newest(person, session, "pimd")
    _wait_for(person, job, JobState.FINISHED, RUN_S)
    person.picture("quantum finished")


def _newest(person: Person, session: Session, kind: str) -> Job:
    return person.wait(
        lambda: next((job for job in session.jobs if job.kind == kind), None), f"a {kind} job"
    )


def _wait_for(person: Person, job: Job, state: JobState, within_s: float) -> None:
    ended = {JobState.FINISHED, JobState.STOPPED, JobState.FAILED, JobState.LOST}
    person.wait(
        lambda: job.state is state or (job.state in ended),
        f"{job.kind} to be {state.name}",
        within_s,
    )
    if state in ended:
        assert job.state is state, f"{job.kind} is {job.state.name}: {job.error}"


def _names(person: Person) -> list[str]:
    return [w.accessibleName() for w in person._visible(QWidget) if w.accessibleName()]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
