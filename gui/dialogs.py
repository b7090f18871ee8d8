"""Questions to a person, behind an interface: tests put answers in its place. Answers come by call, never by waiting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox, QPushButton, QWidget

__all__ = ["Answers", "Dialogs", "QtDialogs"]


class Dialogs(Protocol):
    """What pages may ask. Each returns at once; ``then`` is called with the answer, and not at all after Cancel."""

    def open_files(
        self,
        title: str,
        then: Callable[[list[Path]], None],
        *,
        kinds: str = "",
        folder: Path | None = None,
    ) -> None:
        """Ask for files to open; ``kinds`` is a filter as Qt writes it."""

    def open_folder(
        self, title: str, then: Callable[[Path], None], *, folder: Path | None = None
    ) -> None:
        """Ask for a folder."""

    def save_file(
        self, title: str, then: Callable[[Path], None], *, name: str = "", kinds: str = ""
    ) -> None:
        """Ask where to write a file."""

    def ask(
        self, title: str, text: str, choices: Sequence[str], then: Callable[[str], None]
    ) -> None:
        """Ask for one of a few answers; the first is the one that Return gives."""

    def tell(self, title: str, text: str, detail: str = "") -> None:
        """Tell something that went wrong, with details that can be copied."""


class QtDialogs:
    """The real ones.

    Parameters
    ----------
    parent
        The window.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        self.parent = parent

    def open_files(
        self,
        title: str,
        then: Callable[[list[Path]], None],
        *,
        kinds: str = "",
        folder: Path | None = None,
    ) -> None:
        """Ask for files to open."""
        dialog = QFileDialog(self.parent, title, str(folder or ""), kinds)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(lambda names: then([Path(name) for name in names]))
        _show(dialog)

    def open_folder(
        self, title: str, then: Callable[[Path], None], *, folder: Path | None = None
    ) -> None:
        """Ask for a folder."""
        dialog = QFileDialog(self.parent, title, str(folder or ""))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(lambda name: then(Path(name)))
        _show(dialog)

    def save_file(
        self, title: str, then: Callable[[Path], None], *, name: str = "", kinds: str = ""
    ) -> None:
        """Ask where to write a file."""
        dialog = QFileDialog(self.parent, title, name, kinds)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        if suffix := Path(name).suffix:
            dialog.setDefaultSuffix(suffix.lstrip("."))
        dialog.fileSelected.connect(lambda chosen: then(Path(chosen)))
        _show(dialog)

    def ask(
        self, title: str, text: str, choices: Sequence[str], then: Callable[[str], None]
    ) -> None:
        """Ask for one of a few answers."""
        box = QMessageBox(QMessageBox.Icon.Question, title, text, parent=self.parent)
        for number, choice in enumerate(choices):
            button = QPushButton(choice, box)
            button.clicked.connect(lambda _checked=False, choice=choice: then(choice))
            box.addButton(button, QMessageBox.ButtonRole.AcceptRole)
            if number == 0:
                box.setDefaultButton(button)
        box.setEscapeButton(box.addButton(QMessageBox.StandardButton.Cancel))
        _show(box)

    def tell(self, title: str, text: str, detail: str = "") -> None:
        """Tell something that went wrong."""
        box = QMessageBox(
            QMessageBox.Icon.Warning, title, text, QMessageBox.StandardButton.Ok, self.parent
        )
        box.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        box.setDetailedText(detail)
        _show(box)


class Answers:
    """Dialogs for tests and pictures: answers that were laid ready, and a list of what was asked.

    Attributes
    ----------
    ready
        Answers by the name of the question (``open_files``, ``ask``, ...); without one it is as if Cancel was pressed.
    asked
        ``(question, title, text)`` of each call.
    """

    def __init__(self, **ready: object) -> None:
        self.ready = ready
        self.asked: list[tuple[str, str, str]] = []

    def open_files(
        self,
        title: str,
        then: Callable[[list[Path]], None],
        *,
        kinds: str = "",
        folder: Path | None = None,
    ) -> None:
        """Answer with ``ready["open_files"]``."""
        self._answer("open_files", title, kinds, then)

    def open_folder(
        self, title: str, then: Callable[[Path], None], *, folder: Path | None = None
    ) -> None:
        """Answer with ``ready["open_folder"]``."""
        self._answer("open_folder", title, "", then)

    def save_file(
        self, title: str, then: Callable[[Path], None], *, name: str = "", kinds: str = ""
    ) -> None:
        """Answer with ``ready["save_file"]``."""
        self._answer("save_file", title, name, then)

    def ask(
        self, title: str, text: str, choices: Sequence[str], then: Callable[[str], None]
    ) -> None:
        """Answer with ``ready["ask"]``."""
        self._answer("ask", title, text, then)

    def tell(self, title: str, text: str, detail: str = "") -> None:
        """Note what was told."""
        self.asked.append(("tell", title, f"{text}\n{detail}".strip()))

    def _answer(self, question: str, title: str, text: str, then: Callable[..., None]) -> None:
        self.asked.append((question, title, text))
        if question in self.ready:
            then(self.ready[question])


def _show(dialog: QFileDialog | QMessageBox) -> None:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
