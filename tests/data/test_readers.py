"""Every other format gives what was put in, in eV and Å, or one line that says why not."""

from __future__ import annotations

import pickle
from pathlib import Path

import ase
import ase.db
import ase.io
import ase.units
import numpy as np
import pytest

from nequip_openmm.data import Dataset, Frame, Keys, UnitSystem, read_dataset
from nequip_openmm.errors import ConfigError, DataError
from nequip_openmm.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV, KCAL_PER_MOL_TO_EV


def assert_equal(dataset: Dataset, images: list[ase.Atoms], tolerance: float = 1e-12) -> None:
    assert len(dataset) == len(images)
    for frame, atoms in zip(dataset, images):
        expected = Frame.from_ase(atoms)
        for name in ("numbers", "positions", "cell", "pbc", "energy", "forces", "stress"):
            ours, theirs = getattr(frame, name), getattr(expected, name)
            assert (ours is None) == (theirs is None), name
            if theirs is not None:
                np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["data.traj", "data.db", "data.json", "trajectory_without_suffix"])
def test_ase_trajectory_and_data_bases(
    tmp_path: Path, molecules: list[ase.Atoms], crystals: list[ase.Atoms], name: str
) -> None:
    images = [*molecules, *crystals]
    path = tmp_path / name
    if name.endswith(("db", "json")):
        with ase.db.connect(path) as rows:
            for atoms in images:
                rows.write(atoms)
    else:
        ase.io.write(path, images, format="traj")
    assert_equal(read_dataset(path), images)


def test_labels_in_key_value_pairs_and_data_of_a_data_base(
    tmp_path: Path, molecules: list[ase.Atoms]
) -> None:
    path = tmp_path / "kvp.db"
    with ase.db.connect(path) as rows:
        for atoms in molecules[:3]:
            bare = ase.Atoms(atoms.numbers, atoms.positions)
            rows.write(
                bare, dft_energy=atoms.get_potential_energy(), data={"f": atoms.get_forces()}
            )
    dataset = read_dataset(path, keys=Keys(forces="f"))
    assert_equal(dataset, molecules[:3])


def test_forces_of_a_constrained_trajectory_are_the_stored_ones(
    tmp_path: Path, molecules: list[ase.Atoms]
) -> None:
    from ase.constraints import FixAtoms

    atoms = molecules[0].copy()
    atoms.calc = molecules[0].calc
    atoms.set_constraint(FixAtoms([0]))
    ase.io.write(tmp_path / "fixed.traj", atoms)
    np.testing.assert_array_equal(
        read_dataset(tmp_path / "fixed.traj").forces, molecules[0].calc.results["forces"]
    )


def test_outputs_that_ase_knows(tmp_path: Path, crystals: list[ase.Atoms]) -> None:
    path = tmp_path / "input.data"
    ase.io.write(path, crystals[0], format="runnerdata")
    dataset = read_dataset(path, format="runnerdata")
    assert dataset.with_forces.all()
    np.testing.assert_allclose(dataset.forces, crystals[0].get_forces(), atol=1e-6)


CELL = "<varray name='basis'><v>5 0 0</v><v>0 5 0</v><v>0 0 5</v></varray>"
STRUCTURE = (
    f"<crystal>{CELL}</crystal><varray name='positions'><v>0 0 0</v><v>0.15 0 0</v></varray>"
)
VASPRUN = f"""<?xml version="1.0"?>
<modeling><incar/>
<kpoints><varray name="kpointlist"><v>0 0 0</v></varray><varray name="weights"><v>1</v></varray></kpoints>
<parameters/>
<atominfo><array name="atoms"><set><rc><c>H</c><c>1</c></rc><rc><c>H</c><c>1</c></rc></set></array></atominfo>
<structure name="initialpos">{STRUCTURE}</structure>
<calculation>
<scstep><energy><i name="e_fr_energy">-6.7</i><i name="e_0_energy">-6.695</i></energy></scstep>
<structure>{STRUCTURE}</structure>
<varray name="forces"><v>0.1 0 0</v><v>-0.1 0 0</v></varray>
<varray name="stress"><v>1 0 0</v><v>0 2 0</v><v>0 0 3</v></varray>
<energy><i name="e_fr_energy">-6.7</i><i name="e_0_energy">-6.695</i></energy>
</calculation></modeling>
"""


