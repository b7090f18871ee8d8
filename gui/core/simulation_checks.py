"""What can be said about a simulation before it starts, from the model's header and the structure alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gui.core.model_header import ModelHeader

__all__ = ["Finding", "StructurePreview", "check"]

FloatArray = NDArray[np.float64]
Level = Literal["good", "warning", "error"]

OVERLAP_ANGSTROM = 0.4
"""Closer than any bond: `nequip-openmm md` refuses such a start."""
SAFE_TIMESTEP_FS = {True: 1.0, False: 4.0}  # with and without hydrogen
HEAVY_HYDROGEN_AMU, SAFE_WITH_HEAVY_HYDROGEN_FS = 2.0, 2.0
HOT_K = 1000.0
_SHOWN_ATOMS = 4


@dataclass(frozen=True)
class Finding:
    """One line about a field.

    Attributes
    ----------
    field
        Name of the setting that it belongs to, such as ``structure``.
    level
        ``error`` keeps a run from starting.
    text
        For people.
    """

    field: str
    level: Level
    text: str


@dataclass(frozen=True, eq=False)
class StructurePreview:
    """A structure as the reader child described it.

    Attributes
    ----------
    path
        The file.
    numbers
        (N,) atomic numbers.
    positions
        (N, 3) Å.
    cell
        (3, 3) Å, rows are vectors; None for a molecule.
    closest
        The pair of atoms that is closer than a bond can be, and its distance in Å; None if there is none.
    """

    path: Path
    numbers: NDArray[np.int64]
    positions: FloatArray
    cell: FloatArray | None = None
    closest: tuple[int, int, float] | None = None

    @classmethod
    def of(cls, path: Path, result: Mapping[str, Any]) -> StructurePreview:
        """Return the structure that the child's ``result`` describes."""
        cell, closest = result.get("cell"), result.get("closest")
        return cls(
            path=path,
            numbers=np.array(result["numbers"], dtype=np.int64),
            positions=np.array(result["positions"], dtype=np.float64).reshape(-1, 3),
            cell=None if cell is None else np.array(cell, dtype=np.float64),
            closest=None if closest is None else (*closest["atoms"], closest["distance_A"]),
        )

    @cached_property
    def symbols(self) -> list[str]:
        """Element of every atom."""
        from ase.data import chemical_symbols  # here, for a quick start of the window

        return [chemical_symbols[number] for number in self.numbers]

    @property
    def elements(self) -> tuple[str, ...]:
        """Elements, in the order of atomic numbers."""
        return tuple(dict.fromkeys(s for _, s in sorted(zip(self.numbers, self.symbols))))

    @property
    def formula(self) -> str:
        """Chemical formula by Hill, such as ``CH₄O``."""
        counts = {element: self.symbols.count(element) for element in sorted(set(self.symbols))}
        order: list[str] = [e for e in ("C", "H") if e in counts and "C" in counts]
        order += [e for e in counts if e not in order]
        return "".join(e + _subscript(counts[e]) for e in order)

    @property
    def smallest_height(self) -> float | None:
        """Smallest distance between opposite faces of the cell, Å; None for a molecule."""
        if self.cell is None:
            return None
        volume = abs(np.linalg.det(self.cell))
        areas = [np.linalg.norm(np.cross(self.cell[i - 2], self.cell[i - 1])) for i in range(3)]
        return float(volume / max(areas))

    @property
    def facts(self) -> str:
        """One line about the structure for people."""
        n = len(self.numbers)
        parts = [self.formula, f"{n:,} atom{'s' if n != 1 else ''}"]
        if self.cell is None:
            parts.append("not periodic")
        else:
            lengths = np.linalg.norm(self.cell, axis=1)
            parts.append("cell " + " × ".join(f"{length:.4g}" for length in lengths) + " Å")
        return "  ·  ".join(parts)


def check(
    model: ModelHeader | None, structure: StructurePreview | None, settings: Mapping[str, Any]
) -> list[Finding]:
    """Return what is wrong, what is seldom meant, and what is known to be right; errors first."""
    found: list[Finding] = []
    if structure is not None:
        found += _structure_alone(structure)
        found += _fits_ensemble(structure, settings)
        found += _timestep(structure, settings)
    if model is not None and structure is not None:
        found += _elements(model, structure)
        found += _cell(model, structure)
    found += _temperature(settings)
    order = ("error", "warning", "good")
    return sorted(found, key=lambda finding: order.index(finding.level))


