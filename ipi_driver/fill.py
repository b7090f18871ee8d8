"""How full the batches are: an evaluation of few structures costs nearly as much as one of many."""

from __future__ import annotations

from collections import Counter

__all__ = ["BatchFill"]

LOW = 0.8
"""Mean fill below which a change of i-PI's input is worth the trouble."""

ENOUGH = 50
"""Evaluations after which the mean says something; the first ones are padded because all beads are equal."""


class BatchFill:
    """Histogram of how many different structures were evaluated at once.

    Parameters
    ----------
    connections
        Number of connections that are gathered.
    """

    def __init__(self, connections: int = 1) -> None:
        self.connections = connections
        self.counts: Counter[int] = Counter()
        self.capacity = 1
        self._has_warned = False

    def note(self, n_structures: int, batch_size: int) -> None:
        """Count one evaluation of as many structures, where the server had room for ``batch_size`` per connection."""
        self.counts[n_structures] += 1
        self.capacity = batch_size * self.connections

    @property
    def n_calls(self) -> int:
        """Number of evaluations."""
        return sum(self.counts.values())

    @property
    def n_structures(self) -> int:
        """Number of structures evaluated."""
        return sum(size * count for size, count in self.counts.items())

    @property
    def mean(self) -> float:
        """Mean number of structures per evaluation, relative to what there is room for; 1 before the first."""
        return self.n_structures / (self.n_calls * self.capacity) if self.counts else 1.0

    def __str__(self) -> str:
        if not self.counts:
            return "nothing was evaluated"
        sizes = ", ".join(f"{size}: {self.counts[size]}" for size in sorted(self.counts))
        return (
            f"{self.n_structures} structures in {self.n_calls} evaluations, mean fill {self.mean:.2f} of "
            f"{self.capacity}; evaluations by number of structures: {sizes}"
        )

    def warning(self) -> str | None:
        """Return, once, what to change in i-PI's input if batches are mostly empty."""
        if self._has_warned or self.capacity == 1 or self.n_calls < ENOUGH or self.mean >= LOW:
            return None
        self._has_warned = True
        return f"batches are filled to {self.mean:.0%} only: {self._remedy()}"

    def _remedy(self) -> str:
        largest = max(self.counts)
        if largest < self.capacity and self.connections > 1:
            return f"start the driver with --connections {largest}, or give i-PI more beads"
        if largest < self.capacity:
            return f"in the <ffsocket> of i-PI's input write <batch_size> {largest} </batch_size>"
        return (
            "in the <ffsocket> of i-PI's input write <latency> 1e-2 </latency>, so that all beads are queued "
            "before the first batch leaves"
        )
