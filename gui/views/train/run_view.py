"""A training that runs or ran: what happened, the numbers, curves, comparisons, models, settings."""

from __future__ import annotations

from collections.abc import Callable

import yaml
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QPlainTextEdit,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from gui.core.restarts import Suggestion
from gui.core.verdict import Level
from gui.jobs import JobState
from gui.theme import UNIT
from gui.viewmodels.parity import Parity
from gui.viewmodels.training_run import FORCES, TrainingRun
from gui.views.common.banner import Banner
from gui.views.common.buttons import button
from gui.views.common.card import Card
from gui.views.common.clock import clock
from gui.views.common.labels import label
from gui.views.common.scrolling import Scrolling
from gui.views.train.curves import Curves
from gui.views.train.element_bars import ElementBar, ElementBars
from gui.views.train.metric_tiles import MetricTiles
from gui.views.train.model_table import ModelTable
from gui.views.train.parity_panel import ParityPanel
from gui.views.train.run_header import RunHeader

__all__ = ["RunView"]

MARGIN = 3 * UNIT
LEAST_HEIGHT = 36 * UNIT  # of the tabs; a small window scrolls
LOG_BYTES = 100_000


class RunView(QWidget):
    """Shows a `TrainingRun` with its `Parity`.

    Signals
    -------
    suggestion_followed
        A `Suggestion`.
    settings_asked, longer_asked, meaning_asked
        Buttons.
    """

    suggestion_followed = Signal(object)
    settings_asked = Signal()
    longer_asked = Signal()
    meaning_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run: TrainingRun | None = None
        self.header = RunHeader()
        self.banner = Banner()
        self.tiles = MetricTiles()
        self.curves = Curves()
        self.parity = ParityPanel()
        self.elements = ElementBars()
        self.elements_note = label("", "muted", wraps=True)
        self.models = ModelTable()
        self.settings, self.log = _text("Settings of this run"), _text("Log of this run")
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Parts of the run")
        self._told: tuple[object, ...] = ()
        self._is_dirty = False
        self._build()
        self.tabs.currentChanged.connect(self._on_tab)
        clock().register(self)

    def bind(self, run: TrainingRun, parity: Parity) -> None:
        """Show another run."""
        self.run, self._told = run, ()
        self.curves.bind(run)
        self.parity.bind(parity)
        parity.changed.connect(self._mark)
        run.changed.connect(self._mark)
        run.epoch_ended.connect(self._mark)
        self._on_tab()
        self._is_dirty = True
        self.refresh()

    def refresh(self) -> None:
        """Draw what has changed; the clock calls this."""
        if not self._is_dirty or self.run is None:
            return
        self._is_dirty = False
        run = self.run
        self.header.show_(run)
        self.tiles.show_(run)
        self.curves.show_target(run.target)
        self.models.rows.show_(run)
        self._show_elements(run)
        self._show_news(run)
        n = len(run.job.warnings)
        self.tabs.setTabText(
            self.tabs.indexOf(self.log),
            f"Log ({n} {'warning' if n == 1 else 'warnings'})" if n else "Log",
        )

    def _mark(self, _news: object = None) -> None:
        self._is_dirty = True

    # --- parts

    def _show_elements(self, run: TrainingRun) -> None:
        rows = [ElementBar(symbol, valid, train) for symbol, train, valid in run.elements()]
        self.elements.show_(rows)
        epoch = run.row.get("epoch")
        text = (
            f"Thick bars: validation frames; thin bars: training frames. Epoch {epoch:,}."
            if epoch
            else "No epoch is complete yet."
        )
        self.elements_note.setText(text)

    def _show_news(self, run: TrainingRun) -> None:
        """Say what a state means and what can be done, once per state."""
        told = (
            run.job.state,
            run.best.get("epoch") if not run.job.is_alive else None,
            run.force_rms,
            run.n_atoms,
        )
        if told == self._told:
            return
        self._told = told
        state = run.job.state
        if state in (JobState.FAILED, JobState.LOST):
            self._tell_failure(run)
        elif state is JobState.FINISHED:
            self._tell_verdict(run)
        elif state is JobState.STOPPED:
            self._tell_stop(run)
        elif state is JobState.PAUSED:
            self.banner.show_(
                "info",
                "Paused: the program waits and keeps its memory.",
                "Nothing is lost when it is stopped instead; it can be continued later.",
            )
        else:
            self.banner.hide()

    def _tell_verdict(self, run: TrainingRun) -> None:
        verdict = run.verdict
        if verdict.level is Level.UNKNOWN and run.best:
            error = run.best.get(f"valid_{FORCES}")
            title = (
                f"Done. Best force error {error:.3g} meV/Å on validation frames"
                if error
                else "Done."
            )
            self.banner.show_("ok", title, "", {"Train longer": self.longer_asked.emit})
            return
        remarks = " ".join((verdict.meaning, *verdict.remarks, *self._test_remark(run)))
        buttons: dict[str, Callable[[], object]] = {
            "What this means": self.meaning_asked.emit,
            "Train longer": self.longer_asked.emit,
        }
        self.banner.show_(verdict.tone, verdict.title, remarks, buttons)

    def _test_remark(self, run: TrainingRun) -> list[str]:
        test = run.job.result.get("test") or {}
        error = test.get(FORCES)
        return (
            [f"On {test.get('frames', 0):,} test frames, which chose nothing: {error:.3g} meV/Å."]
            if error
            else []
        )

    def _tell_stop(self, run: TrainingRun) -> None:
        verdict = run.verdict
        kept = "Everything up to here is kept: continue whenever you like."
        if verdict.level is Level.UNKNOWN:
            self.banner.show_("info", "Stopped.", kept)
        else:
            self.banner.show_("info", f"Stopped. {verdict.title}", f"{verdict.meaning} {kept}")

    def _tell_failure(self, run: TrainingRun) -> None:
        error = run.job.error or {}
        title = str(error.get("title") or "The training ended without a word.")
        ways = run.suggestions
        detail = " ".join([str(error.get("hint") or ""), *(way.reason for way in ways[:1])]).strip()
        title = f"{title[:1].upper()}{title[1:]}"
        buttons = {way.button: self._follower(way) for way in ways}
        buttons["Change settings"] = self.settings_asked.emit
        self.banner.show_("error", title, detail, buttons)

    def _follower(self, way: Suggestion):  # type: ignore[no-untyped-def]
        return lambda: self.suggestion_followed.emit(way)

    def _on_tab(self, _index: int = 0) -> None:
        """Read what is only read when it is looked at."""
        if self.run is None:
            return
        if self.tabs.currentWidget() is self.log:
            self.log.setPlainText(_tail(self.run))
            self.log.verticalScrollBar().setValue(self.log.verticalScrollBar().maximum())
        elif self.tabs.currentIndex() == self._settings_tab:
            text = yaml.safe_dump(dict(self.run.settings), sort_keys=False, allow_unicode=True)
            self.settings.setPlainText(text if self.run.settings else "")

    # --- building

    def _build(self) -> None:
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(MARGIN, 2 * UNIT, MARGIN, 2 * UNIT)
        layout.setSpacing(int(1.5 * UNIT))
        layout.addWidget(self.header)
        layout.addWidget(self.banner)
        layout.addWidget(self.tiles)
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.curves, "Curves")
        self.tabs.addTab(self.parity, "Parity")
        self.tabs.addTab(self._elements_tab(), "By element")
        self.tabs.addTab(self.models, "Models")
        self._settings_tab = self.tabs.addTab(self._settings_page(), "Settings")
        self.tabs.addTab(self.log, "Log")
        for page in (self.curves, self.parity):
            if (inner := page.layout()) is not None:
                inner.setContentsMargins(0, UNIT, 0, 0)
        self.tabs.setMinimumHeight(LEAST_HEIGHT)
        # What plots would like to have does not count: they take what there is.
        self.tabs.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        layout.addWidget(self.tabs, 1)
        area = Scrolling()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(content)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)

    def _elements_tab(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, UNIT, 0, 0)
        card = Card("Force error by element", margin=2 * UNIT)
        card.body.addWidget(self.elements)
        card.body.addWidget(self.elements_note)
        layout.addWidget(card)
        layout.addStretch(1)
        return page

    def _settings_page(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, UNIT, 0, 0)
        layout.setSpacing(UNIT)
        layout.addWidget(self.settings, 1)
        layout.addWidget(
            button("Begin a new training with these settings", self.settings_asked.emit)
        )
        return page


def _text(name: str) -> QPlainTextEdit:
    made = QPlainTextEdit()
    made.setReadOnly(True)
    made.setProperty("role", "mono")
    made.setAccessibleName(name)
    made.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
    return made


def _tail(run: TrainingRun) -> str:
    """Return the end of the log, and what the program printed."""
    parts = []
    for name in ("log.txt", "output.txt"):
        try:
            text = (run.job.folder / name).read_bytes()[-LOG_BYTES:].decode("utf-8", "replace")
        except OSError:
            continue
        if text.strip():
            parts.append(f"--- {name}\n{text.strip()}")
    warnings = [f"warning: {event.get('msg', '')}" for event in run.job.warnings]
    return "\n\n".join([*parts, "\n".join(warnings)]).strip() or "Nothing was written yet."


def _demo(end: str = "", error: dict[str, str] | None = None) -> QWidget:
    from gui.demo import demo_session
    from gui.demo.training import EPOCHS, demo_run

    made = RunView()
    made.setObjectName("canvas")
    run = demo_run(EPOCHS if end == "finished" else 137, end, error)
    run.n_atoms = 6
    run.force_rms = 1.31
    run.setParent(made)
    made.bind(run, Parity(demo_session(), run, made))
    return made


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 900, 660)
