"""Curves of the runs that are compared, in one plot."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QVBoxLayout, QWidget

from gui.core.curves import QUANTITIES, Quantity, RunCurves
from gui.session import Session
from gui.theme import CURVES, UNIT, theme
from gui.viewmodels.runs import Runs
from gui.views.common.buttons import IconButton
from gui.views.common.labels import label, restyle
from gui.views.common.live_plot import LivePlot

__all__ = ["CurvesPanel"]

_AT_MOST = len(CURVES)


class CurvesPanel(QWidget):
    """Draws one quantity of up to six runs; `quantityBox` and `exportButton` are for whoever lays the panel out.

    Parameters
    ----------
    session, runs
        Dialogs and the runs.
    """

    def __init__(self, session: Session, runs: Runs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._runs = session, runs
        self._plot: LivePlot | None = None
        self._shown: tuple[object, ...] = ()
        self.quantityBox = QComboBox()
        self.quantityBox.setAccessibleName("Quantity")
        policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self.quantityBox.setSizeAdjustPolicy(policy)
        self.quantityBox.setMinimumContentsLength(26)
        self.quantityBox.setMaximumWidth(36 * UNIT)
        self.quantityBox.activated.connect(lambda _index: self.refresh())
        self.exportButton = IconButton("export", "Export as PNG, SVG or CSV…", self._ask_export)
        self.note = label("", "muted", wraps=True)
        self._body = QVBoxLayout()
        self._build()
        runs.chosen_changed.connect(self.refresh)
        runs.curves_changed.connect(self.refresh)
        theme().changed.connect(self._redraw)

    def plot(self) -> LivePlot | None:
        """Return the plot, if there is something to draw."""
        return self._plot

    def refresh(self) -> None:
        """Draw what is compared now."""
        if not self.isVisible():
            return
        found = [(folder, self._runs.curves(folder)) for folder in self._runs.chosen]
        curves = [(folder, one) for folder, one in found if one is not None][:_AT_MOST]
        self._offer([one for _, one in curves])
        key = self.quantityBox.currentData()
        drawn = [(folder, one) for folder, one in curves if key in one.values]
        quantity = next((one for one in QUANTITIES if one.key == key), None)
        self._tell(len(found), len(drawn))
        if quantity is None or not drawn:
            self._clear()
            return
        self._draw(quantity, drawn)

    def showEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        """Bring up to date what was not drawn while hidden."""
        super().showEvent(event)
        self.refresh()

    def _offer(self, curves: list[RunCurves]) -> None:
        """Offer the quantities that any of the runs has; keep the one that is chosen."""
        keys = {key for one in curves for key in one.values}
        offered = [one for one in QUANTITIES if one.key in keys]
        chosen = self.quantityBox.currentData()
        shown = [self.quantityBox.itemData(k) for k in range(self.quantityBox.count())]
        if shown != [one.key for one in offered]:
            self.quantityBox.clear()
            for one in offered:
                self.quantityBox.addItem(
                    f"{one.title} / {one.unit}" if one.unit else one.title, one.key
                )
            self.quantityBox.setCurrentIndex(max(self.quantityBox.findData(chosen), 0))
        self.quantityBox.setEnabled(bool(offered))
        self.exportButton.setEnabled(bool(offered))

    def _tell(self, n_chosen: int, n_drawn: int) -> None:
        if not n_chosen:
            text = "Choose a run, or tick several to compare them."
        elif not n_drawn:
            text = (
                "Nothing has been written yet."
                if n_chosen == 1
                else "These runs have nothing in common to draw."
            )
        elif n_drawn < n_chosen:
            text = (
                f"{n_drawn} of {n_chosen} runs have it"
                if n_chosen <= _AT_MOST
                else f"the first {n_drawn} of {n_chosen}"
            )
        else:
            text = ""
        run = self._runs.summary(self._runs.chosen[0]) if n_chosen == 1 else None
        error = run.error if run is not None and run.state == "FAILED" else ""
        restyle(self.note, "role", "error" if error else "muted")
        self.note.setText(error or text)
        self.note.setVisible(bool(error or text))
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        self.note.setAlignment(middle if n_drawn else Qt.AlignmentFlag.AlignCenter)

    def _draw(self, quantity: Quantity, drawn: list[tuple[Path, RunCurves]]) -> None:
        """Draw; a plot of the same runs and quantity keeps what a person has zoomed to."""
        names = _names([folder for folder, _ in drawn])
        content = (quantity.key, tuple(folder for folder, _ in drawn), theme().name)
        if content != self._shown or self._plot is None:
            self._clear()
            x_title = drawn[0][1].x_title
            self._plot = LivePlot(quantity.title, quantity.unit, x_title)
            self._plot.setLog(quantity.is_log)
            self._body.addWidget(self._plot)
            self._shown = content
            for name, token in zip(names, CURVES):
                self._plot.addCurve(name, token)
        for name, (_, curves) in zip(names, drawn):
            self._plot.setData(name, curves.x, curves.values[quantity.key])

    def _clear(self) -> None:
        if self._plot is not None:
            self._body.removeWidget(self._plot)
            self._plot.deleteLater()
        self._plot, self._shown = None, ()

    def _redraw(self) -> None:
        self._clear()
        self.refresh()

    def _ask_export(self) -> None:
        if self._plot is None:
            return
        kinds = "PNG picture (*.png);;SVG drawing (*.svg);;Table (*.csv)"
        name = f"{self.quantityBox.currentData()}.png"
        self._session.dialogs.save_file("Export curves", self._export, name=name, kinds=kinds)

    def _export(self, path: Path) -> None:
        if self._plot is None:
            return
        try:
            self._plot.export(path)
        except OSError as error:
            self._session.notifications.error(f"{path} cannot be written: {error.strerror}")

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT)
        layout.addWidget(self.note)
        layout.addLayout(self._body, 1)


def _names(folders: list[Path]) -> list[str]:
    """Return names for curves, with the folder above where two runs have the same."""
    names = [folder.name for folder in folders]
    return [
        name if names.count(name) == 1 else f"{folder.parent.name}/{name}"
        for name, folder in zip(names, folders)
    ]


def _demo() -> QWidget:
    from gui.demo import demo_session
    from gui.demo.runs import demo_runs

    session = demo_session()
    runs = demo_runs(session)
    panel = CurvesPanel(session, runs)
    for run in runs.summaries():
        runs.tick(run.folder, run.kind == "md" and run.state == "FINISHED")
    made = QWidget()
    made.setObjectName("canvas")
    layout = QVBoxLayout(made)
    layout.addWidget(panel.quantityBox)
    layout.addWidget(panel, 1)
    session.setParent(made)
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 640, 400)
