"""The settings that define a NequIP model, validated once."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Annotated, Literal

from ase.data import atomic_numbers, chemical_symbols
from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from nequip_openmm.settings import Settings

__all__ = ["Architecture", "ModelConfig"]

Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]


class Architecture(Settings):
    """What can be chosen about a NequIP model before any data are seen."""

    cutoff: float = Field(default=5.0, gt=0.0, le=20.0, json_schema_extra={"unit": "Å"})
    """Radius in Å beyond which two atoms do not see each other."""
    l_max: int = Field(default=1, ge=0, le=4)
    """Highest rotation order of features and spherical harmonics; 0 gives an invariant network."""
    parity: bool = True
    """Whether features of both mirror parities exist for every rotation order."""
    num_layers: int = Field(default=4, ge=1, le=16)
    """Number of interaction layers."""
    num_features: Count | tuple[Count, ...] = 32
    """Number of features of each irrep: one number, or one for every rotation order from 0 to l_max."""
    type_embed_num_features: Count | None = None
    """Length of the vector that represents an element; None takes the number of scalar features."""

    num_bessels: int = Field(default=8, ge=1)
    """Number of radial basis functions."""
    bessel_trainable: bool = False
    """Whether the frequencies of the basis functions are learnt."""
    polynomial_cutoff_p: float = Field(default=6.0, ge=2.0)
    """Exponent of the smooth cutoff; larger keeps the function near one for longer."""
    per_edge_type_cutoff: dict[str, Positive | dict[str, Positive]] | None = None
    """Shorter cutoffs in Å by species of the centre, and optionally of the neighbour; what is missing has `cutoff`."""

    radial_mlp_depth: int = Field(default=1, ge=0)
    """Number of hidden layers of the networks that turn distance into weights."""
    radial_mlp_width: int = Field(default=128, ge=1)
    """Width of those hidden layers."""

    readout_mlp_depth: int = Field(default=0, ge=0)
    """Number of hidden layers between the last features and the energy; 0 is a linear readout."""
    readout_mlp_width: Count | None = None
    """Width of those hidden layers; None takes the number of scalar features."""
    readout_mlp_nonlinearity: Literal["silu"] | None = "silu"
    """Activation between them; None makes a deep linear readout."""

    per_type_energy_scales_trainable: bool = False
    """Whether the factors are learnt."""
    per_type_energy_shifts_trainable: bool = False
    """Whether the atomic energies are learnt."""

    zbl: bool = False
    """Whether to add the Ziegler-Biersack-Littmark repulsion of bare nuclei at short distance."""

    @model_validator(mode="after")
    def _features_for_every_order(self) -> Self:
        if isinstance(self.num_features, tuple) and len(self.num_features) != self.l_max + 1:
            raise ValueError(
                f"num_features has {len(self.num_features)} entries; l_max={self.l_max} needs {self.l_max + 1}"
            )
        return self

    @property
    def features_by_l(self) -> tuple[int, ...]:
        """Number of features for every rotation order from 0 to l_max."""
        if isinstance(self.num_features, tuple):
            return self.num_features
        return (self.num_features,) * (self.l_max + 1)

    @property
    def embedding_width(self) -> int:
        """Length of the vector that represents an element."""
        return self.type_embed_num_features or self.features_by_l[0]


class ModelConfig(Architecture):
    """Architecture and physical constants of one NequIP model.

    The definition is that of the official package (nequip 0.19), so that every configuration here has an exact twin there.
    """

    species: tuple[str, ...] = Field(min_length=1)
    """Chemical symbols; their order is the order of the type numbers."""
    cutoff: float = Field(gt=0.0, le=20.0, json_schema_extra={"unit": "Å"})
    """Radius in Å beyond which two atoms do not see each other."""
    avg_num_neighbors: Positive | dict[str, Positive]
    """Average number of neighbours within the cutoff, over all atoms or by species; keeps sums over neighbours near one."""
    per_type_energy_scales: float | dict[str, float] | None = None
    """Factor in eV on the network's output, for all species or by species; None is 1."""
    per_type_energy_shifts: float | dict[str, float] | None = None
    """Energy in eV of an isolated atom, for all species or by species; None is 0."""

    @field_validator("species")
    @classmethod
    def _known_elements(cls, species: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [s for s in species if atomic_numbers.get(s, 0) < 1]
        if unknown:
            raise ValueError(f"not a chemical symbol: {', '.join(map(repr, unknown))}")
        if len(set(species)) != len(species):
            raise ValueError("every element may appear only once")
        return species

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("avg_num_neighbors", "per_type_energy_scales", "per_type_energy_shifts"):
            value = getattr(self, name)
            if isinstance(value, dict):
                _require_same(name, value, self.species)
        self._check_edge_cutoffs()
        return self

    def _check_edge_cutoffs(self) -> None:
        table = self.per_edge_type_cutoff or {}
        named = set(table) | {s for row in table.values() if isinstance(row, dict) for s in row}
        if not named <= set(self.species):
            unknown = ", ".join(sorted(named - set(self.species)))
            raise ValueError(f"per_edge_type_cutoff names {unknown}, which is not in species")
        if any(self.pair_cutoff(i, j) > self.cutoff for i, j in product(self.species, repeat=2)):
            raise ValueError(f"per_edge_type_cutoff must not exceed cutoff = {self.cutoff} Å")

    @property
    def atomic_numbers(self) -> tuple[int, ...]:
        """Atomic number of every species."""
        return tuple(chemical_symbols.index(s) for s in self.species)

    def pair_cutoff(self, centre: str, neighbour: str) -> float:
        """Return the cutoff in Å of messages from ``neighbour`` to ``centre``."""
        row = (self.per_edge_type_cutoff or {}).get(centre, self.cutoff)
        return row.get(neighbour, self.cutoff) if isinstance(row, dict) else row

    def by_species(self, value: float | Mapping[str, float] | None, default: float) -> list[float]:
        """Return one number for every species from a setting that is one number, a table or None."""
        if isinstance(value, Mapping):
            return [float(value[s]) for s in self.species]
        return [default if value is None else float(value)] * len(self.species)


def _require_same(name: str, table: Mapping[str, float], species: tuple[str, ...]) -> None:
    missing = ", ".join(s for s in species if s not in table)
    extra = ", ".join(s for s in table if s not in species)
    if missing or extra:
        told = "; ".join(
            f"{word} {what}" for word, what in (("lacks", missing), ("has extra", extra)) if what
        )
        raise ValueError(f"{name} must name every species exactly once: it {told}")
