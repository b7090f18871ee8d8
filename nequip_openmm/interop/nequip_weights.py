"""Weights of the official nequip package (0.7 to 0.19) in the order of this one.

The two define the same function. They differ in layout: the official package flattens the weights of a linear map into one
vector, and keeps features from which no path leads to the energy, which are left out here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from e3nn.o3 import Irrep, Irreps
from torch import Tensor

from nequip_openmm.errors import ModelFileError
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.irreps import LayerPlan, plan_layers
from nequip_openmm.model.nequip import NequIP

__all__ = ["load_official_weights"]


def load_official_weights(model: NequIP, official: Mapping[str, Tensor]) -> None:
    """Copy every weight of an official model into ``model``.

    Parameters
    ----------
    model
        With the same architecture.
    official
        State dictionary of the official `SequentialGraphNetwork`: names begin with ``type_embed`` and the like.

    Raises
    ------
    ModelFileError
        If a tensor is missing or its size does not fit the architecture.
    """
    weights = dict(_translate(model.config, official))
    state = model.state_dict()
    for name, target in state.items():
        weight = weights.pop(name)
        if weight.shape != target.shape:
            raise ModelFileError(
                f"{name} has shape {tuple(weight.shape)} in the checkpoint, but its settings ask for {tuple(target.shape)}"
            )
        state[name] = weight.to(target)
    model.load_state_dict(state)


def _translate(config: ModelConfig, official: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield our name and the tensor for every weight."""
    yield "type_embedding.weight", _get(official, "type_embed.embed_module.weight")
    yield (
        "edge_embedding.bessel_frequencies",
        _get(official, "bessel_encode.bessel_weights").reshape(-1),
    )
    plans = zip(plan_layers(config, keep_dead=True), plan_layers(config))
    for k, (full, alive) in enumerate(plans):
        theirs = _below(official, f"layer{k}_convnet.conv.")
        for name, tensor in _translate_layer(config, full, alive, theirs, is_first=k == 0):
            yield f"layers.{k}.{name}", tensor
    yield from _named(
        "readout.layers", _mlp(_below(official, "per_atom_energy_readout.mlp_module."))
    )
    scale_shift = _below(official, "per_type_energy_scale_shift.")
    n_types = len(config.species)
    yield "scale_shift.scales", _per_type(scale_shift, "scales", 1.0, n_types)
    yield "scale_shift.shifts", _per_type(scale_shift, "shifts", 0.0, n_types)


def _translate_layer(
    config: ModelConfig,
    full: LayerPlan,
    alive: LayerPlan,
    theirs: Mapping[str, Tensor],
    is_first: bool,
) -> Iterator[tuple[str, Tensor]]:
    into, out_of = _orders(alive.irreps_in), _orders(alive.before_gate)
    columns = _alive_gates(full, alive)

    linear_in = _cut(_get(theirs, "linear_1.weight"), [(mul, mul) for mul, _ in full.irreps_in])
    blocks = {ir: w for (_, ir), w in zip(full.irreps_in, linear_in)}
    yield from _named("linear_in.blocks", [blocks[ir] for ir in into])

    *hidden, last = _mlp(_below(theirs, "edge_mlp."))
    yield from _named("convolution.radial.layers", [*hidden, _alive_paths(last, full, alive)])

    shapes = [(mul, _mul(full.before_gate, ir)) for mul, ir in full.after_product]
    linear_out = _cut(_get(theirs, "linear_2.weight"), shapes)
    blocks = {ir: w for (_, ir), w in zip(full.after_product, linear_out)}
    yield from _named("linear_out.blocks", [blocks[ir][:, columns[ir]] for ir in out_of])

    if is_first:
        return
    wanted = _orders(full.before_gate)
    inputs = [(mul, ir) for mul, ir in full.irreps_in if ir in wanted]
    shapes3 = [(mul, config.embedding_width, _mul(full.before_gate, ir)) for mul, ir in inputs]
    blocks = {ir: w for (_, ir), w in zip(inputs, _cut(_get(theirs, "sc.weight"), shapes3))}
    kept = [ir for ir in into if ir in out_of]
    yield from _named("self_connection.blocks", [blocks[ir][:, :, columns[ir]] for ir in kept])


def _alive_gates(full: LayerPlan, alive: LayerPlan) -> dict[Irrep, Tensor]:
    """Return, for every irrep before the gate, which of its channels are kept: all, save gates of dropped features."""
    columns = {ir: torch.arange(mul) for mul, ir in full.before_gate}
    kept_gated = _orders(alive.gated)
    scalars = [torch.ones(mul, dtype=torch.bool) for mul, ir in full.scalars if ir == Irrep("0e")]
    gates = [torch.full((mul,), ir in kept_gated) for mul, ir in full.gated]
    columns[Irrep("0e")] = torch.cat(scalars + gates).nonzero().reshape(-1)
    return columns


def _alive_paths(weight: Tensor, full: LayerPlan, alive: LayerPlan) -> Tensor:
    """Keep those columns of a radial network that weight paths in use."""

    def names(plan: LayerPlan) -> list[tuple[Irrep, int, Irrep]]:
        return [(plan.irreps_in[p.block_in].ir, p.l_filter, p.ir_out) for p in plan.paths]

    kept = set(names(alive))
    widths = [full.irreps_in[path.block_in].mul for path in full.paths]
    is_kept = [torch.full((n,), name in kept) for n, name in zip(widths, names(full))]
    mask = torch.cat(is_kept)
    if weight.shape[1] != len(mask):
        raise ModelFileError(
            f"a radial network of the checkpoint has {weight.shape[1]} outputs, but its settings ask for {len(mask)}"
        )
    return weight[:, mask]


def _mlp(tensors: Mapping[str, Tensor]) -> list[Tensor]:
    """Return the matrices of a network in order: ``mlp.0.weight``, ``mlp.2.weight``, ... or ``mlp.weights.0``, ..."""
    numbered = {
        int(next(part for part in name.split(".") if part.isdigit())): tensor
        for name, tensor in tensors.items()
        if name.startswith("mlp.") and "weight" in name
    }
    return [numbered[k] for k in sorted(numbered)]


def _cut(flat: Tensor, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    sizes = [int(torch.Size(shape).numel()) for shape in shapes]
    if flat.numel() != sum(sizes):
        raise ModelFileError(
            f"a linear map of the checkpoint has {flat.numel()} weights, but its settings ask for {sum(sizes)}"
        )
    return [piece.reshape(shape) for piece, shape in zip(flat.split(sizes), shapes)]


def _per_type(tensors: Mapping[str, Tensor], name: str, default: float, n_types: int) -> Tensor:
    value = tensors.get(name, torch.empty(0))
    if value.numel() == 0:
        return torch.full((n_types,), default, dtype=torch.float64)
    return value.double().reshape(-1).expand(n_types).clone()


def _named(prefix: str, tensors: list[Tensor]) -> Iterator[tuple[str, Tensor]]:
    return ((f"{prefix}.{k}.weight", tensor) for k, tensor in enumerate(tensors))


def _get(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in tensors:
        raise ModelFileError(
            f"the checkpoint has no tensor {name}; is it a NequIP model of nequip 0.7 or later?"
        )
    return tensors[name]


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _orders(irreps: Irreps) -> list[Irrep]:
    return [ir for _, ir in irreps]


def _mul(irreps: Irreps, wanted: Irrep) -> int:
    return next(int(mul) for mul, ir in irreps if ir == wanted)
