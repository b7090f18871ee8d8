"""The neighbour list in TorchScript: it lives inside the module that OpenMM calls, on any device.

Same conventions as `nequip_openmm.data.neighbours`, with which it agrees pair for pair and in the same order: directed pairs in both directions,
``r_ij = positions[j] - positions[i] + shift @ cell``, an atom is its own neighbour at non-zero shifts only.

Every atom is first moved into the cell, so that it does not matter where OpenMM left it, and the images to look at follow from
the heights h_k of the cell (the distances between opposite faces). A displacement r has |r · n_k| = |s_k| h_k along the
normal of face k, with s its fractional coordinates; r < r_c therefore needs |s_k| < r_c / h_k, in a triclinic cell too and
whether or not the cell is reduced. Where r_c <= h_k / 2 for all k that leaves one image: the minimum image.

This file is compiled by TorchScript, which reads annotations as objects: no ``from __future__ import annotations`` here.
"""

import torch
from torch import Tensor

__all__ = ["pairs_within"]


def pairs_within(
    positions: Tensor,
    cell: Tensor,
    is_periodic: bool,
    cutoff: float,
    dense_limit: int = 100_000,
    at_once: int = 0,
) -> tuple[Tensor, Tensor]:
    """Return all directed pairs closer than the cutoff, in the order of centre, neighbour and shift.

    Parameters
    ----------
    positions
        (N, 3) float64 in Å, finite, wrapped or not.
    cell
        (3, 3) float64 lattice vectors as rows in Å; not read where nothing repeats.
    is_periodic
        Whether the structure repeats along all three vectors, or along none.
    cutoff
        In Å.
    dense_limit
        Number of candidates (atoms x atoms x images) up to which all are tried; above it atoms are sorted into bins.
    at_once
        Number of candidates from bins that are compared at a time, each about 200 bytes; 0 takes what fits a processor's
        cache, or more on a GPU.

    Returns
    -------
    tuple
        edge_index (2, E) int64, centres then neighbours; shifts (E, 3) float64 whole numbers.
    """
    x = positions.detach()
    n = x.size(0)
    if is_periodic:
        inverse = torch.linalg.inv(cell)
        heights = 1.0 / torch.linalg.vector_norm(inverse, dim=0)
        fractional = x @ inverse
        home = fractional.floor()  # the cell that every atom is in
        fractional = fractional - home
        images = (cutoff / heights + (0.5 + 1e-9)).ceil() - 1.0  # per direction, beyond the nearest
        n_images = int((2.0 * images + 1.0).prod().item())
        if n * n * n_images <= dense_limit:
            edges, shifts = _all_images(fractional, cell, images.to(torch.int64), cutoff)
        else:
            edges, shifts = _cell_list(fractional, cell, heights, True, cutoff, at_once)
        return edges, shifts + home[edges[0]] - home[edges[1]]
    if n * n <= dense_limit:
        return _all_pairs(x, cutoff)
    lowest = x.min(dim=0).values
    span = (x.max(dim=0).values - lowest).clamp(min=cutoff) * (1.0 + 1e-9)
    return _cell_list((x - lowest) / span, torch.diag(span), span, False, cutoff, at_once)


def _all_pairs(x: Tensor, cutoff: float) -> tuple[Tensor, Tensor]:
    """Compare every atom with every other, without images."""
    r = x.unsqueeze(0) - x.unsqueeze(1)  # (N, N, 3), r[i, j] = x[j] - x[i]
    is_near = r.square().sum(2) < cutoff * cutoff
    is_near.fill_diagonal_(False)
    edges = is_near.nonzero().t()
    return edges, torch.zeros(edges.size(1), 3, dtype=x.dtype, device=x.device)


