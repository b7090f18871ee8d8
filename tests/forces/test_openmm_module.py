"""The TorchScript module by itself: whatever OpenMM passes, forces come back the way OpenMM reads memory."""

from __future__ import annotations

import copy
import io

import numpy as np
import pytest
import torch

from nequip_openmm.forces.script import OpenMMModule, script_module
from nequip_openmm.units import ANGSTROM_TO_NM, EV_TO_KJ_PER_MOL
from tests.forces.cases import Case, methanol, random_model, random_potential, tiny_cell, triclinic


def make_module(
    case: Case, dtype: torch.dtype = torch.float64, atoms: list[int] | None = None
) -> OpenMMModule:
    potential = random_potential(dtype)
    types = potential.batch(case.atoms).types
    chosen = types if atoms is None else types[atoms]
    is_periodic = bool(case.atoms.pbc.all())
    return OpenMMModule(potential.model, chosen.tolist(), potential.cutoff, is_periodic, atoms)


def inputs(case: Case, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    box = torch.tensor(np.array(case.atoms.cell) * ANGSTROM_TO_NM, dtype=dtype)
    return torch.tensor(case.positions, dtype=dtype), box


@pytest.mark.parametrize("make", [methanol, triclinic, tiny_cell])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scripting_saving_and_freezing_change_nothing(make: object, dtype: torch.dtype) -> None:
    case: Case = make()  # type: ignore[operator]
    module = make_module(case, dtype)
    scripted = script_module(module)
    buffer = io.BytesIO()
    torch.jit.save(scripted, buffer)
    buffer.seek(0)
    loaded = torch.jit.load(buffer)
    frozen = torch.jit.freeze(loaded.eval())  # as OpenMM does
    positions, box = inputs(case)
    energy, forces = module(positions, box)
    for other in (scripted, loaded, frozen):
        for _ in range(
            4
        ):  # the second and third call run the code that the compiler made of the first
            found = other(positions, box)
            assert found[0].item() == pytest.approx(energy.item(), rel=1e-14)
            atol = (5e-6 if dtype == torch.float32 else 1e-12) * forces.abs().max().item()
            torch.testing.assert_close(found[1], forces, rtol=0.0, atol=atol)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("atoms", [None, [5, 0, 3]])
def test_forces_have_the_type_and_layout_of_the_positions(
    dtype: torch.dtype, atoms: list[int] | None
) -> None:
    case = methanol()
    module = script_module(make_module(case, torch.float32, atoms))
    positions, box = inputs(case, dtype)
    strided = positions.t().contiguous().t()
    assert not strided.is_contiguous()
    for given in (positions, strided, positions.clone().requires_grad_(True)):
        energy, forces = module(given, box)
        assert energy.dtype == torch.float64
        assert energy.dim() == 0
        assert forces.dtype == dtype
        assert forces.is_contiguous()
        assert forces.shape == positions.shape
        assert not forces.requires_grad
        torch.testing.assert_close(forces, module(positions, box)[1])


def test_float32_positions_lose_their_own_digits_only() -> None:
    """Displacements are formed in float64: a molecule far from the origin keeps what float32 left of its positions."""
    case = methanol()
    module = make_module(case)
    positions, box = inputs(case, torch.float32)
    exact = module(positions.double(), box)
    rounded = module(positions, box)
    assert rounded[0].item() == exact[0].item()


def test_a_molecule_ignores_the_box() -> None:
    case = methanol()
    module = make_module(case)
    positions, _ = inputs(case)
    assert module(positions)[0] == module(positions, torch.full((3, 3), torch.nan))[0]


def test_an_atom_alone_has_its_own_energy_and_no_force() -> None:
    module = script_module(OpenMMModule(random_model(), [2], 4.0, False))
    for _ in range(3):
        energy, forces = module(torch.zeros(1, 3, dtype=torch.float64))
        assert energy.item() == pytest.approx(-2043.2 * EV_TO_KJ_PER_MOL, rel=1e-15)
        assert torch.equal(forces, torch.zeros(1, 3, dtype=torch.float64))


def test_the_model_given_is_not_changed() -> None:
    model = random_model()
    before = copy.deepcopy(model.state_dict())
    script_module(OpenMMModule(model, [0], 4.0, False))
    assert all(p.requires_grad for p in model.type_embedding.parameters())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("nan", "not finite"),
        ("far", "simulation has blown up"),
        ("overlap", "atoms overlap"),
        ("fewer", "made for 6 atoms but the System has 5"),
    ],
)
def test_what_cannot_be_evaluated_stops_the_run(change: str, says: str) -> None:
    case = methanol()
    module = script_module(make_module(case))
    positions, _ = inputs(case)
    if change == "nan":
        positions[3, 1] = torch.nan
    if change == "far":
        positions[3, 1] = 1e9
    if change == "overlap":
        positions[3] = positions[4]
    if change == "fewer":
        positions = positions[:5]
    with pytest.raises(torch.jit.Error, match=says):
        module(positions)


def test_a_periodic_module_asks_for_the_box() -> None:
    case = triclinic()
    with pytest.raises(RuntimeError, match="needs box vectors"):
        make_module(case)(inputs(case)[0])


@pytest.mark.gpu
def test_positions_on_the_cpu_and_the_module_on_a_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    case = triclinic()
    module = script_module(make_module(case))
    positions, box = inputs(case)
    energy, forces = module(positions, box)
    for given in ((positions, box), (positions.cuda(), box), (positions.cuda(), box.cuda())):
        found = module.cuda()(*given)
        assert found[1].device == given[0].device
        torch.testing.assert_close(found[0].cpu(), energy, rtol=1e-12, atol=0.0)
        torch.testing.assert_close(found[1].cpu(), forces, rtol=1e-9, atol=1e-7)
