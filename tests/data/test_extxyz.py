"""Extended XYZ: what ASE reads we read alike, and what is wrong is named with line and frame."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest

from nequip_openmm.data import Dataset, Frame, Keys, read_dataset
from nequip_openmm.data.readers.extxyz import parse_comment
from nequip_openmm.errors import DataError

WATER = """3
Properties=species:S:1:pos:R:3:forces:R:3 energy=-14.5 pbc="F F F"
O 0.0 0.0 0.1 0.0 0.0 0.5
H 0.0 0.7 -0.5 0.0 0.1 -0.25
H 0.0 -0.7 -0.5 0.0 -0.1 -0.25
"""


def assert_same(frame: Frame, atoms: ase.Atoms) -> None:
    expected = Frame.from_ase(atoms)
    for name in ("numbers", "positions", "cell", "pbc", "energy", "forces", "stress"):
        ours, theirs = getattr(frame, name), getattr(expected, name)
        assert (ours is None) == (theirs is None), name
        if theirs is not None:
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12, err_msg=name)


def assert_reads_as_ase(path: Path) -> Dataset:
    dataset = read_dataset(path)
    images = ase.io.read(path, ":")
    assert len(dataset) == len(images)
    for frame, atoms in zip(dataset, images):
        assert_same(frame, atoms)
    return dataset


def test_mixed_frames_round_trip(
    tmp_path: Path, molecules: list[ase.Atoms], crystals: list[ase.Atoms]
) -> None:
    path = tmp_path / "mixed.xyz"
    slab = crystals[0].copy()  # no labels, periodic in two directions
    slab.pbc = (True, True, False)
    ase.io.write(path, [*molecules, *crystals, slab])
    dataset = assert_reads_as_ase(path)
    assert dataset.species == ("H", "C", "N", "O", "Cu")
    assert not dataset.has_forces
    assert dataset.with_forces.sum() == len(dataset) - 1
    assert list(dataset.n_atoms) == [len(a) for a in [*molecules, *crystals, slab]]


@pytest.mark.parametrize("pack", [gzip, bz2, lzma])
@pytest.mark.parametrize("name", ["data.xyz", "data.xyz.packed"])
def test_compressed_files_are_known_by_their_bytes(
    tmp_path: Path, xyz: Path, pack: object, name: str
) -> None:
    packed = tmp_path / name
    packed.write_bytes(pack.compress(xyz.read_bytes()))  # type: ignore[attr-defined]
    np.testing.assert_array_equal(read_dataset(packed).forces, read_dataset(xyz).forces)


def test_zstandard(tmp_path: Path, xyz: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    packed = tmp_path / "data.xyz.zst"
    packed.write_bytes(zstandard.compress(xyz.read_bytes()))
    assert len(read_dataset(packed)) == 12
    packed.write_bytes(packed.read_bytes()[:5] + bytes([255]) * 50)
    with pytest.raises(DataError, match="compressed file is damaged"):
        read_dataset(packed)


COMMENTS = [
    'Lattice="5.0 0.0 0.0 1.0 6.0 0.0 0.5 0.25 7.0" Properties=species:S:1:pos:R:3 energy=-1.5e0',
    'energy = -3.25 Lattice="4 0 0 0 4 0 0 0 4" pbc="T F T" Properties=species:S:1:pos:R:3 flag',
    'Properties=species:S:1:pos:R:3:Z:I:1 pbc="F F F" label="a b=c" energy=2',
    "Properties=pos:R:3:species:S:1 Lattice='3 0 0 0 3 0 0 0 3' config_type=\"x y\"",
    'Properties=species:S:1:pos:R:3 stress="1 2 3 2 5 6 3 6 9" Lattice="3 0 0 0 3 0 0 0 3" energy=0.0',
    'Properties=species:S:1:pos:R:3 list="[1, 2, 3]" tensor="[[1, 2], [3, 4]]" energy=-7.5 pbc=F',
    'a.b="_JSON {\\"x\\": 1}" energy=1.25 Properties=species:S:1:pos:R:3:mask:L:1',
    "just words, as in a plain file",
    "",
]


@pytest.mark.parametrize("comment", COMMENTS)
def test_comment_lines_mean_what_they_mean_to_ase(tmp_path: Path, comment: str) -> None:
    row = "Si 0.5 -1.0 2.25"
    if "pos:R:3:species" in comment:
        row = "0.5 -1.0 2.25 Si"
    row += " 14" if ":Z:" in comment else " T" if ":mask:" in comment else ""
    path = tmp_path / "one.xyz"
    path.write_text(f"1\n{comment}\n{row}\n")
    assert_reads_as_ase(path)


def test_comment_pairs() -> None:
    pairs = parse_comment("""a=1 b="x y" c='q' d={1 2} e=[[1, 2], [3]] flag f = 2.5 "k k"=v""")
    assert pairs == {
        "a": "1", "b": "x y", "c": "q", "d": "1 2", "e": "[[1, 2], [3]]", "f": "2.5", "k k": "v",
    }  # fmt: skip


def test_key_names(tmp_path: Path) -> None:
    text = WATER.replace("energy=", "REF_energy=").replace(":forces:", ":REF_forces:")
    path = tmp_path / "ref.xyz"
    path.write_text(text)
    dataset = read_dataset(path)
    assert dataset.energies[0] == -14.5
    assert dataset.has_forces
    assert any("REF_energy" in note for note in dataset.notes)
    path.write_text(text.replace("REF_energy=", "e_tot=").replace("REF_forces", "f_tot"))
    assert not read_dataset(path).has_energies
    named = read_dataset(path, keys=Keys(energy="e_tot", forces="f_tot"))
    assert named.energies[0] == -14.5
    np.testing.assert_array_equal(named.forces, dataset.forces)


def test_plain_name_wins_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "two.xyz"
    path.write_text(WATER.replace("energy=", "REF_energy=-99.0 energy="))
    dataset = read_dataset(path)
    assert dataset.energies[0] == -14.5
    assert any("not from REF_energy" in note for note in dataset.notes)
    assert read_dataset(path, keys=Keys(energy="REF_energy")).energies[0] == -99.0


def test_virial_is_read_only_when_named_and_becomes_minus_stress_times_volume(
    tmp_path: Path,
) -> None:
    path = tmp_path / "virial.xyz"
    path.write_text(
        '1\nLattice="2 0 0 0 3 0 0 0 4" Properties=species:S:1:pos:R:3 energy=1 '
        'virial="24 0 0 0 48 1 0 1 -24"\nHe 0 0 0\n'
    )
    dataset = read_dataset(path)
    assert dataset.stresses is None
    assert any("'virial' is not read" in note for note in dataset.notes)
    stress = read_dataset(path, keys=Keys(virial="virial")).stresses
    assert stress is not None
    np.testing.assert_allclose(stress[0], -np.array([[24, 0, 0], [0, 48, 1], [0, 1, -24]]) / 24)


def test_isolated_atoms_are_marked(tmp_path: Path) -> None:
    path = tmp_path / "atom.xyz"
    path.write_text(
        '1\nLattice="20 0 0 0 20 0 0 0 20" config_type=IsolatedAtom energy=-1 Properties=species:S:1:pos:R:3\n'
        "He 0 0 0\n" + WATER
    )
    assert list(read_dataset(path).isolated) == [True, False]


def test_plain_xyz_has_structure_only(tmp_path: Path) -> None:
    path = tmp_path / "plain.xyz"
    path.write_text("2\nstep 1\nh 0 0 0 0.1 0.2 0.3\n8 0 0 0.97\n\n\n")
    dataset = read_dataset(path)
    assert list(dataset.numbers) == [1, 8]
    assert not dataset.with_forces.any()


BROKEN = {
    "wrong count": (WATER.replace("3\n", "4\n", 1) + WATER, r"line 6 \(frame 0\): expected 7 columns .* found 1: '3'"),
    "count too small": (WATER.replace("3\n", "2\n", 1), r"line 5 \(frame 1\): expected the number of atoms, found 'H 0.0 -0.7"),
    "truncated": (WATER + WATER[:-45], r"line 6 \(frame 1\): expected 3 atoms, but the file ends after 2"),
    "truncated line": (WATER + WATER[:-8], r"line 10 \(frame 1\): expected 7 columns"),
    "only a count": ("3\n", r"line 1 \(frame 0\): expected 3 atoms, but the file ends after 0"),
    "letters": (WATER + WATER.replace("0.7 ", "0.7x "), r"line 9 \(frame 1\): expected three numbers for pos, found '0.0 0.7x -0.5'"),
    "bad force": (WATER.replace("0.5\n", "***\n", 1), r"line 3 \(frame 0\): expected three numbers for forces"),
    "bad energy": (WATER.replace("-14.5", "abc"), r"line 2 \(frame 0\): expected a number for energy, found 'abc'"),
    "bad element": (WATER.replace("O 0", "Oo 0"), r"line 3 \(frame 0\): 'Oo' is not an element"),
    "dummy": (WATER.replace("O 0", "X 0"), r"line 3 \(frame 0\): 'X' is not an element"),
    "zero atoms": ("0\n\n", r"line 1 \(frame 0\): expected at least one atom, found 0"),
    "bad properties": (WATER.replace("forces:R:3", "forces:R"), r"line 2 \(frame 0\): Properties='species"),
    "forces of width 2": (WATER.replace("forces:R:3", "forces:R:2:x:R:1"), r"'forces' must be three columns"),
    "no species": (WATER.replace("species:S:1", "name:S:1"), "no column of elements"),
    "bad lattice": (WATER.replace("pbc", 'Lattice="1 2 3 4" pbc'), r"line 2 \(frame 0\): expected 9 numbers for Lattice"),
    "bad pbc": (WATER.replace('"F F F"', '"F Q F"'), "expected three of T and F for pbc"),
    "ambiguous": (WATER.replace("energy=", "REF_energy=1 dft_energy="), "REF_energy and dft_energy could all be the energy"),
    "changing names": (
        WATER + WATER.replace("energy=", "REF_energy="),
        r"line 7 \(frame 1\): the energy is called 'REF_energy' here but 'energy' in earlier",
    ),
    "blank file": ("\n\n", "holds no frames"),
    "prose": ("Dear reader,\nthis is no data.\n", r"line 1 \(frame 0\): expected the number of atoms"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_errors_name_line_and_frame(tmp_path: Path, case: str) -> None:
    text, says = BROKEN[case]
    path = tmp_path / "broken.xyz"
    path.write_text(text)
    with pytest.raises(DataError, match=says) as caught:
        read_dataset(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_key_that_no_frame_has(xyz: Path) -> None:
    with pytest.raises(
        DataError, match="no frame has 'E_tot', named as energy key; names in the file"
    ):
        read_dataset(xyz, keys=Keys(energy="E_tot"))


def test_numbers_that_are_not_finite_are_read_for_the_checks_to_find(tmp_path: Path) -> None:
    path = tmp_path / "nan.xyz"
    path.write_text(WATER + WATER.replace("-14.5", "nan").replace("0.25", "inf"))
    dataset = read_dataset(path)
    assert list(dataset.nonfinite("energy")) == list(dataset.nonfinite("forces")) == [1]
    with pytest.raises(DataError, match="energy not finite in frame 1"):
        dataset.require(("energy", "forces"))
