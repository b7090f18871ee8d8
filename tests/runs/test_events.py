"""Event streams: valid JSON always, and a lost reader never ends the run."""

from __future__ import annotations

import errno
import io
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from nequip_openmm.errors import UserError
from nequip_openmm.runs import EventStream, read_events


def _events(path: Path) -> list[dict[str, object]]:
    return list(read_events(path))


def test_every_line_is_an_object_with_version_kind_and_time(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    with EventStream.open(log) as stream:
        stream.hello("md", model="m")
        stream.status("running")
        stream.progress(1, 10, 2.5)
        stream.warning("small-cell", "narrow")
        stream.checkpoint(tmp_path / "c")
        stream.error("blow-up", "title", "detail", "hint")
        stream.done("finished")
    events = _events(log)
    kinds = ["hello", "status", "progress", "warning", "checkpoint", "error", "done"]
    assert [event["ev"] for event in events] == kinds
    assert all(event["v"] == 1 and isinstance(event["t"], float) for event in events)


@pytest.mark.parametrize(
    "bad", [math.nan, math.inf, -math.inf, np.float32("nan"), np.float64("inf")]
)
def test_nonfinite_numbers_become_null_and_are_named(tmp_path: Path, bad: float) -> None:
    log = tmp_path / "events.jsonl"
    with EventStream.open(log) as stream:
        stream.emit(
            "sample", temp=bad, epot=1.0, parts={"a": [1.0, bad]}, array=np.array([bad, 2.0])
        )
    text = log.read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    event = json.loads(text)
    assert event["temp"] is None
    assert event["epot"] == 1.0
    assert event["parts"] == {"a": [1.0, None]}
    assert event["array"] == [None, 2.0]
    assert event["nonfinite"] == ["temp", "parts", "array"]


def test_numpy_values_and_paths_are_plain(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    with EventStream.open(log) as stream:
        stream.emit("x", a=np.int64(3), b=np.arange(2), c=Path("p"))
    (event,) = _events(log)
    assert (event["a"], event["b"], event["c"]) == (3, [0, 1], "p")


def test_a_reader_that_has_gone_is_dropped(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    log = tmp_path / "events.jsonl"
    with EventStream.open(log, str(writer)) as stream:
        os.close(writer)
        stream.status("one")
        os.close(reader)
        stream.status("two")
        stream.status("three")
    assert [event["state"] for event in _events(log)] == ["one", "two", "three"]


def test_a_descriptor_and_a_path_receive_the_same_lines(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    log, copy = tmp_path / "events.jsonl", tmp_path / "copy.jsonl"
    with EventStream.open(log, str(writer)) as stream:
        stream.status("x")
    os.close(writer)
    with os.fdopen(reader) as lines:
        assert lines.read() == log.read_text()
    with EventStream.open(log, str(copy)) as stream:
        stream.status("y")
    assert _events(copy) == _events(log)[1:]


@pytest.mark.parametrize("target", ["/nonexistent/x.jsonl", "987"])
def test_a_place_that_cannot_be_opened_is_named(tmp_path: Path, target: str) -> None:
    with pytest.raises(UserError, match=f"events {target}"):
        EventStream.open(tmp_path / "events.jsonl", target)


def test_a_half_written_line_is_cut_before_more_is_appended(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_text('{"v": 1, "ev": "a"}\n{"v": 1, "ev"')
    assert [event["ev"] for event in _events(log)] == ["a"]
    with EventStream.open(log) as stream:
        stream.status("b")
    assert [event["ev"] for event in _events(log)] == ["a", "status"]


class _FullDisk(io.StringIO):
    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_to_who_watches() -> None:
    watched = io.StringIO()
    stream = EventStream(_FullDisk(), watched)
    with pytest.raises(OSError, match="No space left"):
        stream.error("disk-full", "the disk is full")
    assert json.loads(watched.getvalue())["code"] == "disk-full"
