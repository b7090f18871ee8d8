"""Settings of a run whose potential describes a part of the atoms, and a force field the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from nequip_openmm.settings import Settings
from nequip_openmm.simulation.stages import with_unit

__all__ = ["Mixed"]


class Mixed(Settings):
    """A force field around the potential: E = E_MM(all) - E_MM(ML) + E_ML(ML), mechanical embedding by openmm-ml.

    The structure needs residues that the force field knows, as a PDB or PDBx/mmCIF file has them. Virtual sites of its water
    models are added.
    """

    forcefield: tuple[str, ...] = Field(min_length=1)
    """XML files, those that come with OpenMM (amber14/tip3p.xml) or your own."""
    residues: tuple[str, ...] = ()
    """Names of the residues that the potential describes, all atoms of them."""
    atoms: tuple[int, ...] = ()
    """Or the indices, counted from 0, of the atoms that it describes."""
    cutoff: float = Field(10.0, gt=0, le=100, json_schema_extra=with_unit("Å"))
    """Cutoff of the force field's direct interactions in a periodic cell (with particle mesh Ewald), Å."""
    constraints: Literal["none", "hbonds", "allbonds"] = "none"
    """Bonds of the force field that are rigid; never those that the potential describes."""
    rigid_water: bool = True
    """Whether the force field's water is rigid."""
    coupling: float = Field(1.0, ge=0, le=1)
    """λ: 1 for the potential, 0 for the force field alone; between, λ times one plus (1 - λ) times the other."""
    inner_steps: int = Field(1, ge=1, le=100)
    """Steps of the force field's forces in each time step of the potential's (multiple time steps); nve and langevin only."""

    contraction: int | None = Field(None, ge=1)
    """With ring polymers: on so many beads the force field's nonbonded forces are computed; None: on all of them."""

    @field_validator("forcefield", "residues", "atoms", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, (str, int)) else value

    @model_validator(mode="after")
    def _names_atoms(self) -> Mixed:
        if bool(self.residues) == bool(self.atoms):
            raise ValueError(
                "give either residues or atoms: what the potential describes; without a force field it is everything"
            )
        if self.contraction is not None and self.coupling < 1.0:
            raise ValueError(f"contraction = {self.contraction}: it goes with coupling = 1 only")
        return self

    def with_files(self, folder: Path | None = None) -> Mixed:
        """Return the same with absolute paths of XML files that exist here, or with their copies in a folder."""
        found = []
        for number, name in enumerate(self.forcefield):
            copy = None if folder is None else folder / self.copy_name(number)
            if copy is not None and copy.is_file():
                found.append(str(copy))
            else:
                found.append(str(Path(name).absolute()) if Path(name).is_file() else name)
        return self.model_copy(update={"forcefield": tuple(found)})

    @staticmethod
    def copy_name(number: int) -> str:
        """Return the name in a run folder of the copy of an XML file."""
        return f"forcefield-{number}.xml"
