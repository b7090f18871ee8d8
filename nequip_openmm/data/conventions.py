"""What a data file leaves unsaid: the units of its numbers and the names of its labels."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields

from nequip_openmm.errors import ConfigError, UnclearData
from nequip_openmm.units import energy_factor, length_factor

__all__ = ["ALIASES", "EV_ANGSTROM", "KCAL_PER_MOL", "Keys", "UnitSystem", "choose_key"]

ALIASES: dict[str, tuple[str, ...]] = {
    "energy": (
        "energy", "Energy", "REF_energy", "ref_energy", "dft_energy", "DFT_energy", "total_energy", "TotEnergy",
        "potential_energy", "free_energy",
    ),
    "forces": (
        "forces", "Forces", "force", "Force", "REF_forces", "ref_forces", "REF_force", "ref_force", "dft_forces",
        "DFT_forces", "dft_force", "DFT_force",
    ),
    "stress": ("stress", "Stress", "REF_stress", "ref_stress", "dft_stress", "DFT_stress"),
}  # fmt: skip
"""Names under which labels are found by themselves; the first of each is the plain one, which wins."""

VIRIALS = (
    "virial",
    "virials",
    "REF_virial",
    "REF_virials",
    "ref_virial",
    "dft_virial",
    "DFT_virial",
)
"""Names that are noticed but never read without being asked for: their sign differs between codes."""


@dataclass(frozen=True)
class Keys:
    """Names of the labels in a file; None means to look for a known name.

    Attributes
    ----------
    energy, forces, stress
        Names of total energy, forces and stress (dE/dε / V, tension positive).
    virial
        Name of the virial -dE/dε (positive under compression), from which stress = -virial / V; only read when named.
    """

    energy: str | None = None
    forces: str | None = None
    stress: str | None = None
    virial: str | None = None

    def __post_init__(self) -> None:
        if self.stress is not None and self.virial is not None:
            raise ConfigError(
                "name either the stress key or the virial key, not both: each gives the stress"
            )

    def named(self) -> dict[str, str]:
        """Return label -> name for the labels whose name was given."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {label: name for label, name in values.items() if name is not None}


def choose_key(label: str, wanted: str | None, present: Collection[str], where: str) -> str | None:
    """Return the name under which ``label`` is to be read, or None when nothing there holds it.

    Raises
    ------
    UnclearData
        If several known names are present and the plain one is not among them.
    """
    if wanted is not None:
        return wanted if wanted in present else None
    candidates = [name for name in ALIASES[label] if name in present]
    if len(candidates) > 1 and candidates[0] != ALIASES[label][0]:
        raise UnclearData(
            f"{where}: {' and '.join(candidates)} could all be the {label}; "
            f"say which with --{label}-key (Keys({label}=...))",
            label,
        )
    return candidates[0] if candidates else None


@dataclass(frozen=True)
class UnitSystem:
    """Units of the numbers in a file.

    Attributes
    ----------
    energy
        Unit of energies (and virials).
    length
        Unit of positions and lattice vectors; stress is ``energy / length**3``.
    force_length
        Length in the unit of forces ``energy / force_length``; None means ``length``.
    """

    energy: str = "eV"
    length: str = "Å"
    force_length: str | None = None

    def __post_init__(self) -> None:
        energy_factor(self.energy)
        length_factor(self.length)
        if self.force_length is not None:
            length_factor(self.force_length)

    @classmethod
    def parse(cls, text: str) -> UnitSystem:
        """Read ``ENERGY/LENGTH`` (unit of forces), with ``@LENGTH`` after it where positions are in another unit.

        ``eV/Å``, ``kcal/mol/Å`` (or ``kcal/mol``), ``kJ/mol/nm``, ``hartree/bohr@Å``, ``hartree/bohr@bohr``. Where forces
        are per bohr the unit of positions has to be said: files of quantum chemistry programs have it either way.

        Raises
        ------
        ConfigError
            For a unit that is not known or not said.
        """
        forces, _, positions = (part.strip() for part in text.partition("@"))
        molar = next((m for m in ("kcal/mol", "kj/mol") if forces.lower().startswith(m)), "")
        energy, _, length = forces[len(molar) :].partition("/")
        energy = forces[: len(molar)] + energy
        if molar and not length:
            length = "Å"
        if not length:
            raise ConfigError(
                f"units {text!r} name no length; write for example eV/Å, kcal/mol/Å or hartree/bohr@Å"
            )
        if length.lower() == "bohr" and not positions:
            raise ConfigError(
                f"units {text!r} leave the unit of positions open; write {forces}@Å or {forces}@bohr"
            )
        return cls(energy, positions or length, length)

    @classmethod
    def of(cls, units: UnitSystem | str | None, default: UnitSystem) -> UnitSystem:
        """Return ``units`` as a `UnitSystem`; None means ``default``."""
        if units is None:
            return default
        return cls.parse(units) if isinstance(units, str) else units

    @property
    def energy_to_ev(self) -> float:
        """Factor from the file's energies to eV."""
        return energy_factor(self.energy)

    @property
    def length_to_angstrom(self) -> float:
        """Factor from the file's positions to Å."""
        return length_factor(self.length)

    @property
    def force_to_ev_per_angstrom(self) -> float:
        """Factor from the file's forces to eV/Å."""
        return self.energy_to_ev / length_factor(self.force_length or self.length)

    @property
    def stress_to_ev_per_angstrom3(self) -> float:
        """Factor from the file's stresses to eV/Å³."""
        return self.energy_to_ev / self.length_to_angstrom**3

    @property
    def is_internal(self) -> bool:
        """Whether these are eV and Å throughout."""
        return self.energy_to_ev == self.length_to_angstrom == self.force_to_ev_per_angstrom == 1.0

    def __str__(self) -> str:
        forces = f"{self.energy}/{self.force_length or self.length}"
        return f"energies {self.energy}, positions {self.length}, forces {forces}"


EV_ANGSTROM = UnitSystem()
KCAL_PER_MOL = UnitSystem("kcal/mol", "Å")
