"""The life of a job as a table: states, what moves it from one to the next, what may be done in each."""

from __future__ import annotations

from enum import Enum

__all__ = ["ACTIONS", "ENDED", "TRANSITIONS", "Action", "JobState", "Trigger", "next_state"]


class JobState(Enum):
    """Where a job is in its life; the value is what a person reads."""

    STARTING = "Starting"
    RUNNING = "Running"
    PAUSED = "Paused"
    STOPPING = "Stopping"
    FINISHED = "Finished"
    STOPPED = "Stopped"
    FAILED = "Failed"
    LOST = "Lost"


class Trigger(Enum):
    """What happens to a job."""

    HELLO = "the worker says who it is"
    WORKING = "the worker computes"
    PAUSED = "the worker waits"
    STOP_ASKED = "someone asked it to stop"
    FINISHED = "done: finished"
    STOPPED = "done: stopped"
    FAILED = "done: failed, or an error that ended it"
    DIED = "our process ended without saying why"
    VANISHED = "a process that we only watch is gone"


class Action(Enum):
    """What a person can ask for."""

    PAUSE = "Pause"
    RESUME = "Resume"
    STOP = "Stop"
    KILL = "Force stop"
    CHECKPOINT = "Save a checkpoint"
    SET = "Change settings"
    CONTINUE = "Continue"


_S, _T = JobState, Trigger

ENDED = frozenset({_S.FINISHED, _S.STOPPED, _S.FAILED, _S.LOST})
"""States after which no process is left."""

_ALIVE = [state for state in JobState if state not in ENDED]

TRANSITIONS: dict[tuple[JobState, Trigger], JobState] = {
    (_S.STARTING, _T.WORKING): _S.RUNNING,
    (_S.STARTING, _T.PAUSED): _S.PAUSED,
    (_S.RUNNING, _T.PAUSED): _S.PAUSED,
    (_S.PAUSED, _T.WORKING): _S.RUNNING,
    **{(state, _T.STOP_ASKED): _S.STOPPING for state in _ALIVE if state is not _S.STOPPING},
    **{(state, _T.FINISHED): _S.FINISHED for state in _ALIVE},
    **{(state, _T.STOPPED): _S.STOPPED for state in _ALIVE},
    **{(state, _T.FAILED): _S.FAILED for state in _ALIVE},
    **{(state, _T.DIED): _S.FAILED for state in _ALIVE},
    **{(state, _T.VANISHED): _S.LOST for state in _ALIVE},
    # A run that is continued, here or elsewhere, lives again; so does one that was taken for lost.
    **{(state, _T.HELLO): _S.STARTING for state in ENDED},
    (_S.LOST, _T.WORKING): _S.RUNNING,
    (_S.LOST, _T.PAUSED): _S.PAUSED,
    (_S.LOST, _T.FINISHED): _S.FINISHED,
    (_S.LOST, _T.STOPPED): _S.STOPPED,
    (_S.LOST, _T.FAILED): _S.FAILED,
}
"""State and trigger to the next state; a pair that is not here changes nothing."""

_A = Action

ACTIONS: dict[JobState, frozenset[Action]] = {
    _S.STARTING: frozenset({_A.STOP, _A.KILL}),
    _S.RUNNING: frozenset({_A.PAUSE, _A.STOP, _A.KILL, _A.CHECKPOINT, _A.SET}),
    _S.PAUSED: frozenset({_A.RESUME, _A.STOP, _A.KILL, _A.CHECKPOINT, _A.SET}),
    _S.STOPPING: frozenset({_A.KILL}),
    _S.FINISHED: frozenset({_A.CONTINUE}),
    _S.STOPPED: frozenset({_A.CONTINUE}),
    _S.FAILED: frozenset({_A.CONTINUE}),
    _S.LOST: frozenset({_A.CONTINUE}),
}
"""What may be asked for in each state."""


def next_state(state: JobState, trigger: Trigger) -> JobState:
    """Return the state after ``trigger``; the same one where it means nothing."""
    return TRANSITIONS.get((state, trigger), state)
