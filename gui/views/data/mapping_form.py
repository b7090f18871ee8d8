"""Names and units, where the file does not say them in a way that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from gui.core.datasets import Reading
from gui.views.common.buttons import button
from gui.views.common.labels import label, restyle

__all__ = ["MappingForm"]

LABELS = {
    "energy": ("Energy", "number", "total energy of a frame"),
    "forces": ("Forces", "vectors", "three numbers for each atom"),
    "stress": ("Stress", "tensor", "(dE/dε)/V, tension positive"),
    "virial": ("Virial", "tensor", "\u2212dE/dε, in place of a stress"),
}
"""Label -> title, kind of field that may hold it, and what it is."""

UNITS = {
    "eV/Å": "eV, Å, eV/Å",
    "kcal/mol/Å": "kcal/mol, Å, kcal/mol/Å",
    "kJ/mol/nm": "kJ/mol, nm, kJ/mol/nm",
    "hartree/bohr@Å": "hartree, positions Å, forces hartree/bohr",
    "hartree/bohr@bohr": "hartree, bohr, hartree/bohr",
    "hartree/Å": "hartree, Å, hartree/Å",
    "rydberg/bohr@Å": "rydberg, positions Å, forces rydberg/bohr",
}
BY_ITSELF = "found by itself"
AS_USUAL = "as the format has them (mostly eV and Å)"
CHOOSE = "choose…"


class MappingForm(QWidget):
    """Lets a person say which name holds the energy, the forces, the stress, and in which units they are.

    Signals
    -------
    confirmed
        A `Reading` with what was chosen.
    dismissed
        Not now.
    accepted
        The data are to be taken as they were read.
    """

    confirmed = Signal(object)
    dismissed = Signal()
    accepted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reading: Reading | None = None
        self._needed = ""
        self._title = label("", "heading")
        self._problem = label("", "muted", wraps=True)
        self._boxes = {name: QComboBox() for name in (*LABELS, "units")}
        self._unknown = label("", "caption", wraps=True)
        self._as_read = button("Use as it is", self.accepted.emit)
        self._dismiss = button("Cancel", self.dismissed.emit)
        self._confirm = button("Read again", self._say, role="primary")
        self._build()
        for box in self._boxes.values():
            box.currentIndexChanged.connect(self._check)
        for name in ("stress", "virial"):
            self._boxes[name].currentIndexChanged.connect(lambda _i, name=name: self._exclude(name))

    def ask(
        self,
        reading: Reading,
        fields: Sequence[Mapping[str, str]],
        problem: str,
        *,
        needed: str = "",
        may_accept: bool = False,
    ) -> None:
        """Show what a file holds and what is unclear about it.

        Parameters
        ----------
        reading
            How it was read.
        fields
            ``name``, ``kind`` and ``example`` of everything that the file names.
        problem
            One sentence.
        needed
            Label, or ``"units"``, that has to be chosen; empty for none.
        may_accept
            Whether the data can be used as they were read.
        """
        self._reading = reading
        self._title.setText(f"What is what in {reading.path.name}?")
        self._problem.setText(problem)
        for name, (_, kind, _) in LABELS.items():
            first = CHOOSE if name == needed else BY_ITSELF
            self._fill(self._boxes[name], first, fields, kind, reading.keys.get(name, ""))
        units = self._boxes["units"]
        units.clear()
        units.addItem(CHOOSE if needed == "units" else AS_USUAL, "")
        for key, text in UNITS.items():
            units.addItem(text, key)
        if reading.units and reading.units not in UNITS:
            units.addItem(reading.units, reading.units)
        units.setCurrentIndex(max(units.findData(reading.units or ""), 0))
        others = [field["name"] for field in fields if field["kind"] == "other"]
        self._unknown.setText(f"Also in the file: {', '.join(others[:20])}" if others else "")
        self._as_read.setVisible(may_accept)
        self._needed = needed
        self._check()

    def reading(self) -> Reading:
        """Return the reading with what is chosen."""
        before = self._reading or Reading(path=None)  # type: ignore[arg-type]
        keys = {name: self._boxes[name].currentData() for name in LABELS}
        units = self._boxes["units"].currentData() or None
        chosen = {name: key for name, key in keys.items() if key}
        return Reading(before.path, before.format, units, chosen)

    def boxes(self) -> Mapping[str, QComboBox]:
        """Return what is chosen with: energy, forces, stress, virial, units."""
        return self._boxes

    def _check(self) -> None:
        """Let it be read again once what is needed has been chosen."""
        box = self._boxes.get(self._needed)
        is_open = box is not None and not box.currentData()
        if box is not None:
            restyle(box, "invalid", is_open)
        self._confirm.setEnabled(not is_open)

    def _fill(
        self,
        box: QComboBox,
        first: str,
        fields: Sequence[Mapping[str, str]],
        kind: str,
        chosen: str,
    ) -> None:
        box.clear()
        box.addItem(first, "")
        for field in fields:
            if field["kind"] == kind:
                box.addItem(f"{field['name']}    ({field['example'][:36]})", field["name"])
        box.setCurrentIndex(max(box.findData(chosen), 0))
        box.setEnabled(box.count() > 1)

    def _exclude(self, name: str) -> None:
        """Stress and virial are two ways to say one thing."""
        other = self._boxes["virial" if name == "stress" else "stress"]
        if self._boxes[name].currentData():
            other.setCurrentIndex(0)

    def _say(self) -> None:
        self.confirmed.emit(self.reading())

    def _build(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        rows = {name: (title, tip) for name, (title, _, tip) in LABELS.items()}
        rows["units"] = ("Units", "of energies, positions and forces in the file")
        for row, (name, (title, tip)) in enumerate(rows.items()):
            heading, box = QLabel(title), self._boxes[name]
            heading.setBuddy(box)
            box.setAccessibleName(title)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumWidth(320)
            grid.addWidget(heading, row, 0)
            grid.addWidget(box, row, 1)
            grid.addWidget(label(tip, "caption"), row, 2)
        grid.setColumnStretch(1, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch()
        for each in (self._dismiss, self._as_read, self._confirm):
            buttons.addWidget(each)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(12)
        layout.addWidget(self._title)
        layout.addWidget(self._problem)
        layout.addSpacing(4)
        layout.addLayout(grid)
        layout.addWidget(self._unknown)
        layout.addSpacing(4)
        layout.addLayout(buttons)


DEMO_FIELDS = (
    {"name": "REF_energy", "kind": "number", "example": "-1395.21"},
    {"name": "dft_energy", "kind": "number", "example": "-1394.87"},
    {"name": "REF_forces", "kind": "vectors", "example": "0.12 -0.30 0.07"},
    {"name": "virials", "kind": "tensor", "example": "1.2 0.1 -0.4"},
    {"name": "config_type", "kind": "other", "example": "md300"},
)
"""Fields of a made-up file."""


def _demo() -> QWidget:
    """Return a form about a made-up file."""
    from pathlib import Path

    form = MappingForm()
    problem = "REF_energy and dft_energy could both be the energy."
    form.ask(Reading(Path("water_dft.xyz")), DEMO_FIELDS, problem, needed="energy")
    return form


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 720, 400)
