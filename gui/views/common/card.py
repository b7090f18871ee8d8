"""A white surface that holds what belongs together."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from gui.theme import UNIT
from gui.views.common.labels import label

__all__ = ["Card"]


class Card(QFrame):
    """A surface with an optional heading; put widgets into `body`, buttons beside the heading with `addAction`.

    Attributes
    ----------
    body
        The layout below the heading.
    """

    def __init__(
        self, title: str = "", *, margin: int = 2 * UNIT, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(margin, margin, margin, margin)
        layout.setSpacing(UNIT)
        self._head = QHBoxLayout()
        self._head.setSpacing(UNIT)
        self.heading = label(title, "subheading")
        self._head.addWidget(self.heading)
        self._head.addStretch(1)
        layout.addLayout(self._head)
        self.heading.setVisible(bool(title))
        self.body = QVBoxLayout()
        self.body.setSpacing(UNIT)
        layout.addLayout(self.body, 1)

    def setTitle(self, title: str) -> None:
        """Change the heading."""
        self.heading.setText(title)
        self.heading.setVisible(bool(title))

    def addHeadWidget(self, widget: QWidget) -> None:
        """Put a small widget at the right of the heading."""
        self._head.addWidget(widget)


def _demo() -> QWidget:
    from gui.demo import column
    from gui.views.common.buttons import button

    card = Card("Methanol")
    card.addHeadWidget(button("Test", role="link"))
    card.body.addWidget(label("360 configurations at CCSD(T), 6 atoms each", "muted", wraps=True))
    return column(card)


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 480, 180)
