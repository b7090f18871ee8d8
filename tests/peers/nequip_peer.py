"""Official nequip models and our twins of them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import ase
import ase.build
import numpy as np
import torch

from nequip_openmm.data.batch import Batch
from nequip_openmm.data.frame import Frame
from nequip_openmm.interop.nequip_weights import load_official_weights
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.derivatives import energy_and_derivatives
from nequip_openmm.model.nequip import NequIP

SPECIES = ("H", "C", "O")
CUTOFF = 4.0
NEIGHBOURS = 11.0
PER_TYPE_NEIGHBOURS = {"H": 7.0, "C": 13.0, "O": 9.0}
SHIFTS = {"H": -13.6, "C": -1030.2, "O": -2041.7}
SCALES = {"H": 1.3, "C": 0.7, "O": 2.1}
EDGE_CUTOFFS = {"H": 2.5, "C": {"H": 3.0, "O": 3.7}}


@dataclass(frozen=True)
class Case:
    """One architecture; ``ours`` are settings of `ModelConfig`."""

    name: str
    ours: dict[str, Any] = field(default_factory=dict)

    def config(self) -> ModelConfig:
        defaults: dict[str, Any] = {
            "species": SPECIES,
            "cutoff": CUTOFF,
            "avg_num_neighbors": NEIGHBOURS,
            "num_layers": 3,
            "num_features": 8,
            "radial_mlp_width": 16,
            "per_type_energy_shifts": SHIFTS,
            "per_type_energy_scales": SCALES,
        }
        return ModelConfig(**{**defaults, **self.ours})


CASES = [
    Case("l=0", {"l_max": 0}),
    Case("l=1", {"l_max": 1, "parity": False}),
    Case("l=1, parity", {"l_max": 1, "num_layers": 4}),
    Case("l=2, both shifts global", {
        "l_max": 2, "parity": False, "per_type_energy_shifts": -3.0, "per_type_energy_scales": 0.5}),
    Case("l=2, parity, uneven features", {
        "l_max": 2, "num_layers": 4, "num_features": (7, 5, 3), "type_embed_num_features": 6}),
    Case("l=3, parity", {"l_max": 3, "num_layers": 4, "num_features": 4}),
    Case("l=4", {"l_max": 4, "parity": False, "num_features": 4}),
    Case("deep radial network", {"l_max": 1, "radial_mlp_depth": 3, "radial_mlp_width": 9}),
    Case("linear radial network", {"l_max": 1, "radial_mlp_depth": 0}),
    Case("readout with SiLU", {"l_max": 1, "readout_mlp_depth": 2, "readout_mlp_width": 5}),
    Case("deep linear readout", {
        "l_max": 1, "readout_mlp_depth": 2, "readout_mlp_nonlinearity": None}),
    Case("neighbours by species", {"l_max": 2, "avg_num_neighbors": PER_TYPE_NEIGHBOURS}),
    Case("cutoffs by pair", {"l_max": 2, "parity": False, "per_edge_type_cutoff": EDGE_CUTOFFS}),
    Case("ZBL", {"l_max": 1, "zbl": True}),
    Case("trainable Bessel, p=4.5, n=5", {
        "l_max": 1, "bessel_trainable": True, "num_bessels": 5, "polynomial_cutoff_p": 4.5}),
    Case("trainable scale and shift", {
        "l_max": 1, "per_type_energy_shifts_trainable": True,
        "per_type_energy_scales_trainable": True, "per_type_energy_scales": 1.7}),
    Case("no scale, no shift, one layer", {
        "num_layers": 1, "per_type_energy_shifts": None, "per_type_energy_scales": None}),
]  # fmt: skip


def official_model(config: ModelConfig, dtype: str = "float64", seed: int = 7) -> torch.nn.Module:
    """Build the official package's model of the same architecture, all weights drawn anew."""
    from nequip.model import NequIPGNNModel
    from nequip.utils.global_state import set_global_state

    set_global_state()
    pair_potential = None
    if config.zbl:
        pair_potential = {
            "_target_": "nequip.nn.pair_potential.ZBL",
            "units": "metal",
            "chemical_species": list(config.species),
            "polynomial_cutoff_p": config.polynomial_cutoff_p,
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = NequIPGNNModel(
            seed=seed,
            model_dtype=dtype,
            type_names=list(config.species),
            r_max=config.cutoff,
            num_layers=config.num_layers,
            l_max=config.l_max,
            parity=config.parity,
            num_features=list(config.features_by_l),
            type_embed_num_features=config.type_embed_num_features,
            radial_mlp_depth=config.radial_mlp_depth,
            radial_mlp_width=config.radial_mlp_width,
            readout_mlp_hidden_layers_depth=config.readout_mlp_depth,
            readout_mlp_hidden_layers_width=config.readout_mlp_width,
            readout_mlp_nonlinearity=config.readout_mlp_nonlinearity,
            num_bessels=config.num_bessels,
            bessel_trainable=config.bessel_trainable,
            polynomial_cutoff_p=config.polynomial_cutoff_p,
            per_edge_type_cutoff=config.per_edge_type_cutoff,
            avg_num_neighbors=config.avg_num_neighbors,
            per_type_energy_scales=config.per_type_energy_scales,
            per_type_energy_shifts=config.per_type_energy_shifts,
            per_type_energy_scales_trainable=config.per_type_energy_scales_trainable,
            per_type_energy_shifts_trainable=config.per_type_energy_shifts_trainable,
            pair_potential=pair_potential,
        )
    randomise(model, seed)
    return model.eval()


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Move every parameter, those with special start values (frequencies, scales) included."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter += 0.3 * noise.to(parameter.dtype)


def twin(config: ModelConfig, official: torch.nn.Module, dtype: torch.dtype) -> NequIP:
    """Return our model with the official model's weights."""
    model = NequIP(config, dtype)
    prefix = "model.func."
    state = {
        name.removeprefix(prefix): tensor
        for name, tensor in official.state_dict().items()
        if name.startswith(prefix)
    }
    load_official_weights(model, state)
    return model.eval()


@dataclass(frozen=True)
class Outputs:
    energy: float
    energies: np.ndarray
    forces: np.ndarray
    stress: np.ndarray | None

    def parts(self, shifts: np.ndarray) -> dict[str, np.ndarray]:
        """Return what is compared, flat; energies (the total per atom) without the shifts that both codes add."""
        learnt = self.energies - shifts
        total = (self.energy - shifts.sum()) / len(shifts)
        found = {"energy": np.array([total]), "energies": learnt, "forces": self.forces.ravel()}
        return found if self.stress is None else {**found, "stress": self.stress.ravel()}


def _rms(array: np.ndarray) -> float:
    return float(np.sqrt(np.mean(array**2)))


def evaluate_official(model: torch.nn.Module, atoms: ase.Atoms, config: ModelConfig) -> Outputs:
    """Evaluate with the official package from neighbour list to stress."""
    from nequip.data import compute_neighborlist_, from_ase
    from nequip.data.transforms import ChemicalSpeciesToAtomTypeMapper

    data = from_ase(atoms)
    data = ChemicalSpeciesToAtomTypeMapper(list(config.species))(data)
    data = compute_neighborlist_(data, r_max=config.cutoff)
    out = model(data)
    stress = None
    if atoms.pbc.all():
        stress = out["stress"].detach().numpy().reshape(3, 3)
    return Outputs(
        float(out["total_energy"].detach()),
        out["atomic_energy"].detach().numpy().reshape(-1),
        out["forces"].detach().numpy(),
        stress,
    )


def evaluate_ours(model: NequIP, atoms: ase.Atoms) -> Outputs:
    """Evaluate with our model and derivatives."""
    config = model.config
    batch = Batch.from_frames([Frame.from_ase(atoms)], config.species, config.cutoff)
    out = energy_and_derivatives(model, batch, virial=True)
    assert out.forces is not None
    assert out.virial is not None
    stress = -out.virial[0].numpy() / atoms.get_volume() if atoms.pbc.all() else None
    return Outputs(float(out.energy), out.atomic_energies.numpy(), out.forces.numpy(), stress)


def structures() -> dict[str, ase.Atoms]:
    """Return a molecule, a molecular cluster, a triclinic crystal smaller than the cutoff, and a cubic cell."""
    rng = np.random.default_rng(3)
    ethanol = ase.build.molecule("CH3CH2OH")
    pair = ethanol + ase.build.molecule("CH3COOH")
    pair.positions[len(ethanol) :] += [0.0, 0.0, 3.5]
    triclinic = ase.Atoms(
        "COH2",
        positions=[[0, 0, 0], [1.4, 0.2, 0.1], [2.1, 1.5, 0.3], [0.4, 1.6, 1.9]],
        cell=[[3.3, 0.0, 0.0], [0.9, 3.1, 0.0], [-0.6, 0.8, 3.6]],
        pbc=True,
    )
    cubic = ase.Atoms(
        "C4O4H8", positions=rng.permutation(_grid(4.8, 3))[:16], cell=[4.8, 5.1, 5.3], pbc=True
    )
    found = {"ethanol": ethanol, "cluster": pair, "triclinic": triclinic, "cell": cubic}
    for atoms in found.values():
        atoms.positions += rng.normal(scale=0.05, size=atoms.positions.shape)
    return found


def _grid(length: float, n: int) -> np.ndarray:
    axis = np.arange(n) * length / n
    return np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)


