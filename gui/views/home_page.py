"""The first page: what to do, recent files, what works on this computer."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QVBoxLayout

from gui.session import Session
from gui.views.common.page import Page

__all__ = ["HomePage"]


class HomePage(Page):
    """Where everyone begins."""

    name, title, icon = "home", "Home", "home"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        layout = QVBoxLayout(self)
        label = QLabel("What do you want to do?")
        label.setProperty("role", "title")
        layout.addWidget(label)
        layout.addStretch(1)
