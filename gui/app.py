"""Starts the application: theme, handlers for what goes wrong, the window."""

from __future__ import annotations

import faulthandler
import logging
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QMessageLogContext, QSocketNotifier, QtMsgType, qInstallMessageHandler
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from gui.desktop import APPLICATION
from gui.session import Session
from gui.theme import theme
from gui.views.main_window import MainWindow
from gui.warm_up import WarmUp
from nequip_openmm._version import __version__

__all__ = ["make_application", "make_window", "run"]

log = logging.getLogger("gui")

HARMLESS = ("propagateSizeHints", "QFont::setPointSize")


def run(files: Sequence[Path]) -> int:
    """Open the window with files; return the exit code when it is closed."""
    application = make_application()
    window = make_window(Session())
    _close_on_signals(window)
    window.show()
    window.session.open_files(files)
    WarmUp(window)
    return application.exec()


def make_application() -> QApplication:
    """Return the application with the handlers that a person's window needs."""
    faulthandler.enable()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    QGuiApplication.setDesktopFileName(APPLICATION)
    application = QApplication(sys.argv[:1])
    application.setApplicationName("nequip-openmm")
    application.setApplicationDisplayName("NequIP OpenMM")
    application.setApplicationVersion(__version__)
    application.setStyle("Fusion")
    qInstallMessageHandler(_note_message)
    return application


def make_window(session: Session) -> MainWindow:
    """Return the window of a session, in the colours that its settings ask for."""
    theme().set_text_scale(session.settings.values.text_scale)
    theme().choose(session.settings.values.theme)
    theme().watch_system()
    window = MainWindow(session)
    sys.excepthook = lambda kind, error, trace: _note_exception(session, kind, error, trace)
    return window


def _note_exception(
    session: Session,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
) -> None:
    """A bug in the window: told, and the window stays."""
    if issubclass(kind, KeyboardInterrupt):
        QApplication.quit()
        return
    text = "".join(traceback.format_exception(kind, error, trace))
    session.notifications.error(f"Something in the window went wrong: {error}", text)


def _note_message(kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
    """Qt's own messages go where ours go."""
    if any(word in text for word in HARMLESS):
        return
    levels = {QtMsgType.QtDebugMsg: logging.DEBUG, QtMsgType.QtInfoMsg: logging.INFO}
    log.log(levels.get(kind, logging.WARNING), "Qt: %s", text)


def _close_on_signals(window: MainWindow) -> None:
    """Ctrl-C in the terminal and a polite kill close the window as its button does.

    Python's handlers run only when Python does; a byte on a socket wakes Qt, and with it Python.
    """
    reader, writer = socket.socketpair()
    for end in (reader, writer):
        end.setblocking(False)
    signal.set_wakeup_fd(writer.fileno())
    notifier = QSocketNotifier(reader.fileno(), QSocketNotifier.Type.Read, window)
    notifier.activated.connect(lambda: reader.recv(64))
    window.setProperty("wakes", (reader, writer))  # a connection alone would not keep them open
    window.destroyed.connect(lambda: signal.set_wakeup_fd(-1))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: window.close_now())
