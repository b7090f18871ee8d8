"""The gate as a step of the network; see `nequip_openmm.kernels.operations` for its four passes."""

from __future__ import annotations

import ctypes

import torch
from e3nn.o3 import Irrep, Irreps
from torch import Tensor

from nequip_openmm.kernels.convolution import block_starts
from nequip_openmm.kernels.library import address
from nequip_openmm.model.gate import C_SILU, C_TANH
from nequip_openmm.model.irreps import SCALAR, LayerPlan

__all__ = ["GateForm", "GateStep"]


class CScalars(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int32) for name in ("is_odd", "first", "channels")),
        *((name, ctypes.c_int32) for name in ("out_first", "out_channels")),
        ("c", ctypes.c_double),
    ]


class CTensors(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int32) for name in ("first", "components", "channels", "out_first")),
        *((name, ctypes.c_int32) for name in ("gate_block", "gate_channels", "gate")),
    ]


class CGate(ctypes.Structure):
    _fields_ = [
        ("nodes", ctypes.c_int64),
        *((name, ctypes.c_int32) for name in ("n_scalars", "n_tensors", "size")),
        ("scalar", ctypes.c_void_p),
        ("tensor", ctypes.c_void_p),
    ]


class GateForm:
    """Where the blocks of a gate lie.

    Parameters
    ----------
    before, scalars, gated
        Irreps before the gate, scalars first; those that leave it, scalars and tensors.
    c
        Factor on silu of even scalars.
    """

    def __init__(self, before: Irreps, scalars: Irreps, gated: Irreps, c: float = C_SILU) -> None:
        irreps = [ir for _, ir in before]
        starts, starts_out = block_starts(before), block_starts(scalars + gated)
        self.size_in, self.size_out = starts[-1], starts_out[-1]
        self.size = sum(mul for mul, ir in before if ir.l == 0)

        leaving = {ir: (start, mul) for start, (mul, ir) in zip(starts_out, scalars)}
        scalar_blocks = [
            CScalars(ir.p < 0, start, mul, *leaving.get(ir, (0, 0)), c if ir.p > 0 else C_TANH)
            for start, (mul, ir) in zip(starts, before)
            if ir.l == 0
        ]
        even = irreps.index(SCALAR)
        gate = leaving.get(SCALAR, (0, 0))[1]
        tensor_blocks = []
        for start_out, (mul, ir) in zip(starts_out[len(scalars) :], gated):
            place = (starts[irreps.index(ir)], ir.dim, mul, start_out)
            tensor_blocks.append(CTensors(*place, starts[even], before[even].mul, gate))
            gate += mul
        self._scalars = (CScalars * len(scalar_blocks))(*scalar_blocks)
        self._tensors = (CTensors * len(tensor_blocks))(*tensor_blocks)

    @classmethod
    def of_layer(cls, plan: LayerPlan) -> GateForm:
        """Return the gate of an interaction layer."""
        return cls(plan.before_gate, plan.scalars, plan.gated)

    @classmethod
    def silu(cls, n_features: int) -> GateForm:
        """Return a plain SiLU on scalars."""
        scalars = Irreps([(n_features, Irrep("0e"))])
        return cls(scalars, scalars, Irreps([]), 1.0)

    def c(self, n_nodes: int) -> CGate:
        """Return what C sees of it."""
        return CGate(
            n_nodes,
            len(self._scalars),
            len(self._tensors),
            self.size,
            ctypes.addressof(self._scalars),
            ctypes.addressof(self._tensors),
        )


class GateStep:
    """Scalars are activated, tensors multiplied with their gates.

    Parameters
    ----------
    form
        Where blocks lie.
    library
        Compiled functions for the type of the features.
    n_nodes
        Number of atoms.
    """

    def __init__(self, form: GateForm, library: ctypes.CDLL, n_nodes: int) -> None:
        self.form, self.library, self.n_nodes = form, library, n_nodes
        self.c = form.c(n_nodes)

    def forward(self, z: Tensor) -> Tensor:
        """Return scalars activated, tensors gated."""
        self.z = z
        self.a, self.slope, self.bend = z.new_empty(3, self.n_nodes * self.form.size)
        out = z.new_empty(self.n_nodes * self.form.size_out)
        self._call("forward", z, self.a, self.slope, self.bend, out)
        return out

    def backward(self, g: Tensor) -> Tensor:
        """Return the derivative with respect to z."""
        self.g, self.ga, gz = g, torch.empty_like(self.a), torch.empty_like(self.z)
        self._call("backward", self.z, self.a, self.slope, g, self.ga, gz)
        return gz

    def tangent(self, dz: Tensor) -> Tensor:
        """Return the derivative along ż."""
        self.dz, self.da = dz, torch.empty_like(self.a)
        out = dz.new_empty(self.n_nodes * self.form.size_out)
        self._call("tangent", self.z, self.a, self.slope, dz, self.da, out)
        return out

    def curvature(self, dg: Tensor) -> Tensor:
        """Return the derivative of `backward` along (ż, ġ)."""
        dga, dgz = torch.empty_like(self.a), torch.empty_like(self.z)
        values = (self.z, self.a, self.slope, self.bend, self.dz, self.da, self.g, self.ga)
        self._call("curvature", *values, dg, dga, dgz)
        return dgz

    def _call(self, name: str, *tensors: Tensor) -> None:
        function = getattr(self.library, f"gate_{name}")
        function(ctypes.byref(self.c), *(address(tensor) for tensor in tensors))
