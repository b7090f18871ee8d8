"""Checks of a data set before anything is learned from it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase.data import covalent_radii
from numpy.typing import NDArray

from nequip_openmm.data.dataset import Dataset
from nequip_openmm.data.findings import Finding, Report, Severity
from nequip_openmm.data.lint_units import check_units
from nequip_openmm.data.scan import GeometryScan, scan_geometry
from nequip_openmm.data.similar import same_structures
from nequip_openmm.data.statistics import isolated_atoms

__all__ = ["check_dataset"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

TOUCHING = 0.4  # Å; no two nuclei of a labelled structure come this near
OVERLAP_RATIO = 0.5  # of the sum of covalent radii
EXACT = 1e-5  # Å
NEAR = 1e-3  # Å
CONFLICT_ENERGY = 1e-3  # eV per atom
NET_FORCE = 0.02  # mean force on the structure as a part of the RMS force
NET_FORCE_FLOOR = 1e-3  # eV/Å per atom; finite grids leave this much
OUTLIER = 12.0  # robust standard deviations
OUTLIER_FLOOR = 0.05  # eV per atom
FEW = 20  # frames below which there is no telling what is unusual


def check_dataset(
    dataset: Dataset,
    cutoff: float = 5.0,
    *,
    scan: GeometryScan | None = None,
    progress: bool = False,
) -> Report:
    """Look for what would make training fail or learn nonsense.

    Parameters
    ----------
    dataset
        In eV and Å.
    cutoff
        In Å, for the neighbours.
    scan
        A geometry scan made before with the same cutoff.
    progress
        Whether a progress bar may appear.
    """
    findings = [*_nonfinite(dataset), *_labels(dataset), *_cells(dataset, cutoff)]
    sound = np.setdiff1d(np.arange(len(dataset)), _frames_of(findings, ("nonfinite-", "zero-cell")))
    if len(sound):
        scan = scan_geometry(dataset, cutoff, progress=progress) if scan is None else scan
        part = dataset.subset(sound)  # what follows counts frames in it
        findings += _geometry(
            dataset, scan, cutoff, _frames_of(findings, ("nonfinite-", "zero-cell"))
        )
        findings += _renumbered(
            [*_duplicates(part), *_forces(part), *_energies(part), *check_units(part, scan)],
            sound,
        )
    findings += [Finding("note", "reader", note) for note in dataset.notes]
    return Report.of(findings)


def _frames_of(findings: list[Finding], prefix: tuple[str, ...]) -> IntArray:
    frames = [i for f in findings if f.code.startswith(prefix) for i in f.frames]
    return np.array(sorted(set(frames)), dtype=np.int64)


def _renumbered(findings: list[Finding], frames: IntArray) -> list[Finding]:
    """Translate frames of a subset to those of the whole."""
    return [
        Finding.of(f.severity, f.code, f.message, frames[list(f.frames)] if f.frames else ())
        for f in findings
    ]


def _nonfinite(dataset: Dataset) -> Iterator[Finding]:
    for what in ("positions", "cell", "energy", "forces", "stress"):
        frames = dataset.nonfinite(what)
        if len(frames):
            yield Finding.of(
                "error", f"nonfinite-{what}", f"{what} not finite; leave these frames out", frames
            )


def _labels(dataset: Dataset) -> Iterator[Finding]:
    for label, present in (("energy", dataset.with_energy), ("forces", dataset.with_forces)):
        missing = np.flatnonzero(~present)
        if len(missing) == len(dataset):
            yield Finding.of(
                "error",
                f"no-{label}",
                f"no frame has {label}; if the file holds them under another name, say so with --{label}-key",
            )
        elif len(missing):
            yield Finding.of(
                "error",
                f"partial-{label}",
                f"{len(missing)} of {len(dataset)} frames have no {label}; compute them or leave these frames out",
                missing,
            )
    some = dataset.with_stress
    if some.any() and not some[dataset.pbc.all(axis=1)].all():
        missing = np.flatnonzero(~some & dataset.pbc.all(axis=1))
        yield Finding.of(
            "warning", "partial-stress", f"{len(missing)} periodic frames have no stress", missing
        )
    yield from _stresses(dataset)


def _stresses(dataset: Dataset) -> Iterator[Finding]:
    if dataset.stresses is None:
        return
    flat = np.flatnonzero(dataset.with_stress & ~dataset.pbc.all(axis=1))
    if len(flat):
        yield Finding.of(
            "warning", "stress-without-volume", "stress on frames that are not periodic", flat
        )
    skew = np.abs(dataset.stresses - dataset.stresses.transpose(0, 2, 1)).max(axis=(1, 2))
    size = np.abs(dataset.stresses).max(axis=(1, 2))
    asymmetric = np.flatnonzero(skew > 1e-3 * size + 1e-7)
    if len(asymmetric):
        yield Finding.of(
            "warning",
            "stress-asymmetric",
            "stress is not symmetric; is it the whole tensor, in this order?",
            asymmetric,
        )


def _cells(dataset: Dataset, cutoff: float) -> Iterator[Finding]:
    frames = np.setdiff1d(np.arange(len(dataset)), dataset.nonfinite("cell"))
    cells, pbc = dataset.cells[frames], dataset.pbc[frames]
    lengths = np.linalg.norm(cells, axis=2)
    directions = cells / np.where(lengths > 0.0, lengths, 1.0)[:, :, None]
    full = pbc.all(axis=1)
    flat = full & (np.abs(np.linalg.det(directions)) < 1e-6)
    bad = flat | (pbc & (lengths == 0.0)).any(axis=1)
    if bad.any():
        yield Finding.of(
            "error",
            "zero-cell",
            "periodic, but the cell is zero or flat; give lattice vectors or switch periodicity off",
            frames[bad],
        )
    sound = full & ~bad
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cells[sound]), axis=1).max(axis=1)
    small = heights < 2.0 * cutoff
    if small.any():
        yield Finding.of(
            "note",
            "small-cell",
            f"cells thinner than twice the cutoff (down to {heights.min():.2f} Å); several images of an atom can be neighbours",
            frames[sound][small],
        )


def _geometry(
    dataset: Dataset, scan: GeometryScan, cutoff: float, reported: IntArray
) -> Iterator[Finding]:
    if scan.sampled:
        looked = f"{len(scan.frames)} of {len(dataset)}"
        yield Finding.of(
            "note", "sampled", f"neighbours and contacts were looked at in {looked} frames"
        )
    unusable = {i: why for i, why in scan.unusable.items() if i not in set(reported.tolist())}
    if unusable:
        first = next(iter(unusable))
        why = f"frame {first} has no neighbour list: {unusable[first]}"
        yield Finding.of("error", "no-neighbour-list", why, [*unusable])
    touching = scan.closest < TOUCHING
    if touching.any():
        yield _contact("error", "atoms-touch", dataset, scan, touching)
    overlapping = (scan.closest_ratio < OVERLAP_RATIO) & ~touching
    if overlapping.any():
        yield _contact("warning", "atoms-overlap", dataset, scan, overlapping)
    lonely = (scan.lonely > 0) & ~isolated_atoms(dataset)[scan.frames]
    if lonely.any():
        yield Finding.of(
            "warning",
            "no-neighbours",
            f"{scan.lonely[lonely].sum()} atoms have no neighbour within {cutoff:g} Å: "
            "with this cutoff a model gives them no force",
            scan.frames[lonely],
        )


def _contact(
    severity: Severity, code: str, dataset: Dataset, scan: GeometryScan, which: NDArray[np.bool_]
) -> Finding:
    """Describe the worst of the contacts in the scanned frames ``which``."""
    worst = int(np.where(which, scan.closest_ratio, np.inf).argmin())
    frame = int(scan.frames[worst])
    i, j = (int(atom) for atom in scan.closest_pair[worst])
    symbols = dataset[frame].symbols
    radii = covalent_radii[dataset[frame].numbers]
    distance = scan.closest_ratio[worst] * (radii[i] + radii[j])
    return Finding.of(
        severity,
        code,
        f"atoms {i} ({symbols[i]}) and {j} ({symbols[j]}) of frame {frame} are {distance:.3f} Å apart, "
        f"{scan.closest_ratio[worst]:.2f} of the sum of their covalent radii; leave such frames out unless they are meant",
        scan.frames[which],
    )


def _duplicates(dataset: Dataset) -> Iterator[Finding]:
    near, apart = same_structures(dataset, NEAR)
    exact = near[apart <= EXACT]
    energies = dataset.energies / dataset.n_atoms
    differ = np.abs(energies[exact[:, 0]] - energies[exact[:, 1]]) > CONFLICT_ENERGY
    if differ.any():
        first, second = exact[differ][0]
        yield Finding.of(
            "error",
            "conflicting-labels",
            f"the same structure with different energies, such as frames {first} and {second} "
            f"({dataset.energies[first]:.4f} and {dataset.energies[second]:.4f} eV)",
            np.unique(exact[differ]),
        )
    if len(exact):
        yield Finding.of(
            "warning",
            "duplicates",
            f"{len(np.unique(exact[:, 1]))} frames repeat an earlier one; in a split they make test errors look too small",
            np.unique(exact[:, 1]),
        )
    only_near = np.setdiff1d(np.unique(near[:, 1]), np.unique(exact[:, 1]))
    if len(only_near):
        yield Finding.of(
            "note",
            "near-duplicates",
            f"{len(only_near)} frames differ from an earlier one by less than {NEAR:g} Å; split by blocks",
            only_near,
        )


def _forces(dataset: Dataset) -> Iterator[Finding]:
    labelled = dataset.with_forces[dataset.frame_of_atom]
    if not labelled.any():
        return
    rms = float(np.sqrt(np.mean(dataset.forces[labelled] ** 2)))
    if rms == 0.0:
        if dataset.n_atoms.max() > 1:
            yield Finding.of("error", "zero-forces", "all forces are zero")
        return
    total = np.stack(
        [np.bincount(dataset.frame_of_atom, dataset.forces[:, k], len(dataset)) for k in range(3)]
    )
    mean = np.linalg.norm(total, axis=0) / dataset.n_atoms
    drifting = np.flatnonzero(dataset.with_forces & (mean > max(NET_FORCE * rms, NET_FORCE_FLOOR)))
    if len(drifting):
        yield Finding.of(
            "warning",
            "net-force",
            f"forces do not add up to zero (up to {mean[drifting].max():.3g} eV/Å per atom, RMS force {rms:.3g}): "
            "an external field, atoms held fixed, or a calculation that is not converged",
            drifting,
        )


def _energies(dataset: Dataset) -> Iterator[Finding]:
    frames = np.flatnonzero(dataset.with_energy & ~isolated_atoms(dataset))
    if len(frames) < 2:
        return
    if np.ptp(dataset.energies[frames]) == 0.0 and not len(same_structures(dataset, EXACT)[0]):
        yield Finding.of(
            "error", "constant-energy", "all energies are equal though structures differ"
        )
        return
    if len(frames) < FEW:
        return
    deviation = _deviation(dataset, frames)
    spread = max(1.4826 * float(np.median(np.abs(deviation))), OUTLIER_FLOOR / OUTLIER)
    score = np.abs(deviation) / spread
    outliers = frames[score > OUTLIER]
    if len(outliers):
        worst = int(score.argmax())
        yield Finding.of(
            "warning",
            "energy-outliers",
            f"energies per atom far from those of similar compositions, most in frame {frames[worst]} "
            f"({deviation[worst]:+.3f} eV/atom, {score[worst]:.0f} robust standard deviations); "
            "look at these calculations",
            outliers,
        )


def _deviation(dataset: Dataset, frames: IntArray) -> FloatArray:
    """Return E/N minus what the composition explains: a least-squares fit, then the median of each common composition."""
    table = dataset.compositions()[frames]
    fractions = table / table.sum(axis=1, keepdims=True)
    per_atom = dataset.energies[frames] / dataset.n_atoms[frames]
    deviation = per_atom - np.median(per_atom)
    deviation -= fractions @ np.linalg.lstsq(fractions, deviation, rcond=1e-6)[0]
    _, group, count = np.unique(table, axis=0, return_inverse=True, return_counts=True)
    for number in np.flatnonzero(count >= FEW):
        members = group.reshape(-1) == number
        deviation[members] -= np.median(deviation[members])
    return deviation
