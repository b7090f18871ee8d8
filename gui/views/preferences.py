"""The dialog with all that the window remembers for a person; changes hold at once."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from gui.core.wording import short_path
from gui.session import Session
from gui.theme import UNIT
from gui.views.common.buttons import button
from gui.views.common.labels import label
from gui.views.common.numbers import SpinBox
from gui.views.common.segmented import SegmentedControl

__all__ = ["PreferencesDialog"]

THEMES = {"system": "As the system", "light": "Light", "dark": "Dark"}
SIZES = {"90 %": 0.9, "100 %": 1.0, "115 %": 1.15, "130 %": 1.3, "150 %": 1.5, "200 %": 2.0}


class PreferencesDialog(QDialog):
    """Theme, size of text, where runs go, what happens to jobs when the window closes."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setWindowTitle("Preferences")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(80 * UNIT)
        form = QFormLayout()
        form.setHorizontalSpacing(3 * UNIT)
        form.setVerticalSpacing(2 * UNIT)
        form.addRow("Colours", self._theme())
        form.addRow("Text", self._text_size())
        form.addRow("New runs go to", self._folder())
        form.addRow("Processor threads", self._threads())
        form.addRow("When the window closes", self._keep_running())
        box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        box.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, 3 * UNIT, 3 * UNIT, 2 * UNIT)
        layout.setSpacing(3 * UNIT)
        layout.addLayout(form)
        kept = short_path(session.settings.path)
        layout.addWidget(label(f"Kept in {kept}", "caption", wraps=True))
        layout.addWidget(box)

    def _theme(self) -> QWidget:
        control = SegmentedControl(THEMES, "Colours")
        control.setValue(self._session.settings.values.theme)
        control.chosen.connect(self._choose_theme)
        return control

    def _choose_theme(self, choice: str) -> None:
        self._session.settings.set("theme", choice)
        self._session.theme.choose(choice)  # type: ignore[arg-type]

    def _text_size(self) -> QWidget:
        choice = QComboBox()
        choice.setAccessibleName("Size of text")
        choice.addItems(list(SIZES))
        now = self._session.settings.values.text_scale
        choice.setCurrentIndex(
            min(range(len(SIZES)), key=lambda n: abs(list(SIZES.values())[n] - now))
        )
        choice.currentTextChanged.connect(self._choose_size)
        return choice

    def _choose_size(self, text: str) -> None:
        self._session.settings.set("text_scale", SIZES[text])
        self._session.theme.set_text_scale(SIZES[text])

    def _folder(self) -> QWidget:
        self._path = QLineEdit(str(self._session.settings.runs_folder))
        self._path.setAccessibleName("Folder of new runs")
        self._path.editingFinished.connect(lambda: self._choose_folder(Path(self._path.text())))
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._path, 1)
        layout.addWidget(button("Choose…", self._ask_folder))
        return row

    def _ask_folder(self) -> None:
        self._session.dialogs.open_folder(
            "Folder of new runs", self._choose_folder, folder=self._session.settings.runs_folder
        )

    def _choose_folder(self, folder: Path) -> None:
        self._path.setText(str(folder))
        self._session.settings.set("runs_folder", folder)

    def _threads(self) -> QWidget:
        box = SpinBox()
        box.setAccessibleName("Processor threads of a new job")
        box.setRange(0, 256)
        box.setSpecialValueText("as many as are useful")
        box.setValue(self._session.settings.values.threads or 0)
        box.valueChanged.connect(
            lambda number: self._session.settings.set("threads", number or None)
        )
        return box

    def _keep_running(self) -> QWidget:
        box = QCheckBox("Jobs keep running; the next window finds them again")
        box.setChecked(self._session.settings.values.keep_running)
        box.toggled.connect(lambda on: self._session.settings.set("keep_running", on))
        return box


def _demo() -> QWidget:
    from gui.demo import demo_session

    session = demo_session()
    dialog = PreferencesDialog(session)
    session.setParent(dialog)
    return dialog


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 640, 400)
