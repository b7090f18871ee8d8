"""A polite kill closes the window at once, also while nothing happens in it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

CODE = """
import gc, sys
from pathlib import Path
from PySide6.QtCore import QTimer
from gui.app import _close_on_signals, make_application, make_window
from gui.session import Session
from gui.settings import SettingsStore
application = make_application()
window = make_window(Session(SettingsStore(Path(sys.argv[1]) / "gui.json")))
_close_on_signals(window)
window.show()
gc.collect()
QTimer.singleShot(500, lambda: print("ready", flush=True))
sys.exit(application.exec())
"""


def test_a_polite_kill_closes_the_window(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Exception" not in said
