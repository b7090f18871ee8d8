"""How many frames train, choose and judge the model, and how they are drawn."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui.core.datasets import SETS, OpenDataset
from gui.theme import theme
from gui.views.common.buttons import button
from gui.views.common.labels import label, restyle
from gui.views.common.numbers import SpinBox
from gui.views.common.segmented import SegmentedControl
from gui.views.data.marks import set_colour

__all__ = ["SplitEditor"]

METHODS = {"random": "Random", "block": "Blocks"}
TIPS = {
    "random": "Frames are shuffled: for structures that are independent of each other",
    "block": "Whole stretches of the file: for trajectories, in which a frame resembles the next",
}
MOST_SEED = 2**31 - 1


class SplitEditor(QFrame):
    """Edits a `gui.core.datasets.SplitChoice`.

    Signals
    -------
    changed
        Fields of the choice with their new values (dict).
    set_picked
        The frames of a set are wanted, a position in `gui.core.datasets.SETS`.
    continued
        On to training.
    """

    changed = Signal(dict)
    set_picked = Signal(int)
    continued = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._is_quiet = False
        self._bar = _Bar()
        self._bar.picked.connect(self.set_picked)
        self._boxes = {name: _count_box(name) for name in ("n_train", "n_valid", "n_test")}
        self._boxes["n_train"].setSpecialValueText("the rest")
        self._method = SegmentedControl(METHODS, "Method")
        for key, tip in TIPS.items():
            self._method.setChoiceEnabled(key, True, tip)
        self._seed = _count_box("seed")
        self._seed.setMaximum(MOST_SEED)
        self._problem = label("", "error")
        self._problem.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.continue_button = button(
            "Continue to training", self.continued.emit, role="primary", icon_name="right"
        )
        self.continue_button.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        self._build()
        for name, box in self._boxes.items():
            box.valueChanged.connect(lambda value, name=name: self._tell(name, value))
        self._seed.valueChanged.connect(lambda value: self._tell("seed", value))
        self._method.chosen.connect(lambda method: self._tell("method", method))

    def box(self, name: str) -> SpinBox:
        """Return the editor of ``n_train``, ``n_valid`` or ``n_test``."""
        return self._boxes[name]

    def problem(self) -> str:
        """Return why the data cannot be divided so; empty where they can."""
        return self._problem.text()

    def setDataset(self, dataset: OpenDataset) -> None:
        """Show how a data set is divided."""
        split, n_frames = dataset.split, dataset.n_frames
        values = {"n_train": split.n_train or 0, "n_valid": split.n_valid, "n_test": split.n_test}
        self._is_quiet = True
        for name, box in self._boxes.items():
            box.setMaximum(max(n_frames, values[name]))
            box.setValue(values[name])
            restyle(box, "invalid", bool(dataset.split_problem))
        self._seed.setValue(split.seed)
        self._method.setValue(split.method)
        self._is_quiet = False
        counts = [int((dataset.set_of_frame == number).sum()) for number in range(len(SETS))]
        self._bar.setCounts(counts)
        self._problem.setText(dataset.split_problem)
        self._problem.setToolTip(dataset.split_problem)
        self._bar.setVisible(not dataset.split_problem)
        self._problem.setVisible(bool(dataset.split_problem))
        self.continue_button.setEnabled(not dataset.split_problem)

    def _build(self) -> None:
        fields = QHBoxLayout()
        fields.setSpacing(16)
        for number, name in enumerate(self._boxes, start=1):
            fields.addLayout(_titled(SETS[number].capitalize(), self._boxes[name]))
        fields.addLayout(_titled("Method", self._method))
        fields.addLayout(_titled("Seed", self._seed))
        title = label("Split", "subheading")
        left = QVBoxLayout()
        left.setSpacing(6)
        top = QHBoxLayout()
        top.setSpacing(16)
        top.addWidget(title)
        top.addWidget(self._bar, 1)
        top.addWidget(self._problem, 1)
        left.addLayout(top)
        row = QHBoxLayout()
        row.addLayout(fields)
        row.addStretch()
        row.addWidget(self.continue_button, 0, Qt.AlignmentFlag.AlignBottom)
        left.addLayout(row)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 8, 16, 12)
        layout.addLayout(left)

    def _tell(self, name: str, value: Any) -> None:
        if not self._is_quiet:
            self.changed.emit({name: None if name == "n_train" and value == 0 else value})


def _count_box(name: str) -> SpinBox:
    box = SpinBox()
    box.setObjectName(name)
    box.setRange(0, 0)
    box.setGroupSeparatorShown(True)
    box.setKeyboardTracking(False)
    box.setFixedWidth(96)
    return box


def _titled(title: str, editor: QWidget) -> QVBoxLayout:
    """Return an editor with its name above it."""
    name = QLabel(title)
    name.setProperty("role", "caption")
    name.setBuddy(editor)
    editor.setAccessibleName(title)
    column = QVBoxLayout()
    column.setSpacing(2)
    column.addWidget(name)
    column.addWidget(editor)
    return column


class _Bar(QWidget):
    """The sets as lengths of one bar, with their numbers.

    Signals
    -------
    picked
        A set was clicked.
    """

    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._counts = [0] * len(SETS)
        self.setFixedHeight(24)
        self.setMinimumWidth(160)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip("Click a part to show its frames")
        theme().changed.connect(self.update)

    def setCounts(self, counts: list[int]) -> None:
        """Show these numbers of frames, in the order of `SETS`."""
        self._counts = counts
        parts = [f"{n:,} {name}" for name, n in zip(SETS, counts) if n]
        self.setAccessibleName("Split: " + ", ".join(parts))
        self.update()

    def sizeHint(self) -> QSize:
        """Return a comfortable size."""
        return QSize(400, 24)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the parts and what they are."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        track = QRectF(0, self.height() - 6, self.width(), 6)
        clip = QPainterPath()
        clip.addRoundedRect(track, 3, 3)
        metrics = self.fontMetrics()
        end_of_words = -1e9
        for number, part in self._parts():
            painter.save()
            painter.setClipPath(clip)
            painter.fillRect(
                QRectF(part.left(), track.top(), part.width() - 2, 6), set_colour(number)
            )
            painter.restore()
            words = f"{self._counts[number]:,} {SETS[number]}"
            width = metrics.horizontalAdvance(words)
            left = min(max(part.left(), end_of_words + 12), self.width() - width)
            if left >= end_of_words + 4:
                painter.setPen(theme().colour("muted"))
                painter.drawText(QRectF(left, 0, width + 2, 17), Qt.AlignmentFlag.AlignLeft, words)
                end_of_words = left + width

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tell which part was clicked."""
        for number, part in self._parts():
            if part.left() <= event.position().x() < part.right():
                self.picked.emit(number)

    def _parts(self) -> list[tuple[int, QRectF]]:
        total = max(sum(self._counts), 1)
        order = (1, 2, 3, 0)
        parts, left = [], 0.0
        for number in order:
            width = self.width() * self._counts[number] / total
            if width:
                parts.append((number, QRectF(left, 0, width, self.height())))
            left += width
        return parts


def _demo() -> QWidget:
    """Return an editor of a made-up data set."""
    from gui.demo.datasets import demo_dataset

    editor = SplitEditor()
    editor.setDataset(demo_dataset(1593))
    return editor


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 920, 104)
