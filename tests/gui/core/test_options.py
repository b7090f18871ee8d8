"""What a window repeats of a command's advice has no options in it."""

from __future__ import annotations

import pytest

from gui.core.options import error_of, without_options


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("Free some space, then continue with --resume.", "Free some space, then continue."),
        ("See ipi.log in the run folder; go on with --resume.", "See ipi.log in the run folder; go on."),
        ("atoms too close together at the start (try --minimise); more", "atoms too close together at the start; more"),
        ("if so, say with --units in which unit they are", "if so, say in which unit they are"),
        ("no format known here; give its name with --format, or convert to extended XYZ", "no format known here; convert to extended XYZ"),
        ("ask for it with --virial-key virials", "choose virials as virial"),
        ("Use a device with more memory, --dtype float32 or a smaller structure.", "Use a device with more memory, single precision or a smaller structure."),
        ("nothing of the kind -- really", "nothing of the kind -- really"),
    ],
)  # fmt: skip
def test_options_are_left_out(said: str, read: str) -> None:
    assert without_options(said) == read


def test_an_error_event_keeps_what_it_says() -> None:
    event = {"ev": "error", "code": "disk-full", "title": "the disk is full", "hint": "go on with --resume"}  # fmt: skip
    assert error_of(event) == {
        "code": "disk-full",
        "title": "the disk is full",
        "detail": "",
        "hint": "go on",
    }
