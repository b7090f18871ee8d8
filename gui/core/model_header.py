"""What a model file says about itself, from its header alone: no weights are read, PyTorch is not needed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nequip_openmm.errors import ModelFileError

__all__ = ["ModelHeader", "read_model_header"]

HEADER_KEY = "nequip-openmm"
MAX_HEADER_BYTES = 10_000_000


@dataclass(frozen=True)
class ModelHeader:
    """Header of a model file; `docs/model-file.md` describes it.

    Attributes
    ----------
    path
        The file.
    species
        Chemical symbols that the model knows.
    cutoff
        Distance beyond which atoms do not see each other, Å.
    dtype
        Precision of the weights.
    model
        Architecture.
    training
        Where the weights come from.
    metrics
        Errors on data, with the unit in every key.
    """

    path: Path
    species: tuple[str, ...]
    cutoff: float
    dtype: str
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> str:
        """One line about the model for people: elements, error on data that it did not see, cutoff."""
        parts = [" ".join(self.species)]
        if self.force_error is not None:
            parts.append(f"force MAE {self.force_error:.3g} meV/Å")
        return "  ·  ".join([*parts, f"cutoff {self.cutoff:g} Å"])

    @property
    def force_error(self) -> float | None:
        """Mean absolute error of forces in meV/Å, on test data where there is any; None where it is not noted."""
        for data in ("test", "validation"):
            value = _table(self.metrics.get(data)).get("forces_mae_mev_per_angstrom")
            if isinstance(value, (int, float)):
                return float(value)
        return None


def read_model_header(path: Path | str) -> ModelHeader:
    """Read the header of a model file.

    Raises
    ------
    ModelFileError
        If it is missing, damaged or no model file of this package.
    """
    path = Path(path)
    document = _document(path)
    model = _table(document.get("model"))
    species, cutoff = model.get("species"), model.get("cutoff")
    if not isinstance(species, list) or not isinstance(cutoff, (int, float)):
        raise ModelFileError(f"{path.name} has a damaged header; copy it again")
    return ModelHeader(
        path=path,
        species=tuple(str(symbol) for symbol in species),
        cutoff=float(cutoff),
        dtype=str(document.get("dtype", "")),
        model=model,
        training=_table(document.get("training")),
        metrics=_table(document.get("metrics")),
    )


def _document(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            start = file.read(9)
            size = int.from_bytes(start[:8], "little")
            if len(start) < 9 or start[8:] != b"{" or size > MAX_HEADER_BYTES:
                raise ModelFileError(f"{path.name} is not a model file (expected .safetensors)")
            header = json.loads(start[8:] + file.read(size - 1))
            text = header.get("__metadata__", {}).get(HEADER_KEY)
            document = None if text is None else json.loads(text)
    except OSError as error:
        raise ModelFileError(f"{path.name} cannot be read: {error.strerror}") from error
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{path.name} has a damaged header; copy it again") from error
    if text is None:
        raise ModelFileError(f"{path.name} is a safetensors file, but not one of nequip-openmm")
    if not isinstance(document, dict):
        raise ModelFileError(f"{path.name} has a damaged header; copy it again")
    return document


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