def test_vasp_output_and_its_two_energies(tmp_path: Path) -> None:
    path = tmp_path / "vasprun.xml"
    path.write_text(VASPRUN)
    dataset = read_dataset(path)
    assert dataset.energies[0] == -6.695
    np.testing.assert_allclose(dataset.positions[1], [0.75, 0, 0])
    np.testing.assert_array_equal(dataset.forces[:, 0], [0.1, -0.1])
    assert dataset.stresses is not None
    np.testing.assert_allclose(
        dataset.stresses[0], -np.diag([1, 2, 3]) * 0.1 * ase.units.GPa
    )  # kbar, pressure
    assert any("not from free_energy; forces" in note for note in dataset.notes)
    assert read_dataset(path, keys=Keys(energy="free_energy")).energies[0] == -6.7


def npz_arrays(frames: list[ase.Atoms], names: str) -> dict[str, np.ndarray]:
    values = [
        np.array([a.positions for a in frames]),
        frames[0].numbers,
        np.array([a.get_potential_energy() for a in frames]) / KCAL_PER_MOL_TO_EV,
        np.array([a.get_forces() for a in frames]) / KCAL_PER_MOL_TO_EV,
    ]
    return dict(zip(names.split(), values))


def test_sgdml_and_rmd17_archives(tmp_path: Path, molecules: list[ase.Atoms]) -> None:
    images = molecules[::3]
    path = tmp_path / "set.npz"
    np.savez(
        path,
        **npz_arrays(images, "coords nuclear_charges energies forces"),
        old_indices=np.arange(4),
    )
    dataset = read_dataset(path)
    assert_equal(dataset, images)
    assert any("kcal/mol and Å taken" in note for note in dataset.notes)

    arrays = npz_arrays(images, "R z E F")
    np.savez(
        path, **{**arrays, "E": arrays["E"][:, None]}, r_unit="Ang", e_unit="kcal/mol", type="d"
    )
    dataset = read_dataset(path)
    assert_equal(dataset, images)
    assert not any("taken" in note for note in dataset.notes)

    np.savez(path, **arrays, r_unit="bohr", e_unit="hartree", lattice=np.arange(9.0).reshape(3, 3))
    dataset = read_dataset(path)
    np.testing.assert_allclose(dataset.energies, arrays["E"] * HARTREE_TO_EV)
    np.testing.assert_allclose(dataset[0].forces, arrays["F"][0] * HARTREE_TO_EV / BOHR_TO_ANGSTROM)
    np.testing.assert_allclose(dataset.cells[0][:, 1], np.arange(3.0, 6.0) * BOHR_TO_ANGSTROM)
    np.testing.assert_allclose(read_dataset(path, units="eV/Å").energies, arrays["E"])


def test_archives_that_cannot_be_used(tmp_path: Path, molecules: list[ase.Atoms]) -> None:
    path = tmp_path / "set.npz"
    arrays = npz_arrays(molecules[::3], "R z E F")

    def refused(says: str, **changed: object) -> None:
        np.savez(path, **{k: v for k, v in {**arrays, **changed}.items() if v is not None})  # type: ignore[arg-type]
        with pytest.raises(DataError, match=says) as caught:
            read_dataset(path)
        assert "\n" not in str(caught.value)

    refused("none of R, coords, positions gives the positions", R=None)
    refused("R must have shape", R=np.zeros((4, 9)))
    refused("F must have shape", F=np.zeros((4, 8, 3)))
    refused("no atomic numbers", z=np.full(9, 0.5))
    refused("does not hold numbers", E=np.array([{}, {}, {}, {}], dtype=object))
    refused("unknown energy unit 'furlong'", e_unit="furlong", r_unit="Ang")
    refused("says e_unit only", e_unit="eV")
    refused("says r_unit only", r_unit="Ang")
    refused("does not say its units", R=None, positions=arrays["R"])
    np.savez(path, **arrays)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="damaged or truncated"):
        read_dataset(path)


