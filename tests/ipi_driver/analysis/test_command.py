"""``nequip-openmm pimd-report``: what it leaves, and how it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from ipi_driver.analysis.averages import Element, Summary
from ipi_driver.analysis.command import pimd_report
from ipi_driver.analysis.tables import (
    convergence_rows,
    convergence_text,
    element_rows,
    estimators_text,
    families,
    with_error,
)
from nequip_openmm.analysis.statistics import Mean
from nequip_openmm.errors import BackendError, DataError, UserError


def run(*arguments: str | Path) -> None:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(pimd_report)
    app([str(one) for one in arguments], standalone_mode=False)


def test_report_of_several_runs(harmonic, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folders = [harmonic(beads) for beads in (8, 1, 4)]
    run(*folders, "--output", tmp_path / "report", "--frames", "20")
    numbers = json.loads((tmp_path / "report" / "summary.json").read_text())
    assert [one["n_beads"] for one in numbers] == [8, 1, 4]
    html = (tmp_path / "report" / "report.html").read_text()
    assert html.count("data:image/png;base64,") == 2 + 3 * len(folders)
    assert "http" not in html.replace("http-equiv", "")  # nothing is loaded from elsewhere
    assert "Convergence with the number of beads, 300 K" in html
    assert (
        sorted(path.name for path in (tmp_path / "report").glob("*.png"))[-1] == "convergence.png"
    )
    printed = capsys.readouterr().out
    assert "K_cv per atom from 4 to 8 beads" in printed


def test_report_lies_in_the_run_and_is_renewed(by_hand: Path) -> None:
    run(by_hand)
    first = (by_hand / "report" / "report.html").stat().st_mtime_ns
    run(by_hand)
    assert (by_hand / "report" / "report.html").stat().st_mtime_ns > first


def test_other_files_are_not_touched(by_hand: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.mkdir()
    (target / "notes.txt").write_text("x")
    with pytest.raises(UserError, match="holds no report"):
        run(by_hand, "--output", target)
    with pytest.raises(UserError, match="holds no report"):
        run(by_hand, "--output", target / "notes.txt")
    assert [path.name for path in target.iterdir()] == ["notes.txt"]


def test_folders_without_runs_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no input\.xml"):
        run(tmp_path, "--output", tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_as_a_user_types_it(tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("nequip-openmm"), "pimd-report", tmp_path / "none"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "is no folder" in done.stderr


def test_without_i_pi_it_says_what_to_install(
    by_hand: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ipi", None)
    with pytest.raises(BackendError, match="pip install"):
        run(by_hand)


def summary(beads: int, cv: float, td: float, error: float = 1e-3, temperature: float = 300.0, samples: int = 100) -> Summary:  # fmt: skip
    one = Element("H", 2, Mean(cv, error, 1), Mean(td, error, 1), None, None)
    total = Element("all", 2, Mean(cv, error, 1), Mean(td, error, 1), None, None)
    return Summary(
        "x", beads, temperature, 0.5, "nvt", ("H", "H"), 1.0, samples, total, (one,), {}, None
    )


def test_estimators_that_disagree_are_told() -> None:
    assert "differ by 10.0 %" in estimators_text(summary(32, 0.1, 0.09))
    assert "agree" in estimators_text(summary(32, 0.1, 0.0995))
    assert "still large" in estimators_text(summary(32, 0.1, 0.09, error=0.01))
    assert "10 rows are too few" in estimators_text(summary(32, 0.1, 0.09, samples=10))
    assert estimators_text(summary(1, 0.1, 0.1, error=0.0)) == ""


def test_only_runs_of_the_same_system_are_compared() -> None:
    runs = [summary(8, 0.1, 0.1), summary(4, 0.08, 0.08), summary(8, 0.1, 0.1, temperature=350.0)]
    (family,) = families(runs)
    assert [one.n_beads for one in family] == [4, 8]
    assert (
        convergence_text(family)
        == "Change of K_cv per atom from 4 to 8 beads: H +20.0 ± 1.4 meV (+25.0 %)."
    )
    assert [row[0] for row in convergence_rows(family)] == ["beads", "4", "8"]


def test_changes_within_the_error_are_called_so() -> None:
    (family,) = families([summary(8, 0.1, 0.1), summary(16, 0.0995, 0.1)])
    assert "−0.5 ± 1.4 meV (−0.5 %, within the error)" in convergence_text(family)


def test_numbers_have_two_digits_of_their_errors() -> None:
    assert with_error(Mean(1.23456, 0.0123, 1)) == "1.235 ± 0.012"
    assert with_error(Mean(123.456, 45.0, 1)) == "123 ± 45"
    assert with_error(Mean(1.5, float("nan"), 1)) == "1.5"
    assert with_error(None) == ""
    assert element_rows(summary(8, 0.0775561, 0.08))[1][4] == "2.000"
