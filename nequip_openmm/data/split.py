"""Splits: which frames train the model, which choose it, and which judge it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nequip_openmm.errors import DataError
from nequip_openmm.runs import atomic_write

__all__ = ["Method", "Split", "split_indices"]

IntArray = NDArray[np.int64]
Method = Literal["random", "block"]

FORMAT = 1
SETS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Split:
    """Frames by use, ascending; no frame is in two of them.

    Attributes
    ----------
    train, valid, test
        Indices into the data set, counted from 0.
    n_frames
        Size of the data set they belong to.
    method, seed
        How they were drawn.
    """

    train: IntArray
    valid: IntArray
    test: IntArray
    n_frames: int
    method: str = "given"
    seed: int | None = None

    def save(self, path: Path | str) -> None:
        """Write JSON that `load` reads."""
        values = {
            "format": FORMAT,
            "n_frames": self.n_frames,
            "method": self.method,
            "seed": self.seed,
            **{name: getattr(self, name).tolist() for name in SETS},
        }
        with atomic_write(Path(path)) as temporary:
            temporary.write_text(json.dumps(values) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str) -> Split:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            If the file is missing or damaged, or a frame is out of range or in two sets.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
            train, valid, test = (np.array(values[k], dtype=np.int64) for k in SETS)
            n_frames, method, seed = int(values["n_frames"]), str(values["method"]), values["seed"]
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}: not a split file ({type(error).__name__}: {error})"
            ) from error
        _check_sets((train, valid, test), n_frames, path)
        return cls(train, valid, test, n_frames, method, seed)

    def to_dict(self) -> dict[str, Any]:
        """Return the sizes and how they were drawn."""
        sizes = {f"n_{name}": len(getattr(self, name)) for name in SETS}
        return {**sizes, "n_frames": self.n_frames, "method": self.method, "seed": self.seed}


def split_indices(
    n: int,
    n_train: int,
    n_valid: int,
    n_test: int = 0,
    *,
    method: Method = "random",
    seed: int = 0,
    block_size: int | None = None,
) -> Split:
    """Divide ``n`` frames.

    ``"random"`` shuffles frames. ``"block"`` is for trajectories, in which a frame resembles the next: the frames are cut
    into contiguous blocks, blocks are shuffled, and each set takes whole blocks (the last of each set may be cut), so that
    all but the frames at the ends of blocks have their neighbours in time in their own set. Frames that no set asks for
    are left out.

    With either method validation and test frames do not change when only ``n_train`` does, and a larger training set
    holds the smaller one. The same arguments give the same split on every machine (PCG64).

    Parameters
    ----------
    n
        Number of frames in the data set.
    n_train, n_valid, n_test
        Sizes; their sum may be less than ``n``.
    method
        ``"random"`` or ``"block"``.
    seed
        Of the shuffle.
    block_size
        Frames in a block; by default a fifth of the smaller of the validation and test sets.

    Raises
    ------
    DataError
        If the sizes do not fit.
    """
    sizes = {"training": n_train, "validation": n_valid, "test": n_test}
    _check_sizes(n, sizes)
    rng = np.random.Generator(np.random.PCG64(seed))
    if method == "random":
        order = rng.permutation(n)
    elif method == "block":
        order = _shuffled_blocks(n, block_size or _default_block(n, n_valid, n_test), rng)
    else:
        raise DataError(f"split method must be 'random' or 'block', got {method!r}")
    test, valid, rest = np.split(order, [n_test, n_test + n_valid])
    train = rest[
        len(rest) - n_train :
    ]  # from the far end: unused frames separate it from the others
    return Split(np.sort(train), np.sort(valid), np.sort(test), n, method, seed)


def _default_block(n: int, n_valid: int, n_test: int) -> int:
    smallest = min((size for size in (n_valid, n_test) if size > 0), default=n)
    return max(1, smallest // 5)


def _shuffled_blocks(n: int, size: int, rng: np.random.Generator) -> IntArray:
    if size < 1:
        raise DataError(f"block size must be positive, got {size}")
    blocks = np.split(np.arange(n), np.arange(size, n, size))
    return np.concatenate([blocks[i] for i in rng.permutation(len(blocks))])


def _check_sizes(n: int, sizes: dict[str, int]) -> None:
    for name, size in sizes.items():
        if size < 0 or (name == "training" and size == 0):
            raise DataError(f"number of {name} frames must be positive, got {size}")
    total = sum(sizes.values())
    if total > n:
        parts = " + ".join(f"{size} {name}" for name, size in sizes.items())
        raise DataError(f"{parts} = {total} frames asked for, the data set has {n}; ask for fewer")


def _check_sets(sets: Iterable[IntArray], n: int, path: Path | str) -> None:
    chosen = np.concatenate(list(sets))
    if len(chosen) and (chosen.min() < 0 or chosen.max() >= n):
        raise DataError(f"{path}: a frame is outside 0..{n - 1}")
    if len(np.unique(chosen)) < len(chosen):
        raise DataError(f"{path}: a frame is in two sets, or twice in one")
