"""The inspector is made when somebody wants it; it knows what was looked at before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QIcon
from shiboken6 import delete

from gui.session import Session
from gui.views.common.icons import _Engine as icon_engine
from gui.views.main_window import MainWindow

WATER = {
    "numbers": np.array([8, 1, 1]),
    "positions": np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]),
    "title": "Frame 7",
}


@pytest.fixture
def window(qtbot: Any, session: Session) -> Iterator[MainWindow]:
    made = MainWindow(session)
    made.resize(900, 600)  # too narrow for the inspector to come by itself
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    yield made
    delete(made)


def test_it_shows_the_frame_that_was_looked_at(window: MainWindow) -> None:
    window.session.frame_shown.emit(WATER)
    assert window._inspector is None
    inspector = window.show_inspector(True)
    assert inspector.heading.text() == "Frame 7"
    assert len(inspector.view.snapshot()) == 3


def test_it_shows_the_newest_job_where_nothing_was_looked_at(window: MainWindow) -> None:
    job = window.session.start_job("md", {"steps": 200}, "water")
    assert job is not None
    assert window.show_inspector(True).heading.text() == "water"


def test_it_is_empty_without_anything(window: MainWindow) -> None:
    assert window.show_inspector(True).heading.text() == "Structure"


def test_quantum_nuclei_are_a_command(window: MainWindow) -> None:
    window.actions_["view.quantum"].run()
    assert window.page_name == "simulate"
    assert window.current_page.modes.value() == "quantum"


def test_an_icon_without_size_is_no_picture(qtlog: Any) -> None:
    engine = icon_engine("plus", "muted", "accent")
    assert engine.pixmap(QSize(0, 0), QIcon.Mode.Normal, QIcon.State.Off).isNull()
    assert not [record for record in qtlog.records if "QPainter" in record.message]
