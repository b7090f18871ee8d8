"""Finds energy, forces and stress among the names that a file uses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from nequip_openmm.data.builder import DatasetBuilder
from nequip_openmm.data.conventions import ALIASES, VIRIALS, Keys, choose_key
from nequip_openmm.errors import DataError, UnclearData

__all__ = ["LabelFinder", "Names"]


@dataclass(frozen=True)
class Names:
    """Name of each label in one frame, or None."""

    energy: str | None
    forces: str | None
    stress: str | None
    virial: str | None


class LabelFinder:
    """Chooses the name of every label, the same through the whole file.

    Parameters
    ----------
    keys
        Names that the user gave.
    builder
        Gets notes about choices that the user should know of.
    """

    def __init__(self, keys: Keys, builder: DatasetBuilder) -> None:
        self._keys = keys
        self._builder = builder
        self._seen: set[str] = set()
        self._known: dict[tuple[str, ...], Names] = {}

    def find(self, present: Collection[str], where: str) -> Names:
        """Return the names of the labels in a frame in which ``present`` are the names of all values.

        Raises
        ------
        DataError
            If the choice is ambiguous or differs from that for earlier frames.
        """
        signature = tuple(present)
        if signature not in self._known:
            self._known[signature] = self._choose(signature, where)
        return self._known[signature]

    def check_found(self) -> None:
        """Raise `DataError` when a name that the user gave was in no frame."""
        for label, name in self._keys.named().items():
            if name not in self._seen:
                others = ", ".join(sorted(self._seen)) or "none"
                raise DataError(
                    f"{self._builder.source}: no frame has {name!r}, named as {label} key; "
                    f"names in the file: {others}"
                )

    def _choose(self, present: tuple[str, ...], where: str) -> Names:
        self._seen.update(present)
        keys = self._keys
        names = Names(
            energy=self._one("energy", keys.energy, present, where),
            forces=self._one("forces", keys.forces, present, where),
            stress=None
            if keys.virial is not None
            else self._one("stress", keys.stress, present, where),
            virial=keys.virial if keys.virial in present else None,
        )
        if names.virial is not None:
            self._builder.names["virial"] = names.virial
        unread = [name for name in VIRIALS if name in present]
        if unread and names.stress is None and names.virial is None:
            self._builder.note(
                f"{unread[0]!r} is not read: signs differ between codes; "
                f"if it is -dE/dε, ask for it with --virial-key {unread[0]}"
            )
        return names

    def _one(
        self, label: str, wanted: str | None, present: tuple[str, ...], where: str
    ) -> str | None:
        name = choose_key(label, wanted, present, where)
        if name is None:
            return None
        before = self._builder.names.setdefault(label, name)
        if name != before:
            raise UnclearData(
                f"{where}: the {label} is called {name!r} here but {before!r} in earlier frames; "
                f"say which with --{label}-key",
                label,
            )
        self._note(label, name, wanted, present)
        return name

    def _note(self, label: str, name: str, wanted: str | None, present: tuple[str, ...]) -> None:
        others = [other for other in ALIASES[label] if other in present and other != name]
        if others:
            hint = "; forces of smeared electrons belong to the latter" * (
                others == ["free_energy"]
            )
            self._builder.note(f"{label} is read from {name!r}, not from {', '.join(others)}{hint}")
        elif wanted is None and name != ALIASES[label][0]:
            self._builder.note(f"{label} is read from {name!r}")
