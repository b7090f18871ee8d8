"""What a page shows when there is nothing yet: what it is for and how to begin."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from gui.theme import UNIT, theme
from gui.views.common.icons import pixmap
from gui.views.common.labels import label

__all__ = ["EmptyState"]


class EmptyState(QWidget):
    """Icon, a title, a sentence, buttons; with a dashed edge if files can be dropped here (the window takes them)."""

    def __init__(
        self,
        icon_name: str,
        title: str,
        text: str,
        buttons: list[QPushButton] | None = None,
        *,
        is_drop_area: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._icon_name, self._is_drop_area = icon_name, is_drop_area
        self._icon = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self.title = label(title, "heading")
        self.text = label(text, "muted", wraps=True)
        self._build(buttons or [])
        theme().changed.connect(self._draw)
        self._draw()

    def _build(self, buttons: list[QPushButton]) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4 * UNIT, 4 * UNIT, 4 * UNIT, 4 * UNIT)
        layout.setSpacing(UNIT)
        layout.addStretch(2)
        layout.addWidget(self._icon)
        layout.addSpacing(UNIT)
        self.title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(self.title)
        self.text.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self.text.setMinimumWidth(40 * UNIT)
        self.text.setMaximumWidth(64 * UNIT)
        middle = QHBoxLayout()
        middle.addStretch(1)
        middle.addWidget(self.text, 4)
        middle.addStretch(1)
        layout.addLayout(middle)
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        row.addStretch(1)
        for button in buttons:
            row.addWidget(button)
        row.addStretch(1)
        layout.addSpacing(UNIT)
        layout.addLayout(row)
        layout.addStretch(3)

    def _draw(self) -> None:
        self._icon.setPixmap(pixmap(self._icon_name, "faint", 48))
        self.update()

    def paintEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        """Draw the dashed edge."""
        if self._is_drop_area:
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(theme().colour("border_strong"), 1.5, Qt.PenStyle.DashLine))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 12, 12)


def _demo() -> QWidget:
    from gui.views.common.buttons import button

    made = QWidget()
    made.setObjectName("canvas")
    layout = QVBoxLayout(made)
    layout.setContentsMargins(24, 24, 24, 24)
    buttons = [button("Open…", role="primary", icon_name="open"), button("Use the example")]
    layout.addWidget(
        EmptyState(
            "data",
            "Drop a data set here",
            "Extended XYZ, ASE, npz, VASP, CP2K or DeePMD files with energies and forces.",
            buttons,
            is_drop_area=True,
        )
    )
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo)
