"""What pages need is loaded while nobody waits; what computes never is."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from PySide6.QtCore import QObject

from gui.warm_up import MODULES, WarmUp


def test_modules_are_imported_one_by_one(qtbot: Any) -> None:
    parent = QObject()
    sys.modules.pop("colorsys", None)
    warm_up = WarmUp(parent, ["this_is_not_there", "colorsys"])
    assert "colorsys" not in sys.modules
    with qtbot.waitSignal(warm_up.finished):
        pass
    assert "colorsys" in sys.modules


def test_all_exist_and_none_computes() -> None:
    code = (
        "import sys, importlib\n"
        f"for name in {MODULES!r}: importlib.import_module(name)\n"
        "assert not {'torch', 'openmm', 'ipi', 'e3nn', 'lightning', 'scipy'} & set(sys.modules), sorted(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
