"""The laws of physics, over architectures and structures, and that they catch those who break them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from nequip_openmm.data.frame import Frame
from nequip_openmm.engines import EngineName
from nequip_openmm.laws import LAWS, check_laws
from nequip_openmm.potential import Evaluation, Potential
from tests.model import cases

EXACT = 1e-12  # eV, eV/Å: rounding of float64
# Finite differences of a function whose third derivative jumps where a pair crosses the cutoff
FINITE_DIFFERENCES = {"forces": 1e-8, "virial": 2e-7}


@pytest.mark.parametrize("structure", cases.STRUCTURES)
@pytest.mark.parametrize("model", cases.MODELS)
@pytest.mark.parametrize("engine", ["fused", "reference"])
def test_laws_hold_to_rounding(engine: EngineName, model: str, structure: str) -> None:
    potential = cases.potential(model, engine)
    deviations = check_laws(potential, cases.frame(structure))
    assert set(deviations) == set(LAWS)
    for law, deviation in deviations.items():
        assert deviation < FINITE_DIFFERENCES.get(law, EXACT), law


@pytest.mark.parametrize("model", cases.MODELS)
def test_the_models_of_these_tests_are_not_trivial(model: str) -> None:
    found = cases.potential(model).evaluate(cases.frame("triclinic"))
    assert np.sqrt((found.forces**2).mean()) > 0.02
    assert found.virial is not None
    assert np.abs(found.virial).max() > 0.05


@pytest.mark.parametrize("engine", ["fused", "reference"])
def test_laws_hold_in_single_precision_to_its_rounding(engine: EngineName) -> None:
    potential = Potential(cases.build(dtype=torch.float32, l_max=2), engine=engine)
    deviations = check_laws(potential, cases.frame("triclinic"))
    exact = {law: d for law, d in deviations.items() if law not in FINITE_DIFFERENCES}
    assert max(exact.values()) < 3e-6


class Broken:
    """A potential with a mistake in one of its outputs."""

    def __init__(self, mistake: str) -> None:
        self.mistake = mistake

    def evaluate(self, structures: Sequence[Frame], /) -> list[Evaluation]:
        found = cases.potential("l1").evaluate(structures)
        return [getattr(self, self.mistake)(e, f) for e, f in zip(found, structures)]

    def energy_depends_on_place(self, found: Evaluation, frame: Frame) -> Evaluation:
        return replace(found, energy=found.energy + 1e-6 * frame.positions[0, 0])

    def forces_half(self, found: Evaluation, frame: Frame) -> Evaluation:
        return replace(found, forces=0.5 * found.forces)

    def virial_sign(self, found: Evaluation, frame: Frame) -> Evaluation:
        assert found.virial is not None
        return replace(found, virial=-found.virial)

    def handedness(self, found: Evaluation, frame: Frame) -> Evaluation:
        a, b, c = frame.positions[1:4] - frame.positions[0]
        return replace(found, energy=found.energy + 1e-4 * float(np.cross(a, b) @ c))

    def order_matters(self, found: Evaluation, frame: Frame) -> Evaluation:
        bond = np.linalg.norm(frame.positions[0] - frame.positions[1])
        return replace(found, energy=found.energy + 1e-3 * float(bond))


@pytest.mark.parametrize(
    ("mistake", "law"),
    [
        ("energy_depends_on_place", "translation"),
        ("forces_half", "forces"),
        ("virial_sign", "virial"),
        ("handedness", "reflection"),
        ("order_matters", "permutation"),
    ],
)
def test_each_mistake_breaks_its_law(mistake: str, law: str) -> None:
    assert check_laws(Broken(mistake), cases.frame("ethanol"))[law] > 1e-7