def write_deepmd(folder: Path, frames: list[ase.Atoms], symbols: list[str]) -> None:
    folder.mkdir(parents=True)
    (folder / "type.raw").write_text("\n".join(str(symbols.index(s)) for s in frames[0].symbols))
    (folder / "type_map.raw").write_text("\n".join(symbols))
    if not frames[0].pbc.any():
        (folder / "nopbc").touch()
    for number, part in enumerate((frames[:1], frames[1:])):
        each = folder / f"set.{number:03d}"
        each.mkdir()
        np.save(each / "coord.npy", [a.positions.ravel() for a in part])
        np.save(each / "energy.npy", [a.get_potential_energy() for a in part])
        np.save(each / "force.npy", [a.get_forces().ravel() for a in part])
        np.save(each / "box.npy", [np.array(a.cell).ravel() for a in part])
        if frames[0].pbc.all():
            virials = [-a.get_stress(voigt=False).ravel() * a.get_volume() for a in part]
            np.save(each / "virial.npy", virials)


def test_deepmd_folders(
    tmp_path: Path, molecules: list[ase.Atoms], crystals: list[ase.Atoms]
) -> None:
    write_deepmd(tmp_path / "all" / "a", molecules[::3], ["O", "H", "C"])
    write_deepmd(tmp_path / "all" / "b" / "cu", crystals[2:4], ["Cu"])
    assert_equal(read_dataset(tmp_path / "all"), [*molecules[::3], *crystals[2:4]])
    assert_equal(read_dataset(tmp_path / "all" / "b" / "cu"), crystals[2:4])


def test_deepmd_mixed_type(tmp_path: Path, molecules: list[ase.Atoms]) -> None:
    folder = tmp_path / "mixed"
    (folder / "set.000").mkdir(parents=True)
    (folder / "nopbc").touch()
    (folder / "type.raw").write_text("0\n" * 3)
    (folder / "type_map.raw").write_text("O\nH\nN\n")
    water, nitrogen = molecules[1], molecules[2]
    padded = np.vstack([nitrogen.positions, np.zeros((1, 3))])
    np.save(folder / "set.000" / "coord.npy", [water.positions.ravel(), padded.ravel()])
    np.save(folder / "set.000" / "real_atom_types.npy", [[0, 1, 1], [2, 2, -1]])
    dataset = read_dataset(folder)
    assert [str(f.to_ase().symbols) for f in dataset] == ["OH2", "N2"]
    np.testing.assert_array_equal(dataset[1].positions, nitrogen.positions)


def turn_into_a_folder(system: Path) -> None:
    (system / "type_map.raw").unlink()
    (system / "type_map.raw").mkdir()


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        (lambda f: (f / "type_map.raw").unlink(), "no type_map.raw"),
        (lambda f: (f / "type_map.raw").write_text("Cu Qq"), "Qq are no chemical symbols"),
        (lambda f: (f / "type.raw").write_text("0 7"), r"types must lie in 0..0"),
        (lambda f: (f / "type.raw").write_text("0 a"), "must hold whole numbers"),
        (lambda f: (f / "type.raw").write_bytes(b"\xff\xfe"), "type.raw: is not a text file"),
        (lambda f: (f / "type_map.raw").write_bytes(b"\xff"), "type_map.raw: is not a text file"),
        (turn_into_a_folder, "type_map.raw: cannot be read"),
        (lambda f: (f / "set.000" / "coord.npy").unlink(), "no coord.npy"),
        (lambda f: (f / "set.000" / "box.npy").unlink(), "no box.npy"),
        (lambda f: np.save(f / "set.000" / "force.npy", np.zeros(5)), "does not fit"),
        (lambda f: (f / "set.000" / "energy.npy").write_bytes(b"junk"), "damaged or not an array"),
    ],
)
def test_damaged_deepmd_folders(
    tmp_path: Path, crystals: list[ase.Atoms], breaks: object, says: str
) -> None:
    write_deepmd(tmp_path / "cu", crystals[:2], ["Cu"])
    breaks(tmp_path / "cu")  # type: ignore[operator]
    with pytest.raises(DataError, match=says) as caught:
        read_dataset(tmp_path / "cu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "contents", "says"),
    [
        ("absent.xyz", None, "no such file"),
        ("empty.xyz", b"", "the file is empty"),
        ("garbage.xyz", bytes(range(129, 256)) * 50, "not a text file"),
        ("garbage.bin", bytes(range(129, 256)) * 50, "no format known"),
        ("notes.txt", b"some words\n", "no format known"),
        ("frames.pkl", pickle.dumps([1, 2]), "looks like a pickle"),
        ("frames.xyz", pickle.dumps([1, 2]), "looks like a pickle"),
        ("model.pt", b"PK\x03\x04", "looks like a pickle"),
        ("data.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5 files are not read"),
        ("cut.traj", b"- of Ulm" + b"ASE-Trajectory" + bytes(3), "cannot be read"),
        ("bad.db", b"SQLite format 3\x00" + bytes(100), "cannot be read"),
        ("broken.gz", b"\x1f\x8b\x08\x00" + bytes(20), "compressed file is"),
        (
            "vasprun.xml",
            b"<?xml version='1.0'?>\n<modeling><calc",
            "cannot be read|holds no frames",
        ),
        ("data.json", b"{}", "cannot be read|holds no frames"),
    ],
)
def test_files_that_are_no_data_set(
    tmp_path: Path, name: str, contents: bytes | None, says: str
) -> None:
    path = tmp_path / name
    if contents is not None:
        path.write_bytes(contents)
    with pytest.raises(DataError, match=says) as caught:
        read_dataset(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truncated_compressed_file(tmp_path: Path, xyz: Path) -> None:
    import gzip

    path = tmp_path / "cut.xyz.gz"
    packed = gzip.compress(xyz.read_bytes() * 20)
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match="compressed file is truncated"):
        read_dataset(path)