def _structure_alone(structure: StructurePreview) -> list[Finding]:
    if len(structure.numbers) < 2:
        return [
            Finding("structure", "error", "A single atom has no dynamics; two or more are needed")
        ]
    if structure.closest is None:
        return []
    i, j, distance = structure.closest
    pair = f"Atoms {i} ({structure.symbols[i]}) and {j} ({structure.symbols[j]})"
    if distance < OVERLAP_ANGSTROM:
        return [Finding("structure", "error", f"{pair} overlap: {distance:.2f} Å apart")]
    if structure.numbers[i] == structure.numbers[j] == 1 and distance > 0.6:
        return []  # a hydrogen molecule
    text = f"{pair} are only {distance:.2f} Å apart; minimise first"
    return [Finding("structure", "warning", text)]


def _elements(model: ModelHeader, structure: StructurePreview) -> list[Finding]:
    unknown = [element for element in structure.elements if element not in model.species]
    if not unknown:
        covered = " ".join(structure.elements)
        return [Finding("structure", "good", f"Elements {covered}: all known to the model")]
    lines = []
    for element in unknown:
        atoms = [i for i, symbol in enumerate(structure.symbols) if symbol == element]
        shown = ", ".join(str(i) for i in atoms[:_SHOWN_ATOMS])
        more = f" and {len(atoms) - _SHOWN_ATOMS} more" if len(atoms) > _SHOWN_ATOMS else ""
        lines.append(f"{element} (atom{'s' if len(atoms) > 1 else ''} {shown}{more})")
    known = ", ".join(model.species)
    text = f"Model knows {known}; structure has {', '.join(lines)}"
    return [Finding("structure", "error", text)]


def _cell(model: ModelHeader, structure: StructurePreview) -> list[Finding]:
    height = structure.smallest_height
    if height is None:
        return []
    if height < model.cutoff:
        text = (
            f"Cell is {height:.2f} Å high, less than the model's cutoff of {model.cutoff:g} Å: "
            "atoms feel their own images; a larger cell is better"
        )
        return [Finding("structure", "warning", text)]
    if height < 2.0 * model.cutoff:
        text = f"Cell is {height:.2f} Å high, less than 2 × cutoff ({2.0 * model.cutoff:g} Å)"
        return [Finding("structure", "warning", text)]
    return [Finding("structure", "good", f"Cell of {height:.3g} Å is above 2 × cutoff")]


def _fits_ensemble(structure: StructurePreview, settings: Mapping[str, Any]) -> list[Finding]:
    stages = settings.get("stages") or ()
    ensembles = {_get(stage, "ensemble") or settings.get("ensemble") for stage in stages}
    ensembles = ensembles or {settings.get("ensemble")}
    if "npt" in ensembles and structure.cell is None:
        text = "NPT needs a periodic cell, which the structure does not have; choose NVT or NVE"
        return [Finding("ensemble", "error", text)]
    return []


def _timestep(structure: StructurePreview, settings: Mapping[str, Any]) -> list[Finding]:
    timestep, mass = _number(settings.get("timestep")), _number(settings.get("hydrogen_mass"))
    if timestep is None:
        return []
    has_hydrogen = bool((structure.numbers == 1).any())
    safe = SAFE_TIMESTEP_FS[has_hydrogen]
    if has_hydrogen and mass is not None and mass >= HEAVY_HYDROGEN_AMU:
        safe = SAFE_WITH_HEAVY_HYDROGEN_FS
    if timestep <= safe:
        return []
    reason = " with hydrogen" if has_hydrogen else ""
    return [Finding("timestep", "warning", f"Long{reason}: up to {safe:g} fs is usual")]


def _temperature(settings: Mapping[str, Any]) -> list[Finding]:
    temperature = _number(settings.get("temperature"))
    if temperature is not None and temperature > HOT_K:
        text = f"Above {HOT_K:g} K most training data do not reach"
        return [Finding("temperature", "warning", text)]
    return []


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else None


def _get(stage: Any, name: str) -> Any:
    return stage.get(name) if isinstance(stage, Mapping) else getattr(stage, name, None)


def _subscript(count: int) -> str:
    return "" if count == 1 else str(count).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