def errors(case: Case, dtype: torch.dtype) -> dict[str, float]:
    """Compare over all structures.

    float64: largest deviation, in eV, eV/Å, eV/Å³. float32: root mean square deviation relative to the root mean square,
    for the total energy per atom relative to that of the atomic energies.
    """
    config = case.config()
    official = official_model(config, str(dtype).removeprefix("torch."))
    ours = twin(config, official, dtype)
    table = dict(zip(config.species, config.by_species(config.per_type_energy_shifts, 0.0)))
    wanted: dict[str, list[np.ndarray]] = {}
    deviations: dict[str, list[np.ndarray]] = {}
    for atoms in structures().values():
        shifts = np.array([table[s] for s in atoms.symbols])
        theirs = evaluate_official(official, atoms, config).parts(shifts)
        for name, part in evaluate_ours(ours, atoms).parts(shifts).items():
            wanted.setdefault(name, []).append(theirs[name])
            deviations.setdefault(name, []).append(part - theirs[name])
    joined = {name: np.concatenate(parts) for name, parts in deviations.items()}
    if dtype == torch.float64:
        return {name: float(np.abs(part).max()) for name, part in joined.items()}
    scales = {name: _rms(np.concatenate(parts)) for name, parts in wanted.items()}
    scales["energy"] = scales["energies"]
    return {name: _rms(part) / scales[name] for name, part in joined.items()}


def parity_row(case: Case, dtype: torch.dtype, found: dict[str, float]) -> str:
    """Return one line of the table of parity."""
    numbers = " ".join(f"{key} {value:8.1e}" for key, value in found.items())
    return f"{case.name:32s} {str(dtype).removeprefix('torch.')}  {numbers}"
