"""The numbers that matter, in a row."""

from __future__ import annotations

import math

from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from gui.theme import UNIT
from gui.viewmodels.training_run import ENERGY, FORCES, TrainingRun
from gui.views.common.labels import label

__all__ = ["MetricTiles"]


class _Tile(QFrame):
    """Name, number with unit, remark."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.name = label(name, "caption")
        self.value = label("–", "heading")
        self.note = label(" ", "caption")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(int(1.5 * UNIT), UNIT, int(1.5 * UNIT), UNIT)
        layout.setSpacing(2)
        for part in (self.name, self.value, self.note):
            part.setMinimumWidth(1)
            layout.addWidget(part)

    def show_(self, value: str, note: str = "") -> None:
        self.value.setText(value or "–")
        self.note.setText(note or " ")
        self.setAccessibleName(f"{self.name.text()}: {value} {note}")


class MetricTiles(QWidget):
    """Best errors, time of an epoch, learning rate, memory."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.forces = _Tile("Best force error")
        self.energy = _Tile("Best energy error")
        self.epoch = _Tile("An epoch")
        self.rate = _Tile("Learning rate")
        self.memory = _Tile("Memory")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(UNIT)
        for tile in (self.forces, self.energy, self.epoch, self.rate, self.memory):
            row.addWidget(tile, 1)

    def show_(self, run: TrainingRun) -> None:
        """Show the numbers of now."""
        best, row = run.best, run.row
        forces, energy = best.get(f"valid_{FORCES}"), best.get(f"valid_{ENERGY}")
        epoch = f", epoch {best['epoch']:,}" if best else ""
        self.forces.show_(_number(forces), f"meV/Å{epoch}")
        self.energy.show_(_number(energy), f"meV/atom{epoch}")
        self.epoch.show_(_seconds(run.epoch_s), f"{run.elapsed_text} in all" if row else "")
        self.rate.show_(_number(row.get("learning_rate")))
        gpu = f"GPU {run.gpu_memory:.1f} GiB" if run.gpu_memory else ""
        self.memory.show_("" if run.memory is None else f"{run.memory:.1f} GiB", gpu)


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.3g}".replace("e-0", "e-")


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2g} s" if value < 10 else f"{value:.0f} s"


def _demo() -> QWidget:
    from gui.demo.training import demo_run

    made = MetricTiles()
    made.show_(demo_run())
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 900, 90)
