"""What a data set holds, in one line of facts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from gui.core.datasets import OpenDataset

__all__ = ["Fact", "SummaryStrip", "facts_of"]

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
MOST_ELEMENTS = 8


class Fact(NamedTuple):
    """Something to know: a word or number, what it is, and more on request."""

    value: str
    caption: str
    tip: str = ""


def facts_of(dataset: OpenDataset) -> list[Fact]:
    """Return the facts about a data set, most important first."""
    summary = dataset.summary
    return [
        Fact(f"{summary['frames']:,}", "frames", str(dataset.path)),
        _composition(summary),
        Fact(_span(summary["atoms"], 0), "atoms in a frame"),
        _periodicity(summary["periodicity"]),
        _label(dataset, "energy", "energies", _span(summary["energy_per_atom"]), "eV / atom"),
        _label(dataset, "forces", "forces", _number(summary["force_rms"]), "eV/Å RMS force"),
        _label(dataset, "stress", "stresses", "yes", "stress"),
        Fact(_mean(summary["neighbours"]), f"neighbours in {summary['cutoff']:g} Å", _scanned(dataset)),
    ]  # fmt: skip


def _composition(summary: Any) -> Fact:
    formulas = list(summary["compositions"])
    tip = _counts({name.translate(SUBSCRIPTS): n for name, n in summary["compositions"].items()})
    if len(formulas) == 1 and len(formulas[0]) <= 10:
        return Fact(formulas[0].translate(SUBSCRIPTS), "composition", tip)
    elements = list(summary["elements"])
    more = " …" if len(elements) > MOST_ELEMENTS else ""
    kinds = f"{len(formulas)} compositions" if len(formulas) > 1 else "elements"
    return Fact(" ".join(elements[:MOST_ELEMENTS]) + more, kinds, tip)


def _label(dataset: OpenDataset, key: str, plural: str, value: str, caption: str) -> Fact:
    """Return what is known of a label, with the name that the file has for it."""
    n_labelled, n_frames = int(dataset.summary[f"with_{key}"]), dataset.n_frames
    names = dataset.document["names"]
    name = names.get(key) or (names.get("virial") if key == "stress" else None)
    if not n_labelled:
        return Fact("–", f"no {plural}")
    source = f"read from “{name}”; {dataset.document['units']}" if name else ""
    if n_labelled < n_frames:
        return Fact(f"{n_labelled:,}", f"have {plural}", source)
    return Fact(value, caption, source)


def _span(found: Any, digits: int | None = None) -> str:
    """Return the ends of a range, with digits that tell them apart."""
    if found is None:
        return "–"
    if digits is None:
        digits = min(4, max(0, 1 - int(np.floor(np.log10(max(found["max"] - found["min"], 1e-4))))))
    low, high = (f"{found[end]:,.{digits}f}".replace("-", "−") for end in ("min", "max"))
    return low if low == high else f"{low} … {high}"


def _mean(found: Any) -> str:
    return "–" if found is None else f"{found['mean']:.1f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _periodicity(counts: dict[str, int]) -> Fact:
    only = next(iter(counts)) if len(counts) == 1 else "mixed"
    if only == "none":
        return Fact("–", "not periodic")
    return Fact(only if only == "mixed" else " ".join(only), "periodic", _counts(counts))


def _counts(counts: dict[str, int]) -> str:
    shown = [f"{name} × {count:,}" for name, count in list(counts.items())[:12]]
    return "\n".join([*shown, *(["…"] if len(counts) > 12 else [])])


def _scanned(dataset: OpenDataset) -> str:
    if dataset.n_scanned == dataset.n_frames:
        return "Mean over all atoms"
    return f"Mean over the atoms of {dataset.n_scanned:,} of {dataset.n_frames:,} frames"


class SummaryStrip(QFrame):
    """The facts side by side; as many as there is room for."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(16, 8, 16, 8)
        self._layout.setSpacing(24)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._facts: list[_FactView] = []

    def setDataset(self, dataset: OpenDataset) -> None:
        """Show the facts about a data set."""
        self.setFacts(facts_of(dataset))

    def setFacts(self, facts: Iterable[Fact]) -> None:
        """Show these facts."""
        while (item := self._layout.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        self._facts = [_FactView(fact) for fact in facts]
        for view in self._facts:
            self._layout.addWidget(view)
        self._layout.addStretch()
        self._choose()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show what there is room for."""
        super().resizeEvent(event)
        self._choose()

    def _choose(self) -> None:
        left = self.width() - 32
        for view in self._facts:
            left -= view.sizeHint().width()
            view.setVisible(left >= 0)
            left -= self._layout.spacing()


class _FactView(QWidget):
    def __init__(self, fact: Fact) -> None:
        super().__init__()
        value, caption = QLabel(fact.value), QLabel(fact.caption)
        value.setProperty("role", "subheading")
        caption.setProperty("role", "caption")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(value)
        layout.addWidget(caption)
        self.setToolTip(fact.tip)
        self.setAccessibleName(f"{fact.value} {fact.caption}")


def _demo() -> QWidget:
    """Return a strip with made-up data."""
    from gui.demo.datasets import demo_dataset

    strip = SummaryStrip()
    strip.setDataset(demo_dataset())
    return strip


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 920, 64)
