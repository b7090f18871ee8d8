"""Files that are dropped anywhere on the window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QMimeData, QObject, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFrame, QVBoxLayout

from gui.core.kinds import FileKind, kind_of_file
from gui.theme import UNIT
from gui.views.common.labels import label

if TYPE_CHECKING:
    from gui.views.main_window import MainWindow

__all__ = ["Dropping", "files_of"]

WORDS = {
    FileKind.DATASET: "a data set",
    FileKind.STRUCTURE: "a structure",
    FileKind.MODEL: "a model",
    FileKind.RUN: "a run",
    FileKind.TRAINING_SETTINGS: "settings of a training",
    FileKind.SIMULATION_SETTINGS: "settings of a simulation",
}


class Dropping(QObject):
    """Shows what a file is while it hovers, and opens it when it is let go."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._veil = QFrame(window)
        self._veil.setProperty("role", "drop")
        self._veil.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._text = label("", "heading")
        self._text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(self._veil)
        layout.addWidget(self._text)
        self._veil.hide()
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take what is dropped on the window."""
        if isinstance(event, QDropEvent) and event.type() == QEvent.Type.Drop:
            self._veil.hide()
            event.acceptProposedAction()
            for path in files_of(event.mimeData()):
                self._window.open_path(path)
            return True
        if isinstance(event, QDragEnterEvent) and event.type() == QEvent.Type.DragEnter:
            paths = files_of(event.mimeData())
            if paths:
                event.acceptProposedAction()
                self._show(paths)
            return bool(paths)
        if event.type() == QEvent.Type.DragLeave:
            self._veil.hide()
        return False

    def _show(self, paths: list[Path]) -> None:
        first = paths[0]
        word = WORDS.get(kind_of_file(first), "a file of an unknown kind")
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        self._text.setText(f"Drop to open {first.name}{more}: {word}")
        margin = 3 * UNIT
        self._veil.setGeometry(self._window.rect().adjusted(margin, margin, -margin, -margin))
        self._veil.show()
        self._veil.raise_()


def files_of(data: QMimeData) -> list[Path]:
    """Return the local files that are dragged."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
