"""News for a person, from anywhere in the window; views decide how they look."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QObject, Signal

__all__ = ["Notification", "Notifications"]

Tone = Literal["info", "ok", "warn", "error"]


@dataclass(frozen=True)
class Notification:
    """One piece of news.

    Attributes
    ----------
    tone
        How much it matters.
    text
        One or two lines.
    detail
        What can be read on request, such as a traceback.
    """

    tone: Tone
    text: str
    detail: str = ""


class Notifications(QObject):
    """Passes news on and remembers the last 200.

    Signals
    -------
    notified
        A `Notification`.
    """

    notified = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.history: deque[Notification] = deque(maxlen=200)

    def notify(self, tone: Tone, text: str, detail: str = "") -> None:
        """Tell a piece of news."""
        news = Notification(tone, text, detail)
        self.history.append(news)
        level = {"warn": logging.WARNING, "error": logging.ERROR}.get(tone, logging.INFO)
        logging.getLogger(__name__).log(level, "%s %s", text, detail)
        self.notified.emit(news)

    def info(self, text: str) -> None:
        """Tell what a person may like to know."""
        self.notify("info", text)

    def ok(self, text: str) -> None:
        """Tell what went well."""
        self.notify("ok", text)

    def warn(self, text: str, detail: str = "") -> None:
        """Tell what a person should look at."""
        self.notify("warn", text, detail)

    def error(self, text: str, detail: str = "") -> None:
        """Tell what went wrong."""
        self.notify("error", text, detail)
