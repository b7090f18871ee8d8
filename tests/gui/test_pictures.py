"""The pictures of the guide: all that it names are there, small, and can be drawn anew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from gui.demo.pictures.drawing import SCENES, draw, file_name
from gui.demo.pictures.gallery import gallery
from gui.demo.pictures.palette import with_palette
from gui.demo.pictures.stage import SIZE
from gui.guide import guide
from gui.theme import theme
from gui.views.guide_window import GuideWindow

ROOT = Path(__file__).parents[2]
GUIDE = [ROOT / "docs" / "gui.md", *sorted((ROOT / "docs" / "gui").glob("*.md"))]
PICTURES = ROOT / "docs" / "images" / "gui"
MOST_BYTES, MOST_IN_ALL = 120_000, 6_000_000
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def links(page: Path) -> list[Path]:
    """Return the files that a page points to."""
    targets = LINK.findall(page.read_text("utf-8"))
    return [(page.parent / target).resolve() for target in targets if "://" not in target]


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_what_the_guide_points_to_is_there(page: Path) -> None:
    assert [path for path in links(page) if not path.exists()] == []


def test_pictures_are_small_drawn_by_the_script_and_used() -> None:
    pictures = sorted(PICTURES.glob("*.png"))
    known = {file_name(name, look) for name in SCENES for look in ("light", "dark")}
    assert {path.name for path in pictures} <= known
    assert [path.name for path in pictures if path.stat().st_size > MOST_BYTES] == []
    assert sum(path.stat().st_size for path in pictures) < MOST_IN_ALL
    named = {path for page in [*GUIDE, ROOT / "README.md"] for path in links(page)}
    assert [path.name for path in pictures if path not in named] == []


def test_the_gallery_shows_all_of_them() -> None:
    page = ROOT / "docs" / "gui" / "states.md"
    assert page.read_text("utf-8") == gallery(SCENES)


def test_every_page_has_its_pictures() -> None:
    states = {
        "home": ("empty", "used"),
        "data": ("empty", "loading", "unclear", "invalid", "loaded"),
        "train": ("empty", "ready", "invalid", "starting", "running", "paused", "stopping", "stopped", "finished", "failed", "lost"),
        "simulate": ("empty", "loading", "ready", "invalid", "starting", "running", "paused", "stopping", "stopped", "finished", "blow-up", "crashed", "lost"),
        "quantum": ("empty", "ready", "invalid", "waiting", "running", "finished", "driver-died", "failed", "lost", "series"),
        "runs": ("empty", "list", "overlay", "difference", "invalid"),
    }  # fmt: skip
    assert {f"{page}-{state}" for page, all_of in states.items() for state in all_of} <= set(SCENES)


@pytest.mark.parametrize("name", ["data-unclear", "quantum-ready"])
def test_a_picture_is_drawn_in_both_themes(name: str, tmp_path: Path, qapp: object) -> None:
    light, dark = (QImage(str(path)) for path in draw([name], tmp_path))
    assert (light.width(), light.height()) == SIZE
    assert light.pixelColor(4, 4).lightness() > 200 > 60 > dark.pixelColor(4, 4).lightness()
    assert theme().name == "light"


@pytest.mark.parametrize("page", ["home", "data", "train", "simulate", "quantum", "runs"])
def test_every_page_of_the_window_has_one_of_the_guide(page: str) -> None:
    assert guide(page) in GUIDE


def test_the_guide_is_read_in_a_window(qtbot: QtBot) -> None:
    window = GuideWindow(guide())
    qtbot.addWidget(window)
    window.show()
    pages = window.pages
    assert pages.toPlainText().startswith("The window")
    assert pages.document().size().width() <= pages.viewport().width()
    pages.anchorClicked.emit(QUrl("gui/training.md"))
    assert pages.toPlainText().startswith("Train: from a data set")
    window.findChildren(QPushButton)[0].click()
    assert pages.toPlainText().startswith("The window")


def test_few_colours_stay_as_they_are() -> None:
    picture = QImage(40, 30, QImage.Format.Format_RGB32)
    for x in range(40):
        for y in range(30):
            picture.setPixel(x, y, 0xFF000000 | (6 * x) << 16 | (x % 7) << 8 | y // 15)
    made = with_palette(picture).convertToFormat(QImage.Format.Format_RGB32)
    assert made == picture
    for x in range(40):  # more colours than there is room for
        for y in range(30):
            picture.setPixel(x, y, 0xFF000000 | (6 * x) << 16 | (8 * y) << 8)
    made = with_palette(picture)
    assert made.colorCount() <= 256
    far = max(
        abs(made.pixelColor(x, y).red() - picture.pixelColor(x, y).red())
        for x in range(40)
        for y in range(30)
    )
    assert far < 40
