"""The whole way, as a person goes it, with real training, molecular dynamics and path integrals."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LIMIT_S = 1200.0  # two minutes and a half on two idle cores


@pytest.mark.slow
def test_from_the_example_to_quantum_nuclei(tmp_path: Path) -> None:
    pytest.importorskip("openmm", reason="needs OpenMM")
    pytest.importorskip("ipi", reason="needs i-PI")
    screen = shutil.which("xvfb-run")
    if screen is None:
        pytest.skip("needs a screen without glass: apt-get install xvfb")
    command = [screen, "-a", "-s", "-screen 0 1400x1000x24", sys.executable, "-X", "faulthandler"]
    done = subprocess.run(
        [*command, "-m", "tests.gui.end_to_end.workflow", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "QT_QPA_PLATFORM": "xcb", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "done"
