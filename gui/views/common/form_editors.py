"""The widgets that edit one setting each; all have the same small face: `value`, `setValue`, `changed`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from gui.core.fields import (
    FieldSpec,
    Kind,
    describe_field,
    format_duration,
    format_value,
    parse_text,
)

__all__ = [
    "ChoiceEditor",
    "FieldEditor",
    "FileEditor",
    "SeveralEditor",
    "SwitchEditor",
    "TextEditor",
    "make_editor",
]

UNIT_GAP = 10


class FieldEditor(QWidget):
    """Base of the editors.

    Parameters
    ----------
    spec
        The field.
    """

    changed = Signal()
    """A person changed the value; `setValue` is silent."""
    browse_requested = Signal()
    """A person wants to choose a file."""

    has_own_title = False
    """Whether the editor shows the field's name itself."""

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spec = spec
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.setSpacing(8)

    def value(self) -> Any:
        """Return the value as the schema takes it."""
        raise NotImplementedError

    def setValue(self, value: Any) -> None:
        """Show a value."""
        raise NotImplementedError

    def control(self) -> QWidget:
        """Return the widget that has the focus, the accessible name and the red border."""
        raise NotImplementedError

    def setInvalid(self, is_invalid: bool) -> None:
        """Mark the editor, or take the mark away."""
        control = self.control()
        if control.property("invalid") != is_invalid:
            control.setProperty("invalid", is_invalid)
            control.style().unpolish(control)
            control.style().polish(control)


