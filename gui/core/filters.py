"""Which frames of a data set are shown: what was picked in histograms, a finding, a set of the split."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gui.core.datasets import SETS, OpenDataset

__all__ = ["FrameFilters"]


@dataclass
class FrameFilters:
    """All of them narrow together.

    Attributes
    ----------
    bins
        Histogram -> first and last bin that is picked.
    finding
        Position of the finding whose frames are shown.
    used_for
        Position in `gui.core.datasets.SETS` of the set that is shown.
    """

    bins: dict[str, tuple[int, int]] = field(default_factory=dict)
    finding: int | None = None
    used_for: int | None = None

    def __bool__(self) -> bool:
        return bool(self.bins) or self.finding is not None or self.used_for is not None

    def drop(self, key: str) -> None:
        """Undo one, by its key in `texts`."""
        if key == "finding":
            self.finding = None
        elif key == "set":
            self.used_for = None
        else:
            self.bins.pop(key, None)

    def texts(self, dataset: OpenDataset) -> list[tuple[str, str, str]]:
        """Return key, short text and sentence of each."""
        found = []
        for name, bins in self.bins.items():
            histogram = dataset.histograms[name]
            sentence = f"Frames with {histogram.phrase(*bins)}"
            found.append((name, histogram.short_phrase(*bins), sentence))
        if self.finding is not None:
            finding = dataset.findings[self.finding]
            found.append(("finding", finding.code.replace("-", " "), finding.message))
        if self.used_for is not None:
            word = SETS[self.used_for]
            found.append(("set", f"{word} frames", f"Frames of the split: {word}"))
        return found

    def mask(self, dataset: OpenDataset) -> NDArray[np.bool_] | None:
        """Return (F,) which frames pass all of them; None where there are none."""
        if not self:
            return None
        mask = np.ones(dataset.n_frames, dtype=np.bool_)
        for name, (first, last) in self.bins.items():
            mask &= dataset.within(name, first, last)
        if self.finding is not None:
            mask &= np.isin(np.arange(dataset.n_frames), dataset.findings[self.finding].frames)
        if self.used_for is not None:
            mask &= dataset.set_of_frame == self.used_for
        return mask
