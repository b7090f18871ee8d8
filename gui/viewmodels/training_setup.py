"""A training that is being set up: data, preset, settings, and what a rehearsal says about them."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from PySide6.QtCore import QObject, Signal

from nequip_openmm.errors import UserError
from nequip_openmm.settings import find_problems, load_yaml
from nequip_openmm.training.config import TrainingConfig
from nequip_openmm.training.loading import DEFAULT_PRESET, load_config

if TYPE_CHECKING:
    from gui.jobs import Task
    from gui.session import Session

__all__ = ["PRESETS", "Check", "TrainingSetup", "preset_values"]

PRESETS: dict[str, tuple[str, str]] = {
    "quick": ("Quick look", "under 3 minutes"),
    "balanced": ("Balanced", "within an hour"),
    "accurate": ("Accurate", "hours on a GPU"),
    "paper-molecule": ("Paper, molecules", "as published"),
    "paper-periodic": ("Paper, periodic", "as published"),
}
"""Name of the preset -> title and how long it takes."""

NO_DATA = "?"


class Check(Enum):
    """Where a rehearsal is."""

    NONE = "none"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


def preset_values(name: str) -> dict[str, Any]:
    """Return all settings of a preset, the data set's left out."""
    values = load_config(preset=name, dataset=NO_DATA).model_dump(mode="json")
    values["data"]["path"] = None
    return values