class TextEditor(FieldEditor):
    """A line of text: numbers with their unit at its end, durations, lists, words."""

    def __init__(
        self, spec: FieldSpec, blank: str | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(spec, parent)
        self.line = QLineEdit()
        self.line.setPlaceholderText(spec.blank if blank is None else blank)
        self.row.addWidget(self.line)
        self.unit = _UnitLabel(self.line, "" if spec.kind is Kind.DURATION else spec.unit)
        self.line.textEdited.connect(self.changed)
        self.line.editingFinished.connect(self._tidy)

    def value(self) -> Any:
        """Return what was typed, as the schema takes it."""
        return parse_text(self.spec, self.line.text())

    def setValue(self, value: Any) -> None:
        """Show a value unless it is shown already: the text of who is typing stays as it is."""
        if self.line.text() and self.value() == value:
            return
        self.line.setText(format_value(self.spec, value))
        self.line.setCursorPosition(0)

    def control(self) -> QWidget:
        """Return the line."""
        return self.line

    def _tidy(self) -> None:
        """Show a duration as a person would write it once it is complete."""
        value = self.value()
        if self.spec.kind is Kind.DURATION and isinstance(value, float) and value > 0:
            self.line.setText(format_duration(value))


class FileEditor(TextEditor):
    """A path with a button to choose it."""

    def __init__(
        self, spec: FieldSpec, blank: str | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(spec, "drop a file, or choose one" if blank is None else blank, parent)
        self.button = QPushButton("Choose…")
        self.button.setAccessibleName(f"Choose {spec.title.lower()}")
        self.button.clicked.connect(self.browse_requested)
        self.row.addWidget(self.button)


class ChoiceEditor(FieldEditor):
    """One of a few words."""

    def __init__(
        self,
        spec: FieldSpec,
        labels: Mapping[str | None, str] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(spec, parent)
        self.box = QComboBox()
        self.box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        for word, meaning in spec.choices.items():
            shown = (labels or {}).get(word) or (spec.blank if word is None else word)
            self.box.addItem(shown, word)
            self.box.setItemData(self.box.count() - 1, meaning, Qt.ItemDataRole.ToolTipRole)
        self.box.installEventFilter(_WheelGuard.shared(self.box))
        self.box.activated.connect(self._on_activated)
        self.row.addWidget(self.box)

    def value(self) -> Any:
        """Return the word."""
        return self.box.currentData()

    def setValue(self, value: Any) -> None:
        """Show a word; one that is no choice is added, so that nothing changes silently."""
        index = self.box.findData(value)
        if index < 0:
            self.box.addItem(str(value), value)
            index = self.box.count() - 1
        self.box.setCurrentIndex(index)

    def control(self) -> QWidget:
        """Return the box."""
        return self.box

    def _on_activated(self) -> None:
        self.changed.emit()


class SwitchEditor(FieldEditor):
    """Yes or no, with the field's name beside the box."""

    has_own_title = True

    def __init__(
        self, spec: FieldSpec, title: str | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(spec, parent)
        self.box = QCheckBox(title or spec.title)
        self.box.clicked.connect(self._on_clicked)
        self.row.addWidget(self.box)

    def value(self) -> Any:
        """Return whether it is ticked."""
        return self.box.isChecked()

    def setValue(self, value: Any) -> None:
        """Tick it or not."""
        self.box.setChecked(bool(value))

    def control(self) -> QWidget:
        """Return the box."""
        return self.box

    def sizeHint(self) -> QSize:
        """Be as high as a line of text, so that rows are even."""
        hint = super().sizeHint()
        return QSize(hint.width(), max(hint.height(), 32))

    def _on_clicked(self) -> None:
        self.changed.emit()


class SeveralEditor(FieldEditor):
    """Any of a few words, a box for each."""

    def __init__(
        self,
        spec: FieldSpec,
        words: Mapping[str, str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(spec, parent)
        self.boxes = {word: QCheckBox(label) for word, label in words.items()}
        for box in self.boxes.values():
            box.clicked.connect(self._on_clicked)
            self.row.addWidget(box)
        self.row.addStretch()

    def value(self) -> Any:
        """Return the ticked words, in their order."""
        return [word for word, box in self.boxes.items() if box.isChecked()]

    def setValue(self, value: Any) -> None:
        """Tick some."""
        for word, box in self.boxes.items():
            box.setChecked(word in (value or ()))

    def control(self) -> QWidget:
        """Return the first box."""
        return next(iter(self.boxes.values()))

    def _on_clicked(self) -> None:
        self.changed.emit()


def make_editor(
    spec: FieldSpec,
    title: str | None = None,
    blank: str | None = None,
    labels: Mapping[Any, str] | None = None,
) -> FieldEditor:
    """Return the editor for a field.

    Parameters
    ----------
    title
        In place of the field's own.
    blank
        What an empty editor shows, in place of what the docstring says.
    labels
        What to show for the words of a choice.
    """
    if spec.kind is Kind.SWITCH:
        return SwitchEditor(spec, title)
    if spec.kind is Kind.CHOICE:
        return ChoiceEditor(spec, labels)
    if spec.kind is Kind.SEVERAL:
        shown = {str(word): (labels or {}).get(word, str(word)) for word in spec.items}
        return SeveralEditor(spec, shown)
    if spec.kind is Kind.FILE:
        return FileEditor(spec, blank)
    return TextEditor(spec, blank)


class _UnitLabel(QLabel):
    """The unit at the right end of a line of text, inside its border."""

    def __init__(self, line: QLineEdit, unit: str) -> None:
        super().__init__(unit, line)
        self.setProperty("role", "unit")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._line = line
        line.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay at the end."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.StyleChange, QEvent.Type.Show):
            self._place()
        return False

    def _place(self) -> None:
        if not self.text():
            return
        size = self.sizeHint()
        self.resize(size)
        self.move(
            self._line.width() - size.width() - UNIT_GAP,
            (self._line.height() - size.height()) // 2,
        )
        self._line.setTextMargins(0, 0, size.width() + 6, 0)


class _WheelGuard(QObject):
    """Leaves the mouse wheel to the page unless the box under it has the focus."""

    @staticmethod
    def shared(box: QComboBox) -> _WheelGuard:
        return _WheelGuard(box)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Swallow the wheel where the box has no focus."""
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():  # type: ignore[attr-defined]
            event.ignore()
            return True
        return False


def _demo() -> QWidget:
    from gui.core.run_settings import RunSettings
    from gui.demo import column

    values = {
        "structure": "methanol.xyz",
        "temperature": 300.0,
        "thermostat": "langevin",
        "minimise": True,
    }
    editors = [make_editor(describe_field(RunSettings, path)) for path in values]
    for editor, value in zip(editors, values.values()):
        editor.setValue(value)
    return column(*editors)


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 480, 280)
