"""The fused engine against the network itself, on architectures and structures nobody chose; and which engine is taken."""

from __future__ import annotations

import copy
import logging
import pickle
from pathlib import Path
from typing import Any

import ase
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nequip_openmm
from nequip_openmm import Potential, engines
from nequip_openmm.errors import BackendError
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.file import save_model
from nequip_openmm.model.nequip import NequIP
from tests.model import cases

ELEMENTS = ("H", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br")
TOLERANCE = {torch.float64: 1e-9, torch.float32: 3e-6}  # relative to the largest force

# Compiling takes a second or more, so that few architectures are tried, each on many structures; always the same ones, whose
# kernels the cache on disk keeps.
FEW = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@st.composite
def architectures(draw: st.DrawFn) -> ModelConfig:
    """Any orders, parities, numbers of channels, depths and species."""
    l_max = draw(st.integers(0, 3))
    species = draw(st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=6, unique=True))
    features = draw(
        st.one_of(
            st.integers(1, 9), st.tuples(*(st.integers(1, 19 - 4 * o) for o in range(l_max + 1)))
        )
    )
    return ModelConfig(
        species=tuple(species),
        cutoff=draw(st.floats(2.5, 4.5)),
        avg_num_neighbors=draw(st.floats(1.0, 30.0)),
        l_max=l_max,
        parity=draw(st.booleans()),
        num_layers=draw(st.integers(1, 3)),
        num_features=features,
        num_bessels=draw(st.integers(1, 9)),
        bessel_trainable=draw(st.booleans()),
        polynomial_cutoff_p=draw(st.sampled_from([2.0, 5.0, 6.0])),
        radial_mlp_depth=draw(st.integers(0, 2)),
        radial_mlp_width=draw(st.integers(1, 20)),
        readout_mlp_depth=draw(st.integers(0, 1)),
        type_embed_num_features=draw(st.one_of(st.none(), st.integers(1, 9))),
        per_type_energy_scales=draw(st.floats(0.1, 3.0)),
        per_type_energy_shifts={s: -100.0 * k for k, s in enumerate(species)},
        zbl=draw(st.booleans()),
    )


def structure(rng: np.random.Generator, species: tuple[str, ...]) -> ase.Atoms:
    """Return atoms no closer than 0.7 Å, in nothing or in a skewed cell that may be lower than the cutoff; some alone."""
    n = int(rng.integers(1, 20))
    pbc = rng.integers(0, 2, 3).astype(bool)
    cell = np.diag(rng.uniform(2.5, 8.0, 3)) + rng.uniform(-0.8, 0.8, (3, 3))
    atoms = ase.Atoms(cell=cell, pbc=pbc)
    for _ in range(50 * n):
        atom = ase.Atoms(
            rng.choice(species), [rng.uniform(-0.5, 1.5, 3) @ cell], cell=cell, pbc=pbc
        )
        trial = atoms + atom
        if len(atoms) == 0 or trial.get_distances(-1, range(len(atoms)), mic=True).min() > 0.7:
            atoms = trial
        if len(atoms) == n:
            break
    if not pbc.any() and n > 3:
        atoms.positions[0] += 50.0
    return atoms


