"""The log: what happened, with warnings that can be walked through."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from gui.theme import UNIT, theme
from gui.viewmodels.log import CAPACITY, Log, LogLine
from gui.views.common.buttons import IconButton, button
from gui.views.common.labels import label

__all__ = ["LogPane"]

ALL, WARNINGS = "Everything", "Warnings and errors"
TOKENS = {"info": "text", "warning": "warn", "error": "error"}


class LogPane(QFrame):
    """Shows a `Log`, all of it, its warnings, or one run's lines."""

    def __init__(self, log: Log, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "bar")
        self._log = log
        self._choice = QComboBox()
        self._choice.setAccessibleName("Lines to show")
        self._choice.addItems([ALL, WARNINGS])
        self._text = QPlainTextEdit()
        self._text.setProperty("role", "mono")
        self._text.setAccessibleName("Log")
        self._text.setReadOnly(True)
        self._text.setMaximumBlockCount(2 * CAPACITY)
        self._text.setAcceptDrops(False)
        self.close_button = IconButton("close", "Close the log", size=14, shortcut="Ctrl+L")
        self._build()
        self._choice.currentIndexChanged.connect(self._fill)
        log.added.connect(self._take)
        theme().changed.connect(self._fill)
        self._fill()

    def next_warning(self) -> bool:
        """Go to the next warning or error below the cursor, or to the first one; return whether there is one."""
        block = self._text.textCursor().block()
        for start in (block.next(), self._text.document().firstBlock()):
            while start.isValid():
                if _is_warning(start.text()):
                    self._go_to(start.position())
                    return True
                start = start.next()
        return False

    def text(self) -> str:
        """Return what is shown."""
        return self._text.toPlainText()

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(UNIT)
        head.addWidget(label("Log", "subheading"))
        head.addWidget(self._choice)
        head.addStretch(1)
        head.addWidget(button("Next warning", self.next_warning, role="flat", tip="Ctrl+N"))
        head.addWidget(button("Copy", self._copy, role="flat"))
        head.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * UNIT, UNIT, 2 * UNIT, UNIT)
        layout.setSpacing(UNIT)
        layout.addLayout(head)
        layout.addWidget(self._text, 1)

    def _take(self, line: LogLine) -> None:
        if line.source and self._choice.findText(line.source) < 0:
            self._choice.addItem(line.source)
        if self._is_chosen(line):
            self._append(line)

    def _is_chosen(self, line: LogLine) -> bool:
        choice = self._choice.currentText()
        if choice == ALL:
            return True
        return line.level != "info" if choice == WARNINGS else line.source == choice

    def _fill(self) -> None:
        self._text.clear()
        for line in self._log.lines:
            if line.source and self._choice.findText(line.source) < 0:
                self._choice.addItem(line.source)
            if self._is_chosen(line):
                self._append(line)

    def _append(self, line: LogLine) -> None:
        bar = self._text.verticalScrollBar()
        is_at_end = bar.value() >= bar.maximum() - 2
        look = QTextCharFormat()
        look.setForeground(QColor(theme().token(TOKENS[line.level])))
        cursor = QTextCursor(self._text.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        if not self._text.document().isEmpty():
            cursor.insertBlock()
        cursor.insertText(str(line), look)
        if is_at_end:
            bar.setValue(bar.maximum())

    def _go_to(self, position: int) -> None:
        cursor = self._text.textCursor()
        cursor.setPosition(position)
        cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
        self._text.setTextCursor(cursor)
        self._text.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text())


def _is_warning(text: str) -> bool:
    return "WARNING  " in text or "ERROR  " in text


def _demo() -> QWidget:
    from gui.demo import demo_session

    session = demo_session()
    log = Log(session.jobs, session.notifications, session)
    pane = LogPane(log)
    session.setParent(pane)
    log.add("info", "process 4241", "methanol-nvt-300K")
    log.add("warning", "Cell is 5.64 Å high, less than 2 × cutoff (8 Å)", "ice-npt")
    log.add("error", "The temperature rose above 3,000 K at step 812", "methanol-2fs")
    return pane


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 800, 240)
