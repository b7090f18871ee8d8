"""What a data set must fulfil before a potential is trained or judged on it."""

from __future__ import annotations

from collections.abc import Sequence

from nequip_openmm.data.dataset import Dataset, list_frames
from nequip_openmm.data.neighbours import neighbour_list
from nequip_openmm.data.progress import progress_bar
from nequip_openmm.errors import DataError, StructureError

__all__ = ["MIN_DISTANCE", "require_sound"]

MIN_DISTANCE = 0.1
"""Distance in Å below which two atoms are taken for a mistake: no bond is shorter than 0.7 Å."""


def require_sound(dataset: Dataset, labels: Sequence[str], *, progress: bool = False) -> None:
    """Refuse frames that would turn a sum over all frames into NaN.

    Parameters
    ----------
    labels
        Of ``"energy"``, ``"forces"`` and ``"stress"``, those that count; frames may lack them.
    progress
        Whether a progress bar may appear.

    Raises
    ------
    DataError
        Naming frames, counted from 0 as in the file, where a number is not finite, two atoms lie in one place, or the
        cell is unusable.
    """
    for quantity in (*labels, "positions", "cell"):
        if len(bad := dataset.nonfinite(quantity)):
            where = list_frames(dataset.numbers_in_source(bad), len(dataset))
            raise DataError(
                f"{dataset.source}: {quantity} not finite in {where}; leave these frames out"
            )
    with progress_bar("checking distances", len(dataset), progress) as done:
        for k in range(len(dataset)):
            _require_distinct_atoms(dataset, k)
            done(k + 1)


def _require_distinct_atoms(dataset: Dataset, k: int) -> None:
    frame, number = dataset[k], dataset.number_in_source(k)
    try:
        pairs, _ = neighbour_list(frame.positions, frame.cell, frame.pbc, MIN_DISTANCE)
    except StructureError as error:
        raise DataError(f"{dataset.source}, frame {number}: {error}") from error
    if pairs.shape[1]:
        i, j = pairs[:, 0]
        raise DataError(
            f"{dataset.source}: atoms {i} and {j} of frame {number} (counted from 0) are less than "
            f"{MIN_DISTANCE} Å apart; remove the frame or correct it"
        )