def random_model(config: ModelConfig, dtype: torch.dtype) -> NequIP:
    torch.manual_seed(1)
    return NequIP(config, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_engines_agree_on_anything(dtype: torch.dtype) -> None:
    @FEW
    @given(architectures(), st.integers(0, 2**20))
    def law(config: ModelConfig, seed: int) -> None:
        model = random_model(config, dtype)
        fused, reference = Potential(model, engine="fused"), Potential(model, engine="reference")
        rng = np.random.default_rng(seed)
        structures = [structure(rng, config.species) for _ in range(8)]
        for a, b in zip(fused.evaluate(structures), reference.evaluate(structures)):
            scale = max(1.0, np.abs(b.forces).max())
            tolerance = TOLERANCE[dtype] * scale
            np.testing.assert_allclose(a.energies, b.energies, rtol=0, atol=tolerance)
            np.testing.assert_allclose(a.forces, b.forces, rtol=0, atol=tolerance)
            atol = 10.0 * tolerance * len(a.energies)
            np.testing.assert_allclose(a.virial, b.virial, rtol=0, atol=atol)

    law()


@pytest.mark.parametrize("name", cases.MODELS)
def test_forces_and_virial_are_slopes_of_the_fused_energy(name: str) -> None:
    """In float64, also between the points that the radial tables are made from."""
    potential = Potential(cases.build(**cases.MODELS[name]), engine="fused")
    atoms = cases.triclinic()
    found = potential.evaluate(atoms)
    rng, step = np.random.default_rng(0), 2e-5
    direction = rng.normal(size=atoms.positions.shape)
    strain = rng.normal(size=(3, 3))
    strain = 0.5 * (strain + strain.T)
    energies = []
    for sign in (1.0, -1.0):
        moved, strained = atoms.copy(), atoms.copy()
        moved.positions += sign * step * direction
        strained.set_cell(atoms.cell.array @ (np.eye(3) + sign * step * strain), scale_atoms=True)
        energies.append([potential.evaluate(a).energy for a in (moved, strained)])
    slopes = (np.array(energies[0]) - energies[1]) / (2.0 * step)
    assert slopes[0] == pytest.approx(-(found.forces * direction).sum(), rel=1e-6, abs=1e-8)
    assert found.virial is not None
    assert slopes[1] == pytest.approx(-(found.virial * strain).sum(), rel=1e-6, abs=1e-8)


def test_float32_forces_are_slopes_of_their_own_energy() -> None:
    """The work along a closed loop vanishes to rounding, so that NVE dynamics does not drift."""
    potential = Potential(cases.build(dtype=torch.float32, **cases.MODELS["l1"]), engine="fused")
    atoms = cases.ethanol()
    evaluator = potential.evaluator(atoms.numbers)
    rng = np.random.default_rng(0)
    a, b = 0.3 * rng.normal(size=(2, *atoms.positions.shape))
    angles = np.linspace(0.0, 2.0 * np.pi, 400, endpoint=False)[:, None, None]
    x = atoms.positions + a * np.cos(angles) + b * np.sin(angles)
    velocity = -a * np.sin(angles) + b * np.cos(angles)
    forces = evaluator.evaluate(x).forces
    power = (forces * velocity).sum(axis=(1, 2))
    assert abs(power.mean()) < 1e-6 * np.abs(power).mean()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_bits_depend_on_nothing_but_the_number_of_threads(threads: int) -> None:
    model = cases.build(dtype=torch.float32, **cases.MODELS["l1"])
    atoms = cases.triclinic().repeat(3)
    found = [
        Potential(model, engine="fused", threads=threads).evaluate(atoms).forces for _ in range(3)
    ]
    for forces in found:
        np.testing.assert_array_equal(forces, found[0])
    reference = Potential(model, engine="reference").evaluate(atoms).forces
    np.testing.assert_allclose(found[0], reference, rtol=0, atol=3e-6)


def test_threads_follow_torch_or_the_setting() -> None:
    model = cases.build(**cases.MODELS["invariant"])
    before = torch.get_num_threads()
    try:
        chosen: Any = engines.choose_engine(model, "fused").engine
        for n in (2, 1):
            torch.set_num_threads(n)
            assert chosen.threads == n
        explicit: Any = engines.choose_engine(model, "fused", 3).engine
        assert explicit.threads == 3
    finally:
        torch.set_num_threads(before)


# --- which engine -------------------------------------------------------------------------------------------------------


def test_the_fused_engine_is_the_default_on_the_cpu() -> None:
    potential = Potential(cases.build())
    assert potential.engine == "fused"
    assert "CPU" in potential.engine_reason
    assert Potential(cases.build(), engine="reference").engine == "reference"


@pytest.mark.parametrize("name", ["Fused", "fast", "", None])
def test_unknown_engines(name: Any, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="choose auto, fused or reference"):
        Potential(cases.build(), engine=name)
    with pytest.raises(BackendError, match=r"engine 'fusde' is unknown \(did you mean 'fused'\?\)"):
        nequip_openmm.load(tmp_path / "none.safetensors", engine="fusde")  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [0, -2, True])
