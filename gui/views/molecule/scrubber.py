"""Below a 3D view: follow the run, look back, play."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from gui.viewmodels.trajectory import Trajectory
from gui.views.common.buttons import IconButton

__all__ = ["Scrubber"]


class Scrubber(QWidget):
    """Chooses which frame of a trajectory is shown: the newest as it comes ("Live"), or one of the last 500.

    Parameters
    ----------
    trajectory
        Whose frames.
    """

    def __init__(self, trajectory: Trajectory, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._trajectory = trajectory
        self._timestep_fs: float | None = None
        self.playButton = IconButton("play", "Play", self._toggle_play)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Frame")
        self.slider.setToolTip("Look back at the last 500 frames")
        self.slider.valueChanged.connect(self._seek)
        self.label = QLabel()
        self.label.setProperty("role", "muted")
        self.label.setMinimumWidth(self.label.fontMetrics().horizontalAdvance("step 00,000,000"))
        self.label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.liveButton = QToolButton()
        self.liveButton.setText("Live")
        self.liveButton.setCheckable(True)
        self.liveButton.setAutoRaise(True)
        self.liveButton.setToolTip("Show every new frame as it comes")
        self.liveButton.clicked.connect(trajectory.go_live)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 12, 8)
        row.setSpacing(8)
        row.addWidget(self.playButton)
        row.addWidget(self.slider, 1)
        row.addWidget(self.label)
        row.addWidget(self.liveButton)
        trajectory.length_changed.connect(self._refresh)
        trajectory.frame_changed.connect(self._refresh)
        self._refresh()

    def setTimestep(self, femtoseconds: float | None) -> None:
        """Tell times beside steps."""
        self._timestep_fs = femtoseconds
        self._refresh()

    def sizeHint(self) -> QSize:
        """Return a row."""
        return QSize(320, 40)

    def _toggle_play(self) -> None:
        if self._trajectory.is_playing:
            self._trajectory.pause()
        else:
            self._trajectory.play()

    def _seek(self, index: int) -> None:
        self._trajectory.pause()
        self._trajectory.show(index)

    def _refresh(self, _news: object = None) -> None:
        trajectory = self._trajectory
        n = len(trajectory)
        self.setEnabled(n > 0)
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, max(n - 1, 0))
            self.slider.setPageStep(max(n // 20, 1))
            self.slider.setValue(max(trajectory.index, 0))
        self.liveButton.setChecked(trajectory.is_live)
        if trajectory.is_playing:
            self.playButton.show_as("pause", "Pause")
        else:
            self.playButton.show_as("play", "Play")
        self.label.setText(self._text())

    def _text(self) -> str:
        step = self._trajectory.step
        if step < 0:
            return "no frames yet" if not len(self._trajectory) else ""
        if self._timestep_fs is None:
            return f"step {step:,}"
        return f"{step * self._timestep_fs / 1000:,.3f} ps"


def _demo() -> QWidget:
    from gui.demo.path_integral import finished_run

    trajectory = Trajectory()
    scrubber = Scrubber(trajectory)
    trajectory.setParent(scrubber)
    trajectory.set_job(finished_run(scrubber).job)
    scrubber.setTimestep(0.25)
    trajectory.show(12)
    return scrubber


if __name__ == "__main__":
    from gui.demo import show

    show(_demo, 480, 48)
