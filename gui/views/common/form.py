"""A form made from a schema: fields with units, help and errors in place; the advanced part folded.

The schema says what a field means, what it may be and how it is checked; the layout says which fields are shown, where.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from gui.core.fields import (
    FieldSpec,
    describe_field,
    errors_by_field,
    get_value,
    set_value,
)
from gui.views.common.form_editors import FieldEditor, make_editor
from gui.views.common.form_parts import FieldCell, FlowGrid, FoldedPart
from nequip_openmm.settings import Problem

__all__ = ["Entry", "Section", "SettingsForm"]

SECTION_GAP = 28
ADVANCED = "Advanced settings"


@dataclass(frozen=True)
class Entry:
    """One field of a form; a plain path says the same without any of the wishes.

    Attributes
    ----------
    path
        Such as ``training.lr``.
    title
        Name to show; None takes the field's own.
    blank
        What an empty editor shows; None takes what the docstring says about None.
    labels
        What to show for the words of a choice.
    shown_if
        Whether the field matters, given all values; None shows it always.
    is_wide
        Whether it wants a row of its own.
    editor
        Makes another editor than the usual.
    """

    path: str
    title: str | None = None
    blank: str | None = None
    labels: Mapping[Any, str] = field(default_factory=dict)
    shown_if: Callable[[dict[str, Any]], bool] | None = None
    is_wide: bool = False
    editor: Callable[[FieldSpec], FieldEditor] | None = None


@dataclass(frozen=True)
class Section:
    """Fields under one heading (none where the title is empty); an advanced one is folded away with its like."""

    title: str
    fields: Sequence[str | Entry]
    is_advanced: bool = False
    note: str = ""

    @property
    def entries(self) -> list[Entry]:
        """The fields, with their wishes."""
        return [f if isinstance(f, Entry) else Entry(f) for f in self.fields]


class SettingsForm(QWidget):
    """Edits the values of a schema.

    Values that no field of the layout shows are kept as they were given to `set_values`.

    Parameters
    ----------
    schema
        What is edited.
    layout
        Which fields, under which headings.
    """

    changed = Signal()
    """A person changed a value, or `set_values` did."""
    validity_changed = Signal(bool)
    browse_requested = Signal(str)
    """A file is to be chosen for the field of this path."""

    def __init__(
        self,
        schema: type[BaseModel],
        layout: Sequence[Section],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.schema = schema
        self._base: dict[str, Any] = {}
        self._reference: dict[str, Any] | None = None
        self._cells: dict[str, FieldCell] = {}
        self._entries: dict[str, Entry] = {}
        self._grids: list[FlowGrid] = []
        self._problems: dict[str, Problem] = {}
        self._general: list[str] = []
        self._notes: dict[str, tuple[str, str]] = {}
        self._touched: set[str] = set()
        self._was_valid: bool | None = None
        self._advanced: FoldedPart | None = None
        self._advanced_paths: set[str] = set()
        self._build(layout)
        self.set_values({})

    # --- values

    def values(self) -> dict[str, Any]:
        """Return all values, sections as dictionaries; required fields that are empty are left out."""
        result = copy.deepcopy(self._base)
        for path, cell in self._cells.items():
            value, spec = cell.editor.value(), cell.editor.spec
            if value is None and spec.is_required:
                _remove(result, path)
            else:
                set_value(result, path, value)
        return result

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show values; fields that are not among them have their defaults."""
        self._base = copy.deepcopy(dict(values))
        self._touched.clear()
        for path, cell in self._cells.items():
            cell.editor.setValue(get_value(values, path, cell.editor.spec.default))
        self._refresh()
        self.changed.emit()

    def value(self, path: str) -> Any:
        """Return the value of one field."""
        return self._cells[path].editor.value()

    def set_value(self, path: str, value: Any) -> None:
        """Show the value of one field, as if it had been typed."""
        self._cells[path].editor.setValue(value)
        self._on_changed(path)

    def set_reference(self, values: Mapping[str, Any] | None) -> None:
        """Mark the fields that differ from these values, such as those of a preset; None marks none."""
        self._reference = None if values is None else dict(values)
        self._mark_modified()

    def modified(self) -> list[str]:
        """Return the paths of the fields that differ from the reference."""
        if self._reference is None:
            return []
        return [path for path, cell in self._cells.items() if self._is_modified(path, cell)]

    # --- what is wrong

    @property
    def is_valid(self) -> bool:
        """Whether the schema accepts the values."""
        return not self._problems and not self._general

    def errors(self) -> dict[str, str]:
        """Return what is wrong by path; what belongs to no field shown has an empty path."""
        result = {path: problem.message for path, problem in self._problems.items()}
        return result | ({"": "; ".join(self._general)} if self._general else {})

    def set_note(self, path: str, text: str, role: str = "warning") -> None:
        """Show a ``hint``, ``warning`` or ``error`` that a check found under a field, until its value is changed."""
        if text:
            self._notes[path] = (text, role)
        else:
            self._notes.pop(path, None)
        self._show_problems()

    def show_missing(self) -> None:
        """Say of the required fields that are empty that they are needed: a start was tried."""
        self._touched.update(self._cells)
        self._show_problems()

    def reveal(self, path: str) -> None:
        """Bring a field into sight and give it the focus."""
        cell = self._cells[path]
        if path in self._advanced_paths and self._advanced is not None:
            self._advanced.setOpen(True)
        cell.editor.control().setFocus(Qt.FocusReason.OtherFocusReason)
        ancestor = self.parentWidget()
        while ancestor is not None and not isinstance(ancestor, QScrollArea):
            ancestor = ancestor.parentWidget()
        if ancestor is not None:
            ancestor.ensureWidgetVisible(cell)

    def reveal_first_error(self) -> None:
        """Go to the first field that is wrong."""
        self.show_missing()
        for path in self._cells:
            if path in self._problems:
                self.reveal(path)
                return

    def editor(self, path: str) -> FieldEditor:
        """Return the editor of a field."""
        return self._cells[path].editor

    def cell(self, path: str) -> FieldCell:
        """Return name, editor and message of a field."""
        return self._cells[path]

    # --- building

    def _build(self, sections: Sequence[Section]) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(SECTION_GAP)
        for section in sections:
            if not section.is_advanced:
                outer.addWidget(self._section(section))
        self._general_label = QLabel()
        self._general_label.setProperty("role", "error")
        self._general_label.setWordWrap(True)
        self._general_label.hide()
        outer.addWidget(self._general_label)
        advanced = [section for section in sections if section.is_advanced]
        if advanced:
            self._advanced = FoldedPart(ADVANCED, self._advanced_content(advanced))
            outer.addWidget(self._advanced)
        outer.addStretch()

    def _advanced_content(self, sections: Sequence[Section]) -> QWidget:
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(SECTION_GAP)
        for section in sections:
            inner.addWidget(self._section(section))
            self._advanced_paths.update(entry.path for entry in section.entries)
        return content

    def _section(self, section: Section) -> QWidget:
        block = QWidget()
        layout = QVBoxLayout(block)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        for text, role in ((section.title, "section"), (section.note, "hint")):
            if text:
                label = QLabel(text)
                label.setProperty("role", role)
                label.setWordWrap(role == "hint")
                layout.addWidget(label)
        grid = FlowGrid([self._cell(entry) for entry in section.entries])
        self._grids.append(grid)
        layout.addWidget(grid)
        return block

    def _cell(self, entry: Entry) -> FieldCell:
        spec = describe_field(self.schema, entry.path)
        if entry.editor is not None:
            editor = entry.editor(spec)
        else:
            editor = make_editor(spec, entry.title, entry.blank, entry.labels)
        cell = FieldCell(editor, entry.title, entry.is_wide)
        path = entry.path
        editor.changed.connect(lambda: self._on_changed(path))
        editor.browse_requested.connect(lambda: self.browse_requested.emit(path))
        self._cells[path], self._entries[path] = cell, entry
        return cell

    # --- keeping up

    def _on_changed(self, path: str) -> None:
        self._touched.add(path)
        self._notes.pop(path, None)
        self._refresh()
        self.changed.emit()

    def _refresh(self) -> None:
        values = self.values()
        self._show_what_matters(values)
        shown = [path for path, cell in self._cells.items() if cell.isRelevant()]
        self._problems, self._general = errors_by_field(self.schema, values, shown)
        self._show_problems()
        self._mark_modified()
        if self.is_valid != self._was_valid:
            self._was_valid = self.is_valid
            self.validity_changed.emit(self.is_valid)

    def _show_what_matters(self, values: dict[str, Any]) -> None:
        has_moved = False
        for path, entry in self._entries.items():
            if entry.shown_if is None:
                continue
            has_moved |= self._cells[path].setRelevant(bool(entry.shown_if(values)))
        if has_moved:
            for grid in self._grids:
                grid.rearrange()

    def _show_problems(self) -> None:
        for path, cell in self._cells.items():
            cell.setMessage(*self._told(path))
        self._general_label.setText("✕ " + "\n".join(self._general))
        self._general_label.setVisible(bool(self._general))
        if self._advanced is not None:
            n_wrong = len(self._advanced_paths & set(self._problems))
            text = f"✕ {n_wrong} to correct" if n_wrong else ""
            self._advanced.setNote(text, "error" if n_wrong else "hint")

    def _told(self, path: str) -> tuple[str, str]:
        """Return the line under a field and its role."""
        problem = self._problems.get(path)
        if problem is not None and not (problem.is_missing and path not in self._touched):
            return problem.message, "error"
        return self._notes.get(path, ("", "error"))

    def _mark_modified(self) -> None:
        for path, cell in self._cells.items():
            cell.setModified(self._reference is not None and self._is_modified(path, cell))

    def _is_modified(self, path: str, cell: FieldCell) -> bool:
        reference = get_value(self._reference or {}, path, cell.editor.spec.default)
        return _plain(cell.editor.value()) != _plain(reference)


def _plain(value: Any) -> Any:
    """Return a value in which lists and tuples, numbers and whole numbers compare equal."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _remove(data: dict[str, Any], path: str) -> None:
    *sections, last = path.split(".")
    for name in sections:
        data = data.get(name, {})
    data.pop(last, None)


def _demo() -> QWidget:
    from gui.demo import column
    from gui.views.train.layout import SECTIONS
    from nequip_openmm.training.config import TrainingConfig

    form = SettingsForm(TrainingConfig, SECTIONS)
    form.set_reference({})
    form.set_value("training.batch_size", 0)
    form.set_value("model.cutoff", 6.0)
    return column(form)


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 920, 700)
