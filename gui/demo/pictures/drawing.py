"""Draws scenes into files."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from PySide6.QtCore import QEvent
from PySide6.QtGui import QImageWriter, QPixmap
from PySide6.QtWidgets import QApplication

from gui.demo.pictures import data, home, quantum, runs, simulate, train
from gui.demo.pictures.palette import with_palette
from gui.demo.pictures.stage import Scene, Stage, calm
from gui.theme import Choice, theme

__all__ = ["SCENES", "draw", "file_name"]

SCENES: dict[str, Scene] = {
    name: scene
    for module in (home, data, train, simulate, quantum, runs)
    for name, scene in module.SCENES.items()
}
"""Every page in every state, by the name of its picture."""

WITH_NEWS = {"home-used"}
"""Pictures with the news in the corner; they would hide what the others are about."""

SMALLEST = 100  # of what a writer of PNG files can be asked for


def file_name(scene: str, look: Choice) -> str:
    """Return the name of a picture's file."""
    return f"{scene}.png" if look == "light" else f"{scene}-{look}.png"


def draw(
    names: Iterable[str], folder: Path, looks: Sequence[Choice] = ("light", "dark")
) -> Iterator[Path]:
    """Draw scenes, each in a window of its own; yield the files.

    Parameters
    ----------
    names
        Of `SCENES`.
    folder
        Where the files go; is made.
    looks
        Themes.
    """
    _ = QApplication.instance() or QApplication(sys.argv[:1])
    QApplication.setStyle("Fusion")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        with (
            tempfile.TemporaryDirectory(prefix="nequip-openmm-pictures-") as made,
            calm(Path(made)) as played,
        ):
            yield from _draw(SCENES[name], name, Stage(Path(made), played), folder, looks)


def _draw(
    scene: Scene, name: str, stage: Stage, folder: Path, looks: Sequence[Choice]
) -> Iterator[Path]:
    try:
        theme().choose(looks[0])
        drawn = scene(stage) or stage.window
        if name not in WITH_NEWS:
            stage.hush()
        for look in looks:
            theme().choose(look)
            stage.settle()
            stage.fit()
            yield _write(drawn.grab(), folder / file_name(name, look))
    finally:
        stage.close()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def _write(picture: QPixmap, path: Path) -> Path:
    writer = QImageWriter(str(path), b"png")
    writer.setCompression(SMALLEST)
    if not writer.write(with_palette(picture.toImage())):
        raise OSError(f"{path}: {writer.errorString()}")
    return path
