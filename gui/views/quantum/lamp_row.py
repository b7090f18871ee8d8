"""Lamps of i-PI and its drivers: icon, name and word, and a way to start again what has died."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from gui.core.lamps import Lamp, Lamps, LampState
from gui.theme import UNIT, theme
from gui.views.common.buttons import button
from gui.views.common.icons import pixmap
from gui.views.common.labels import label, restyle

__all__ = ["LampRow", "LampWidget"]

LOOKS = {
    LampState.OFF: ("minus", "faint"),
    LampState.STARTING: ("starting", "accent"),
    LampState.WAITING: ("clock", "warn"),
    LampState.CONNECTED: ("link", "accent"),
    LampState.WORKING: ("ok", "ok"),
    LampState.DEAD: ("error", "error"),
    LampState.GIVEN_UP: ("error", "error"),
    LampState.ENDED: ("stop", "muted"),
}
"""Icon and token of each state."""
MOST_SHOWN = 4


class LampWidget(QFrame):
    """One process.

    Signals
    -------
    restart_asked
        A person wants it started again.
    """

    restart_asked = Signal()

    def __init__(self, lamp: Lamp, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lamp = lamp
        self._can_restart = False
        self._icon = QLabel()
        self._name = label(lamp.name)
        self._word = label("", "muted")
        self.restartButton = button(
            "Restart", self.restart_asked.emit, role="flat", icon_name="restart"
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(UNIT + 4, UNIT // 2, UNIT + 4, UNIT // 2)
        layout.setSpacing(UNIT // 2 + 2)
        for widget in (self._icon, self._name, self._word, self.restartButton):
            layout.addWidget(widget)
        self.setMinimumHeight(4 * UNIT)
        self.setProperty("role", "well")
        theme().changed.connect(self._draw)
        self._draw()

    def setLamp(self, lamp: Lamp, *, can_restart: bool = False) -> None:
        """Show what the process does now, and whether it can be started again if it died."""
        if (lamp, can_restart) != (self._lamp, self._can_restart):
            self._lamp, self._can_restart = lamp, can_restart
            self._draw()

    def text(self) -> str:
        """Return what is shown, for screen readers."""
        return f"{self._name.text()} {self._word.text()}"

    def _draw(self) -> None:
        lamp = self._lamp
        icon_name, token = LOOKS[lamp.state]
        self._icon.setPixmap(pixmap(icon_name, token, 16))
        self._name.setText(lamp.name)
        self._word.setText(lamp.state.value)
        restyle(self._word, "role", token if token in ("ok", "warn", "error") else "muted")
        self.restartButton.setVisible(self._can_restart and lamp.can_be_restarted)
        process = f" (process {lamp.pid})" if lamp.pid else ""
        self.setToolTip(f"{lamp.name}{process}: {lamp.detail or lamp.state.value}")
        self.setAccessibleName(f"{lamp.name}: {lamp.state.value}")


class LampRow(QWidget):
    """All processes of a run; beyond four drivers the rest is counted.

    Signals
    -------
    restart_asked
        Number of a driver.
    """

    restart_asked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._server = LampWidget(Lamps().server)
        self._drivers: list[LampWidget] = []
        self._more = label("", "muted")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(UNIT)
        self._row.addWidget(self._server)
        self._row.addWidget(self._more)
        self._row.addStretch(1)
        self._more.hide()

    def setLamps(self, lamps: Lamps) -> None:
        """Show what all processes do now; those in trouble come first."""
        self._server.setLamp(lamps.server)
        numbered = list(enumerate(lamps.drivers, 1))
        shown = sorted(numbered, key=lambda item: (not item[1].can_be_restarted, item[0]))[
            :MOST_SHOWN
        ]
        self._make_room(len(shown))
        for widget, (number, lamp) in zip(self._drivers, shown):
            widget.setProperty("number", number)
            widget.setLamp(lamp, can_restart=lamps.server.is_alive)
        self._more.setVisible(len(numbered) > MOST_SHOWN)
        self._more.setText(f"{lamps.n_working} of {len(numbered)} drivers work")

    def _make_room(self, number: int) -> None:
        while len(self._drivers) < number:
            widget = LampWidget(Lamp("Driver", ""))
            widget.restart_asked.connect(
                lambda w=widget: self.restart_asked.emit(int(w.property("number")))
            )
            self._row.insertWidget(1 + len(self._drivers), widget)
            self._drivers.append(widget)
        for index, widget in enumerate(self._drivers):
            widget.setVisible(index < number)


def _demo() -> QWidget:
    from PySide6.QtWidgets import QVBoxLayout

    made = QWidget()
    made.setObjectName("canvas")
    layout = QVBoxLayout(made)
    layout.setContentsMargins(24, 24, 24, 24)
    for state in LampState:
        row = LampRow()
        row.setLamps(Lamps.of(2).with_server(LampState.WORKING).with_driver(1, state))
        layout.addWidget(row)
    layout.addStretch(1)
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo)
