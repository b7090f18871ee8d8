"""Temperature, friction and pressure of a running simulation: a slider and a field each."""

from __future__ import annotations

import math
from collections.abc import Mapping

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtWidgets import QGridLayout, QSlider, QWidget

from gui.theme import UNIT
from gui.views.common.card import Card
from gui.views.common.labels import label
from gui.views.common.numbers import DoubleSpinBox

__all__ = ["KNOBS", "Knob", "Steering"]

SETTLE_MS = 300  # a slider that is dragged tells where it rests
POSITIONS = 400  # of a slider


class _Field(DoubleSpinBox):
    """Shows no zeros that tell nothing."""

    def textFromValue(self, value: float) -> str:
        text = f"{value:.{self.decimals()}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text


class Knob:
    """How one setting is turned.

    Parameters
    ----------
    title, unit
        For people.
    lowest, highest
        Range of the field.
    decimals
        Of the field.
    is_logarithmic
        Whether equal ways of the slider are equal factors.
    """

    def __init__(
        self,
        title: str,
        unit: str,
        lowest: float,
        highest: float,
        decimals: int,
        *,
        is_logarithmic: bool,
    ) -> None:
        self.title, self.unit = title, unit
        self.lowest, self.highest, self.decimals = lowest, highest, decimals
        self.is_logarithmic = is_logarithmic

    def span(self, value: float) -> tuple[float, float]:
        """Return the ends of a slider that has ``value`` well inside."""
        if self.is_logarithmic:
            low, high = min(0.01, value), max(100.0, value)
            return max(low, self.lowest), min(high, self.highest)
        reach = max(600.0, 2.0 * abs(value)) if self.lowest >= 0 else max(1000.0, 2.0 * abs(value))
        return max(self.lowest, 0.0 if self.lowest >= 0 else -reach), min(reach, self.highest)

    def value_at(self, part: float, span: tuple[float, float]) -> float:
        """Return the value at a part, 0 to 1, of the slider."""
        low, high = span
        if self.is_logarithmic:
            return float(f"{low * (high / low) ** part:.2g}")
        return round(low + (high - low) * part, self.decimals)

    def part_of(self, value: float, span: tuple[float, float]) -> float:
        """Return where on the slider a value is."""
        low, high = span
        part = (
            math.log(value / low) / math.log(high / low)
            if self.is_logarithmic
            else (value - low) / (high - low)
        )
        return min(1.0, max(0.0, part))


KNOBS = {
    "temperature": Knob("Temperature", "K", 0.0, 100_000.0, 0, is_logarithmic=False),
    "friction": Knob("Friction", "/ps", 0.001, 10_000.0, 3, is_logarithmic=True),
    "pressure": Knob("Pressure", "bar", -1e7, 1e7, 0, is_logarithmic=False),
}


class Steering(Card):
    """Changes settings while the simulation runs.

    Signals
    -------
    turned
        Name of the setting and its new value.
    """

    turned = Signal(str, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("While it runs", margin=UNIT + UNIT // 2, parent=parent)
        self._spans = {name: knob.span(_USUAL[name]) for name, knob in KNOBS.items()}
        self._known: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self.sliders: dict[str, QSlider] = {}
        self.fields: dict[str, DoubleSpinBox] = {}
        self._timers: dict[str, QTimer] = {}
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(UNIT)
        self._grid.setVerticalSpacing(UNIT // 2)
        self._grid.setColumnStretch(1, 1)
        self._rows: dict[str, list[QWidget]] = {}
        for row, name in enumerate(KNOBS):
            self._add(row, name)
        self.body.addLayout(self._grid)
        self.note = label("", "muted", wraps=True)
        self.body.addWidget(self.note)
        self.setValues({})

    def setValues(self, values: Mapping[str, float]) -> None:
        """Show what the simulation has now; settings that are not among them cannot be changed and are hidden."""
        if values == self._known and values:
            return
        self._known = dict(values)
        for name in KNOBS:
            for widget in self._rows[name]:
                widget.setVisible(name in values)
            if name in values:
                if self._asked.get(name) == values[name]:
                    del self._asked[name]
                self._show(name, values[name])
        self._tell()

    def reset(self) -> None:
        """Forget what was asked for and show what the simulation has."""
        self._asked.clear()
        for name, value in self._known.items():
            self._show(name, value)
        self._tell()

    def setActive(self, is_active: bool) -> None:
        """Allow or forbid turning."""
        for widgets in self._rows.values():
            for widget in widgets:
                widget.setEnabled(is_active)

    def setNote(self, text: str) -> None:
        """Say something below; empty to say what is asked for."""
        self.note.setText(text)
        self.note.setVisible(bool(text))

    # --- inside ---------------------------------------------------------------------------------------------------

    def _add(self, row: int, name: str) -> None:
        knob = KNOBS[name]
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(0, POSITIONS)
        slider.setAccessibleName(f"{knob.title}, {knob.unit}")
        slider.setMinimumWidth(80)
        field = _Field()
        field.setDecimals(knob.decimals)
        field.setRange(knob.lowest, knob.highest)
        field.setSuffix(f" {knob.unit}")
        field.setKeyboardTracking(False)
        field.setFixedWidth(104)
        field.setAccessibleName(f"{knob.title}, {knob.unit}")
        timer = QTimer(self, singleShot=True, interval=SETTLE_MS)
        slider.valueChanged.connect(lambda position: self._slide(name, position))
        slider.sliderReleased.connect(lambda: self._commit(name))
        field.valueChanged.connect(lambda value: self._type(name, value))
        timer.timeout.connect(lambda: self._commit(name))
        title = label(knob.title)
        title.setBuddy(field)
        self.sliders[name], self.fields[name], self._timers[name] = slider, field, timer
        self._rows[name] = [title, slider, field]
        for column, widget in enumerate(self._rows[name]):
            self._grid.addWidget(widget, row, column)

    def _show(self, name: str, value: float) -> None:
        knob, slider, field = KNOBS[name], self.sliders[name], self.fields[name]
        self._spans[name] = knob.span(value)
        with QSignalBlocker(slider), QSignalBlocker(field):
            field.setValue(value)
            slider.setValue(round(POSITIONS * knob.part_of(value, self._spans[name])))

    def _slide(self, name: str, position: int) -> None:
        with QSignalBlocker(self.fields[name]):
            self.fields[name].setValue(
                KNOBS[name].value_at(position / POSITIONS, self._spans[name])
            )
        self._timers[name].start()

    def _type(self, name: str, value: float) -> None:
        knob = KNOBS[name]
        with QSignalBlocker(self.sliders[name]):
            self.sliders[name].setValue(
                round(POSITIONS * knob.part_of(max(value, knob.lowest), self._spans[name]))
            )
        self._commit(name)

    def _commit(self, name: str) -> None:
        self._timers[name].stop()
        value = self.fields[name].value()
        if value == self._asked.get(name, self._known.get(name)):
            return
        self._asked[name] = value
        self._tell()
        self.turned.emit(name, value)

    def _tell(self) -> None:
        waiting = [
            f"{KNOBS[name].title} {value:g} {KNOBS[name].unit}"
            for name, value in self._asked.items()
        ]
        self.setNote(f"Asked for: {', '.join(waiting)}…" if waiting else "")


_USUAL = {"temperature": 300.0, "friction": 1.0, "pressure": 1.0}


def _demo() -> QWidget:
    steering = Steering()
    steering.setValues({"temperature": 300.0, "friction": 1.0})
    return steering


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 380, 140)
