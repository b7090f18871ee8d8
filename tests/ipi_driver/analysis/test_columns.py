"""What is read from i-PI's columns, whatever a crash left there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ipi_driver.analysis.columns import per_element, read_series
from nequip_openmm.errors import DataError
from nequip_openmm.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV


def write(path: Path, names: list[str], rows: str) -> Path:
    header = "".join(f"# column {k + 1:3d}     --> {name} : help\n" for k, name in enumerate(names))
    path.write_text(header + rows)
    return path


def test_units_become_ours(tmp_path: Path) -> None:
    names = [
        "step",
        "time",
        "potential",
        "kinetic_cv(H){kelvin}",
        "volume",
        "pressure_cv{megapascal}",
    ]
    path = write(tmp_path / "a.out", names, "0 0 1 1 1 1\n1 41341.373 1 1 1 1\n")
    series = read_series([path], 0.5)
    np.testing.assert_allclose(series["potential"].time, [0.0, 1.0], rtol=1e-6)
    assert series["potential"].values[0] == pytest.approx(HARTREE_TO_EV, rel=1e-6)
    assert series["kinetic_cv(H)"].values[0] == pytest.approx(8.617333e-5, rel=2e-6)
    assert series["volume"].values[0] == pytest.approx(BOHR_TO_ANGSTROM**3, rel=1e-6)
    assert series["pressure_cv"].values[0] == pytest.approx(10.0, rel=1e-6)


def test_steps_give_the_time_where_none_is_printed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.out", ["step", "potential"], "0 1\n10 1\n")
    np.testing.assert_allclose(read_series([path], 0.5)["potential"].time, [0.0, 5e-3])


def test_a_restart_counts_every_step_once_and_keeps_what_it_went_on_from(tmp_path: Path) -> None:
    rows = "0 1\n1 2\n2 3\n3 4\n2 30\n3 40\n4 50\n"
    path = write(tmp_path / "a.out", ["step", "potential{electronvolt}"], rows)
    np.testing.assert_allclose(read_series([path], 1.0)["potential"].values, [1, 2, 30, 40, 50])


@pytest.mark.parametrize(
    "end", ["3 4", "3 ", "3 4 4 5\n", "3 4\n4 5 5 6\n"], ids=["value", "gap", "glued", "later"]
)  # fmt: skip
def test_half_a_row_is_left_out(tmp_path: Path, end: str) -> None:
    path = write(tmp_path / "a.out", ["step", "potential{electronvolt}"], f"1 2\n2 3\n{end}")
    values = read_series([path], 1.0)["potential"].values
    np.testing.assert_allclose(values, [2, 3, 4] if end == "3 4\n4 5 5 6\n" else [2, 3])


def test_vectors_keep_their_components(tmp_path: Path) -> None:
    path = tmp_path / "a.out"
    path.write_text(
        "# column   1     --> step : s\n# cols.    2-4  --> cell_abc{angstrom} : c\n1 2 3 4\n"
    )
    np.testing.assert_allclose(read_series([path], 1.0)["cell_abc"].values, [[2.0, 3.0, 4.0]])


def test_of_several_files_the_first_with_a_quantity_counts(tmp_path: Path) -> None:
    one = write(tmp_path / "a.out", ["step", "potential{electronvolt}"], "0 1\n")
    two = write(tmp_path / "b.out", ["step", "potential{electronvolt}", "volume{angstrom3}"], "0 2 3\n")  # fmt: skip
    series = read_series([one, two], 1.0)
    assert series["potential"].values[0] == pytest.approx(1.0)
    assert series["volume"].values[0] == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "no rows yet"),
        ("0 1\n1 nan\n2 3\n", "'potential' is not finite from 0.001 ps on"),
        ("0 1\n1 inf\n", "not finite"),
        ("0 x\n", "damaged"),
    ],
)
def test_what_has_no_mean_is_refused(tmp_path: Path, rows: str, message: str) -> None:
    path = write(tmp_path / "a.out", ["step", "potential"], rows)
    with pytest.raises(DataError, match=message):
        read_series([path], 1.0)


def test_columns_without_names_or_time_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.out").write_text("1 2 3\n")
    with pytest.raises(DataError, match="names no columns"):
        read_series([tmp_path / "a.out"], 1.0)
    with pytest.raises(DataError, match="neither 'step' nor 'time'"):
        read_series([write(tmp_path / "b.out", ["potential"], "1\n")], 1.0)
    with pytest.raises(DataError, match="cannot be read"):
        read_series([tmp_path / "none.out"], 1.0)


def test_elements_are_told_from_indices_of_atoms(tmp_path: Path) -> None:
    names = ["step", "kinetic_cv(H)", "kinetic_cv(atom=O)", "kinetic_cv(3)", "kinetic_cv"]
    series = read_series([write(tmp_path / "a.out", names, "0 1 2 3 4\n")], 1.0)
    assert set(per_element(series, "kinetic_cv")) == {"H", "O"}
