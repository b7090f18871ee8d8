"""A file that could not be read: what is wrong, where, and what can be done."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from gui.theme import theme
from gui.views.common.buttons import button
from gui.views.common.icons import pixmap
from gui.views.common.labels import label

__all__ = ["Complaint", "ErrorPanel", "split_message"]

PLACE = re.compile(r"^(?: line (\d+))?(?: \(frame (\d+)\))?: ")


class Complaint(NamedTuple):
    """A message of the reader, taken apart: what is wrong, where in the file, what to do."""

    problem: str
    place: str
    advice: str


def split_message(message: str, path: Path) -> Complaint:
    """Take ``FILE line N (frame M): what; what to do`` apart; parts that are missing are empty."""
    rest = message.removeprefix(str(path))
    place = ""
    if rest != message and (found := PLACE.match(rest)):
        line, frame = found.groups()
        places = [f"Line {int(line):,}" if line else "", f"frame {int(frame):,}" if frame else ""]
        place = ", ".join(part for part in places if part)
        rest = rest[found.end() :]
    problem, _, advice = rest.partition("; ")
    return Complaint(_sentence(problem), place, _sentence(advice))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""


class ErrorPanel(QWidget):
    """Tells what is wrong with a file.

    Signals
    -------
    dismissed
        Back to what was there before.
    other_wanted
        Another file.
    mapping_wanted
        Names or units are to be given.
    """

    dismissed = Signal()
    other_wanted = Signal()
    mapping_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._path = Path()
        self._details = ""
        self._icon = QLabel()
        self._title = label("", "heading", wraps=True)
        self._place = label("", "subheading")
        self._problem = label("", "", wraps=True)
        self._advice = label("", "muted", wraps=True)
        for part in (self._title, self._place, self._problem, self._advice):
            part.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._build()
        theme().changed.connect(self._draw)
        self._draw()

    def tell(self, path: Path, error: Mapping[str, str]) -> None:
        """Tell what is wrong.

        Parameters
        ----------
        path
            The file.
        error
            ``title`` and perhaps ``detail`` and ``hint``, as a child says it.
        """
        self._path = path
        complaint = split_message(str(error.get("title", "")), path)
        self._title.setText(f"{path.name} cannot be read")
        self._place.setText(complaint.place)
        self._place.setVisible(bool(complaint.place))
        self._problem.setText(complaint.problem)
        advice = " ".join(part for part in (complaint.advice, error.get("hint", "")) if part)
        self._advice.setText(advice)
        self._advice.setVisible(bool(advice))
        parts = (str(path), error.get("title", ""), error.get("hint", ""), error.get("detail", ""))
        self._details = "\n".join(part for part in parts if part)
        self.setAccessibleName(f"Error: {complaint.problem}")

    def place(self) -> str:
        """Return where in the file it is."""
        return self._place.text()

    def details(self) -> str:
        """Return all that is known, for a report."""
        return self._details

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._details)

    def _draw(self) -> None:
        self._icon.setPixmap(pixmap("error", "error", 32))

    def _build(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(8)
        for part in (self._title, self._place, self._problem, self._advice):
            words.addWidget(part)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(button("Copy details", self._copy, role="flat", icon_name="copy"))
        buttons.addStretch()
        buttons.addWidget(button("Names and units…", self.mapping_wanted.emit))
        buttons.addWidget(button("Back", self.dismissed.emit))
        buttons.addWidget(button("Open another…", self.other_wanted.emit, role="primary"))
        top = QHBoxLayout()
        top.setSpacing(16)
        top.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(words, 1)
        card = QFrame()
        card.setProperty("role", "card")
        card.setFixedWidth(640)
        card.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Minimum)
        inner = QVBoxLayout(card)
        inner.setContentsMargins(24, 24, 24, 16)
        inner.setSpacing(24)
        inner.addLayout(top)
        inner.addLayout(buttons)
        layout = QVBoxLayout(self)
        layout.addStretch(2)
        layout.addWidget(card, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)


def _demo() -> QWidget:
    """Return a panel about a made-up failure."""
    panel = ErrorPanel()
    title = "water.xyz line 1204 (frame 6): expected 192 atoms, but the file ends after 191; it is truncated"
    panel.tell(Path("water.xyz"), {"title": title})
    return panel


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 800, 400)
