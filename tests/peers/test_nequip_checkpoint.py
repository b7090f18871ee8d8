"""A checkpoint that the official package trained, imported and compared with what that package makes of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
import pytest

pytest.importorskip("nequip", reason="the official nequip package is not installed")

import nequip_openmm
from nequip_openmm.cli.app import main
from nequip_openmm.data.frame import Frame
from nequip_openmm.potential import Potential
from tests.model import cases
from tests.peers.nequip_peer import evaluate_official

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

CONFIG = """
run: [train]
data:
  _target_: nequip.data.datamodule.ASEDataModule
  seed: 1
  train_file_path: [data.xyz]
  val_file_path: [data.xyz]
  transforms:
    - {_target_: nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper, model_type_names: [H, C, O]}
    - {_target_: nequip.data.transforms.NeighborListTransform, r_max: 3.5}
  train_dataloader: {_target_: torch.utils.data.DataLoader, batch_size: 2}
  val_dataloader: {_target_: torch.utils.data.DataLoader, batch_size: 4}
  stats_manager:
    _target_: nequip.data.CommonDataStatisticsManager
    type_names: [H, C, O]
    dataloader_kwargs: {batch_size: 4}
trainer:
  _target_: lightning.Trainer
  accelerator: cpu
  max_epochs: 2
  logger: false
  enable_progress_bar: false
  callbacks: [{_target_: lightning.pytorch.callbacks.ModelCheckpoint, dirpath: ., save_last: true}]
training_module:
  _target_: nequip.train.EMALightningModule
  ema_decay: 0.9
  loss: {_target_: nequip.train.EnergyForceLoss, per_atom_energy: true, coeffs: {total_energy: 1.0, forces: 1.0}}
  val_metrics: {_target_: nequip.train.EnergyForceMetrics, coeffs: {total_energy_mae: 1.0, forces_mae: 1.0}}
  optimizer: {_target_: torch.optim.Adam, lr: 0.05}
  model:
    _target_: nequip.model.NequIPGNNModel
    seed: 3
    model_dtype: float64
    type_names: [H, C, O]
    r_max: 3.5
    num_layers: 4
    l_max: 1
    num_features: [4, 3]
    radial_mlp_width: 8
    readout_mlp_hidden_layers_depth: 1
    avg_num_neighbors: ${training_data_stats:num_neighbors_mean}
    per_type_energy_scales: ${training_data_stats:per_type_forces_rms}
    per_type_energy_shifts: {H: -1.0, C: -2.0, O: -3.0}
    per_type_energy_shifts_trainable: true
    bessel_trainable: true
    pair_potential:
      _target_: nequip.nn.pair_potential.ZBL
      units: metal
      chemical_species: [H, C, O]
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train for two epochs with ``nequip-train``."""
    folder = tmp_path_factory.mktemp("nequip-train")
    (folder / "config.yaml").write_text(CONFIG)
    potential = cases.potential("l1")
    frames = []
    for spread in (0.02, 0.04, 0.06, 0.08):
        atoms = cases.ethanol(spread)
        found = potential.evaluate(atoms)
        frame = Frame.from_ase(atoms).with_labels(energy=found.energy, forces=found.forces)
        frames.append(frame.to_ase())
    ase.io.write(folder / "data.xyz", frames)
    command = [sys.executable, "-m", "nequip.scripts.train", "-cn", "config"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "last.ckpt"


def _official(checkpoint: Path, averaged: bool) -> Any:
    """Load the checkpoint with the official package."""
    from nequip.model.saved_models.checkpoint import ModelFromCheckpoint
    from nequip.train import EMALightningModule
    from nequip.utils.global_state import set_global_state

    set_global_state()
    if averaged:
        return ModelFromCheckpoint(str(checkpoint)).sole_model.eval()
    module = EMALightningModule.load_from_checkpoint(
        checkpoint, weights_only=False, map_location="cpu"
    )
    return module.model.sole_model.eval()


def _imported(checkpoint: Path, target: Path, *options: str) -> Potential:
    with pytest.raises(SystemExit) as stop:
        main(["import", str(checkpoint), str(target), "--trust", *options])
    assert not stop.value.code
    return nequip_openmm.load(target, device="cpu")


def _assert_same(official: Any, ours: Potential) -> None:
    for atoms in (cases.ethanol(0.1), cases.triclinic()):
        wanted = evaluate_official(official, atoms, ours.info.config)
        found = ours.evaluate(atoms)
        assert found.energy == pytest.approx(wanted.energy, abs=1e-10)
        np.testing.assert_allclose(found.energies, wanted.energies, rtol=0, atol=1e-10)
        np.testing.assert_allclose(found.forces, wanted.forces, rtol=0, atol=1e-10)
        if wanted.stress is not None:
            np.testing.assert_allclose(found.stress, wanted.stress, rtol=0, atol=1e-10)


def test_averaged_and_raw_weights_give_the_official_numbers(
    checkpoint: Path, tmp_path: Path
) -> None:
    averaged = _imported(checkpoint, tmp_path / "ema.safetensors")
    raw = _imported(checkpoint, tmp_path / "raw.safetensors", "--raw-weights")
    _assert_same(_official(checkpoint, averaged=True), averaged)
    _assert_same(_official(checkpoint, averaged=False), raw)
    energies = [p.evaluate(cases.ethanol()).energy for p in (averaged, raw)]
    assert abs(energies[0] - energies[1]) > 1e-3
    assert averaged.info.training["versions"]["nequip"] == "0.19.1"


def test_import_does_not_need_the_official_package(checkpoint: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('nequip', 'omegaconf', 'hydra', 'lightning'): sys.modules[name] = None\n"
        "from nequip_openmm.cli.app import main\n"
        f"main(['import', {str(checkpoint)!r}, {str(tmp_path / 'm.safetensors')!r}, '--trust'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    assert "ema weights" in done.stdout
