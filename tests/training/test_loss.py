"""The loss is the formula in its docstring."""

from __future__ import annotations

import pytest
import torch

from nequip_openmm.data.batch import Batch
from nequip_openmm.model.derivatives import Prediction
from nequip_openmm.training.config import TrainingSettings
from nequip_openmm.training.loss import Loss, atoms_per_graph, stress_of

N_ATOMS = [2, 3]
GRAPH = torch.tensor([0, 0, 1, 1, 1])


def batch(energy, forces, stress=None) -> Batch:
    return Batch(
        positions=torch.zeros(5, 3, dtype=torch.float64),
        types=torch.zeros(5, dtype=torch.int64),
        edge_index=torch.zeros(2, 0, dtype=torch.int64),
        shifts=torch.zeros(0, 3, dtype=torch.float64),
        cell=2.0 * torch.eye(3, dtype=torch.float64).repeat(2, 1, 1),
        graph=GRAPH,
        energy=energy,
        forces=forces,
        stress=stress,
    )


@pytest.fixture
def labelled() -> tuple[Prediction, Batch]:
    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64)

    prediction = Prediction(draw(2), draw(5), draw(5, 3), draw(2, 3, 3))
    return prediction, batch(draw(2), draw(5, 3), draw(2, 3, 3))


def value(settings: TrainingSettings, prediction: Prediction, labels: Batch) -> float:
    loss = Loss(settings)
    return float(loss.mean(loss.sums(prediction, labels)))


def test_mean_square(labelled):
    prediction, labels = labelled
    settings = TrainingSettings(energy_weight=2.0, forces_weight=3.0, stress_weight=5.0)
    energy = (prediction.energy - labels.energy) / torch.tensor(N_ATOMS)
    stress = -prediction.virial / 8.0 - labels.stress
    wanted = (
        2.0 * energy.square().mean()
        + 3.0 * (prediction.forces - labels.forces).square().mean()
        + 5.0 * stress.square().mean()
    )
    assert value(settings, prediction, labels) == pytest.approx(float(wanted), rel=1e-14)


def test_total_energies_on_request(labelled):
    prediction, labels = labelled
    settings = TrainingSettings(energy_weight=1.0, forces_weight=0.0, per_atom_energy=False)
    wanted = (prediction.energy - labels.energy).square().mean()
    assert value(settings, prediction, labels) == pytest.approx(float(wanted), rel=1e-14)


def test_huber_is_square_inside_and_linear_outside(labelled):
    prediction, labels = labelled
    only_forces = {"energy_weight": 0.0, "forces_weight": 1.0}
    wide = TrainingSettings(loss="huber", huber_delta=1e3, **only_forces)
    square = TrainingSettings(**only_forces)
    assert value(wide, prediction, labels) == pytest.approx(value(square, prediction, labels))
    narrow = TrainingSettings(loss="huber", huber_delta=1e-6, **only_forces)
    mae = float((prediction.forces - labels.forces).abs().mean())
    assert value(narrow, prediction, labels) == pytest.approx(2e-6 * mae, rel=1e-5)


def test_missing_labels_count_nowhere(labelled):
    prediction, labels = labelled
    energy, forces = labels.energy.clone(), labels.forces.clone()
    energy[0], forces[GRAPH == 1] = torch.nan, torch.nan
    settings = TrainingSettings(energy_weight=1.0, forces_weight=1.0)
    wanted = ((prediction.energy[1] - energy[1]) / 3.0).square()
    wanted = wanted + (prediction.forces[:2] - forces[:2]).square().mean()
    assert value(settings, prediction, batch(energy, forces)) == pytest.approx(float(wanted))


def test_gradients_are_finite_where_a_label_is_missing():
    energy = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    forces = torch.zeros(5, 3, dtype=torch.float64, requires_grad=True)
    nothing = batch(torch.full((2,), torch.nan), torch.full((5, 3), torch.nan))
    loss = Loss(TrainingSettings())
    loss.mean(loss.sums(Prediction(energy, torch.zeros(5), forces), nothing)).backward()
    assert torch.equal(energy.grad, torch.zeros(2))
    assert torch.equal(forces.grad, torch.zeros(5, 3))


def test_parts_add_up(labelled):
    """Sums over two devices, divided by the common counts, give the loss of the whole."""
    prediction, labels = labelled
    loss = Loss(TrainingSettings(energy_weight=1.0, forces_weight=1.0))
    parts = []
    for k in (0, 1):
        mine = k == GRAPH
        energy, forces = labels.energy.clone(), labels.forces.clone()
        energy[1 - k], forces[~mine] = torch.nan, torch.nan
        parts.append(loss.sums(prediction, batch(energy, forces)))
    counts = parts[0][:, 1] + parts[1][:, 1]
    total = sum(float(loss.mean(part, counts)) for part in parts)
    assert total == pytest.approx(float(loss.mean(loss.sums(prediction, labels))), rel=1e-14)


def test_stress_of_a_molecule_is_zero():
    virial = torch.ones(1, 3, 3, dtype=torch.float64)
    assert torch.equal(
        stress_of(virial, torch.zeros(1, 3, 3, dtype=torch.float64)), torch.zeros_like(virial)
    )
    cell = torch.diag(torch.tensor([1.0, 2.0, -3.0], dtype=torch.float64)).unsqueeze(0)
    assert torch.allclose(stress_of(virial, cell), -virial / 6.0)


def test_atoms_per_graph(labelled):
    assert atoms_per_graph(labelled[1]).tolist() == N_ATOMS
