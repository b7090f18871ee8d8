"""The script that the documentation shows runs as it stands."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from nequip_openmm.model.file import save_model
from tests.forces.cases import stable_potential

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_script_of_the_readme(tmp_path: Path) -> None:
    script = (EXAMPLES / "openmm_script.py").read_text()
    code = [line for line in script.splitlines() if line and not line.startswith('"""')]
    assert len(code) == 12
    (tmp_path / "examples").mkdir()
    shutil.copy(EXAMPLES / "methanol.pdb", tmp_path / "examples")
    (tmp_path / "demo-run").mkdir()
    save_model(tmp_path / "demo-run" / "model.safetensors", stable_potential().model)
    shorter = script.replace("2000", "20").replace(", 200,", ", 10,")
    shorter = shorter.replace("minimizeEnergy()", "minimizeEnergy(maxIterations=5)")
    result = subprocess.run(
        [sys.executable, "-c", shorter], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    steps = [line.split(",")[0] for line in result.stdout.splitlines()]
    assert steps[-2:] == ["10", "20"]
    assert "simtk" not in result.stderr
