"""What a file holds by name, told from its first frames."""

from __future__ import annotations

from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest

from nequip_openmm.data.fields import list_fields
from nequip_openmm.errors import DataError

XYZ = """1
Properties=species:S:1:pos:R:3 config_type=IsolatedAtom REF_energy=-1.5
H 0 0 0
2
Properties=species:S:1:pos:R:3:grad:R:3:charge:R:1 REF_energy=-2 virial="1 2 3 4 5 6 7 8 9" label=x
H 0 0 0 0.1 0.2 0.3 0.5
H 0 0 1 0.1 0.2 0.3 0.5
"""


def kinds(path: Path) -> dict[str, str]:
    return {field.name: field.kind for field in list_fields(path)}


def test_extended_xyz(tmp_path: Path) -> None:
    path = tmp_path / "some.xyz"
    path.write_text(XYZ)
    assert kinds(path) == {
        "config_type": "other",
        "REF_energy": "number",
        "grad": "vectors",
        "charge": "other",
        "virial": "tensor",
        "label": "other",
    }
    grad = next(field for field in list_fields(path) if field.name == "grad")
    assert grad.example == "0.1 0.2 0.3"


def test_ase_trajectory(tmp_path: Path, crystals: list[ase.Atoms]) -> None:
    path = tmp_path / "some.traj"
    ase.io.write(path, crystals)
    assert kinds(path) == {"energy": "number", "forces": "vectors", "stress": "tensor"}


def test_archive(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    np.savez_compressed(
        path,
        coords=np.zeros((5, 2, 3)),
        nuclear_charges=[1, 1],
        energies=np.linspace(0.25, 1.0, 5),
        gradients=np.asfortranarray(np.ones((5, 2, 3))),
        name="H2",
    )
    assert kinds(path) == {"energies": "number", "gradients": "vectors", "name": "other"}
    energies = next(field for field in list_fields(path) if field.name == "energies")
    assert energies.example == "0.25 0.4375 0.625"


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        list_fields(tmp_path / "absent.xyz")
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match="damaged"):
        list_fields(damaged)
