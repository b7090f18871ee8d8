"""What the errors of a model mean, in plain words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

__all__ = ["LEVELS", "Level", "Verdict", "explanation", "judge", "target_error"]


class Level(Enum):
    """How good a model is; the value is the word for people."""

    EXCELLENT = "Excellent"
    GOOD = "Good"
    FAIR = "Fair"
    POOR = "Poor"
    UNKNOWN = "Not known yet"


LEVELS: tuple[tuple[float, Level, str], ...] = (
    # Parts of the root mean square force. Published potentials that reproduce ab initio structure, spectra and diffusion
    # (NequIP on water, Li3PO4 and rMD17; Batzner et al. 2022, doi:10.1038/s41467-022-29939-5) lie at 1 to 5 %. At 10 %
    # the noise on a force is that of a change of density functional; beyond 20 % trajectories drift into structures that
    # were never learnt (Fu et al. 2023, arXiv:2210.07237: force errors alone do not promise stable dynamics).
    (0.02, Level.EXCELLENT, "as near to the reference as its own convergence usually is"),
    (0.05, Level.GOOD, "enough for dynamics, structure and vibrations near the training data"),
    (0.10, Level.FAIR, "enough to explore and to generate structures; averages are approximate"),
    (math.inf, Level.POOR, "trajectories will drift away: train longer, or on more frames"),
)
"""Largest part of the RMS force that an error may be, what it then is, and what that means."""

CHEMICAL_ACCURACY = 43.4  # meV, 1 kcal/mol
FEW_FRAMES = 20
OVERFITTED = 2.5  # validation error over training error
MILLI = 1e3


@dataclass(frozen=True)
class Verdict:
    """A judgement.

    Attributes
    ----------
    level
        How good.
    title
        One line with the number that decides.
    meaning
        What the model can be used for, and why we think so.
    remarks
        What limits the judgement, or would help.
    """

    level: Level
    title: str
    meaning: str
    remarks: tuple[str, ...] = ()

    @property
    def tone(self) -> str:
        """``ok``, ``info``, ``warn`` or ``error``, for the strip it is shown in."""
        return {
            Level.EXCELLENT: "ok",
            Level.GOOD: "ok",
            Level.FAIR: "warn",
            Level.POOR: "error",
            Level.UNKNOWN: "info",
        }[self.level]


def judge(
    forces_mae: float | None,
    force_rms: float | None,
    *,
    energy_mae: float | None = None,
    n_atoms: float | None = None,
    n_frames: int | None = None,
    train_forces_mae: float | None = None,
    still_falls: bool = False,
) -> Verdict:
    """Judge a model by its errors on frames that it did not learn from.

    Parameters
    ----------
    forces_mae, train_forces_mae
        Mean absolute error of force components, meV/Å; on the training frames too.
    force_rms
        Root mean square of the labels' force components, eV/Å.
    energy_mae
        Mean absolute error of the energy per atom, meV.
    n_atoms
        Atoms of a frame, on average.
    n_frames
        Frames that the errors were measured on.
    still_falls
        Whether the best epoch was among the last.
    """
    if forces_mae is None or force_rms is None or not force_rms > 0.0:
        return Verdict(Level.UNKNOWN, "No errors yet", "The first epoch is not complete.")
    part = forces_mae / (MILLI * force_rms)
    level, meaning = next((level, text) for largest, level, text in LEVELS if part <= largest)
    return Verdict(
        level,
        f"{level.value}: force error {forces_mae:.3g} meV/Å, {100 * part:.2g} % of typical forces",
        f"{meaning[0].upper()}{meaning[1:]}.",
        tuple(_remarks(forces_mae, energy_mae, n_atoms, n_frames, train_forces_mae, still_falls)),
    )


def explanation() -> str:
    """Return how models are judged and why, for who asks."""
    rows = []
    before = 0.0
    for largest, level, meaning in LEVELS:
        span = (
            f"up to {100 * largest:.0f} %"
            if math.isfinite(largest)
            else f"above {100 * before:.0f} %"
        )
        rows.append(f"{level.value} ({span}): {meaning}.")
        before = largest
    return "\n\n".join((BASIS, *rows, REASONS, ADVICE))


BASIS = (
    "A model is judged by the mean absolute error of its forces on validation frames, which it did not learn from, as a "
    "part of the root mean square force in the data."
)
REASONS = (
    "Why these limits: published potentials that reproduce ab initio structure, spectra and diffusion lie at 1 to 5 % "
    "(Batzner et al. 2022, doi:10.1038/s41467-022-29939-5). Around 10 % the noise on a force is that of a change of "
    "density functional. Far beyond, trajectories drift into structures that were never learnt; small force errors alone "
    "do not promise stable dynamics either (Fu et al. 2023, arXiv:2210.07237)."
)
ADVICE = (
    "So look further: at the parity plots for outliers, at errors by element, and at a short simulation at the highest "
    "temperature you need. Barriers and reaction energies need frames near them in the data. More: docs/training.md."
)


def target_error(force_rms: float) -> float:
    """Return the force error, meV/Å, from which on a model is good; for the target line of plots."""
    return MILLI * force_rms * LEVELS[1][0]


def _remarks(
    forces_mae: float,
    energy_mae: float | None,
    n_atoms: float | None,
    n_frames: int | None,
    train_forces_mae: float | None,
    still_falls: bool,
) -> list[str]:
    remarks = []
    if energy_mae is not None and n_atoms is not None:
        remarks.append(_energy(energy_mae, n_atoms))
    if n_frames is not None and n_frames < FEW_FRAMES:
        remarks.append(f"Measured on {n_frames} frames only: take the numbers as rough.")
    if train_forces_mae and forces_mae > OVERFITTED * train_forces_mae:
        remarks.append(
            f"Training frames fit {forces_mae / train_forces_mae:.1f} times better: more frames will help, more epochs will not."
        )
    if still_falls:
        remarks.append("The error was still falling at the end: a longer training will help.")
    return remarks


def _energy(energy_mae: float, n_atoms: float) -> str:
    whole = energy_mae * n_atoms
    side = "below" if whole <= CHEMICAL_ACCURACY else "above"
    return (
        f"Energy error {energy_mae:.2g} meV/atom: at most {whole:.3g} meV for {n_atoms:.3g} atoms, "
        f"{side} chemical accuracy (43 meV, 1 kcal/mol)."
    )
