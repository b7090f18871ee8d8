"""Our Systems against those that openmm-ml makes of the official nequip package's model with the same weights."""

from __future__ import annotations

import warnings
from unittest import mock

import numpy as np
import pytest
import torch

from nequip_openmm.errors import UserError
from nequip_openmm.forces import NequIPPotential
from nequip_openmm.potential import Potential
from nequip_openmm.units import ANGSTROM_TO_NM, EV_TO_KJ_PER_MOL

pytest.importorskip("nequip")
pytest.importorskip("openmmml")

from tests.forces.cases import (
    BACKENDS,
    SHIFTS,
    STRUCTURES,
    context,
    energy_and_forces,
    openmm,
    random_model,
)
from tests.peers.nequip_peer import official_model, twin

pytestmark = pytest.mark.peer
CONFIG = random_model().config


def peer_system(official: torch.nn.Module, topology: object, **arguments: object) -> openmm.System:
    """Make the System as openmm-ml does, with a model in memory instead of a checkpoint."""
    from openmmml import MLPotential

    potential = MLPotential(
        "nequip", modelPath="", lengthScale=ANGSTROM_TO_NM, energyScale=EV_TO_KJ_PER_MOL
    )
    where = "nequip.model.saved_models.load_utils.load_saved_model"
    with mock.patch(where, return_value=official):
        return potential.createSystem(topology, device="cpu", **arguments)


@pytest.fixture(scope="module", params=["float32", "float64"])
def official(request: pytest.FixtureRequest) -> torch.nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return official_model(CONFIG, request.param)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["methanol", "water", "triclinic", "tiny", "unwrapped"])
def test_energy_and_forces(official: torch.nn.Module, name: str, backend: str) -> None:
    case = STRUCTURES[name]()
    dtype = getattr(torch, official.metadata["model_dtype"])
    ours = Potential(twin(CONFIG, official, dtype))
    results = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        systems = (
            peer_system(official, case.topology),
            NequIPPotential(ours).createSystem(case.topology, backend=backend),
        )
        for system in systems:
            simulation = context(system)
            simulation.setPositions(case.positions)
            results.append(energy_and_forces(simulation))
    (energy, forces), found = results
    atomic = EV_TO_KJ_PER_MOL * sum(SHIFTS[symbol] for symbol in case.atoms.symbols)
    tolerance = 5e-6 if dtype == torch.float32 else 1e-10
    assert abs(found[0] - energy) < tolerance * abs(energy - atomic) + 1e-15 * abs(energy)
    rms = np.sqrt(np.mean(forces**2))
    assert np.sqrt(np.mean((found[1] - forces) ** 2)) < tolerance * rms


def test_the_same_system_but_for_the_force(official: torch.nn.Module) -> None:
    """Masses, box, centre-of-mass motion remover: what a user of openmm-ml is used to."""
    case = STRUCTURES["triclinic"]()
    theirs = peer_system(official, case.topology)
    ours = NequIPPotential(Potential(random_model())).createSystem(case.topology)
    for i in range(theirs.getNumParticles()):
        assert ours.getParticleMass(i) == theirs.getParticleMass(i)
    assert ours.getDefaultPeriodicBoxVectors() == theirs.getDefaultPeriodicBoxVectors()
    assert ours.usesPeriodicBoundaryConditions() == theirs.usesPeriodicBoundaryConditions()
    kinds = [sorted(type(f).__name__ for f in s.getForces())[0] for s in (ours, theirs)]
    assert kinds[0] == kinds[1] == "CMMotionRemover"


def test_an_unknown_element_is_named_here_and_a_bare_key_there(official: torch.nn.Module) -> None:
    case = STRUCTURES["methanol"]()
    case.atoms.symbols[1] = "S"
    with pytest.raises(UserError, match=r"not S: atom 1 \(S1\)"):
        NequIPPotential(Potential(random_model())).createSystem(case.topology)
    with pytest.raises(KeyError):
        peer_system(official, case.topology)
