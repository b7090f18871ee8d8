"""What can be done on every page."""

from __future__ import annotations

import platform
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

from gui.actions import Action
from gui.jobs import Action as Deed
from gui.jobs import Job
from nequip_openmm._version import __version__

if TYPE_CHECKING:
    from gui.views.main_window import MainWindow

__all__ = ["window_actions"]


def window_actions(window: MainWindow) -> list[Action]:
    """Return the actions of the window itself."""
    return [*_file(window), *_view(window), *_run(window), *_help(window)]


def _file(window: MainWindow) -> list[Action]:
    session = window.session

    def open_all(paths: list[Path]) -> None:
        for path in paths:
            window.open_path(path)

    def open_files() -> None:
        session.dialogs.open_files("Open", open_all)

    def open_run() -> None:
        session.dialogs.open_folder(
            "Open the folder of a run", window.open_path, folder=session.settings.runs_folder
        )

    return [
        Action("file.open", "Open…", open_files, "Ctrl+O"),
        Action("file.open-run", "Open the folder of a run…", open_run, "Ctrl+Shift+O"),
        Action("file.preferences", "Preferences…", lambda: _preferences(window), "Ctrl+,"),
        Action("file.quit", "Quit", window.close, "Ctrl+Q"),
    ]


def _view(window: MainWindow) -> list[Action]:
    from gui.views.main_window import PAGES

    pages = [
        Action(f"view.{name}", entry.title, partial(window.show_page, name), f"Ctrl+{n}")
        for n, (name, entry) in enumerate(PAGES.items(), start=1)
    ]
    return [
        *pages,
        Action("view.quantum", "Quantum nuclei", partial(window.show_page, "quantum")),
        Action("view.inspector", "Inspector", window.toggle_inspector, "Ctrl+I"),
        Action("view.log", "Log", window.toggle_log, "Ctrl+L"),
        Action("view.next-warning", "Next warning", window.next_warning, "Ctrl+N"),
        Action("view.theme", "Light or dark", window.toggle_theme, "Ctrl+Shift+D"),
        Action("tools.palette", "Command palette…", window.open_palette, "Ctrl+K"),
    ]


def _run(window: MainWindow) -> list[Action]:
    """Actions on the newest job that runs."""

    def job() -> Job | None:
        running = window.session.jobs.running()
        return running[-1] if running else None

    def able(*deeds: Deed) -> bool:
        newest = job()
        return newest is not None and any(newest.can(deed) for deed in deeds)

    def pause() -> None:
        newest = job()
        if newest is not None and not newest.pause():
            newest.resume()

    def stop() -> None:
        if (newest := job()) is not None:
            newest.stop()

    def save() -> None:
        if (newest := job()) is not None:
            newest.checkpoint()

    return [
        Action("run.pause", "Pause or resume the job", pause, "Ctrl+P", lambda: able(Deed.PAUSE, Deed.RESUME)),
        Action("run.stop", "Stop the job", stop, "Ctrl+.", lambda: able(Deed.STOP)),
        Action("run.checkpoint", "Save a checkpoint now", save, "Ctrl+S", lambda: able(Deed.CHECKPOINT)),
    ]  # fmt: skip


def _help(window: MainWindow) -> list[Action]:
    return [
        Action("help.shortcuts", "Keyboard shortcuts", lambda: _shortcuts(window), "Ctrl+/"),
        Action("help.guide", "User guide", lambda: _open_guide(window), "F1"),
        Action("help.about", "About NequIP OpenMM", lambda: _about(window)),
    ]


def _preferences(window: MainWindow) -> None:
    from gui.views.preferences import PreferencesDialog

    PreferencesDialog(window.session, window).open()


def _shortcuts(window: MainWindow) -> None:
    from gui.views.shortcuts import ShortcutSheet

    ShortcutSheet(window.actions_, window).open()


def _about(window: MainWindow) -> None:
    text = f"NequIP OpenMM {__version__}, Python {platform.python_version()}"
    about = "Train NequIP potentials, run molecular dynamics in OpenMM and path integrals in i-PI."
    window.session.dialogs.tell("About NequIP OpenMM", f"{about}\n\n{text}")


def _open_guide(window: MainWindow) -> None:
    """Show what the guide says about the page in front."""
    from gui.guide import guide
    from gui.views.guide_window import GuideWindow

    modes = getattr(window.current_page, "modes", None)  # of the page Simulate
    is_quantum = modes is not None and modes.value() == "quantum"
    page = guide("quantum" if is_quantum else window.page_name)
    if page.is_file():
        GuideWindow(page, window).show()
    else:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(page)))
