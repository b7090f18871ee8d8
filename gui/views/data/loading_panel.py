"""A file is being read: how far it is, and a way to stop."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QProgressBar, QSizePolicy, QVBoxLayout, QWidget

from gui.views.common.buttons import button
from gui.views.common.labels import Elided, label

__all__ = ["LoadingPanel"]


class LoadingPanel(QWidget):
    """Name of the file, what is done with it, a bar.

    Signals
    -------
    cancelled
        A person does not want to wait.
    """

    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = Elided("", "heading", Qt.TextElideMode.ElideMiddle)
        self._text = label("", "muted")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress of reading")
        self._cancel = button("Cancel", self.cancelled.emit)
        card = QFrame()
        card.setProperty("role", "card")
        card.setFixedWidth(448)
        card.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        inner = QVBoxLayout(card)
        inner.setContentsMargins(24, 24, 24, 16)
        inner.setSpacing(8)
        inner.addWidget(self._title)
        inner.addWidget(self._text)
        inner.addSpacing(8)
        inner.addWidget(self._bar)
        inner.addSpacing(8)
        inner.addWidget(self._cancel, 0, Qt.AlignmentFlag.AlignRight)
        layout = QVBoxLayout(self)
        layout.addStretch(2)
        layout.addWidget(card, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)

    def begin(self, path: Path) -> None:
        """Show that a file is being opened."""
        self._title.setText(path.name)
        self._text.setText("Starting…")
        self._bar.setRange(0, 0)

    def text(self) -> str:
        """Return what is said."""
        return self._text.text()

    def setProgress(self, done: int, total: int, text: str) -> None:
        """Show how far it is; without a number the bar only moves."""
        words = text[:1].upper() + text[1:]
        if done > 0 and total > 0:
            self._bar.setRange(0, 1000)
            self._bar.setValue(min(1000, done * 1000 // total))
            self._text.setText(f"{words} · {min(100, done * 100 // total)} %")
        else:
            self._bar.setRange(0, 0)
            self._text.setText(f"{words}…")


def _demo() -> QWidget:
    """Return a panel at work."""
    panel = LoadingPanel()
    panel.begin(Path("water_dft.extxyz"))
    panel.setProgress(410, 1000, "reading water_dft.extxyz")
    return panel


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 720, 400)
