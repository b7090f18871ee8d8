"""The state of a job as icon and word, never as colour alone."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from gui.jobs.states import JobState
from gui.theme import UNIT, theme
from gui.views.common.icons import pixmap
from gui.views.common.labels import label

__all__ = ["LOOKS", "StatusBadge"]

LOOKS = {
    JobState.STARTING: ("starting", "accent"),
    JobState.RUNNING: ("play", "accent"),
    JobState.PAUSED: ("pause", "warn"),
    JobState.STOPPING: ("stop", "warn"),
    JobState.FINISHED: ("ok", "ok"),
    JobState.STOPPED: ("stop", "muted"),
    JobState.FAILED: ("error", "error"),
    JobState.LOST: ("lost", "error"),
}
"""Icon and token of each state."""


class StatusBadge(QWidget):
    """Shows a `JobState`, with another word if one fits better (``"minimising"``)."""

    def __init__(self, state: JobState = JobState.STARTING, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state, self._word = state, ""
        self._icon = QLabel()
        self._text = label()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT // 2 + 2)
        layout.addWidget(self._icon)
        layout.addWidget(self._text)
        layout.addStretch(1)
        theme().changed.connect(self._draw)
        self._draw()

    def setState(self, state: JobState, word: str = "") -> None:
        """Show a state."""
        if (state, word) != (self._state, self._word):
            self._state, self._word = state, word
            self._draw()

    def text(self) -> str:
        """Return the word that is shown."""
        return self._text.text()

    def _draw(self) -> None:
        name, token = LOOKS[self._state]
        self._icon.setPixmap(pixmap(name, token, 16))
        self._text.setText(self._word or self._state.value)
        self._text.setStyleSheet(f"color: {theme().token(token)}; font-weight: 600;")
        self.setAccessibleName(f"State: {self._text.text()}")


def _demo() -> QWidget:
    from gui.demo import column

    return column(*map(StatusBadge, JobState))


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 240, 360)
