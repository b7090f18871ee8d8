"""What a rehearsal of the training found: how long, how much memory, what is odd about the data."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from gui.core.fields import format_duration
from gui.theme import UNIT
from gui.viewmodels.training_setup import Check, TrainingSetup
from gui.views.common.banner import Banner
from gui.views.common.buttons import button
from gui.views.common.card import Card
from gui.views.common.labels import label

__all__ = ["CheckCard", "facts_of"]

GIB = 2**30
MOST_FINDINGS = 4
SIGNS = {"error": "✕", "warning": "!", "note": "·"}
ROLES = {"error": "error", "warning": "warn", "note": "muted"}


class CheckCard(QWidget):
    """Hidden until a rehearsal begins.

    Signals
    -------
    cancelled
        A person wants no more of it.
    """

    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.banner = Banner()
        self._running = Card()
        self._text = label("", "muted")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress of the check")
        self._result = Card("The check found nothing that stops this training")
        self._facts = QGridLayout()
        self._facts.setHorizontalSpacing(3 * UNIT)
        self._facts.setVerticalSpacing(UNIT // 2)
        self._findings = QVBoxLayout()
        self._findings.setSpacing(UNIT // 2)
        self._build()
        self.hide()

    def show_(self, setup: TrainingSetup) -> None:
        """Show where the rehearsal is."""
        self._running.setVisible(setup.check is Check.RUNNING)
        self._result.setVisible(setup.check is Check.DONE)
        self.banner.setVisible(setup.check is Check.FAILED)
        self.setVisible(setup.check is not Check.NONE)
        if setup.check is Check.RUNNING:
            self._show_progress(setup.check_text, setup.check_part)
        elif setup.check is Check.DONE:
            self._show_result(setup.found)
        elif setup.check is Check.FAILED:
            failure = setup.failure
            self.banner.show_("error", str(failure.get("title")), str(failure.get("hint") or ""))

    def facts(self) -> list[str]:
        """Return the texts of the result, for tests and screen readers."""
        return _texts(self._facts)

    def findings(self) -> list[str]:
        """Return the findings that are shown."""
        return _texts(self._findings)

    def _show_progress(self, text: str, part: float | None) -> None:
        self._text.setText(f"{text}…")
        self._bar.setRange(0, 0 if part is None else 1000)
        self._bar.setValue(round(1000 * (part or 0.0)))

    def _show_result(self, found: dict[str, Any]) -> None:
        _empty(self._facts)
        for number, (name, value, note) in enumerate(facts_of(found)):
            row, column = divmod(number, 3)
            for k, (text, role) in enumerate(
                ((name, "caption"), (value, "subheading"), (note, "caption"))
            ):
                self._facts.addWidget(label(text, role), 4 * row + k, column)
            self._facts.setColumnStretch(column, 1)
            self._facts.setRowMinimumHeight(4 * row + 3, UNIT)
        _empty(self._findings)
        shown = _findings(found)
        n_errors = (found.get("lint") or {}).get("errors", 0)
        title = "Ready to train" if not shown else "Ready to train, with remarks"
        self._result.setTitle(f"The data have {n_errors} errors" if n_errors else title)
        for severity, message in shown[:MOST_FINDINGS]:
            made = label(f"{SIGNS[severity]}  {message}", ROLES[severity], wraps=True)
            self._findings.addWidget(made)
        if len(shown) > MOST_FINDINGS:
            more = f"and {len(shown) - MOST_FINDINGS} more: see the Data page"
            self._findings.addWidget(label(more, "muted"))

    def _build(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(2 * UNIT)
        row.addWidget(self._text)
        row.addWidget(self._bar, 1)
        row.addWidget(button("Cancel", self.cancelled.emit))
        self._running.body.addLayout(row)
        self._result.body.addLayout(self._facts)
        self._result.body.addLayout(self._findings)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self._running, self._result, self.banner):
            layout.addWidget(part)


def facts_of(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return name, value and remark of what a rehearsal measured."""
    frames, cost, model = found["frames"], found["cost"], found["model"]
    limit = "by the time limit" if cost["limit"] == "max_time" else "for all epochs"
    memory = "unknown" if cost["memory"] is None else f"{cost['memory'] / GIB:.1f} GiB"
    gpu = cost.get("gpu_memory")
    device = found["device"].upper()
    return [
        ("Time", f"{_rough(cost['total_s'])}", f"at most, {limit}"),
        (
            "An epoch",
            _rough(cost["epoch_s"]),
            f"{found['steps_per_epoch']:,} steps of {1e3 * cost['step_s']:.3g} ms",
        ),
        (
            "Memory",
            memory,
            f"GPU {gpu / GIB:.1f} GiB" if gpu else f"on the {device}, {found['engine']} engine",
        ),
        (
            "Training frames",
            f"{frames['train']:,}",
            f"{frames['valid']:,} validation, {frames['test']:,} test",
        ),
        ("Weights", f"{found['n_weights']:,}", " ".join(model["species"])),
        (
            "Neighbours",
            f"{found['mean_neighbours']:.3g}",
            f"on average within {model['cutoff']:g} Å",
        ),
    ]


def _rough(seconds: float) -> str:
    """Return a time to two figures or whole minutes: an estimate knows no more."""
    if seconds < 10.0:
        return f"{seconds:.2g} s"
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    if seconds < 3600.0 * 48:
        return format_duration(60.0 * round(seconds / 60.0))
    return f"{seconds / 86400.0:.3g} days"


def _findings(found: dict[str, Any]) -> list[tuple[str, str]]:
    listed = (found.get("lint") or {}).get("findings", ())
    shown = [(f["severity"], f["message"]) for f in listed if f["severity"] != "note"]
    return shown + [("warning", note) for note in found.get("notes", ())]


def _widgets(layout: QLayout) -> list[QWidget]:
    items = [layout.itemAt(k) for k in range(layout.count())]
    return [w for item in items if item is not None and (w := item.widget()) is not None]


def _texts(layout: QLayout) -> list[str]:
    return [w.text() for w in _widgets(layout) if isinstance(w, QLabel)]


def _empty(layout: QLayout) -> None:
    for widget in _widgets(layout):
        layout.removeWidget(widget)
        widget.hide()
        widget.deleteLater()


def _demo() -> QWidget:
    from types import SimpleNamespace

    from gui.demo.training import FOUND

    made = CheckCard()
    made.show_(SimpleNamespace(check=Check.DONE, found=FOUND))  # type: ignore[arg-type]
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 700, 260)