def test_folders_that_are_no_data_set_and_unknown_formats(tmp_path: Path, xyz: Path) -> None:
    with pytest.raises(DataError, match="a folder without DeePMD files"):
        read_dataset(tmp_path)
    with pytest.raises(DataError, match="unknown format 'extxzy' \\(did you mean 'extxyz'"):
        read_dataset(xyz, format="extxzy")
    with pytest.raises(DataError, match="pickled code"):
        read_dataset(xyz, format="bundletrajectory")


def test_units_are_converted_at_the_border(
    xyz: Path, tmp_path: Path, crystals: list[ase.Atoms]
) -> None:
    plain = read_dataset(xyz)
    kcal = read_dataset(xyz, units="kcal/mol")
    np.testing.assert_allclose(kcal.energies, plain.energies * KCAL_PER_MOL_TO_EV)
    np.testing.assert_allclose(kcal.forces, plain.forces * KCAL_PER_MOL_TO_EV)
    np.testing.assert_array_equal(kcal.positions, plain.positions)
    atomic = read_dataset(xyz, units="hartree/bohr@Å")
    np.testing.assert_allclose(atomic.forces, plain.forces * HARTREE_TO_EV / BOHR_TO_ANGSTROM)
    np.testing.assert_array_equal(atomic.positions, plain.positions)
    all_atomic = read_dataset(xyz, units="hartree/bohr@bohr")
    np.testing.assert_allclose(all_atomic.positions, plain.positions * BOHR_TO_ANGSTROM)
    path = tmp_path / "cu.xyz"
    ase.io.write(path, crystals)
    stress, bohr = read_dataset(path).stresses, read_dataset(path, units="eV/bohr@bohr").stresses
    assert stress is not None
    assert bohr is not None
    np.testing.assert_allclose(bohr, stress / BOHR_TO_ANGSTROM**3)
    assert any("converted" in note for note in atomic.notes)
    assert not any("converted" in note for note in read_dataset(xyz, units="eV/A").notes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eV/Å", UnitSystem("eV", "Å", "Å")),
        ("kcal/mol", UnitSystem("kcal/mol", "Å", "Å")),
        ("kJ/mol/nm", UnitSystem("kJ/mol", "nm", "nm")),
        ("hartree/bohr@bohr", UnitSystem("hartree", "bohr", "bohr")),
        ("Hartree/Bohr @ angstrom", UnitSystem("Hartree", "angstrom", "Bohr")),
    ],
)
def test_units_written_as_text(text: str, expected: UnitSystem) -> None:
    assert UnitSystem.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hartree/bohr", "leave the unit of positions open"),
        ("eV", "name no length"),
        ("elephant/Å", "unknown energy unit 'elephant'"),
        ("eV/parsec", "unknown length unit 'parsec'"),
    ],
)
def test_units_that_say_too_little(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        UnitSystem.parse(text)


def test_stress_and_virial_keys_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="not both"):
        Keys(stress="a", virial="b")
