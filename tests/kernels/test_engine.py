import os
import threading
from concurrent.futures import ThreadPoolExecutor

import ase
import numpy as np
import pytest
import torch

from nequip_openmm.data.batch import Batch, collate
from nequip_openmm.data.frame import Frame
from nequip_openmm.data.verlet import PairList
from nequip_openmm.kernels import workspace
from nequip_openmm.kernels.engine import Engine
from nequip_openmm.model.derivatives import energy_and_derivatives
from tests.model.cases import MODELS, SPECIES, STRUCTURES, build, ethanol, frame

ARCHITECTURES = {
    **MODELS,
    "l4": {"l_max": 4, "num_layers": 2, "num_features": 3},
    "one-layer": {"l_max": 2, "num_layers": 1},
    "wide": {"l_max": 1, "num_features": (70, 33), "num_layers": 2},
    "deep-readout": {"l_max": 1, "readout_mlp_depth": 2, "readout_mlp_width": 11},
    "linear-readout": {"l_max": 0, "readout_mlp_depth": 1, "readout_mlp_nonlinearity": None},
    "embedding": {"l_max": 1, "type_embed_num_features": 2},
    # what a layer sends is far wider here than any messages, as the working memory must allow for
    "wide-behind-narrow": {
        "l_max": 2,
        "num_features": (3, 3, 90),
        "type_embed_num_features": 2,
        "num_layers": 2,
    },
}


def batch_of(*frames, cutoff=3.5):
    return collate([Batch.from_frame(f, SPECIES, cutoff) for f in frames])


def evaluate(engine, batch):
    pairs = PairList.from_edges(batch.edge_index.numpy(), batch.shifts.numpy(), len(batch.types))
    return engine.evaluate(
        batch.positions.numpy(), batch.types.numpy(), batch.cell.numpy(), batch.graph.numpy(), pairs
    )


def assert_same(found, wanted, energy, force):
    np.testing.assert_allclose(found.energies, wanted.atomic_energies, rtol=0, atol=energy)
    np.testing.assert_allclose(found.forces, wanted.forces, rtol=0, atol=force)
    np.testing.assert_allclose(found.virial, wanted.virial, rtol=0, atol=10 * force)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize(
    ("dtype", "energy", "force"), [(torch.float64, 1e-10, 1e-9), (torch.float32, 2e-6, 5e-6)]
)
def test_same_numbers_as_the_reference(name, dtype, energy, force):
    model = build(dtype=dtype, **ARCHITECTURES[name])
    batch = batch_of(*(frame(structure) for structure in STRUCTURES))
    found = evaluate(Engine(model, threads=1), batch)
    assert_same(found, energy_and_derivatives(model, batch, virial=True), energy, force)


@pytest.fixture(scope="module")
def model():
    return build(l_max=2, num_features=6, num_layers=3)


@pytest.fixture(scope="module")
def engine(model):
    return Engine(model, threads=1)


def big_batch():
    return batch_of(*(Frame.from_ase(ethanol(0.01 * k)) for k in range(1, 8)))


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_threads_change_nothing_but_rounding_and_repeat_themselves(model, engine, threads):
    batch = big_batch()
    alone, together = evaluate(engine, batch), Engine(model, threads)
    first, second = evaluate(together, batch), evaluate(together, batch)
    for a, b, c in zip(first, second, alone):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, c, rtol=0, atol=1e-12)


def test_features_wider_than_messages_have_room_in_whole_tiles():
    model = build(
        l_max=1, parity=False, num_layers=2, num_features=(17, 9), type_embed_num_features=4
    )
    batch = big_batch()
    assert len(batch.types) > 60  # with few atoms even too small a memory suffices
    wanted = energy_and_derivatives(model, batch, virial=True)
    assert_same(evaluate(Engine(model, threads=1), batch), wanted, 1e-10, 1e-9)


def test_pairs_beyond_the_cutoff_change_no_bit(engine):
    structure = frame("triclinic")
    near, far = batch_of(structure), batch_of(structure, cutoff=4.3)
    assert far.edge_index.shape[1] > near.edge_index.shape[1]
    for a, b in zip(evaluate(engine, near), evaluate(engine, far)):
        np.testing.assert_array_equal(a, b)


def test_a_batch_is_its_structures(engine):
    structures = [frame(name) for name in STRUCTURES]
    whole = evaluate(engine, batch_of(*structures))
    single = [evaluate(engine, batch_of(s)) for s in structures]
    for k, field in enumerate(whole._fields):
        np.testing.assert_array_equal(whole[k], np.concatenate([s[k] for s in single]), field)


def test_atoms_without_neighbours_have_the_energy_of_their_species(engine):
    isolated = Frame.from_ase(ase.Atoms("HCO", 10.0 * np.eye(3)))
    found = evaluate(engine, batch_of(isolated))
    np.testing.assert_allclose(found.energies, [-0.3, 0.7, 0.2], rtol=0, atol=1e-15)
    assert not found.forces.any()
    assert not found.virial.any()


def test_no_atoms_at_all(engine):
    nothing = np.zeros((0, 3))
    pairs = PairList.from_edges(np.zeros((2, 0), int), nothing, 0)
    found = engine.evaluate(nothing, np.zeros(0, int), np.zeros((0, 3, 3)), np.zeros(0, int), pairs)
    assert [x.shape for x in found] == [(0,), (0, 3), (0, 3, 3)]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_positions_that_are_not_finite_never_give_a_number(engine, bad):
    batch = batch_of(frame("ethanol"))
    batch.positions[3, 1] = bad
    found = evaluate(engine, batch)
    assert not np.isfinite(found.energies).all()


