"""One run: started by this window, or watched through the events that it writes into its folder."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from gui.core.options import error_of
from gui.jobs.endings import LOST, how_it_ended
from gui.jobs.follower import Follower, is_running, terminate
from gui.jobs.history import Event, History
from gui.jobs.process import Process
from gui.jobs.progress import Progress
from gui.jobs.states import ACTIONS, ENDED, Action, JobState, Trigger, next_state

__all__ = ["OUTPUT", "Job", "beside"]

OUTPUT = "output.txt"
"""What the worker of a run printed."""

SILENT_AFTER_S = 30.0
PREPARING = frozenset(
    {"starting", "resumed", "waiting", "loading", "reading", "checking", "building", "compiling"}
)
"""States that a worker tells before it begins to compute."""

ABILITIES = {
    "train": {Action.PAUSE, Action.RESUME, Action.CHECKPOINT},
    "md": {Action.PAUSE, Action.RESUME, Action.CHECKPOINT, Action.SET},
    "pimd": {Action.CHECKPOINT},
}
"""What the worker of each kind understands besides stop."""


def beside(folder: Path, name: str) -> Path:
    """Return a hidden file next to a folder that a worker must find empty."""
    return folder.parent / f".{folder.name}.{name}"


class Job(QObject):
    """One run of a kind: ``train``, ``md`` or ``pimd``.

    Signals
    -------
    state_changed
        The new `JobState`.
    event_received
        Every event, in order, as it came.
    progressed
        `progress`, `stage` or `silence_s` has changed.
    garbled
        A line of the worker that was no event.
    """

    state_changed = Signal(object)
    event_received = Signal(object)  # as a dict it would be converted and copied for each listener
    progressed = Signal()
    garbled = Signal(str)

    def __init__(
        self, kind: str, folder: Path, *, is_ours: bool, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.kind = kind
        self.folder = Path(folder)
        self.is_ours = is_ours
        self.is_live = is_ours
        self.state = JobState.STARTING
        self.stage = "starting"
        self.progress = Progress()
        self.error: dict[str, Any] | None = None
        self.warnings: list[dict[str, Any]] = []
        self.n_garbled = 0
        self.hello: Event = {}
        self.result: Event = {}
        self.exit_code: int | None = None
        self.started_at = time.time()
        self._keeps_running = False
        self._was_killed = False
        self._heard_at = time.monotonic()
        self._history = History()
        self._process: Process | None = None
        self._follower: Follower | None = None
        self._watch = QTimer(self)
        self._watch.setInterval(1000)
        self._watch.timeout.connect(self._look)

    # --- what is known ---------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def is_alive(self) -> bool:
        """Whether a process is, or should be, at work."""
        return self.state not in ENDED

    @property
    def silence_s(self) -> float:
        """Seconds since the last sign of life; 0 where none is due."""
        if not self.is_alive or self.state in (JobState.PAUSED, JobState.STARTING):
            return 0.0
        return time.monotonic() - self._heard_at

    @property
    def is_silent(self) -> bool:
        """Whether there has been no news for so long that a person should know."""
        return self.silence_s > SILENT_AFTER_S

    @property
    def output(self) -> Path:
        """The file with what the worker printed; beside the folder until that is there."""
        inside = self.folder / OUTPUT
        return inside if inside.exists() else beside(self.folder, OUTPUT)

    def events(self, kind: str | None = None) -> list[Event]:
        """Return the events so far, of one kind or all; long kinds are thinned (see `History`)."""
        return self._history.events(kind)

    # --- what can be asked -----------------------------------------------------------------------------------------

    def can(self, action: Action) -> bool:
        """Return whether an action makes sense now."""
        if action not in ACTIONS[self.state]:
            return False
        if action in (Action.STOP, Action.CONTINUE):
            return True
        if action is Action.KILL:
            return self.is_ours or "pid" in self.hello
        return self.is_ours and action in ABILITIES.get(self.kind, ())

    def pause(self) -> bool:
        """Ask the worker to wait; it says when it does."""
        return self.can(Action.PAUSE) and self._send({"cmd": "pause"})

    def resume(self) -> bool:
        """Ask a waiting worker to go on."""
        return self.can(Action.RESUME) and self._send({"cmd": "resume"})

    def checkpoint(self) -> bool:
        """Ask for a checkpoint now."""
        return self.can(Action.CHECKPOINT) and self._send({"cmd": "checkpoint"})

    def set(self, **values: Any) -> bool:
        """Change settings of the running job, such as ``temperature=320``."""
        return self.can(Action.SET) and self._send({"cmd": "set", **values})

    def command(self, name: str, **values: Any) -> bool:
        """Send any other command that a worker understands."""
        return self.is_alive and self._send({"cmd": name, **values})

    def stop(self) -> bool:
        """Ask the job to save and end."""
        if not self.can(Action.STOP):
            return False
        if self._process is not None and self._process.is_alive:
            sent = self._send({"cmd": "stop"})
        else:
            sent = self._signal(signal.SIGTERM)
        if sent:
            self._go(Trigger.STOP_ASKED)
        return sent

    def kill(self) -> bool:
        """End the job at once; what it has written stays."""
        if not self.can(Action.KILL):
            return False
        self._was_killed = True
        if self._process is not None and self._process.is_alive:
            self._process.kill()
            return True
        return self._signal(signal.SIGKILL)

    @property
    def keeps_running(self) -> bool:
        """Whether the job goes on when the window closes."""
        return self._keeps_running or not self.is_ours

    @keeps_running.setter
    def keeps_running(self, keeps: bool) -> None:
        self._keeps_running = keeps
        self._send({"cmd": "keep", "running": keeps})

    # --- where the news come from ----------------------------------------------------------------------------------

    def take(self, process: Process) -> None:
        """Listen to a worker that was just started."""
        self._process = process
        self.is_ours = self.is_live = True
        self._was_killed = False
        self._heard_at = time.monotonic()
        process.received.connect(self._receive)
        process.garbled.connect(self._note_garbled)
        process.ended.connect(self._end)
        self._watch.start()

    def follow(self, follower: Follower) -> None:
        """Listen to the events in the run's folder."""
        self._follower = follower
        follower.received.connect(self._receive)
        follower.garbled.connect(self._note_garbled)
        follower.caught_up.connect(self._catch_up)
        self._watch.start()
        follower.start()

    def _catch_up(self) -> None:
        """All that was in the folder is known: what comes now is news."""
        self._look()
        self.is_live = True

    def release(self) -> None:
        """Stop listening, for the last time."""
        self._watch.stop()
        if self._follower is not None:
            self._follower.stop()

    def wait(self, seconds: float) -> bool:
        """Wait for the end of our process without an event loop; return whether it came."""
        return self._process is None or self._process.wait(seconds)

    def read_history(self) -> None:
        """Read what a watched run has told up to now, at once."""
        if self._follower is not None:
            self._follower.look_to_end()

    def restarted(self) -> None:
        """Begin anew after `Action.CONTINUE`: from now on the worker itself tells, not its file."""
        if self._follower is not None:
            self._follower.stop()
            self._follower = None
        self.error, self.exit_code, self.stage = None, None, "starting"
        self._go(Trigger.HELLO)

    # --- events ----------------------------------------------------------------------------------------------------

    def _receive(self, events: list[Event]) -> None:
        self._heard_at = time.monotonic()
        for event in events:
            self._history.add(event)
            self._note(event)
            self.event_received.emit(event)

    def _note(self, event: Event) -> None:
        handler = _HANDLERS.get(event["ev"])
        if handler is not None:
            handler(self, event)

    def _note_hello(self, event: Event) -> None:
        self.hello = event
        self.started_at = event.get("t", self.started_at)
        self.error = None
        self.stage = "starting"
        self._go(Trigger.HELLO)
        self.progressed.emit()

    def _note_status(self, event: Event) -> None:
        self.stage = str(event.get("state", ""))
        if self.stage == "paused":
            self._go(Trigger.PAUSED)
        elif self.stage == "stopping":
            self._go(Trigger.STOP_ASKED)
        elif self.stage not in PREPARING:
            self._go(Trigger.WORKING)
        self.progressed.emit()

    def _note_sample(self, event: Event) -> None:
        if self.state is JobState.STARTING:
            self._go(Trigger.WORKING)

    def _note_progress(self, event: Event) -> None:
        self.progress = Progress.of(event)
        self.progressed.emit()

    def _note_warning(self, event: Event) -> None:
        self.warnings.append(event)
        self.progressed.emit()

    def _note_error(self, event: Event) -> None:
        self.error = error_of(event)

    def _note_done(self, event: Event) -> None:
        self.result = event
        reason = str(event.get("reason"))
        self._go(
            {"finished": Trigger.FINISHED, "stopped": Trigger.STOPPED}.get(reason, Trigger.FAILED)
        )

    def _note_garbled(self, line: str) -> None:
        self.n_garbled += 1
        self.garbled.emit(line)

    # --- ends ------------------------------------------------------------------------------------------------------

    def _end(self, code: int) -> None:
        """Our process is gone; what it did not say is made up from how it ended."""
        self.exit_code = code
        self._process = None
        if self.is_alive:
            if self._was_killed:
                self._go(Trigger.STOPPED)
            else:
                self.error = self.error or how_it_ended(code, self._last_words(), self.progress)
                self._go(Trigger.DIED)
        self._watch.stop()
        self.progressed.emit()

    def _last_words(self) -> str:
        try:
            with self.output.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 4000))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def _look(self) -> None:
        """Once a second: is the process that we watch still there, has ours fallen silent?"""
        if self._is_watched_only() and not is_running(self.hello["pid"], self.hello.get("t")):
            self._follower.look()  # type: ignore[union-attr]  # its last words
            if self.is_alive:
                self.error = self.error or LOST
                self._go(Trigger.VANISHED)
        if self.is_silent:
            self.progressed.emit()

    def _is_watched_only(self) -> bool:
        """Whether the run is somebody else's and should be alive."""
        is_followed = self._follower is not None and self._process is None
        return is_followed and self.is_alive and "pid" in self.hello

    def _go(self, trigger: Trigger) -> None:
        state = next_state(self.state, trigger)
        if state is self.state:
            return
        self.state = state
        self.state_changed.emit(state)

    def _send(self, command: dict[str, Any]) -> bool:
        return self._process is not None and self._process.send(command)

    def _signal(self, number: int) -> bool:
        pid = self.hello.get("pid")
        return pid is not None and terminate(pid, self.hello.get("t"), number)


_HANDLERS = {
    "hello": Job._note_hello,
    "status": Job._note_status,
    "sample": Job._note_sample,
    "epoch": Job._note_sample,
    "progress": Job._note_progress,
    "warning": Job._note_warning,
    "error": Job._note_error,
    "done": Job._note_done,
}
