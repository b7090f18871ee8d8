"""The frames of a run: the newest as it comes, or any of the last 500."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from PySide6.QtCore import QObject, QTimer, Signal

from gui.core.frames import CAPACITY, FrameBuffer
from gui.core.run_atoms import RunAtoms, read_run_atoms
from gui.core.trajectory import Frame, frame_ends, read_beads, read_frame
from gui.jobs.job import Job
from nequip_openmm.errors import DataError

__all__ = ["FramePlace", "Trajectory"]

_SHOWN_EVERY_MS = 60
_LARGEST_INDEX = (
    400 * 2**20
)  # bytes of a file that is searched for its frames when a run is opened again


class FramePlace(NamedTuple):
    """Where a frame is: the file, the byte where it ends, its step."""

    path: Path
    end: int
    step: int


class Trajectory(QObject):
    """The frames of a job, one of which is shown.

    Signals
    -------
    atoms_changed
        Other atoms, `RunAtoms`.
    frame_changed
        The `Frame` that is shown.
    length_changed
        There are more frames.
    failed
        Why a frame cannot be shown.
    """

    atoms_changed = Signal(object)
    frame_changed = Signal(object)
    length_changed = Signal()
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._job: Job | None = None
        self._atoms: RunAtoms | None = None
        self._buffer: FrameBuffer[FramePlace, Frame] = FrameBuffer(self._read)
        self._index = -1
        self._is_live = True
        self._shown: FramePlace | None = None
        self._step = -1
        self._soon = QTimer(self, singleShot=True, interval=_SHOWN_EVERY_MS)
        self._soon.timeout.connect(self._update)
        self._player = QTimer(self, interval=40)
        self._player.timeout.connect(self._advance)

    def __len__(self) -> int:
        return len(self._buffer)

    @property
    def atoms(self) -> RunAtoms | None:
        """The atoms, once they are known."""
        return self._atoms

    @property
    def index(self) -> int:
        """Which frame is shown; 0 is the oldest that can be, -1 if there is none."""
        return len(self) - 1 if self._is_live else self._index

    @property
    def is_live(self) -> bool:
        """Whether the newest frame is shown as it comes."""
        return self._is_live

    @property
    def is_playing(self) -> bool:
        """Whether frame follows frame by itself."""
        return self._player.isActive()

    @property
    def step(self) -> int:
        """Time step of the frame that is shown, -1 if there is none."""
        return self._step

    def set_job(self, job: Job | None) -> None:
        """Show the frames of a job; those that it has written already can be looked at too."""
        if self._job is not None:
            self._job.event_received.disconnect(self._note)
            self._job.state_changed.disconnect(self._note_end)
        self._job, self._atoms, self._shown, self._step = job, None, None, -1
        self._buffer.clear()
        self.pause()
        self._is_live = True
        if job is not None:
            for place in self._past(job):
                self._buffer.append(place)
            job.event_received.connect(self._note)
            job.state_changed.connect(self._note_end)
        self._soon.start()

    def show(self, index: int) -> None:
        """Show a frame; the newest does not begin to follow the run."""
        if not len(self):
            return
        self._is_live = False
        self._index = min(max(index, 0), len(self) - 1)
        self._update()

    def go_live(self) -> None:
        """Show the newest frame, and those to come."""
        self.pause()
        self._is_live = True
        self._update()

    def play(self) -> None:
        """Show frame after frame, from the oldest if the newest is shown."""
        if len(self) > 1:
            self.show(0 if self.index >= len(self) - 1 else self.index)
            self._player.start()
            self.length_changed.emit()

    def pause(self) -> None:
        """Stay at the frame that is shown."""
        if self._player.isActive():
            self._player.stop()
            self.length_changed.emit()

    def _past(self, job: Job) -> list[FramePlace]:
        """Return the frames that a job has written: of one that is over, spread over all; else those that it has told."""
        told = [_place(job, event) for event in job.events("frame")]
        if job.is_alive or not told:
            return told
        path = told[-1].path
        try:
            if path.stat().st_size > _LARGEST_INDEX:
                return told
            places = [FramePlace(path, end, step) for end, step in frame_ends(path)]
        except (OSError, DataError):
            return told
        if len(places) <= len(told):
            return told
        stride = -(-len(places) // CAPACITY)
        return places[::-1][::stride][::-1]

    def _note(self, event: dict[str, Any]) -> None:
        if event["ev"] == "frame" and self._job is not None:
            is_full = len(self) == CAPACITY
            self._buffer.append(_place(self._job, event))
            if is_full and not self._is_live:
                self._index = max(self._index - 1, 0)
            if not self._soon.isActive():
                self._soon.start()

    def _note_end(self, _state: object) -> None:
        """Once the run is over all of its frames can be looked at, not only those that were told."""
        if self._job is None or self._job.is_alive:
            return
        places = self._past(self._job)
        if len(places) <= len(self):
            return
        if not self._is_live:  # stay at the frame that is looked at, or the nearest one
            end = self._buffer.key(self._index).end
            self._index = min(range(len(places)), key=lambda k: abs(places[k].end - end))
        self._buffer.clear()
        for place in places:
            self._buffer.append(place)
        self._soon.start()

    def _update(self) -> None:
        self.length_changed.emit()
        if not len(self):
            return
        place = self._buffer.key(self.index)
        if place == self._shown:
            return
        try:
            frame = self._buffer.at(self.index)
        except DataError as error:
            self.failed.emit(str(error))
            return
        self._shown, self._step = place, frame.step
        self.frame_changed.emit(frame)

    def _advance(self) -> None:
        if self._index >= len(self) - 1:
            self.pause()
        else:
            self.show(self._index + 1)

    def _read(self, place: FramePlace) -> Frame:
        if self._atoms is None:
            self._atoms = read_run_atoms(place.path.parent)
            self.atoms_changed.emit(self._atoms)
        n = len(self._atoms.numbers)
        frame = read_frame(place.path, place.end, n, place.step)
        files = _bead_files(place.path)
        if not files:
            return frame
        beads = read_beads(files, place.end, n, frame.step)
        if beads is None:
            return frame
        return Frame(beads.mean(axis=0), frame.cell, frame.step, None, beads, frame.symbols)


def _place(job: Job, event: dict[str, Any]) -> FramePlace:
    return FramePlace(job.folder / str(event["path"]), int(event["bytes"]), int(event["step"]))


def _bead_files(path: Path) -> list[Path]:
    """Return i-PI's files of beads beside that of the centroid, in order of beads; none if there are fewer than two."""
    stem = path.name.partition(".xc.")[0].partition(".pos_")[0]
    if stem == path.name:
        return []
    files = sorted(path.parent.glob(f"{stem}.pos_*.xyz"))
    return files if len(files) > 1 else []
