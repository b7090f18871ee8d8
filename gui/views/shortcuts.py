"""All shortcuts on one sheet, drawn from the list of actions."""

from __future__ import annotations

from itertools import groupby

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QVBoxLayout, QWidget

from gui.actions import Action, Actions
from gui.theme import UNIT
from gui.views.common.labels import label
from gui.views.common.scrolling import Scrolling

__all__ = ["ShortcutSheet"]


class ShortcutSheet(QDialog):
    """Menus as headings, then title and keys."""

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard shortcuts")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(52 * UNIT, 76 * UNIT)
        sheet = QWidget()
        grid = QGridLayout(sheet)
        grid.setContentsMargins(3 * UNIT, 2 * UNIT, 3 * UNIT, 2 * UNIT)
        grid.setHorizontalSpacing(3 * UNIT)
        grid.setVerticalSpacing(UNIT // 2)
        grid.setColumnStretch(0, 1)
        row = 0
        with_keys = sorted((a for a in actions if a.shortcut), key=lambda action: action.menu)
        for menu, group in groupby(with_keys, key=lambda action: action.menu):
            grid.addWidget(label(menu, "subheading"), row, 0, Qt.AlignmentFlag.AlignBottom)
            grid.setRowMinimumHeight(row, (3 if row == 0 else 5) * UNIT)
            row += 1
            for action in group:
                grid.addWidget(label(action.title), row, 0)
                grid.addWidget(label(_keys(action), "mono"), row, 1, Qt.AlignmentFlag.AlignRight)
                row += 1
        grid.setRowStretch(row, 1)
        area = Scrolling()
        area.setWidget(sheet)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)


def _keys(action: Action) -> str:
    return QKeySequence(action.shortcut).toString(QKeySequence.SequenceFormat.NativeText)


def _demo() -> QWidget:
    from gui.demo import demo_actions

    sheet = ShortcutSheet(actions := demo_actions())
    actions.setParent(sheet)
    return sheet


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 420, 420)
