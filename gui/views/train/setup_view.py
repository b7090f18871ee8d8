"""Setting up a training: data, preset, settings, a check, the start."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from gui.theme import UNIT
from gui.viewmodels.training_setup import Check, TrainingSetup
from gui.views.common.banner import Banner
from gui.views.common.buttons import button
from gui.views.common.card import Card
from gui.views.common.form import SettingsForm
from gui.views.common.icons import IconLabel
from gui.views.common.labels import Elided, label
from gui.views.common.scrolling import Scrolling
from gui.views.train.check_card import CheckCard
from gui.views.train.layout import SECTIONS
from gui.views.train.preset_picker import PresetPicker
from nequip_openmm.training.config import TrainingConfig

__all__ = ["SetupView"]

MARGIN = 3 * UNIT
WIDEST = 120 * UNIT
SETTLED_MS = 60  # until a new card has its place


class SetupView(QWidget):
    """Shows and edits a `TrainingSetup`.

    Signals
    -------
    start_asked, export_asked, data_asked
        Buttons.
    """

    start_asked = Signal()
    export_asked = Signal()
    data_asked = Signal()

    def __init__(self, setup: TrainingSetup, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setup = setup
        self.data_name = Elided("", "subheading", Qt.TextElideMode.ElideMiddle)
        self.data_facts = label("", "muted", wraps=True)
        self.presets = PresetPicker()
        self.name = QLineEdit()
        self.form = SettingsForm(TrainingConfig, SECTIONS)
        self.check = CheckCard()
        self.problem = Banner()
        self.check_button = button(
            "Check",
            setup.start_check,
            tip="Read the data, count, time some steps: nothing is written",
        )
        self.export_button = button("Export YAML…", self.export_asked.emit, icon_name="export")
        self.start_button = button("Start training", self._start, role="primary", icon_name="play")
        self._scroll = Scrolling()
        self._checked = Check.NONE
        self._build()
        self._connect()
        self._show_values()
        self._show_setup()

    # --- keeping up

    def _connect(self) -> None:
        self.form.changed.connect(self._on_edited)
        self.presets.chosen.connect(self.setup.choose_preset)
        self.name.textChanged.connect(self.setup.set_name)
        self.check.cancelled.connect(self.setup.cancel_check)
        self.setup.replaced.connect(self._show_values)
        self.setup.changed.connect(self._show_setup)
        self.setup.check_changed.connect(self._show_check)

    def _show_values(self) -> None:
        self.form.blockSignals(True)
        self.form.set_values(self.setup.values)
        self.form.blockSignals(False)
        self.form.set_reference(self.setup.reference)
        self.presets.setValue(self.setup.preset)

    def _on_edited(self) -> None:
        self.setup.edit(self.form.values())

    def _show_setup(self) -> None:
        path = self.setup.data.get("path")
        self.data_name.setText(Path(path).name if path else "No data set")
        self.data_facts.setText("   ·   ".join(self.setup.data_facts) or str(path or ""))
        can_start = self.setup.has_data and self.form.is_valid
        self.check_button.setEnabled(can_start)
        self.export_button.setEnabled(self.form.is_valid)
        # A start that is not possible yet leads to what is missing.
        self.start_button.setEnabled(self.setup.has_data)
        self._show_problem()

    def _show_problem(self) -> None:
        n_wrong = len(self.form.errors())
        if not n_wrong:
            self.problem.hide()
            return
        words = "One setting needs" if n_wrong == 1 else f"{n_wrong} settings need"
        self.problem.show_(
            "error",
            f"{words} to be corrected before a start.",
            "",
            {"Show": self.form.reveal_first_error},
        )

    def _show_check(self) -> None:
        self.check.show_(self.setup)
        self.check_button.setEnabled(
            self.setup.check is not Check.RUNNING and self.setup.has_data and self.form.is_valid
        )
        is_new, self._checked = self.setup.check is not self._checked, self.setup.check
        if is_new and self.setup.check is not Check.NONE:
            QTimer.singleShot(SETTLED_MS, self, self._show_check_in_sight)

    def _show_check_in_sight(self) -> None:
        bar = self._scroll.verticalScrollBar()
        bar.setValue(bar.maximum())  # the check is the last card

    def _start(self) -> None:
        if self.form.is_valid:
            self.start_asked.emit()
        else:
            self.form.reveal_first_error()

    # --- building

    def _build(self) -> None:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(2 * UNIT)
        column.addWidget(self._data_card())
        column.addWidget(label("Begin with", "subheading"))
        column.addWidget(self.presets)
        column.addWidget(self._form_card())
        column.addWidget(self.check)
        column.addStretch(1)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidget(_at_most(content, WIDEST))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._scroll, 1)
        layout.addWidget(self._foot())

    def _data_card(self) -> Card:
        card = Card()
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.data_name)
        words.addWidget(self.data_facts)
        row = QHBoxLayout()
        row.setSpacing(2 * UNIT)
        row.addWidget(IconLabel("data", size=24))
        row.addLayout(words, 1)
        row.addWidget(button("Change…", self.data_asked.emit))
        card.body.addLayout(row)
        return card

    def _form_card(self) -> Card:
        card = Card(margin=MARGIN)
        self.name.setPlaceholderText("date and time")
        self.name.setAccessibleName("Name of the run")
        self.name.setMaximumWidth(46 * UNIT)
        caption = label("Name of the run", "field")
        caption.setBuddy(self.name)
        card.body.addWidget(caption)
        card.body.addWidget(self.name)
        card.body.addSpacing(UNIT)
        card.body.addWidget(self.form)
        return card

    def _foot(self) -> QWidget:
        foot = QFrame()
        foot.setObjectName("foot")
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        for part in (self.check_button, self.export_button):
            row.addWidget(part)
        row.addStretch(1)
        row.addWidget(self.start_button)
        layout = QVBoxLayout(foot)
        layout.setContentsMargins(MARGIN, int(1.5 * UNIT), MARGIN, int(1.5 * UNIT))
        layout.setSpacing(UNIT)
        layout.addWidget(self.problem)
        layout.addLayout(row)
        return foot


def _at_most(content: QWidget, width: int) -> QWidget:
    """Return a widget that centres another one, which gets no wider than ``width``."""
    content.setMaximumWidth(width)
    outer = QWidget()
    row = QHBoxLayout(outer)
    row.setContentsMargins(0, 0, 0, 0)
    row.addStretch(1)
    row.addWidget(content, 1000)
    row.addStretch(1)
    return outer


def _demo() -> QWidget:
    from gui.demo import demo_session
    from gui.demo.datasets import demo_dataset

    session = demo_session()
    session.dataset = demo_dataset()
    made = SetupView(TrainingSetup(session))
    made.session = session  # type: ignore[attr-defined]
    made.setObjectName("canvas")
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 900, 700)
