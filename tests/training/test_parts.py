"""Average weights, error sums, schedules, order of frames, the metrics table: each against its definition."""

from __future__ import annotations

import functools
import math
import operator
from dataclasses import replace

import numpy as np
import pytest
import torch

from nequip_openmm.data import read_dataset
from nequip_openmm.data.batch import Batch
from nequip_openmm.model.derivatives import Prediction
from nequip_openmm.training.config import TrainingSettings
from nequip_openmm.training.ema import ExponentialMovingAverage
from nequip_openmm.training.loader import (
    FrameBatches,
    Position,
    TrainingLoader,
    ValidationLoader,
    epoch_order,
)
from nequip_openmm.training.metrics import ErrorSums
from nequip_openmm.training.schedule import Schedule
from nequip_openmm.training.table import MetricsTable, column_names

SPECIES = ("H", "O")


# --- average weights


def test_average_follows_its_formula():
    weight = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    ema = ExponentialMovingAverage([weight], decay=0.9)
    wanted = torch.zeros(3, dtype=torch.float64)
    for n in range(1, 200):
        weight.data = torch.randn(3, dtype=torch.float64)
        ema.update()
        decay = min(0.9, (1 + n) / (10 + n))
        wanted = decay * wanted + (1 - decay) * weight.data
    assert torch.allclose(ema.average[0], wanted, rtol=0, atol=1e-13)


def test_swap_twice_is_never():
    weight = torch.nn.Parameter(torch.randn(3))
    ema = ExponentialMovingAverage([weight], decay=0.5)
    weight.data = torch.randn(3)
    before, average = weight.detach().clone(), ema.average[0].clone()
    ema.swap()
    assert torch.equal(weight, average)
    ema.swap()
    assert torch.equal(weight, before)


def test_no_decay_is_the_last_weight():
    weight = torch.nn.Parameter(torch.randn(3))
    ema = ExponentialMovingAverage([weight], decay=0.0)
    weight.data = torch.randn(3)
    ema.update()
    assert torch.equal(ema.average[0], weight.detach())


# --- errors


@pytest.fixture
def frames(cluster_file) -> FrameBatches:
    return FrameBatches(read_dataset(cluster_file), SPECIES, 4.0, cache_size=1.0)


def noisy(batch: Batch) -> Prediction:
    energy = batch.energy + torch.randn_like(batch.energy)
    forces = batch.forces + torch.randn_like(batch.forces)
    return Prediction(energy, torch.zeros(len(forces)), forces)


def test_errors_agree_with_numpy(frames):
    batch = frames.collate(range(len(frames)))
    prediction = noisy(batch)
    sums = ErrorSums(SPECIES)
    sums.update(prediction, batch)
    n = np.bincount(batch.graph.numpy())
    energy = (prediction.energy - batch.energy).numpy() / n * 1e3
    forces = (prediction.forces - batch.forces).numpy() * 1e3
    found = sums.results()
    assert found["energy_mae_mev_per_atom"] == pytest.approx(np.abs(energy).mean())
    assert found["energy_rmse_mev_per_atom"] == pytest.approx(np.sqrt((energy**2).mean()))
    assert found["energy_max_mev_per_atom"] == pytest.approx(np.abs(energy).max())
    assert found["forces_mae_mev_per_angstrom"] == pytest.approx(np.abs(forces).mean())
    assert found["forces_rmse_mev_per_angstrom"] == pytest.approx(np.sqrt((forces**2).mean()))
    for k, row in enumerate(sums.results_by_species().values()):
        of_species = np.abs(forces[batch.types.numpy() == k])
        assert row["forces_mae_mev_per_angstrom"] == pytest.approx(of_species.mean())
        assert row["forces_max_mev_per_angstrom"] == pytest.approx(of_species.max())


def test_errors_do_not_depend_on_batches(frames):
    whole, parts = ErrorSums(SPECIES), ErrorSums(SPECIES)
    batch = frames.collate(range(6))
    prediction = noisy(batch)
    whole.update(prediction, batch)
    for k in range(6):
        atoms = batch.graph == k
        part = Prediction(prediction.energy[k : k + 1], torch.zeros(1), prediction.forces[atoms])
        parts.update(part, frames[k])
    assert parts.results() == pytest.approx(whole.results(), rel=1e-12)
    assert parts.frames == whole.frames == 6


def test_errors_without_labels_are_nan_and_survive_a_checkpoint(frames):
    batch = frames[0]
    unlabelled = replace(batch, energy=torch.full_like(batch.energy, torch.nan))
    sums, again = ErrorSums(SPECIES), ErrorSums(SPECIES)
    sums.update(noisy(batch), unlabelled)
    assert math.isnan(sums.results()["energy_mae_mev_per_atom"])
    assert sums.results()["forces_mae_mev_per_angstrom"] > 0.0
    again.load_state_dict(sums.state_dict())
    assert again.results_by_species() == sums.results_by_species()


# --- learning rate


def test_cosine_falls_from_lr_to_lr_final():
    schedule = Schedule(TrainingSettings(lr=0.01, lr_final=1e-4, scheduler="cosine"), 100)
    assert schedule.rate(0) == pytest.approx(0.01)
    assert schedule.rate(50) == pytest.approx((0.01 + 1e-4) / 2)
    assert schedule.rate(100) == pytest.approx(1e-4)


