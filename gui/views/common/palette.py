"""The command palette: everything that can be done, found by a few letters."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSize,
    Qt,
)
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from gui.actions import Action, Actions
from gui.core.fuzzy import score
from gui.theme import UNIT, theme

__all__ = ["CommandPalette"]

ROW = 40
SHOWN = 8
Index = QModelIndex | QPersistentModelIndex


class Matches(QAbstractListModel):
    """The actions that fit what was typed, the best first; those that cannot be done now are left out."""

    def __init__(self, actions: Actions, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._actions = actions
        self._found: list[Action] = []

    def search(self, query: str) -> None:
        """Find."""
        self.beginResetModel()
        able = [action for action in self._actions if action.is_enabled()]
        scored = [(score(query, action.title), action) for action in able]
        kept = [(value, action) for value, action in scored if value is not None]
        if query.strip():
            kept.sort(key=lambda pair: -pair[0])
        self._found = [action for _, action in kept]
        self.endResetModel()

    def action(self, row: int) -> Action:
        """Return what stands in a row."""
        return self._found[row]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (as Qt declares it)
        """Return how many fit."""
        return 0 if parent.isValid() else len(self._found)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return the title."""
        is_text = role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole)
        return self._found[index.row()].title if is_text else None


class Row(QStyledItemDelegate):
    """Title at the left; menu and shortcut at the right."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one row."""
        action = index.model().action(index.row())  # type: ignore[attr-defined]
        rect = option.rect.adjusted(UNIT, 0, -UNIT, 0)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().colour("accent_soft"))
            painter.drawRoundedRect(option.rect.adjusted(2, 2, -2, -2), 6, 6)
        painter.setPen(theme().colour("text"))
        painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter, action.title)
        painter.setPen(theme().colour("muted"))
        right = "   ".join(part for part in (action.menu, action.shortcut) if part)
        painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, right)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the height of a row."""
        return QSize(0, ROW)


class CommandPalette(QFrame):
    """Lies over the window; Return does the chosen action, Escape closes."""

    def __init__(self, actions: Actions, parent: QWidget) -> None:
        super().__init__(parent)
        self._over = parent
        self.setProperty("role", "popup")
        self.setAccessibleName("Command palette")
        self._model = Matches(actions, self)
        self._query = QLineEdit()
        self._query.setPlaceholderText("What do you want to do?")
        self._query.setAccessibleName("Search for a command")
        self._query.installEventFilter(self)
        self._list = QListView()
        self._list.setProperty("role", "plain")
        self._list.setModel(self._model)
        self._list.setItemDelegate(Row(self._list))
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(UNIT, UNIT, UNIT, UNIT)
        layout.setSpacing(UNIT)
        layout.addWidget(self._query)
        layout.addWidget(self._list)
        self._query.textChanged.connect(self._search)
        self._query.returnPressed.connect(self._run)
        self._list.clicked.connect(lambda _index: self._run())
        self.hide()

    def open(self) -> None:
        """Show it, with nothing typed yet."""
        self._query.clear()
        self._search("")
        self._place()
        self.show()
        self.raise_()
        self._query.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keys of the field that move in the list or close."""
        if event.type() == QEvent.Type.FocusOut:
            self.hide()
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            steps = {
                Qt.Key.Key_Down: 1,
                Qt.Key.Key_Up: -1,
                Qt.Key.Key_PageDown: SHOWN,
                Qt.Key.Key_PageUp: -SHOWN,
            }
            if event.key() in steps:
                self._move(steps[Qt.Key(event.key())])
                return True
            if event.key() == Qt.Key.Key_Escape:
                self.hide()
                return True
        return super().eventFilter(watched, event)

    def _search(self, query: str) -> None:
        self._model.search(query)
        if self._model.rowCount():
            self._list.setCurrentIndex(self._model.index(0, 0))

    def _move(self, rows: int) -> None:
        last = self._model.rowCount() - 1
        row = min(max(self._list.currentIndex().row() + rows, 0), last)
        self._list.setCurrentIndex(self._model.index(row, 0))

    def _run(self) -> None:
        index = self._list.currentIndex()
        self.hide()
        if index.isValid():
            self._model.action(index.row()).run()

    def _place(self) -> None:
        window = self._over
        width = min(80 * UNIT, window.width() - 4 * UNIT)
        height = min(SHOWN * ROW + 8 * UNIT, window.height() - 12 * UNIT)
        self.setGeometry((window.width() - width) // 2, 9 * UNIT, width, height)


def _demo() -> QWidget:
    from gui.demo import demo_actions

    made = QWidget()
    made.setObjectName("canvas")
    made.resize(800, 480)
    CommandPalette(demo_actions(made), made).open()
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo)
