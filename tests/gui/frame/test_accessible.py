"""Whatever takes the keyboard says what it is: a person who hears the window knows where they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QScrollBar,
    QWidget,
)
from shiboken6 import delete

from gui.session import Session
from gui.views.main_window import PAGES, MainWindow
from gui.views.preferences import PreferencesDialog

CONTROLS = (QAbstractButton, QComboBox, QLineEdit, QAbstractSpinBox, QAbstractSlider)
INSIDE = (QComboBox, QLineEdit, QAbstractSpinBox)  # what is in these speaks through them


def nameless(root: QWidget) -> list[str]:
    """Return what takes the mouse or the Tab key below a widget and has no name."""
    return [_place(widget) for widget in root.findChildren(QWidget) if _is_nameless(widget)]


def _is_nameless(widget: QWidget) -> bool:
    takes_keys = bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
    if not takes_keys and not isinstance(widget, CONTROLS):
        return False
    if isinstance(widget, (QScrollBar, QHeaderView)) or widget.objectName().startswith("qt_"):
        return False
    if isinstance(widget, QLabel):  # its text is its name
        return False
    parents = list(_parents(widget))
    if any(isinstance(parent, INSIDE) for parent in parents):
        return False
    around = parents[0]
    if isinstance(around, QAbstractScrollArea) and widget is around.viewport():
        return False
    interface = QAccessible.queryAccessibleInterface(widget)
    return not (interface and interface.text(QAccessible.Text.Name).strip())


def _parents(widget: QWidget) -> Iterator[QObject]:
    parent = widget.parent()
    while parent is not None:
        yield parent
        parent = parent.parent()


def _place(widget: QWidget) -> str:
    return " < ".join(type(w).__name__ for w in (widget, *list(_parents(widget))[:3]))


@pytest.fixture
def window(qtbot: Any, session: Session) -> Iterator[MainWindow]:
    made = MainWindow(session)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    yield made
    delete(made)


@pytest.mark.parametrize("name", [*PAGES, "quantum"])
def test_controls_of_a_page_have_names(window: MainWindow, name: str) -> None:
    window.show_page(name)
    page = window.current_page
    assert page is not None
    getattr(page, "run", None)  # the Simulate page makes what shows a run when it is asked for
    assert nameless(page) == []


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(lambda window: window.show_inspector(True), id="inspector"),
        pytest.param(lambda window: window.log_pane, id="log"),
        pytest.param(lambda window: window.job_bar, id="job bar"),
        pytest.param(lambda window: window.palette_, id="palette"),
        pytest.param(lambda window: PreferencesDialog(window.session, window), id="preferences"),
    ],
)
def test_controls_of_the_frame_have_names(
    window: MainWindow, part: Callable[[MainWindow], QWidget]
) -> None:
    assert nameless(part(window)) == []


def test_a_control_without_a_name_is_found(qtbot: Any) -> None:
    root = QWidget()
    qtbot.addWidget(root)
    QComboBox(root)
    assert nameless(root) == ["QComboBox < QWidget"]
