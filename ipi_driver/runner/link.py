"""The thread that ties a child process to the one that started it.

Both hold one end of a socket pair. Orders come in and reports go out as JSON lines; the end of the stream means that the
parent is gone, however it ended, and then the child ends in order.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

__all__ = ["ORDERED", "Link", "LogReports"]

ORDERED = "checkpoint.xml"
"""The checkpoint that is written when ordered."""

GRACE_S = 30.0
"""Seconds from the parent's end to the child's, if SIGTERM does not end it before."""


class Link:
    """The child's end.

    Parameters
    ----------
    descriptor
        Number of the inherited socket.
    obey
        Is called, in a thread, with every order.
    """

    def __init__(
        self, descriptor: int, obey: Callable[[dict[str, Any]], None] | None = None
    ) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._obey = obey
        threading.Thread(target=self._watch, name="link", daemon=True).start()

    def report(self, kind: str, **values: Any) -> None:
        """Tell the parent something."""
        with suppress(OSError):  # it may be gone
            self._socket.sendall((json.dumps({"kind": kind, **values}) + "\n").encode())

    def _watch(self) -> None:
        with suppress(OSError, ValueError), self._socket.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                if self._obey is not None:
                    self._obey(json.loads(line))
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_S)
        os._exit(1)


class LogReports(logging.Handler):
    """Reports what a driver logs about its state (``extra={"state": ...}``) and its warnings (``extra={"code": ...}``)."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on, unless it is for the log alone."""
        for kind in ("state", "code"):
            if (value := getattr(record, kind, None)) is not None:
                self._link.report(kind, value=value, message=record.getMessage())
