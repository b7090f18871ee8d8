"""The life of a job: every state with every trigger, and what may be asked in each."""

from __future__ import annotations

import pytest

from gui.jobs.states import (
    ACTIONS,
    ENDED,
    TRANSITIONS,
    Action,
    JobState,
    Trigger,
    next_state,
)

S, T = JobState, Trigger

# Written out by hand: rows are states; columns HELLO, WORKING, PAUSED, STOP_ASKED, FINISHED, STOPPED, FAILED, DIED, VANISHED.
TABLE = """
STARTING  -        RUNNING  PAUSED  STOPPING  FINISHED  STOPPED  FAILED  FAILED  LOST
RUNNING   -        -        PAUSED  STOPPING  FINISHED  STOPPED  FAILED  FAILED  LOST
PAUSED    -        RUNNING  -       STOPPING  FINISHED  STOPPED  FAILED  FAILED  LOST
STOPPING  -        -        -       -         FINISHED  STOPPED  FAILED  FAILED  LOST
FINISHED  STARTING -        -       -         -         -        -       -       -
STOPPED   STARTING -        -       -         -         -        -       -       -
FAILED    STARTING -        -       -         -         -        -       -       -
LOST      STARTING RUNNING  PAUSED  -         FINISHED  STOPPED  FAILED  -       -
"""
EXPECTED = [
    (S[row[0]], trigger, S[row[0] if cell == "-" else cell])
    for row in (line.split() for line in TABLE.strip().splitlines())
    for trigger, cell in zip(T, row[1:], strict=True)
]


def test_the_table_above_is_whole() -> None:
    assert len(EXPECTED) == len(S) * len(T)


@pytest.mark.parametrize(("state", "trigger", "after"), EXPECTED)
def test_transition(state: JobState, trigger: Trigger, after: JobState) -> None:
    assert next_state(state, trigger) is after


def test_no_transition_leads_nowhere() -> None:
    assert all(state is not after for (state, _), after in TRANSITIONS.items())


@pytest.mark.parametrize("state", S)
def test_what_is_over_can_only_be_continued(state: JobState) -> None:
    is_over = ACTIONS[state] == {Action.CONTINUE}
    assert is_over == (state in ENDED)


@pytest.mark.parametrize("state", [state for state in S if state not in ENDED])
def test_what_lives_can_be_ended(state: JobState) -> None:
    assert Action.KILL in ACTIONS[state]
    assert (Action.STOP in ACTIONS[state]) == (state is not S.STOPPING)


def test_pause_and_resume_exclude_one_another() -> None:
    for actions in ACTIONS.values():
        assert not {Action.PAUSE, Action.RESUME} <= actions