class TrainingSetup(QObject):
    """What will be trained, and on what.

    Parameters
    ----------
    session
        The window's.

    Signals
    -------
    replaced
        `values` are others now, not by `edit`: show them.
    changed
        Something else: data, name, validity.
    check_changed
        `check`, `check_text`, `found` or `failure`.
    """

    replaced = Signal()
    changed = Signal()
    check_changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.preset = DEFAULT_PRESET
        self.reference = preset_values(self.preset)
        self.values: dict[str, Any] = copy.deepcopy(self.reference)
        self.name = ""
        self.data: dict[str, Any] = {}
        self.check = Check.NONE
        self.check_text = ""
        self.check_part: float | None = None
        self.found: dict[str, Any] = {}
        self.failure: dict[str, Any] = {}
        self._task: Task | None = None
        self._scratch = tempfile.TemporaryDirectory(prefix="nequip-openmm-check-")
        session.dataset_changed.connect(self._take_dataset)
        self._take_dataset()

    # --- data

    @property
    def has_data(self) -> bool:
        """Whether a data set is chosen."""
        return bool(self.data.get("path"))

    @property
    def data_facts(self) -> list[str]:
        """What is known of the data set, a few words each."""
        dataset = self.session.dataset
        if dataset is None or not self._is_of(dataset):
            return []
        split = dataset.split
        n_train = dataset.n_frames - split.n_valid - split.n_test
        n_train = n_train if split.n_train is None else split.n_train
        return [
            f"{dataset.n_frames:,} frames",
            " ".join(dataset.elements),
            f"{n_train:,} train · {split.n_valid:,} validate · {split.n_test:,} test",
        ]

    @property
    def force_rms(self) -> float | None:
        """Root mean square force component of the data set, eV/Å, where it is known."""
        dataset = self.session.dataset
        if dataset is not None and self._is_of(dataset):
            return dataset.summary.get("force_rms")
        return None

    def _is_of(self, dataset: Any) -> bool:
        return str(dataset.path.resolve()) == self.data.get("path")

    def _take_dataset(self) -> None:
        """Train on the data set that is open, if one is."""
        if self.session.dataset is not None:
            self.data = dict(self.session.dataset.data_settings())
            self._forget_check()
            self.changed.emit()

    # --- settings

    def choose_preset(self, name: str) -> None:
        """Begin with the settings of a preset; all changes of the form are lost."""
        self.preset = name
        self.reference = preset_values(name)
        self.replace(self.reference)

    def replace(self, values: Mapping[str, Any]) -> None:
        """Take settings from elsewhere."""
        self.values = copy.deepcopy(dict(values))
        self._forget_check()
        self.replaced.emit()
        self.changed.emit()

    def edit(self, values: Mapping[str, Any]) -> None:
        """Take what a person typed."""
        self.values = copy.deepcopy(dict(values))
        self._forget_check()
        self.changed.emit()

    def load(self, path: Path) -> None:
        """Take the settings of a YAML file, its data set with them.

        Raises
        ------
        UserError
            If it holds no settings of a training.
        """
        given = load_yaml(path)
        named = (given.get("data") or {}).get("path") if isinstance(given.get("data"), dict) else ""
        config = load_config(path, dataset=None if named else NO_DATA)
        self.take(config.model_dump(mode="json"), path.parent)

    def take(self, settings: Mapping[str, Any], folder: Path | None = None) -> None:
        """Take all settings of a run or a file; paths in it are relative to ``folder``."""
        values = copy.deepcopy(dict(settings))
        values.pop("kind", None)
        data = values.get("data") or {}
        named = data.get("path")
        if named and named != NO_DATA:
            base = folder or Path()
            here = base / named
            path = here if here.exists() else Path(named)
            self.data = {k: v for k, v in data.items() if v is not None} | {
                "path": str(path.resolve())
            }
        preset = str(values.get("preset"))
        self.preset = preset if preset in PRESETS else DEFAULT_PRESET
        self.reference = preset_values(self.preset)
        values["data"] = {**data, "path": None}
        self.replace(values)

    def set_name(self, name: str) -> None:
        """Call the run this; empty takes date and time."""
        self.name = name.strip()

    @property
    def spec(self) -> dict[str, Any]:
        """The settings of the run, all of them."""
        values = copy.deepcopy(self.values)
        values["preset"] = self.preset
        values["data"] = {**(values.get("data") or {}), **self.data}
        return values

    @property
    def is_valid(self) -> bool:
        """Whether a run could begin with these settings."""
        return self.has_data and not find_problems(TrainingConfig, self.spec)

    def export(self, path: Path) -> None:
        """Write the settings as YAML; defaults are left out, so that it reads well.

        Raises
        ------
        UserError
            If the file cannot be written.
        """
        config = TrainingConfig.model_validate(self.spec)
        text = yaml.safe_dump(
            config.model_dump(mode="json", exclude_defaults=True),
            sort_keys=False,
            allow_unicode=True,
        )
        comment = f"# nequip-openmm train {path.name}\n"
        try:
            path.write_text(comment + text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write '{path}': {error.strerror}") from error

    # --- rehearsal

    def start_check(self) -> None:
        """Rehearse the training in a child process."""
        self.cancel_check()
        given = Path(self._scratch.name) / "settings.yaml"
        given.write_text(yaml.safe_dump(self.spec, sort_keys=False, allow_unicode=True), "utf-8")
        self._set_check(Check.RUNNING, "Starting")
        self._task = task = self.session.task(["train", str(given), "--check"], parent=self)
        task.progressed.connect(self._on_progress)
        task.finished.connect(self._on_finished)
        task.failed.connect(self._on_failed)

    def cancel_check(self) -> None:
        """End a rehearsal."""
        if self._task is not None:
            for signal in (self._task.progressed, self._task.finished, self._task.failed):
                signal.disconnect()
            self._task.cancel()
            self._task = None
        if self.check is Check.RUNNING:
            self._set_check(Check.NONE)

    def _forget_check(self) -> None:
        """Settings are others than those that were rehearsed."""
        self.cancel_check()
        if self.check is not Check.NONE:
            self._set_check(Check.NONE)

    def _set_check(self, check: Check, text: str = "", part: float | None = None) -> None:
        self.check, self.check_text, self.check_part = check, text, part
        self.check_changed.emit()

    def _on_progress(self, done: int, total: int, text: str) -> None:
        part = done / total if total else None
        self._set_check(Check.RUNNING, text.capitalize(), part)

    def _on_finished(self, found: dict[str, Any]) -> None:
        self._task = None
        self.found, self.failure = found, {}
        self._set_check(Check.DONE)

    def _on_failed(self, failure: dict[str, Any]) -> None:
        self._task = None
        self.found, self.failure = {}, failure
        self._set_check(Check.FAILED)
