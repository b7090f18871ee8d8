"""The histogram of batch fill, and the advice that comes with it."""

from __future__ import annotations

import pytest

from ipi_driver.fill import BatchFill


def filled(sizes: list[int], batch_size: int, connections: int = 1) -> BatchFill:
    fill = BatchFill(connections)
    for size in sizes:
        fill.note(size, batch_size)
    return fill


def test_the_histogram() -> None:
    fill = filled([1, 8, 8, 4], 8)
    assert (fill.n_calls, fill.n_structures) == (4, 21)
    assert fill.mean == pytest.approx(21 / 32)
    assert str(fill) == (
        "21 structures in 4 evaluations, mean fill 0.66 of 8; evaluations by number of structures: 1: 1, 4: 1, 8: 2"
    )
    assert str(BatchFill()) == "nothing was evaluated"


@pytest.mark.parametrize(
    ("sizes", "batch_size", "connections", "advice"),
    [
        ([20, 12] * 40 + [32], 32, 1, "<latency> 1e-2 </latency>"),
        ([8] * 60, 32, 1, "<batch_size> 8 </batch_size>"),
        ([4] * 60, 1, 8, "--connections 4"),
    ],
)
def test_low_fill_is_warned_of_once_with_the_change_to_make(
    sizes: list[int], batch_size: int, connections: int, advice: str
) -> None:
    fill = filled(sizes, batch_size, connections)
    assert advice in str(fill.warning())
    assert fill.warning() is None


def test_full_or_single_or_few_batches_are_not_warned_of() -> None:
    assert filled([1] + [32] * 60, 32).warning() is None
    assert filled([1] * 500, 1).warning() is None
    assert filled([1] * 10, 32).warning() is None
