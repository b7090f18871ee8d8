"""Settings: kept, checked, and never a reason not to open."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from gui.settings import VERSION, SettingsStore


def test_settings_are_kept(tmp_path: Path, qapp: object) -> None:
    store = SettingsStore(tmp_path / "deep" / "gui.json")
    store.set("theme", "dark")
    store.set("runs_folder", tmp_path)
    store.set_page("train", {"preset": "quick"})
    again = SettingsStore(store.path)
    assert again.values.theme == "dark"
    assert again.runs_folder == tmp_path
    assert again.page("train") == {"preset": "quick"}
    assert again.page("data") == {}
    assert json.loads(store.path.read_text())["version"] == VERSION


def test_a_change_is_told(tmp_path: Path, qtbot: object) -> None:
    store = SettingsStore(tmp_path / "gui.json")
    told: list[str] = []
    store.changed.connect(told.append)
    store.set("keep_running", True)
    assert told == ["keep_running"]


@pytest.mark.parametrize(
    ("name", "value"), [("theme", "pink"), ("text_scale", 9.0), ("threads", 0)]
)
def test_what_cannot_be_is_refused(tmp_path: Path, qapp: object, name: str, value: object) -> None:
    store = SettingsStore(tmp_path / "gui.json")
    with pytest.raises(ValidationError):
        store.set(name, value)
    assert not store.path.exists()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "\x00", '{"theme": 7, "text_scale": "huge", "moon": 1}']
)
def test_a_damaged_file_gives_the_defaults(tmp_path: Path, qapp: object, content: str) -> None:
    (tmp_path / "gui.json").write_text(content)
    assert SettingsStore(tmp_path / "gui.json").values.theme == "system"


def test_one_wrong_setting_leaves_the_others(tmp_path: Path, qapp: object) -> None:
    (tmp_path / "gui.json").write_text('{"theme": "dark", "text_scale": "huge"}')
    values = SettingsStore(tmp_path / "gui.json").values
    assert (values.theme, values.text_scale) == ("dark", 1.0)


def test_recent_files(tmp_path: Path, qapp: object) -> None:
    store = SettingsStore(tmp_path / "gui.json")
    for number in range(20):
        (tmp_path / f"{number}.xyz").write_text("")
        store.add_recent(tmp_path / f"{number}.xyz")
    store.add_recent(tmp_path / "15.xyz")
    (tmp_path / "18.xyz").unlink()
    assert [path.stem for path in store.recent[:4]] == ["15", "19", "17", "16"]
    assert len(store.values.recent) == 12


def test_a_full_disk_is_no_reason_to_stop(tmp_path: Path, qapp: object) -> None:
    (tmp_path / "file").write_text("in the way")
    store = SettingsStore(tmp_path / "file" / "gui.json")
    store.set("theme", "dark")
    assert store.values.theme == "dark"
