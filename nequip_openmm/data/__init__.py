"""Data sets: reading, checking, splitting, and turning structures into what the model reads."""

from nequip_openmm.data.conventions import Keys, UnitSystem
from nequip_openmm.data.dataset import Dataset
from nequip_openmm.data.frame import Frame
from nequip_openmm.data.read import read_dataset

__all__ = ["Dataset", "Frame", "Keys", "UnitSystem", "read_dataset"]
