"""What i-PI would read, before it does: input.xml, structures, commands; to be copied or written to a folder."""

from __future__ import annotations

import re
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication, QSyntaxHighlighter, QTextCharFormat, QTextDocument
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QTabWidget, QVBoxLayout, QWidget

from gui.theme import UNIT, theme
from gui.views.common.buttons import button
from gui.views.common.labels import label

__all__ = ["PreviewDialog", "XmlHighlighter"]

PATTERNS = {
    re.compile(r"</?[\w.:-]+|/?>"): "accent",
    re.compile(r"\s[\w.:-]+(?==)"): "curve3",
    re.compile(r"'[^']*'|\"[^\"]*\""): "curve2",
    re.compile(r"<!--.*?-->"): "faint",
}


class XmlHighlighter(QSyntaxHighlighter):
    """Colours of tags, attributes, values and comments."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        theme().changed.connect(self.rehighlight)

    def highlightBlock(self, text: str) -> None:
        """Colour one line."""
        for pattern, token in PATTERNS.items():
            look = QTextCharFormat()
            look.setForeground(theme().colour(token))
            for found in pattern.finditer(text):
                self.setFormat(found.start(), found.end() - found.start(), look)


class PreviewDialog(QDialog):
    """Shows the files of a run that has not been started.

    Signals
    -------
    export_asked
        A person wants them in a folder.
    """

    export_asked = Signal()

    def __init__(self, found: dict[str, Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("canvas")
        self.setWindowTitle("Preview of input.xml")
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Files")
        self.tabs.setDocumentMode(True)
        for name, text in found.get("files", {}).items():
            self._add(name, text)
        commands = "\n".join(("# in the folder of these files", *found.get("commands", ())))
        self._add("Commands", commands)
        self._build(found)
        self.resize(760, 600)

    def text(self) -> str:
        """Return the text in front."""
        return self._shown().toPlainText()

    def copy(self) -> None:
        """Copy the text in front."""
        QGuiApplication.clipboard().setText(self.text())

    def _shown(self) -> QPlainTextEdit:
        widget = self.tabs.currentWidget()
        assert isinstance(widget, QPlainTextEdit)  # noqa: S101 (only such are added)
        return widget

    def _add(self, name: str, text: str) -> None:
        edit = QPlainTextEdit(text)
        edit.setReadOnly(True)
        edit.setProperty("role", "mono")
        edit.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        edit.setAccessibleName(name)
        if name.endswith(".xml"):
            XmlHighlighter(edit.document())
        self.tabs.addTab(edit, name)

    def _build(self, found: dict[str, Any]) -> None:
        batch = found.get("batch") or {}
        note = label(
            f"{found.get('n_atoms', 0)} atoms, {(found.get('beads') or {}).get('n', 1)} beads, "
            f"{batch.get('size', 1)} structures in a batch. The address of the socket is chosen when the run starts.",
            "muted",
            wraps=True,
        )
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        row.addWidget(note, 1)
        row.addWidget(button("Copy", self.copy, icon_name="copy"))
        row.addWidget(button("Export folder…", self.export_asked.emit, icon_name="export"))
        row.addWidget(button("Close", self.accept, role="primary"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * UNIT, 2 * UNIT, 2 * UNIT, 2 * UNIT)
        layout.setSpacing(2 * UNIT)
        layout.addWidget(self.tabs, 1)
        layout.addLayout(row)


def _demo() -> QWidget:
    from gui.demo.path_integral import PREVIEW

    return PreviewDialog(PREVIEW)


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 760, 600)
