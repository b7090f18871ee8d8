"""News that come up in the corner and go by themselves; errors stay until they are closed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from gui.dialogs import Dialogs
from gui.notifications import Notification
from gui.theme import UNIT
from gui.views.common.banner import Banner

__all__ = ["Toasts"]

STAY_MS = {"info": 5000, "ok": 6000, "warn": 9000}
MOST = 3


class Toasts(QFrame):
    """Lies over the bottom right corner of the window.

    Parameters
    ----------
    parent
        The widget whose corner it is.
    dialogs
        Shows details.
    """

    def __init__(self, parent: QWidget, dialogs: Dialogs) -> None:
        super().__init__(parent)
        self._over = parent
        self._dialogs = dialogs
        self._shown: list[Banner] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(UNIT)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, False)
        parent.installEventFilter(self)
        self.hide()

    def tell(self, news: Notification) -> None:
        """Show a piece of news."""
        toast = Banner(self, closable=True)
        toast.setProperty("floats", True)
        buttons: dict[str, Callable[[], object]] = {}
        if news.detail:
            buttons["Details"] = lambda: self._dialogs.tell("Details", news.text, news.detail)
        toast.show_(news.tone, news.text, buttons=buttons)
        toast.closed.connect(lambda: self._remove(toast))
        self._layout.addWidget(toast)
        self._shown.append(toast)
        while len(self._shown) > MOST:
            self._remove(self._shown[0])
        if news.tone in STAY_MS:
            QTimer.singleShot(STAY_MS[news.tone], toast, lambda: self._remove(toast))
        self._place()

    def texts(self) -> list[str]:
        """Return what is shown."""
        return [toast.text() for toast in self._shown]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay in the corner."""
        if event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def event(self, event: QEvent) -> bool:
        """Grow and shrink with what is said."""
        handled = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self._place()
        return handled

    def _remove(self, toast: Banner) -> None:
        if toast not in self._shown:
            return
        self._shown.remove(toast)
        self._layout.removeWidget(toast)
        toast.hide()
        toast.deleteLater()
        self._place()

    def _place(self) -> None:
        self.setVisible(bool(self._shown))
        parent = self._over
        width = min(56 * UNIT, parent.width() - 4 * UNIT)
        self.setFixedWidth(width)
        height = self._layout.heightForWidth(width)
        height = height if height > 0 else self.sizeHint().height()
        margin = 2 * UNIT
        self.setGeometry(
            parent.width() - width - margin, parent.height() - height - margin, width, height
        )
        self.raise_()


def _demo() -> QWidget:
    from gui.demo import demo_session

    made = QWidget()
    made.setObjectName("canvas")
    made.resize(800, 480)
    toasts = Toasts(made, demo_session().dialogs)
    toasts.tell(Notification("ok", "methanol-quick: finished. Best force error 17.9 meV/Å."))
    toasts.tell(
        Notification("error", "methanol-2fs: the temperature rose above 3,000 K", "step 812")
    )
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo)
