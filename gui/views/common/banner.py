"""A coloured strip that says what happened and offers what to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gui.theme import UNIT, theme
from gui.views.common.buttons import IconButton, button
from gui.views.common.icons import pixmap
from gui.views.common.labels import clear, label, restyle

__all__ = ["Banner"]

ICONS = {"info": "info", "ok": "ok", "warn": "warn", "error": "error"}
WORDS = {"info": "Note", "ok": "Done", "warn": "Warning", "error": "Error"}
TOKENS = {"info": "accent", "ok": "ok", "warn": "warn", "error": "error"}


class Banner(QFrame):
    """Icon, a sentence, details below it, buttons at its right. Hidden until `show_`.

    Signals
    -------
    closed
        A person closed it.
    """

    closed = Signal()

    def __init__(self, parent: QWidget | None = None, *, closable: bool = False) -> None:
        super().__init__(parent)
        self.setProperty("role", "banner")
        self._tone = "info"
        self._icon = QLabel()
        self._icon.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._text = label("", "", wraps=True)
        self._detail = label("", "muted", wraps=True)
        for part in (self._text, self._detail):
            part.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(UNIT)
        self._build(closable)
        theme().changed.connect(self._draw)
        self.hide()

    def show_(
        self,
        tone: str,
        text: str,
        detail: str = "",
        buttons: Mapping[str, Callable[[], object]] | None = None,
    ) -> None:
        """Say something: ``tone`` is info, ok, warn or error; ``buttons`` are words with what they do."""
        self._tone = tone
        self._text.setText(text)
        self._detail.setText(detail)
        self._detail.setVisible(bool(detail))
        self._set_buttons(buttons or {})
        restyle(self, "tone", tone)
        self.setAccessibleName(f"{WORDS[tone]}: {text}")
        self._draw()
        self.show()

    def text(self) -> str:
        """Return what is said."""
        return self._text.text()

    def _set_buttons(self, buttons: Mapping[str, Callable[[], object]]) -> None:
        clear(self._buttons)
        for text, callback in buttons.items():
            self._buttons.addWidget(button(text, callback))

    def _build(self, closable: bool) -> None:
        words = QVBoxLayout()
        words.setSpacing(UNIT // 2)
        words.addWidget(self._text)
        words.addWidget(self._detail)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2 * UNIT, UNIT + UNIT // 2, UNIT + UNIT // 2, UNIT + UNIT // 2)
        layout.setSpacing(UNIT + UNIT // 2)
        layout.addWidget(self._icon)
        layout.addLayout(words, 1)
        layout.addLayout(self._buttons)
        if closable:
            layout.addWidget(IconButton("close", "Close", self._close, size=14))

    def _close(self) -> None:
        self.hide()
        self.closed.emit()

    def _draw(self) -> None:
        self._icon.setPixmap(pixmap(ICONS[self._tone], TOKENS[self._tone], 20))


def _demo() -> QWidget:
    made = QWidget()
    made.setObjectName("canvas")
    layout = QVBoxLayout(made)
    for tone, text in {
        "info": "Still loading PyTorch… this takes a few seconds the first time.",
        "ok": "Done. Best force error 17.9 meV/Å on 30 validation frames.",
        "warn": "No news for 30 s.",
        "error": "The temperature rose above 3,000 K at step 812.",
    }.items():
        banner = Banner(closable=True)
        banner.show_(
            tone,
            text,
            "Last good frame: 800." if tone == "error" else "",
            {"Continue": lambda: None},
        )
        layout.addWidget(banner)
    layout.addStretch(1)
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo)