def test_atoms_on_top_of_each_other_never_give_a_number(engine):
    batch = batch_of(frame("ethanol"))
    batch.positions[3] = batch.positions[4]
    assert not np.isfinite(evaluate(engine, batch).energies).all()


def test_forces_and_virial_are_derivatives_of_the_energy(engine):
    structure, h = frame("triclinic"), 1e-4
    found = evaluate(engine, batch_of(structure))
    move = np.random.default_rng(5).normal(size=structure.positions.shape)
    strain = np.random.default_rng(6).normal(size=(3, 3))
    strain = 0.5 * (strain + strain.T)

    def energy(moved, strained):
        deformation = np.eye(3) + strained * strain
        positions = (structure.positions + moved * move) @ deformation
        changed = Frame(structure.numbers, positions, structure.cell @ deformation, structure.pbc)
        return evaluate(engine, batch_of(changed)).energies.sum()

    def slope(function):  # error of fourth order in h
        return (8 * (function(h) - function(-h)) - (function(2 * h) - function(-2 * h))) / (12 * h)

    force = slope(lambda x: energy(x, 0.0))
    np.testing.assert_allclose(-np.sum(found.forces * move), force, rtol=0, atol=1e-9)
    virial = slope(lambda x: energy(0.0, x))
    np.testing.assert_allclose(-np.sum(found.virial[0] * strain), virial, rtol=0, atol=1e-8)


def test_rotations_and_mirrors(engine):
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    structure = frame("triclinic")
    turned = Frame(
        structure.numbers, structure.positions @ rotation, structure.cell @ rotation, structure.pbc
    )
    before, behind = (evaluate(engine, batch_of(s)) for s in (structure, turned))
    np.testing.assert_allclose(behind.energies, before.energies, rtol=0, atol=1e-10)
    np.testing.assert_allclose(behind.forces, before.forces @ rotation, rtol=0, atol=1e-9)
    wanted = rotation.T @ before.virial[0] @ rotation
    np.testing.assert_allclose(behind.virial[0], wanted, rtol=0, atol=1e-8)


def test_energy_is_smooth_where_a_neighbour_leaves(engine):
    def energy_and_force(distance):
        pair = Frame.from_ase(ase.Atoms("CO", [[0.0, 0, 0], [distance, 0, 0]]))
        found = evaluate(engine, batch_of(pair, cutoff=4.0))
        return found.energies.sum(), found.forces[1, 0]

    inside, outside = energy_and_force(3.5 - 1e-6), energy_and_force(3.5 + 1e-6)
    assert outside == (pytest.approx(0.9, abs=1e-14), 0.0)
    np.testing.assert_allclose(inside, outside, rtol=0, atol=1e-9)


def test_many_threads_may_call_at_once(engine):
    batches = [batch_of(frame(name)) for name in STRUCTURES]
    wanted = [evaluate(engine, b).forces for b in batches]
    wrong = []

    def call():
        for _ in range(20):
            for b, forces in zip(batches, wanted):
                if not np.array_equal(evaluate(engine, b).forces, forces):
                    wrong.append(b)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(timeout=120)
    assert wrong == []


@pytest.mark.parametrize("name", ["l2-parity", "wide-behind-narrow", "deep-readout", "zbl"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_nothing_is_read_that_was_not_written_nor_written_behind_the_memory(
    name, dtype, monkeypatch
):
    taken = []

    def full_of_nan(size, kind):
        n_bytes = size * kind.itemsize
        taken.append((np.full(n_bytes + 4096, 0xFF, dtype=np.uint8), n_bytes))
        return taken[-1][0][:n_bytes].view(kind)

    model = build(dtype=dtype, **ARCHITECTURES[name])
    batch = batch_of(*(frame(structure) for structure in STRUCTURES))
    wanted = evaluate(Engine(model, threads=2), batch)
    monkeypatch.setattr(workspace, "empty", full_of_nan)
    monkeypatch.setattr(workspace, "SPARE", 1.0)
    found = evaluate(Engine(model, threads=2), batch)
    assert len(taken) > 10
    assert all((raw[n_bytes:] == 0xFF).all() for raw, n_bytes in taken)
    for a, b in zip(found, wanted):
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_goes_on_with_threads_of_its_own(model):
    engine, batch = Engine(model, threads=3), big_batch()
    wanted = evaluate(engine, batch).forces.tobytes()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, evaluate(engine, batch).forces.tobytes()[:1000])
        os._exit(0)
    os.close(write)
    with ThreadPoolExecutor(1) as reader:
        found = reader.submit(os.read, read, 1000).result(timeout=60)
    os.waitpid(child, 0)
    assert found == wanted[:1000]


def test_large_systems_after_small_ones(engine):
    small, large = batch_of(frame("ethanol")), big_batch()
    before = evaluate(engine, small)
    evaluate(engine, large)
    for a, b in zip(evaluate(engine, small), before):
        np.testing.assert_array_equal(a, b)


def test_follows_the_number_of_threads_of_torch(model):
    threads = torch.get_num_threads()
    engine = Engine(model)
    try:
        torch.set_num_threads(3)
        assert engine.threads == 3
    finally:
        torch.set_num_threads(threads)
    engine.threads = 5
    assert engine.threads == 5
