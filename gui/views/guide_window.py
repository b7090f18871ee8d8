"""The user guide in a window of its own: the Markdown pages of ``docs``, with their pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QImage, QTextDocument
from PySide6.QtWidgets import QDialog, QHBoxLayout, QTextBrowser, QVBoxLayout, QWidget

from gui.theme import UNIT
from gui.views.common.buttons import button

__all__ = ["GuideWindow"]

MARGIN = 6 * UNIT  # beside pictures


class _Pages(QTextBrowser):
    """Pages whose pictures are no wider than the window; links to the outside go to the browser."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("User guide")
        self.setOpenLinks(False)
        self.document().setDocumentMargin(2 * UNIT)
        self.anchorClicked.connect(self._go)

    def loadResource(self, kind: int, name: QUrl | str) -> Any:
        """Shrink pictures that are too wide."""
        if kind != QTextDocument.ResourceType.ImageResource.value:
            return super().loadResource(kind, name)
        picture = QImage(self.source().resolved(QUrl(name)).toLocalFile())
        widest = max(1, self.viewport().width() - MARGIN)
        mode = Qt.TransformationMode.SmoothTransformation
        return picture if picture.width() <= widest else picture.scaledToWidth(widest, mode)

    def _go(self, link: QUrl) -> None:
        target = self.source().resolved(link)
        if target.isLocalFile() and target.toLocalFile().endswith(".md"):
            self.setSource(target)
        else:
            QDesktopServices.openUrl(target)


class GuideWindow(QDialog):
    """Shows a page; links lead to others, and back."""

    def __init__(self, page: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("User guide")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(112 * UNIT, 92 * UNIT)
        self.pages = _Pages()
        self._back = button("Back", self.pages.backward, role="flat", icon_name="left")
        self._back.setEnabled(False)
        self.pages.backwardAvailable.connect(self._back.setEnabled)
        top = QHBoxLayout()
        top.addWidget(self._back)
        top.addWidget(button("Contents", self._show_contents, role="flat"))
        top.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self.pages, 1)
        self._first = page
        self.pages.setFocus()

    def showEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        """Load the page once it is known how wide it may be."""
        super().showEvent(event)
        if self.pages.source().isEmpty():
            self.pages.setSource(QUrl.fromLocalFile(str(self._first)))

    def _show_contents(self) -> None:
        from gui.guide import guide

        self.pages.setSource(QUrl.fromLocalFile(str(guide())))


def _demo() -> QWidget:
    from gui.guide import guide

    return GuideWindow(guide())


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 900, 740)
