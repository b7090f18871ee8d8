"""Which part of the frames is shown, and why."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from gui.views.common.buttons import IconButton

__all__ = ["FilterBar"]


class FilterBar(QWidget):
    """How many frames are shown; a button for each filter that takes it away.

    Signals
    -------
    dropped
        Key of a filter that is not wanted any more.
    cleared
        All frames are wanted.
    saving_wanted
        The frames that are shown are to be saved; False: the others.
    """

    dropped = Signal(str)
    cleared = Signal()
    saving_wanted = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = QLabel("Frames")
        self._title.setProperty("role", "subheading")
        self._count = QLabel()
        self._count.setProperty("role", "muted")
        self._chips = QHBoxLayout()
        self._chips.setSpacing(4)
        self._save = IconButton("save", "Save these frames, or the others", size=16)
        self._save.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self._save)
        self._save_shown = menu.addAction("", lambda: self.saving_wanted.emit(True))
        self._save_others = menu.addAction("", lambda: self.saving_wanted.emit(False))
        self._save.setMenu(menu)
        self._all = QPushButton("Show all")
        self._all.setProperty("role", "flat")
        self._all.clicked.connect(self.cleared)
        self._row = layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._title)
        layout.addWidget(self._count)
        layout.addLayout(self._chips)
        layout.addStretch()
        layout.addWidget(self._save)
        layout.addWidget(self._all)
        self.setFixedHeight(32)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def addWidget(self, widget: QWidget) -> None:
        """Put a widget at the right end."""
        self._row.addWidget(widget)

    def setShown(
        self, n_shown: int, n_frames: int, filters: Sequence[tuple[str, str, str]]
    ) -> None:
        """Say how many frames are shown, and by which filters: key, short text, sentence."""
        while (item := self._chips.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        for key, text, sentence in filters:
            chip = QPushButton(f"{text}  ✕")
            chip.setProperty("role", "chip")
            chip.setToolTip(f"<p>{sentence}. Press to show the other frames too.</p>")
            chip.setAccessibleName(f"Drop the filter: {text}")
            chip.clicked.connect(lambda _checked=False, key=key: self.dropped.emit(key))
            self._chips.addWidget(chip)
        is_part = bool(filters)
        self._count.setText(f"{n_shown:,} of {n_frames:,}" if is_part else f"{n_frames:,}")
        self._all.setVisible(is_part)
        self._save.setVisible(is_part and 0 < n_shown < n_frames)
        self._save_shown.setText(f"Save these {n_shown:,} frames…")
        self._save_others.setText(f"Save the other {n_frames - n_shown:,} frames…")


def _demo() -> QWidget:
    """Return a bar with two filters."""
    bar = FilterBar()
    force = (
        "force_norms",
        "Force 3.1 to 3.4 eV/Å",
        "Frames with an atom with a force of 3.1 to 3.4 eV/Å",
    )
    bar.setShown(12, 5000, [force, ("set", "test frames", "Frames of the split: test")])
    return bar


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 640, 40)
