"""Stages of a run, such as heating, equilibration, production: one row each."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from gui.core.fields import FieldSpec, describe_field, format_value, parse_text
from gui.core.run_settings import StageSettings
from gui.theme import UNIT
from gui.views.common.buttons import IconButton, button
from gui.views.common.form_editors import FieldEditor
from gui.views.common.labels import label
from gui.views.simulate.flow import clear_layout

__all__ = ["StagesEditor"]

_NUMBERS = ("length", "temperature", "temperature_end")
_HEADINGS = ("Name", "Length / ps", "Ensemble", "From / K", "To / K", "Frames", "")
_AS_BEFORE = "as before"

USUAL: list[dict[str, Any]] = [
    {
        "name": "heating",
        "length": 5.0,
        "temperature": 50.0,
        "temperature_end": 300.0,
        "save_frames": False,
    },
    {"name": "equilibration", "length": 10.0, "save_frames": False},
    {"name": "production", "length": 50.0},
]
"""What most people begin with."""


class _Row:
    """The widgets of one stage; settings that have no widget are kept."""

    def __init__(self, specs: dict[str, FieldSpec], values: dict[str, Any]) -> None:
        self._specs, self._kept = specs, dict(values)
        self.name = QLineEdit(str(values.get("name") or ""))
        self.name.setPlaceholderText("stage")
        self.lines = {
            name: QLineEdit(format_value(specs[name], values.get(name))) for name in _NUMBERS
        }
        self.lines["temperature"].setPlaceholderText(_AS_BEFORE)
        self.lines["temperature_end"].setPlaceholderText("no ramp")
        self.ensemble = QComboBox()
        for key, word in ((None, "as the run"), ("nve", "NVE"), ("nvt", "NVT"), ("npt", "NPT")):
            self.ensemble.addItem(word, key)
        self.ensemble.setCurrentIndex(max(0, self.ensemble.findData(values.get("ensemble"))))
        self.frames = QCheckBox()
        self.frames.setChecked(bool(values.get("save_frames", True)))
        self.frames.setToolTip("Whether frames of this stage go to the trajectory")
        self.remove = IconButton("trash", "Remove this stage", size=16)

    @property
    def widgets(self) -> list[QWidget]:
        """In the order of the columns."""
        length, begin, end = (self.lines[name] for name in _NUMBERS)
        return [self.name, length, self.ensemble, begin, end, self.frames, self.remove]

    def values(self) -> dict[str, Any]:
        """Return the stage as the schema takes it, without what is as in the run."""
        values = dict(self._kept)
        values["name"] = self.name.text()
        values["ensemble"] = self.ensemble.currentData()
        values["save_frames"] = self.frames.isChecked()
        for name, line in self.lines.items():
            values[name] = parse_text(self._specs[name], line.text())
        return {name: value for name, value in values.items() if value is not None}


class StagesEditor(FieldEditor):
    """A table that grows; empty for a run of one stage."""

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(spec, parent)
        self._specs = {name: describe_field(StageSettings, name) for name in _NUMBERS}
        self._rows: list[_Row] = []
        self._table = QWidget()
        self._grid = QGridLayout(self._table)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(UNIT)
        self._grid.setVerticalSpacing(UNIT // 2)
        for column, stretch in enumerate((4, 2, 3, 2, 2, 0, 0)):
            self._grid.setColumnStretch(column, stretch)
        self.addButton = button("Add stage", self.add, icon_name="plus")
        self.usualButton = button(
            "Heat, equilibrate, run", self.add_usual, role="flat", tip="Three stages to begin with"
        )
        buttons = QHBoxLayout()
        buttons.setSpacing(UNIT)
        for widget in (self.addButton, self.usualButton):
            buttons.addWidget(widget)
        buttons.addStretch(1)
        column_ = QVBoxLayout()
        column_.setSpacing(UNIT)
        column_.addWidget(self._table)
        column_.addLayout(buttons)
        self.row.addLayout(column_)
        self._arrange()

    def value(self) -> list[dict[str, Any]]:
        """Return the stages."""
        return [row.values() for row in self._rows]

    def setValue(self, value: Any) -> None:
        """Show stages."""
        stages = [dict(stage) for stage in value or ()]
        if stages != self.value():
            self._set(stages)

    def control(self) -> QWidget:
        """Return what has the focus first."""
        return self._rows[0].name if self._rows else self.addButton

    def add(self) -> None:
        """Add a stage at the end."""
        self._set([*self.value(), {}])
        self._rows[-1].name.setFocus()
        self.changed.emit()

    def add_usual(self) -> None:
        """Add heating, equilibration and production."""
        self._set([*self.value(), *USUAL])
        self.changed.emit()

    def remove(self, row: _Row) -> None:
        """Remove a stage."""
        self._set([other.values() for other in self._rows if other is not row])
        self.changed.emit()

    def _set(self, stages: list[dict[str, Any]]) -> None:
        clear_layout(self._grid)
        self._rows = [_Row(self._specs, {"length": 10.0, **stage}) for stage in stages]
        self._arrange()

    def _arrange(self) -> None:
        self._table.setVisible(bool(self._rows))
        self.usualButton.setVisible(not self._rows)
        for column, heading in enumerate(_HEADINGS):
            self._grid.addWidget(label(heading, "caption"), 0, column)
        for number, row in enumerate(self._rows, start=1):
            for column, widget in enumerate(row.widgets):
                title = _HEADINGS[column].partition(" / ")[0] or "Remove"
                widget.setAccessibleName(f"{title} of stage {number}")
                centre = Qt.AlignmentFlag.AlignCenter if column >= 5 else Qt.AlignmentFlag(0)
                self._grid.addWidget(widget, number, column, centre)
            self._connect(row)

    def _connect(self, row: _Row) -> None:
        for line in (row.name, *row.lines.values()):
            line.textEdited.connect(self._note)
        row.ensemble.activated.connect(self._note)
        row.frames.clicked.connect(self._note)
        row.remove.clicked.connect(lambda: self.remove(row))

    def _note(self, *_: object) -> None:
        self.changed.emit()


def _demo() -> QWidget:
    from gui.core.run_settings import RunSettings

    editor = StagesEditor(describe_field(RunSettings, "stages"))
    editor.setObjectName("canvas")
    editor.row.setContentsMargins(24, 24, 24, 24)
    editor.add_usual()
    return editor


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 760, 260)
