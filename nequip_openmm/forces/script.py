"""A model as OpenMM's TorchForce calls it: TorchScript from positions to energy and forces, in OpenMM's units.

`EngineModule` calls the fused engine, on the CPU. `OpenMMModule` holds the whole network, runs on any device and needs nothing of
this package where it is used.

This file is compiled by TorchScript, which reads annotations as objects: no ``from __future__ import annotations`` here.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nequip_openmm.data.neighbours import FARTHEST
from nequip_openmm.forces.neighbours_script import pairs_within
from nequip_openmm.units import ANGSTROM_TO_NM, EV_TO_KJ_PER_MOL, NM_TO_ANGSTROM

__all__ = ["EngineModule", "OpenMMModule", "script_module"]


class EngineModule(nn.Module):
    """A call of the fused engine, with the model file as a tensor.

    Parameters
    ----------
    content, name
        See `nequip_openmm.forces.ops.Recipe`.
    """

    content: Tensor

    def __init__(self, content: Tensor, name: int) -> None:
        super().__init__()
        self.register_buffer("content", content)
        self.name = name

    def forward(self, positions: Tensor, box: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return energy and forces as `OpenMMModule` does."""
        # The first argument is what the user of a process without the operator reads in TorchScript's error, which shows this
        # call; with more than 36 characters it would not.
        found = torch.ops.nequip_openmm.energy_and_forces(
            "import nequip_openmm.forces.ops",
            positions.to(device="cpu", dtype=torch.float64),
            None if box is None else box.to(device="cpu", dtype=torch.float64),
            self.content,
            self.name,
        )
        forces = found[1:].view(-1, 3).to(device=positions.device, dtype=positions.dtype)
        return found[0], forces


class OpenMMModule(nn.Module):
    """Neighbour list, model, derivative and units in one module.

    Parameters
    ----------
    model
        Called as `NequIP`: (positions, types, edge_index, shifts, cell, graph) to atomic energies in eV.
    types
        Type of every atom that the model sees.
    cutoff
        In Å.
    is_periodic
        Whether OpenMM passes box vectors.
    atoms
        Indices of those atoms among OpenMM's particles; None means that the particles are just these atoms.
    """

    types: Tensor
    atoms: Tensor
    last_positions: Tensor
    last_box: Tensor
    last_energy: Tensor
    last_forces: Tensor

    def __init__(
        self,
        model: nn.Module,
        types: Sequence[int],
        cutoff: float,
        is_periodic: bool,
        atoms: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.cutoff = float(cutoff)
        self.is_periodic = bool(is_periodic)
        self.is_subset = atoms is not None
        self.register_buffer("types", torch.tensor(list(types), dtype=torch.int64))
        chosen = range(len(types)) if atoms is None else atoms
        self.register_buffer("atoms", torch.tensor(list(chosen), dtype=torch.int64))
        # The last evaluation: OpenMM asks again for every energy that a reporter reads. Every Context has a copy of its own.
        for name in ("last_positions", "last_box", "last_energy", "last_forces"):
            self.register_buffer(name, torch.empty(0))
        self.farthest = FARTHEST
        self.nm_to_angstrom = NM_TO_ANGSTROM
        self.ev_to_kj = EV_TO_KJ_PER_MOL
        self.force_factor = EV_TO_KJ_PER_MOL / ANGSTROM_TO_NM

    def forward(self, positions: Tensor, box: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the energy in kJ/mol, float64, and the forces in kJ/mol/nm, laid out as the positions are.

        Parameters
        ----------
        positions
            (n_particles, 3) in nm, of any floating-point type, on any device, wrapped or not.
        box
            (3, 3) box vectors as rows in nm; ignored where nothing repeats.
        """
        vectors = torch.empty(0) if box is None else box
        if _equal(positions, self.last_positions) and _equal(vectors, self.last_box):
            return self.last_energy, self.last_forces.clone()
        energy, forces = self.evaluate(positions, box)
        self.last_positions, self.last_box = positions.detach().clone(), vectors.detach().clone()
        self.last_energy, self.last_forces = energy, forces
        return energy, forces.clone()

    def evaluate(self, positions: Tensor, box: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return energy and forces as `forward` does, computed anew."""
        where = self.types.device  # OpenCL leaves positions on the CPU and moves the module
        x = positions.detach().to(device=where, dtype=torch.float64)
        if self.is_subset:
            x = x.index_select(0, self.atoms)
        elif x.size(0) != self.types.size(0):
            raise RuntimeError(
                f"the potential was made for {self.types.size(0)} atoms but the System has {x.size(0)} "
                "particles; make the force with atoms="
            )
        x = x * self.nm_to_angstrom
        if not bool((x.abs() <= self.farthest).all()):  # nor is NaN
            raise RuntimeError(
                f"a particle is more than {self.farthest} Å from the origin, or not finite: the simulation has blown up"
            )
        cell = self._cell(box, x)

        edge_index, shifts = pairs_within(x, cell, self.is_periodic, self.cutoff)
        x.requires_grad_(True)
        graph = torch.zeros_like(self.types)
        energy = self.model(x, self.types, edge_index, shifts, cell.unsqueeze(0), graph).sum()
        gradient = self._gradient(energy, x)
        if not bool(torch.isfinite(energy) & torch.isfinite(gradient).all()):
            raise RuntimeError(
                "the potential gave an energy or a force that is not finite: atoms overlap, or the simulation has blown up"
            )
        forces = -self.force_factor * gradient
        if self.is_subset:
            forces = torch.zeros(
                positions.size(0), 3, dtype=torch.float64, device=where
            ).index_copy(0, self.atoms, forces)
        # TorchForce reads the memory of this tensor as a packed array of the type that it passed in
        forces = forces.to(device=positions.device, dtype=positions.dtype).contiguous()
        return energy.detach() * self.ev_to_kj, forces

    def _cell(self, box: Tensor | None, x: Tensor) -> Tensor:
        """Return the lattice vectors in Å, zeros where nothing repeats."""
        if not self.is_periodic:
            return torch.zeros(3, 3, dtype=x.dtype, device=x.device)
        if box is None:
            raise RuntimeError("this potential is periodic and needs box vectors")
        return box.detach().to(device=x.device, dtype=x.dtype) * self.nm_to_angstrom

    def _gradient(self, energy: Tensor, x: Tensor) -> Tensor:
        """Return ∂E/∂x; zero where no atom has a neighbour."""
        if not energy.requires_grad:
            return torch.zeros_like(x)
        gradient = torch.autograd.grad([energy], [x], allow_unused=True)[0]
        return torch.zeros_like(x) if gradient is None else gradient


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.device == b.device and a.dtype == b.dtype and torch.equal(a, b)


def script_module(module: OpenMMModule | EngineModule) -> torch.jit.ScriptModule:
    """Return the module compiled; the one given, and the model in it, stay as they are.

    The compiled one is on the CPU, so that the XML of a System opens anywhere: OpenMM moves it to the device of the platform.
    Its weights ask for no gradients, which would be computed in vain.
    """
    return torch.jit.script(copy.deepcopy(module).to("cpu").eval().requires_grad_(False))
