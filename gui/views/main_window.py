"""The window: navigation, pages, inspector, job bar. Pages are made when they are first shown."""

from __future__ import annotations

import importlib
import logging
import traceback
from typing import NamedTuple

from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gui.session import Session
from gui.views.common.page import Page

__all__ = ["PAGES", "MainWindow"]


class Entry(NamedTuple):
    """Where a page is found, before it is imported."""

    title: str
    icon: str
    module: str
    class_name: str


PAGES = {
    "home": Entry("Home", "home", "gui.views.home_page", "HomePage"),
    "data": Entry("Data", "data", "gui.views.data.page", "DataPage"),
    "train": Entry("Train", "train", "gui.views.train.page", "TrainPage"),
    "simulate": Entry("Simulate", "simulate", "gui.views.simulate.page", "SimulatePage"),
    "runs": Entry("Runs", "runs", "gui.views.runs.page", "RunsPage"),
}


class MainWindow(QMainWindow):
    """The window of the app."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.setWindowTitle("NequIP OpenMM")
        self._pages: dict[str, Page] = {}
        self._stack = QStackedWidget()
        navigation = QVBoxLayout()
        for name, entry in PAGES.items():
            button = QPushButton(entry.title)
            button.clicked.connect(lambda _checked=False, name=name: self.show_page(name))
            navigation.addWidget(button)
        navigation.addStretch(1)
        centre = QWidget()
        layout = QHBoxLayout(centre)
        layout.addLayout(navigation)
        layout.addWidget(self._stack, 1)
        self.setCentralWidget(centre)
        session.page_wanted.connect(self.show_page)
        self.show_page("home")

    def page(self, name: str) -> Page | None:
        """Return a page, made if need be; None if it cannot be loaded."""
        if name not in self._pages:
            entry = PAGES[name]
            try:
                made = getattr(importlib.import_module(entry.module), entry.class_name)(
                    self.session
                )
            except Exception:  # noqa: BLE001 one broken page must not take the others with it
                logging.getLogger(__name__).error(traceback.format_exc())
                self._stack.addWidget(QLabel(f"{entry.title} could not be loaded"))
                return None
            self._pages[name] = made
            self._stack.addWidget(made)
        return self._pages[name]

    def show_page(self, name: str) -> None:
        """Bring a page to the front."""
        page = self.page(name)
        if page is not None:
            self._stack.setCurrentWidget(page)
