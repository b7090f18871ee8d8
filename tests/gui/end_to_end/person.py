"""Somebody at the window: finds things by what stands on them, clicks, types, and waits for what appears."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QFileDialog,
    QLabel,
    QLineEdit,
    QScrollArea,
    QTabBar,
    QWidget,
)

__all__ = ["Person"]

T = TypeVar("T")
W = TypeVar("W", bound=QWidget)


class Person:
    """Works a window by mouse and keys.

    Parameters
    ----------
    window
        The window.
    pictures
        Folder for pictures of every step.
    """

    def __init__(self, window: QWidget, pictures: Path) -> None:
        self.window = window
        self.pictures = pictures
        self._began = time.monotonic()
        window.activateWindow()  # a screen without window manager gives no window the keyboard

    def find(self, words: str, of: type[QWidget] = QWidget) -> QWidget | None:
        """Return the visible thing with these words on it or as its accessible name."""
        found = [w for w in self._visible(of) if words in (_text(w), w.accessibleName())]
        return found[-1] if found else None

    def click(self, words: str, *, within_s: float = 20.0) -> None:
        """Wait until something with these words can be clicked, and click it."""
        self.click_on(self.wait(lambda: self._clickable(words), f"{words!r} to click", within_s))

    def click_on(self, widget: QWidget, at: QPoint | None = None) -> None:
        """Click a widget, scrolled into view if need be."""
        _scroll_to(widget)
        QTest.mouseClick(
            widget, Qt.MouseButton.LeftButton, pos=at if at is not None else widget.rect().center()
        )
        QTest.qWait(50)

    def click_tab(self, words: str, *, within_s: float = 20.0) -> None:
        """Bring the tab with these words to the front."""
        bar, number = self.wait(lambda: self._tab(words), f"the tab {words!r}", within_s)
        QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(number).center())
        QTest.qWait(50)

    def choose(self, words: str) -> None:
        """Do something by its name, with the command palette."""
        self.press(Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
        self.wait(lambda: isinstance(QApplication.focusWidget(), QLineEdit), "the command palette")
        self.type(words)
        self.press(Qt.Key.Key_Return)

    def choose_folder(self, path: Path) -> None:
        """Answer the dialog that asks for a folder, which must be there."""
        dialog = self.wait(lambda: next(self._tops(QFileDialog), None), "a dialog for folders")
        name = dialog.findChild(QLineEdit, "fileNameEdit")
        name.selectAll()
        QTest.keyClicks(name, str(path))
        QTest.keyClick(name, Qt.Key.Key_Return)
        self.wait(lambda: not dialog.isVisible(), "the dialog to close")

    def press(
        self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    ) -> None:
        """Press a key, wherever the focus is."""
        QTest.keyClick(QApplication.focusWidget() or self.window, key, modifier)
        QTest.qWait(50)

    def type(self, text: str) -> None:
        """Type, wherever the focus is."""
        QTest.keyClicks(QApplication.focusWidget() or self.window, text)
        QTest.qWait(100)

    def type_into(self, words: str, text: str) -> None:
        """Replace what stands in the field with this accessible name, and press Return."""
        field = self.wait(
            lambda: next(
                (
                    w
                    for w in self._visible(QWidget)
                    if isinstance(w, (QLineEdit, QAbstractSpinBox))
                    and w.isEnabled()
                    and words == w.accessibleName()
                ),
                None,
            ),
            f"the field {words!r}",
        )
        _scroll_to(field)
        QTest.mouseClick(field, Qt.MouseButton.LeftButton)
        QTest.keyClick(field, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClicks(field, text)
        QTest.keyClick(field, Qt.Key.Key_Return)
        QTest.qWait(50)

    def wait(self, condition: Callable[[], T | None], what: str, within_s: float = 20.0) -> T:
        """Return what a condition gives as soon as it gives anything; the window goes on meanwhile."""
        deadline = time.monotonic() + within_s
        while not (found := condition()):
            if time.monotonic() > deadline:
                self.picture("waited in vain")
                raise AssertionError(
                    f"waited {within_s:.0f} s in vain for {what}; {self.describe()}"
                )
            QTest.qWait(50)
        return found

    def picture(self, name: str) -> None:
        """Keep a picture of the window, and say how late it is."""
        path = self.pictures / f"{name.replace(' ', '-')}.png"
        self.window.grab().save(str(path))
        print(f"{time.monotonic() - self._began:6.1f} s  {name}", flush=True)

    def describe(self) -> str:
        """Return the words that are to be seen."""
        words = dict.fromkeys(filter(None, map(_text, self._visible(QWidget))))
        return " | ".join(words)

    def _tab(self, words: str) -> tuple[QTabBar, int] | None:
        for bar in self._visible(QTabBar):
            for number in range(bar.count()):
                if bar.tabText(number).replace("&", "").startswith(words):
                    return bar, number
        return None

    def _clickable(self, words: str) -> QWidget | None:
        widget = self.find(words)
        return widget if widget is not None and widget.isEnabled() else None

    def _tops(self, of: type[W]) -> Iterator[W]:
        yield from (
            w for w in QApplication.topLevelWidgets() if isinstance(w, of) and w.isVisible()
        )

    def _visible(self, of: type[W]) -> Iterator[W]:
        for top in self._tops(QWidget):
            yield from (w for w in top.findChildren(of) if w.isVisible())


def _text(widget: QWidget) -> str:
    if isinstance(widget, (QLabel, QAbstractButton)):
        return str(widget.text()).replace("&", "").strip()
    return ""


def _scroll_to(widget: QWidget) -> None:
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QScrollArea):
            parent.ensureWidgetVisible(widget)
            QTest.qWait(50)
        parent = parent.parentWidget()
