"""Every script of examples/ runs, shortened, with a model whose molecules neither fall apart nor collapse."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nequip_openmm.model.file import save_model
from tests.forces.cases import stable_potential

EXAMPLES = Path(__file__).parents[2] / "examples"
STEPS = {
    "nvt_molecule": 60,
    "npt_box": 60,
    "mixed": 20,
    "rpmd": 40,
    "normal_modes": None,
    "restart": 40,
}
SAYS = {
    "nvt_molecule": "O-HO ",
    "npt_box": "ideal gas ",
    "mixed": "20,",
    "rpmd": "16 beads: O-H ",
    "normal_modes": "vibrations /cm",
    "restart": "the same to the bit: True",
}


def test_every_script_is_here() -> None:
    found = {path.stem.removeprefix("openmm_") for path in EXAMPLES.glob("openmm_*.py")}
    assert found - {"script"} == set(STEPS)  # script has a test of its own


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_it_runs(name: str, tmp_path: Path) -> None:
    if name == "mixed":
        pytest.importorskip("openmmml")
    (tmp_path / "examples").symlink_to(EXAMPLES)
    save_model(tmp_path / "model.safetensors", stable_potential().model)
    steps = [] if STEPS[name] is None else [str(STEPS[name])]
    result = subprocess.run(
        [sys.executable, f"examples/openmm_{name}.py", "model.safetensors", *steps],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert SAYS[name] in result.stdout
    assert "nan" not in result.stdout.lower()
