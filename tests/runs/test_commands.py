"""Commands arrive without blocking; what is no command is kept for a warning; the end of the stream stops the job."""

from __future__ import annotations

import io
import os
import time

from nequip_openmm.runs import Command, Commands


def _wait(commands: Commands) -> Command:
    for _ in range(6000):  # a minute, where the machine is busy
        command = commands.poll()
        if command is not None:
            return command
        time.sleep(0.01)
    raise AssertionError("no command came")


def test_commands_come_in_order_and_the_end_stops() -> None:
    text = '{"cmd": "pause"}\n\n{"cmd": "set", "temperature": 320}\n'
    commands = Commands(io.StringIO(text))
    assert _wait(commands) == Command("pause")
    assert _wait(commands) == Command("set", {"temperature": 320})
    assert _wait(commands) == Command("stop")
    assert commands.poll() is None


def test_the_end_may_be_ignored() -> None:
    commands = Commands(io.StringIO('{"cmd": "checkpoint"}\n'), stop_at_end=False)
    assert _wait(commands).name == "checkpoint"
    time.sleep(0.05)
    assert commands.poll() is None


def test_a_job_that_was_told_to_keep_running_outlives_the_stream() -> None:
    commands = Commands(io.StringIO('{"cmd": "keep", "running": true}\n{"cmd": "checkpoint"}\n'))
    assert _wait(commands).name == "checkpoint"
    time.sleep(0.05)
    assert commands.poll() is None
    assert commands.poll_unknown() is None


def test_the_wish_to_keep_running_can_be_taken_back() -> None:
    text = '{"cmd": "keep", "running": true}\n{"cmd": "keep", "running": false}\n'
    assert _wait(Commands(io.StringIO(text))).name == "stop"


def test_keep_says_yes_or_no() -> None:
    commands = Commands(io.StringIO('{"cmd": "keep", "running": 1}\n{"cmd": "keep"}\n'))
    assert _wait(commands).name == "stop"
    assert [commands.poll_unknown() is not None for _ in range(3)] == [True, True, False]


def test_lines_that_are_no_commands_are_kept_apart() -> None:
    lines = [
        "hello",
        '{"cmd": "explode"}',
        "[1]",
        '"stop"',
        '{"command": "stop"}',
        '{"cmd": ["stop"]}',
    ]
    commands = Commands(io.StringIO("\n".join([*lines, '{"cmd": "resume"}', ""])))
    assert _wait(commands).name == "resume"
    assert [commands.poll_unknown() for _ in lines] == lines
    assert commands.poll_unknown() is None


def test_poll_does_not_wait_for_a_silent_stream() -> None:
    reader, writer = os.pipe()
    commands = Commands(os.fdopen(reader))
    assert (
        commands.poll() is None
    )  # one that waited would not come back: nothing has been written yet
    os.write(writer, b'{"cmd": "stop"}\n')
    assert _wait(commands).name == "stop"
    os.close(writer)
