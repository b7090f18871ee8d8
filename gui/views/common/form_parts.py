"""What a form is built of: a cell for every field, a grid that flows, a part that folds."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.core.fields import FieldSpec, describe_field, format_value
from gui.views.common.form_editors import FieldEditor

__all__ = ["FieldCell", "FlowGrid", "FoldedPart", "tooltip_of"]

COLUMN_WIDTH = 184
COLUMN_GAP = 24
ROW_GAP = 16


class FieldCell(QWidget):
    """Name, editor and, where something is wrong, a line that says what.

    Parameters
    ----------
    editor
        What edits the field.
    title
        Its name; None takes the field's own.
    is_wide
        Whether it wants a row of its own.
    """

    def __init__(
        self,
        editor: FieldEditor,
        title: str | None = None,
        is_wide: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.editor = editor
        self.is_wide = is_wide
        self._is_relevant = True
        self.title = title or editor.spec.title
        self.label = QLabel("" if editor.has_own_title else self.title)
        self.label.setProperty("role", "field")
        self.label.setBuddy(editor.control())
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.hide()
        self._describe()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.label)
        layout.addWidget(editor)
        layout.addWidget(self.message)
        layout.addStretch()

    def isRelevant(self) -> bool:
        """Return whether the field is shown."""
        return self._is_relevant

    def setRelevant(self, is_relevant: bool) -> bool:
        """Show the field or not; return whether that is a change."""
        if is_relevant == self._is_relevant:
            return False
        self._is_relevant = is_relevant
        self.setVisible(is_relevant)
        return True

    def setMessage(self, text: str, role: str = "error") -> None:
        """Show a line under the editor: an ``error``, a ``warning`` or a ``hint``; an empty one takes it away."""
        is_error = role == "error" and bool(text)
        self.editor.setInvalid(is_error)
        sign = {"error": "✕ ", "warning": "! "}.get(role, "") if text else ""
        self.editor.control().setAccessibleDescription(text or self.editor.spec.description)
        self.message.setText(f"{sign}{text}")
        if self.message.property("role") != role:
            self.message.setProperty("role", role)
            self.message.style().unpolish(self.message)
            self.message.style().polish(self.message)
        self.message.setVisible(bool(text))

    def setModified(self, is_modified: bool) -> None:
        """Mark the name of a field that differs from the preset."""
        named = self.editor.control() if self.editor.has_own_title else self.label
        named.setText(f"{self.title} •" if is_modified else self.title)  # type: ignore[attr-defined]
        if self.label.property("modified") != is_modified:
            self.label.setProperty("modified", is_modified)
            self.label.style().unpolish(self.label)
            self.label.style().polish(self.label)

    def _describe(self) -> None:
        """Give help to everyone: tooltip, What's This (F1), screen readers."""
        spec, control = self.editor.spec, self.editor.control()
        tip = tooltip_of(spec)
        for widget in (self.label, self.editor):
            widget.setToolTip(tip)
        control.setToolTip(tip)
        control.setWhatsThis(tip)
        unit = f", {spec.unit}" if spec.unit else ""
        if self.title.strip():  # a field without a title speaks for itself
            control.setAccessibleName(f"{self.title}{unit}")
        control.setAccessibleDescription(spec.description)


def tooltip_of(spec: FieldSpec) -> str:
    """Return what a field means, its default and its name in the YAML file, as rich text (which wraps)."""
    meaning = re.sub(r"``(.+?)``|`(.+?)`", r"<i>\1\2</i>", html.escape(spec.description))
    facts = []
    if spec.unit:
        facts.append(spec.unit)
    default = format_value(spec, spec.default)
    if default and not spec.is_required:
        facts.append(f"default {html.escape(default)}")
    facts.append(f"<code>{spec.path}</code>")
    return f"<p>{meaning}</p><p>{' · '.join(facts)}</p>"


class FlowGrid(QWidget):
    """Cells in as many columns of equal width as there is room for."""

    def __init__(self, cells: Sequence[FieldCell] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cells = list(cells)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(COLUMN_GAP)
        self._grid.setVerticalSpacing(ROW_GAP)
        self._n_columns = 0
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.setSizePolicy(policy)
        self._arrange(1)

    def rearrange(self) -> None:
        """Close the gaps of cells that were hidden, make room for those that are shown."""
        self._arrange(self._n_columns)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Use the width."""
        n = max(1, (event.size().width() + COLUMN_GAP) // (COLUMN_WIDTH + COLUMN_GAP))
        if n != self._n_columns:
            self._arrange(n)
        super().resizeEvent(event)

    def minimumSizeHint(self) -> QSize:
        """Never ask for more than one column's width."""
        return QSize(COLUMN_WIDTH, super().minimumSizeHint().height())

    def _arrange(self, n_columns: int) -> None:
        for column in range(max(self._n_columns, n_columns)):
            self._grid.setColumnStretch(column, 1 if column < n_columns else 0)
            self._grid.setColumnMinimumWidth(column, 0)
        self._n_columns = n_columns
        for cell in self._cells:
            self._grid.removeWidget(cell)
        row = column = 0
        for cell in self._cells:
            if not cell.isRelevant():
                continue
            width = n_columns if cell.is_wide else 1
            if column + width > n_columns:
                row, column = row + 1, 0
            self._grid.addWidget(cell, row, column, 1, width, Qt.AlignmentFlag.AlignTop)
            column += width
        self.updateGeometry()

    def add(self, cell: FieldCell) -> None:
        """Append a cell."""
        self._cells.append(cell)
        self._arrange(self._n_columns)


class FoldedPart(QWidget):
    """A heading that unfolds what is below it."""

    toggled = Signal(bool)

    def __init__(self, title: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.content = content
        self.button = QToolButton()
        self.button.setProperty("role", "fold")
        self.button.setText(title)
        self.button.setCheckable(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setArrowType(Qt.ArrowType.RightArrow)
        self.button.toggled.connect(self._on_toggled)
        self.note = QLabel()
        self.note.setProperty("role", "hint")
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self.button)
        head.addWidget(self.note)
        head.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(16)
        layout.addLayout(head)
        layout.addWidget(content)
        content.hide()

    def isOpen(self) -> bool:
        """Return whether the content is shown."""
        return self.button.isChecked()

    def setOpen(self, is_open: bool) -> None:
        """Unfold or fold."""
        self.button.setChecked(is_open)

    def setNote(self, text: str, role: str = "hint") -> None:
        """Show a few words beside the heading, such as how many fields inside are wrong."""
        self.note.setText(text)
        self.note.setProperty("role", role)
        self.note.style().unpolish(self.note)
        self.note.style().polish(self.note)

    def _on_toggled(self, is_open: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow
        self.button.setArrowType(arrow)
        self.content.setVisible(is_open)
        self.toggled.emit(is_open)


def _demo() -> QWidget:
    from gui.core.run_settings import RunSettings
    from gui.demo import column
    from gui.views.common.form_editors import make_editor

    values = {"temperature": 300.0, "timestep": 4.0, "friction": 1.0, "seed": 1}
    cells = [FieldCell(make_editor(describe_field(RunSettings, path))) for path in values]
    for cell, value in zip(cells, values.values()):
        cell.editor.setValue(value)
    cells[0].setModified(True)
    cells[1].setMessage("4 fs is too long for bonds with hydrogen", "warning")
    folded = FoldedPart("Advanced settings", FlowGrid(cells[2:]))
    folded.setOpen(True)
    return column(FlowGrid(cells[:2]), folded)


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 560, 320)
