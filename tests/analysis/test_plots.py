"""Plots are written whole, for ordinary and for odd runs, and leave matplotlib's global state alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from nequip_openmm.analysis.plots import plot_learning_curves, plot_parity, plot_thermo
from nequip_openmm.errors import DataError

RNG = np.random.default_rng(0)
METRICS = (
    "epoch,train_loss,valid_loss,train_energy_mae_mev_per_atom,valid_energy_mae_mev_per_atom,"
    "train_forces_mae_mev_per_angstrom,valid_forces_mae_mev_per_angstrom,learning_rate"
)
THERMO = "step,time_ps,potential_eV,kinetic_eV,total_eV,temperature_K,volume_A3,density_g_per_cm3,conserved_eV"


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        image.load()
        assert np.asarray(image.convert("L")).std() > 5  # not blank
        return image.size


def _metrics(path: Path, epochs: int) -> Path:
    rows = [
        ",".join(str(x) for x in (k, *(RNG.uniform(1, 5, 6) / (k + 1)), 0.01))
        for k in range(epochs)
    ]
    path.write_text("\n".join([METRICS, *rows]) + "\n")
    return path


@pytest.mark.parametrize("epochs", [1, 80])
def test_learning_curves(tmp_path: Path, epochs: int) -> None:
    path = plot_learning_curves(_metrics(tmp_path / "metrics.csv", epochs), tmp_path / "l.png")
    width, height = _size(path)
    assert width == 1920
    assert height == 580


def test_learning_curves_skip_empty_cells(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(METRICS + "\n0,1,,2,,3,,0.1\n1,0.5,nan,1,,1,,0.1\n")
    _size(plot_learning_curves(path, tmp_path / "l.png"))
    path.write_text(METRICS + "\n")
    with pytest.raises(DataError, match="has no epochs"):
        plot_learning_curves(path, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


@pytest.mark.parametrize("n", [1, 2000])
def test_parity(tmp_path: Path, n: int) -> None:
    energy, forces = RNG.normal(size=n), RNG.normal(size=(n, 3))
    path = plot_parity(energy, energy + 0.01, forces, forces * 1.01, tmp_path / "p.png")
    assert _size(path) == (1360, 980)


def test_parity_without_some_labels(tmp_path: Path) -> None:
    forces = RNG.normal(size=(5, 3))
    nothing = np.full(5, np.nan)
    _size(plot_parity(nothing, nothing, forces, forces, tmp_path / "f.png"))
    _size(plot_parity(np.ones(5), np.ones(5), [], [], tmp_path / "e.png"))
    with pytest.raises(DataError, match="neither energies nor forces"):
        plot_parity(nothing, nothing, [], [], tmp_path / "n.png")
    with pytest.raises(DataError, match="5 references and 4 predictions do not pair"):
        plot_parity(nothing, nothing[:4], [], [], tmp_path / "n.png")


@pytest.mark.parametrize("rows", [2, 500])
@pytest.mark.parametrize("periodic", [True, False])
def test_thermo(tmp_path: Path, rows: int, periodic: bool) -> None:
    path = tmp_path / "thermo.csv"
    lines = [THERMO]
    for k in range(rows):
        density = 1 + 0.01 * k if periodic else ""
        lines.append(
            f"{k},{k * 0.01},{-5 + RNG.normal() * 0.1},0.2,-4.8,{300 + k % 7},,{density},-4.8"
        )
    path.write_text("\n".join(lines) + "\n")
    picture = plot_thermo(path, tmp_path / "t.png", temperature=300, n_atoms=6)
    assert _size(picture) == (1360, 1250 if periodic else 900)


def test_thermo_needs_two_rows(tmp_path: Path) -> None:
    path = tmp_path / "thermo.csv"
    path.write_text(THERMO + "\n")
    with pytest.raises(DataError, match="fewer than two rows"):
        plot_thermo(path, tmp_path / "t.png")


def test_no_global_state_changes(tmp_path: Path) -> None:
    before = {name: mpl.rcParams[name] for name in mpl.rcParams if name != "backend"}
    plot_learning_curves(_metrics(tmp_path / "metrics.csv", 3), tmp_path / "l.png")
    assert {name: mpl.rcParams[name] for name in before} == before
    code = "import sys, nequip_openmm.analysis.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
