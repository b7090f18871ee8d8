"""The logs of i-PI and of each driver, one tab each."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QTabWidget, QWidget

from gui.core.lamps import Lamps
from gui.views.common.clock import clock
from gui.views.common.icons import icon
from nequip_openmm.runs.progress import Throttle

__all__ = ["LogTabs", "LogView"]

MOST_BYTES = 128 << 10  # of a log that is shown
EVERY_S = 0.5
RUN_LOGS = {"Run": "log.txt", "Printed": "output.txt"}


class LogView(QPlainTextEdit):
    """The end of a text file that grows."""

    def __init__(self, path: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._path = path
        self._size = -1
        self._is_due = Throttle(EVERY_S)
        self.setReadOnly(True)
        self.setProperty("role", "mono")
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setPlaceholderText(f"{path.name} is empty")
        self.setAccessibleName(f"Log {path.name}")
        clock().register(self)

    def refresh(self) -> None:
        """Read the file again if it has grown; the clock calls this."""
        if not self._is_due():
            return
        try:
            size = self._path.stat().st_size
            if size == self._size:
                return
            with self._path.open("rb") as file:
                file.seek(max(0, size - MOST_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return
        self._size = size
        bar = self.verticalScrollBar()
        was_at_end, at = bar.value() >= bar.maximum() - 4, bar.value()
        self.setPlainText(text)
        if was_at_end:
            self.moveCursor(QTextCursor.MoveOperation.End)
        else:
            bar.setValue(at)


class LogTabs(QTabWidget):
    """One tab for each process, then those of the run."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._folder: Path | None = None
        self._names: list[str] = []
        self.setDocumentMode(True)
        self.setAccessibleName("Logs")

    def setFolder(self, folder: Path | None) -> None:
        """Show the logs of another run."""
        self._folder, self._names = folder, []
        while self.count():
            if (widget := self.widget(0)) is not None:
                widget.deleteLater()
            self.removeTab(0)

    def setLamps(self, lamps: Lamps) -> None:
        """Show a tab for each process that there is, with a mark on those that died."""
        if self._folder is None:
            return
        wanted = {lamp.name: lamp.log for lamp in (lamps.server, *lamps.drivers)} | RUN_LOGS
        if list(wanted) != self._names:
            chosen = self.tabText(self.currentIndex()) if self.count() else ""
            folder = self._folder
            self.setFolder(folder)
            self._names = list(wanted)
            for name, file in wanted.items():
                self.addTab(LogView(folder / file), name)
            self.show_log(chosen)
        for index, lamp in enumerate((lamps.server, *lamps.drivers)):
            name = "error" if lamp.can_be_restarted else "log"
            token = "error" if lamp.can_be_restarted else "muted"
            self.setTabIcon(index, icon(name, token))
            self.setTabToolTip(index, f"{lamp.log}: {lamp.state.value}")

    def show_log(self, name: str) -> None:
        """Bring a tab to the front, such as ``Driver 1``."""
        if name in self._names:
            self.setCurrentIndex(self._names.index(name))


def _demo() -> QWidget:
    from gui.core.lamps import LampState
    from gui.demo.path_integral import finished_run

    tabs = LogTabs()
    run = finished_run(tabs)
    tabs.setFolder(run.job.folder)
    tabs.setLamps(Lamps.of(2).with_driver(2, LampState.DEAD))
    return tabs


if __name__ == "__main__":
    from gui.demo import show

    show(_demo)