def test_exponential_and_warm_up():
    settings = TrainingSettings(lr=0.01, lr_final=1e-4, scheduler="exponential", warmup_steps=9)
    schedule = Schedule(settings, 100)
    assert schedule.rate(0) == pytest.approx(0.001)
    assert schedule.rate(50) == pytest.approx(1e-3)


def test_plateau_lowers_after_patience_and_ends():
    settings = TrainingSettings(
        lr=0.01, lr_final=0.004, scheduler="plateau", plateau_patience=1, plateau_factor=0.5
    )
    schedule = Schedule(settings, 100)
    rates = []
    for loss in (1.0, 1.0, 1.0, 0.5, 0.6, 0.6):
        schedule.observe(loss)
        rates.append(schedule.rate(10))
    assert rates == pytest.approx([0.01, 0.01, 0.005, 0.005, 0.005, 0.0025])
    assert schedule.is_exhausted


def test_a_new_plan_goes_on_where_the_old_one_was():
    schedule = Schedule(TrainingSettings(scheduler="cosine"), 1000)
    before = schedule.rate(300)
    schedule.replan(300, 500)
    assert schedule.rate(300) == pytest.approx(before)
    assert schedule.progress(500) == 1.0
    assert schedule.rate(499) < before


def test_time_shortens_the_plan_only_where_it_must():
    schedule = Schedule(TrainingSettings(scheduler="cosine"), 1000)
    assert schedule.steps_within(100, 1000, seconds=1000.0, pace=1.0) == 1000
    assert schedule.steps_within(100, 1000, seconds=500.0, pace=1.0) == 585
    schedule.replan(100, 585)
    assert schedule.steps_within(200, 1000, seconds=400.0, pace=1.0) == 585  # about the same: keep
    assert schedule.steps_within(200, 1000, seconds=600.0, pace=1.0) == 782
    assert schedule.steps_within(200, 1000, seconds=9000.0, pace=1.0) == 1000


# --- order of frames


def test_every_epoch_holds_every_frame_once_in_its_own_order():
    first, second = epoch_order(50, 3, 0), epoch_order(50, 3, 1)
    assert sorted(first) == sorted(second) == list(range(50))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, epoch_order(50, 3, 0))


def indices(loader: TrainingLoader, frames: FrameBatches) -> list[int]:
    """Find the frames of batches by their energies."""
    known = frames.dataset.energies
    energies = torch.cat([batch.energy for batch in loader]).numpy()
    return [int(np.flatnonzero(known == e)[0]) for e in energies if np.isfinite(e)]


def test_an_epoch_can_begin_in_the_middle(frames):
    position = Position()
    loader = TrainingLoader(frames, 5, seed=1, position=position)
    whole = indices(loader, frames)
    position.batch = 2
    assert indices(loader, frames) == whole[10:]


@pytest.mark.parametrize("world_size", [2, 3, 5])
def test_processes_share_every_batch(frames, world_size):
    """28 frames in batches of 9: the last batch has one frame, less than there are processes."""
    parts = [
        TrainingLoader(frames, 9, 1, Position(), rank, world_size) for rank in range(world_size)
    ]
    batches = [list(part) for part in parts]
    assert len({len(b) for b in batches}) == 1  # everyone takes every step
    whole = indices(TrainingLoader(frames, 9, 1, Position()), frames)
    assert sorted(
        functools.reduce(operator.iadd, (indices(part, frames) for part in parts), [])
    ) == sorted(whole)
    valid = [ValidationLoader(frames, 4, rank, world_size) for rank in range(world_size)]
    assert sorted(
        functools.reduce(operator.iadd, (indices(part, frames) for part in valid), [])
    ) == sorted(whole)


def test_frames_beyond_the_cache_are_made_anew(cluster_file):
    dataset = read_dataset(cluster_file)
    small = FrameBatches(dataset, SPECIES, 4.0, cache_size=5e-6)
    large = FrameBatches(dataset, SPECIES, 4.0, cache_size=1.0)
    first = [small[k] for k in range(len(small))]
    kept = sum(small[k] is first[k] for k in range(len(small)))
    assert 0 < kept < len(small)
    assert all(torch.equal(small[k].edge_index, large[k].edge_index) for k in range(len(small)))
    assert all(large[k] is large[k] for k in range(len(large)))


# --- metrics.csv


def test_table_writes_and_cuts(tmp_path):
    columns = column_names(SPECIES)
    table = MetricsTable(tmp_path / "metrics.csv", columns)
    for epoch in (1, 2, 3):
        table.append(
            {"epoch": epoch, "step": 10 * epoch, "train_loss": 0.1, "valid_loss": math.nan}
        )
    with table.path.open("a") as file:
        file.write("4,40,")  # the machine went down here
    MetricsTable(table.path, columns).cut_after(20)
    lines = table.path.read_text().splitlines()
    assert lines[0].split(",") == columns
    assert [line.split(",")[:2] for line in lines[1:]] == [["1", "10"], ["2", "20"]]
    assert lines[1].split(",")[columns.index("valid_loss")] == ""
