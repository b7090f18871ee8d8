"""What the window remembers: typed, versioned, one JSON file in the user's configuration folder."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from PySide6.QtCore import QObject, Signal

__all__ = ["Preferences", "SettingsStore"]

log = logging.getLogger(__name__)

VERSION = 1
N_RECENT = 12


class Preferences(BaseModel):
    """All that a person can set; unknown keys, such as those of a newer version, are dropped."""

    model_config = ConfigDict(
        extra="ignore", validate_assignment=True, use_attribute_docstrings=True
    )

    version: int = VERSION
    """Of this schema."""
    theme: Literal["system", "light", "dark"] = "system"
    """Colours."""
    text_scale: float = Field(default=1.0, ge=0.8, le=2.0)
    """Size of text."""
    runs_folder: Path = Path("~/nequip-openmm/runs")
    """Where new runs go."""
    recent: list[str] = []
    """Files and runs that were opened last, newest first."""
    keep_running: bool = False
    """Whether jobs go on when the window closes."""
    threads: int | None = Field(default=None, ge=1)
    """Processor threads of a new job; empty: the program decides."""
    pages: dict[str, dict[str, Any]] = {}
    """What each page remembers by its name."""


class SettingsStore(QObject):
    """Reads the preferences once and writes each change.

    Parameters
    ----------
    path
        The file; None for the user's own.

    Signals
    -------
    changed
        Name of the preference.
    """

    changed = Signal(str)

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        folder = Path(platformdirs.user_config_dir("nequip-openmm", appauthor=False))
        self.path = path or folder / "gui.json"
        self.values = _read(self.path)

    @property
    def runs_folder(self) -> Path:
        """Where new runs go, with ``~`` expanded."""
        return self.values.runs_folder.expanduser()

    @property
    def recent(self) -> list[Path]:
        """Files and runs that were opened last and still exist, newest first."""
        return [path for name in self.values.recent if (path := Path(name)).exists()]

    def set(self, name: str, value: Any) -> None:
        """Change a preference; raises `pydantic.ValidationError` for one that cannot be."""
        setattr(self.values, name, value)
        self._write()
        self.changed.emit(name)

    def add_recent(self, path: Path | str) -> None:
        """Put a file or run at the top of the recent ones."""
        name = str(Path(path).resolve())
        self.set("recent", [name, *(n for n in self.values.recent if n != name)][:N_RECENT])

    def page(self, name: str) -> dict[str, Any]:
        """Return what a page remembers."""
        return dict(self.values.pages.get(name, {}))

    def set_page(self, name: str, values: dict[str, Any]) -> None:
        """Remember what a page wants to find again (JSON values)."""
        self.set("pages", self.values.pages | {name: values})

    def _write(self) -> None:
        temporary = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(self.values.model_dump_json(indent=1), "utf-8")
            temporary.replace(self.path)
        except OSError as error:  # a full disk must not stop the work
            log.warning("settings cannot be saved: %s", error)


def _read(path: Path) -> Preferences:
    """Return the preferences of a file; what cannot be understood is as it was in the beginning."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Preferences()
    except (OSError, ValueError) as error:
        log.warning("settings cannot be read, the defaults hold: %s", error)
        return Preferences()
    if not isinstance(data, dict):
        return Preferences()
    try:
        return Preferences.model_validate(data)
    except ValidationError as error:
        wrong = {str(problem["loc"][0]) for problem in error.errors()}
        log.warning("settings that are not understood and left out: %s", ", ".join(sorted(wrong)))
        return Preferences.model_validate({k: v for k, v in data.items() if k not in wrong})