def _all_images(
    fractional: Tensor, cell: Tensor, images: Tensor, cutoff: float
) -> tuple[Tensor, Tensor]:
    """Compare every atom with the nearest image of every other, and with the images around that one."""
    s = fractional.unsqueeze(0) - fractional.unsqueeze(1)  # (N, N, 3)
    nearest = -s.round()
    around = _grid(images)  # (K, 3)
    r = ((s + nearest) @ cell).unsqueeze(2) + around.to(s.dtype) @ cell  # (N, N, K, 3)
    is_near = r.square().sum(3) < cutoff * cutoff
    is_near[:, :, around.size(0) // 2].fill_diagonal_(False)  # the middle one is the zero shift
    i, j, k = is_near.nonzero().unbind(1)
    return torch.stack([i, j]), nearest[i, j] + around[k]


def _cell_list(
    fractional: Tensor,
    cell: Tensor,
    heights: Tensor,
    is_periodic: bool,
    cutoff: float,
    at_once: int,
) -> tuple[Tensor, Tensor]:
    """Sort atoms into bins and compare every atom with those in the bins that its cutoff reaches.

    Bins are numbered so that a bin's atoms lie together in the sorted order; two binary searches find the first and the
    last atom of every bin, so that empty bins cost nothing.
    """
    n_bins = (heights / cutoff).floor().clamp(1.0, 1e6)
    around = _grid((cutoff * n_bins / heights + 1e-9).ceil().to(torch.int64))  # (K, 3)
    own_bin = torch.minimum((fractional * n_bins).floor(), n_bins - 1.0).to(torch.int64)
    count = n_bins.to(torch.int64)
    strides = torch.stack([count[1] * count[2], count[2], torch.ones_like(count[2])])
    numbers, order = (own_bin * strides).sum(1).sort(stable=True)

    bins = own_bin.unsqueeze(1) + around  # (N, K, 3)
    shift = torch.div(bins, count, rounding_mode="floor")
    wanted = ((bins - shift * count) * strides).sum(2)  # (N, K)
    if not is_periodic:
        wanted = torch.where((shift == 0).all(2), wanted, torch.full_like(wanted, -1))
    first = torch.searchsorted(numbers, wanted)
    n_candidates = torch.searchsorted(numbers, wanted, right=True) - first  # (N, K)

    if at_once == 0:
        at_once = 100_000 if fractional.device.type == "cpu" else 10_000_000
    x = fractional @ cell
    towards = (shift.to(x.dtype) @ cell - x.unsqueeze(1)).flatten(0, 1)  # r = x[j] + towards
    edges = [torch.zeros(2, 0, dtype=torch.int64, device=x.device)]
    shifts = [torch.zeros(0, 3, dtype=torch.int64, device=x.device)]
    most = int(n_candidates.sum(1).max().item())
    step = max(1, at_once // max(1, most)) * around.size(0)
    n_candidates, first, shift = n_candidates.flatten(), first.flatten(), shift.flatten(0, 1)
    for start in range(0, n_candidates.size(0), step):
        counts = n_candidates[start : start + step]
        before = counts.cumsum(0) - counts
        row = torch.repeat_interleave(counts)  # which (atom, bin) a candidate belongs to
        place = (first[start : start + step] - before).index_select(0, row)
        j = order.index_select(0, place + torch.arange(row.size(0), device=row.device))
        row = row + start
        r = x.index_select(0, j) + towards.index_select(0, row)
        near = (r.square().sum(1) < cutoff * cutoff).nonzero().squeeze(1)
        j, row = j[near], row[near]
        i = torch.div(row, around.size(0), rounding_mode="floor")
        is_other = ((i != j) | (shift[row] != 0).any(1)).nonzero().squeeze(1)
        edges.append(torch.stack([i, j])[:, is_other])
        shifts.append(shift[row[is_other]])
    return _in_order(torch.cat(edges, dim=1), torch.cat(shifts), x.size(0), shift)


def _in_order(edges: Tensor, shifts: Tensor, n: int, all_shifts: Tensor) -> tuple[Tensor, Tensor]:
    """Sort pairs by centre, neighbour and shift."""
    least = all_shifts.min(dim=0).values
    size = all_shifts.max(dim=0).values - least + 1
    code = shifts - least
    key = ((edges[0] * n + edges[1]) * size[0] + code[:, 0]) * size[1] + code[:, 1]
    order = (key * size[2] + code[:, 2]).argsort()
    return edges[:, order], shifts[order].to(torch.float64)


def _grid(reach: Tensor) -> Tensor:
    """Return all integer triples with |k_a| <= reach_a, the zero triple in the middle."""
    a = torch.arange(-int(reach[0].item()), int(reach[0].item()) + 1, device=reach.device)
    b = torch.arange(-int(reach[1].item()), int(reach[1].item()) + 1, device=reach.device)
    c = torch.arange(-int(reach[2].item()), int(reach[2].item()) + 1, device=reach.device)
    return torch.stack(torch.meshgrid([a, b, c], indexing="ij"), dim=-1).reshape(-1, 3)