def test_numbers_of_threads_that_make_no_sense(threads: int) -> None:
    with pytest.raises(BackendError, match="threads must be a positive whole number"):
        Potential(cases.build(), threads=threads)


def test_where_the_fused_engine_fails_auto_takes_the_reference_and_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise BackendError("there is no compiler")

    wanted = Potential(cases.build(), engine="reference").evaluate(cases.ethanol()).energy
    monkeypatch.setattr(engines, "FusedEngine", broken)
    potential = Potential(cases.build())
    with caplog.at_level(logging.INFO):
        assert potential.engine == "reference"
    assert potential.engine_reason == "there is no compiler"
    assert "there is no compiler" in caplog.text
    assert potential.evaluate(cases.ethanol()).energy == wanted
    with pytest.raises(BackendError, match="there is no compiler"):
        Potential(cases.build(), engine="fused")


def test_the_fused_engine_says_that_it_needs_the_cpu() -> None:
    model = cases.build().to("meta")
    with pytest.raises(BackendError, match="engine 'fused' runs on the CPU, the model is on meta"):
        engines.choose_engine(model, "fused")
    assert engines.choose_engine(model).name == "reference"


def test_a_file_is_loaded_with_an_engine(tmp_path: Path) -> None:
    save_model(tmp_path / "m.safetensors", cases.build())
    for name in ("fused", "reference"):
        found = nequip_openmm.load(tmp_path / "m.safetensors", engine=name, threads=1)  # type: ignore[arg-type]
        assert (found.engine, found.threads) == (name, 1)


def test_weights_that_change_are_seen() -> None:
    potential = Potential(cases.build(), engine="fused")
    before = potential.evaluate(cases.ethanol()).energy
    with torch.no_grad():
        next(potential.model.readout.parameters()).mul_(3.0)
    after = potential.evaluate(cases.ethanol()).energy
    wanted = Potential(potential.model, engine="reference").evaluate(cases.ethanol()).energy
    assert abs(after - before) > 1e-3
    assert after == pytest.approx(wanted, abs=1e-10)
    potential.model.to_dtype(torch.float32)
    assert potential.evaluate(cases.ethanol()).energy == pytest.approx(wanted, abs=1e-5)


def replace_parameters(model: NequIP) -> None:
    doubled = {name: 2.0 * tensor for name, tensor in model.readout.state_dict().items()}
    model.readout.load_state_dict(doubled, assign=True)


def replace_module(model: NequIP) -> None:
    model.readout = copy.deepcopy(model.readout)
    with torch.no_grad():
        next(model.readout.parameters()).mul_(2.0)


def replace_data(model: NequIP) -> None:
    parameter = next(model.readout.parameters())
    parameter.data = 2.0 * parameter.data


@pytest.mark.parametrize("change", [replace_parameters, replace_module, replace_data])
def test_weights_that_are_replaced_are_seen(change: Any) -> None:
    potential = Potential(cases.build(), engine="fused")
    before = potential.evaluate(cases.ethanol()).energy
    change(potential.model)
    wanted = Potential(potential.model, engine="reference").evaluate(cases.ethanol()).energy
    assert abs(wanted - before) > 1e-3
    assert potential.evaluate(cases.ethanol()).energy == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
def test_copies_of_a_potential_evaluate_alike(way: Any) -> None:
    potential = Potential(cases.build(), engine="fused", threads=1)
    wanted = potential.evaluate(cases.ethanol()).energy
    again = way(potential)
    assert again.evaluate(cases.ethanol()).energy == wanted
    assert (again.engine, again.threads) == ("fused", 1)
