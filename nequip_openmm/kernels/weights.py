"""The weights of a model as the engine wants them: scaled, padded, by species, also transposed, one behind the other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nequip_openmm.kernels.layout import Block, LayerLayout
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.interaction import InteractionLayer
from nequip_openmm.model.nequip import NequIP

__all__ = ["Offsets", "pack_weights", "weight_shapes"]

Offsets = dict[str, int]
FloatArray = NDArray[np.float64]


def weight_shapes(config: ModelConfig, layers: list[LayerLayout]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array of weights, in the order in which they are packed.

    Names end in the number of the layer and of the block or path; ``_t`` marks the transposed of what goes before.
    """
    species = len(config.species)
    shapes: dict[str, tuple[int, ...]] = {"first": (species, layers[0].inputs[0].padded)}
    for k, layer in enumerate(layers):
        if k > 0:
            shapes[f"norm_{k}"] = (species,)
            for a, block in enumerate(layer.inputs):
                shapes[f"in_{k}_{a}"] = (block.channels, block.padded)
                shapes[f"in_{k}_{a}_t"] = (block.channels, block.padded)
            for c, (source, target) in enumerate(layer.self_connections):
                shapes[f"self_{k}_{c}"] = (species, source.channels, target.padded)
                shapes[f"self_{k}_{c}_t"] = (species, target.padded, source.padded)
        for p, path in enumerate(layer.plan.paths):
            source, target = layer.inputs[path.block_in], layer.sum_of(path)
            shapes[f"out_{k}_{p}"] = (source.channels, target.padded)
            shapes[f"out_{k}_{p}_t"] = (target.padded, source.padded)
    for d, (n_in, n_out) in enumerate(readout_sizes(config, layers[-1])):
        shapes[f"readout_{d}"] = (n_in, n_out)
        shapes[f"readout_{d}_t"] = (n_out, n_in)
    return shapes


def readout_sizes(config: ModelConfig, last: LayerLayout) -> list[tuple[int, int]]:
    """Return the padded inputs and outputs of every layer of the readout but the last; then inputs of that, and 1."""
    lanes_of = last.outputs[0].segments[0]
    lane = _lanes(last)
    width = config.readout_mlp_width or config.features_by_l[0]
    hidden = [-(-width // lane) * lane] * config.readout_mlp_depth
    sizes = [lanes_of.padded, *hidden]
    return [*pairwise(sizes), (sizes[-1], 1)]


def _lanes(layer: LayerLayout) -> int:
    """Return a number that all paddings are multiples of, the vector width."""
    return math.gcd(*(s.padded for b in (*layer.inputs, *layer.outputs) for s in b.segments))


def pack_weights(
    model: NequIP, layers: list[LayerLayout], shapes: dict[str, tuple[int, ...]]
) -> FloatArray:
    """Return all weights as one array, in the order of ``shapes``."""
    parts = []
    found = dict(_arrays(model, layers))
    for name, shape in shapes.items():
        array = np.zeros(shape)
        values = found[name]
        array[tuple(slice(n) for n in values.shape)] = values
        parts.append(array.reshape(-1))
    return np.concatenate(parts)


def _arrays(model: NequIP, layers: list[LayerLayout]) -> Iterator[tuple[str, FloatArray]]:
    embedding = model.type_embedding.weight.detach().double().cpu()
    norms = model.norms.double().cpu()
    for k, (layout, module) in enumerate(zip(layers, model.layers)):
        layer = cast("InteractionLayer", module)
        linear_in = [scaled_weight(mix) for mix in layer.linear_in.blocks]
        if k == 0:
            yield "first", (norms[:, None] * (embedding @ linear_in[0])).numpy()
        else:
            yield f"norm_{k}", norms.numpy()
            for a, weight in enumerate(linear_in):
                yield f"in_{k}_{a}", weight.numpy()
                yield f"in_{k}_{a}_t", weight.T.numpy()
            mixes = layer.self_connection.blocks
            for c, ((_, target), mix) in enumerate(zip(layout.self_connections, mixes)):
                by_type = torch.einsum("tc,ucv->tuv", embedding, scaled_weight(mix))
                yield f"self_{k}_{c}", _pad_segments(by_type, target)
                yield f"self_{k}_{c}_t", _pad_segments(by_type, target).transpose(0, 2, 1)
        linear_out = {b.ir: w for b, w in zip(layout.sums, layer.linear_out.blocks)}
        for p, path in enumerate(layout.plan.paths):
            row, n_rows = layout.first_row(p), layout.inputs[path.block_in].channels
            rows = scaled_weight(linear_out[path.ir_out])[row : row + n_rows]
            yield f"out_{k}_{p}", _pad_segments(rows, layout.sum_of(path))
            yield f"out_{k}_{p}_t", _pad_segments(rows, layout.sum_of(path)).T
    for d, linear in enumerate(model.readout.layers):
        yield f"readout_{d}", scaled_weight(linear).numpy()
        yield f"readout_{d}_t", scaled_weight(linear).T.numpy()


def scaled_weight(linear: Any) -> Tensor:
    """Return the matrix that one of the model's linear maps multiplies with, float64."""
    return linear.weight.detach().double().cpu() * linear.scale


def _pad_segments(weight: Tensor, block: Block) -> FloatArray:
    """Move the columns of every segment to where the engine has them."""
    padded = np.zeros((*weight.shape[:-1], block.padded))
    for s in block.segments:
        padded[..., s.start : s.start + s.size] = weight[..., s.first : s.first + s.size].numpy()
    return padded
