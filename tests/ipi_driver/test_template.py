"""Templates are read as ASE and as i-PI read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ipi_driver.template import read_template
from nequip_openmm.errors import StructureError
from nequip_openmm.units import BOHR_TO_ANGSTROM
from tests.model import cases

ATOMS = "3\n{}\nO 0 0 0\nH 1.5 0 0\nH 0 1.5 0\n"


def written(folder: Path, comment: str, name: str = "t.xyz") -> Path:
    path = folder / name
    path.write_text(ATOMS.format(comment))
    return path


def test_what_ase_reads(tmp_path: Path) -> None:
    atoms = cases.triclinic()
    atoms.write(tmp_path / "t.extxyz")
    frame = read_template(tmp_path / "t.extxyz").frame
    np.testing.assert_allclose(frame.cell, atoms.cell)
    assert frame.pbc.all()
    plain = read_template(written(tmp_path, "no cell")).frame
    assert not plain.pbc.any()
    assert plain.symbols == ["O", "H", "H"]


@pytest.mark.parametrize(
    ("comment", "cell", "positions"),
    [
        ("# CELL(abcABC): 9 8 7 90 90 90 cell{angstrom} positions{angstrom}", 1.0, 1.0),
        ("# CELL(abcABC): 9 8 7 90 90 90 Step: 0 Bead: 0", BOHR_TO_ANGSTROM, BOHR_TO_ANGSTROM),
        (
            "# CELL{abcABC}: 9 8 7 90 90 90 positions{angstrom} cell{atomic_unit}",
            BOHR_TO_ANGSTROM,
            1.0,
        ),
        ("# CELL{H}: 9 0 0 0 8 0 0 0 7 cell{angstrom} positions{angstrom}", 1.0, 1.0),
    ],
)
def test_what_ipi_reads(tmp_path: Path, comment: str, cell: float, positions: float) -> None:
    frame = read_template(written(tmp_path, comment)).frame
    np.testing.assert_allclose(frame.cell, cell * np.diag([9.0, 8.0, 7.0]), atol=1e-12)
    assert frame.positions[1, 0] == pytest.approx(1.5 * positions)
    assert frame.pbc.all()


def test_ipis_h_has_the_vectors_as_columns(tmp_path: Path) -> None:
    comment = "# CELL(H): 9 1 2 0 8 3 0 0 7 cell{angstrom} positions{angstrom}"
    frame = read_template(written(tmp_path, comment)).frame
    np.testing.assert_allclose(frame.cell, [[9, 0, 0], [1, 8, 0], [2, 3, 7]])


def test_a_line_for_both_is_read_as_extended_xyz(tmp_path: Path) -> None:
    comment = 'CELL(abcABC): 9 8 7 90 90 90 positions{angstrom} Properties=species:S:1:pos:R:3 pbc="F F F"'
    frame = read_template(written(tmp_path, comment)).frame
    assert not frame.pbc.any()
    assert frame.positions[1, 0] == 1.5


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(StructureError, match="no such file"):
        read_template(tmp_path / "missing.xyz")
    (tmp_path / "broken.xyz").write_text("what\nis\nthis\n")
    with pytest.raises(StructureError, match="cannot be read"):
        read_template(tmp_path / "broken.xyz")
    (tmp_path / "x.xyz").write_text("1\n\nX 0 0 0\n")
    with pytest.raises(StructureError, match="without an element"):
        read_template(tmp_path / "x.xyz")
    with pytest.raises(StructureError, match="5 numbers"):
        read_template(written(tmp_path, "# CELL(abcABC): 9 8 7 90 90 cell{angstrom}"))
    with pytest.raises(StructureError, match="furlong"):
        read_template(written(tmp_path, "# CELL(abcABC): 9 8 7 90 90 90 cell{furlong}"))
