"""The info command: what it prints, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nequip_openmm.cli.app import main

WATER = """3
Properties=species:S:1:pos:R:3:forces:R:3 energy={energy} pbc="F F F"
O 0.0 0.0 {z} 0.0 0.0 0.5
H 0.0 0.7 -0.5 0.0 0.1 -0.25
H 0.0 -0.7 -0.5 0.0 -0.1 -0.25
"""


def run(*argv: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["info", *(str(word) for word in argv)])
    return int(stopped.value.code or 0)


@pytest.fixture
def water(tmp_path: Path) -> Path:
    path = tmp_path / "water.xyz"
    path.write_text("".join(WATER.format(energy=-14.5 + 0.1 * i, z=0.1 * i) for i in range(3)))
    return path


def test_a_sound_file(water: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(water) == 0
    out = capsys.readouterr().out
    for text in (
        "H2O ×3",
        "H ×6, O ×3",
        "3, 3, 0 frames",
        "neighbours within 5 Å",
        "nothing wrong found",
    ):
        assert text in out


def test_errors_give_exit_code_1(water: Path, capsys: pytest.CaptureFixture[str]) -> None:
    water.write_text(water.read_text() + WATER.format(energy="nan", z=0.0))
    assert run(water) == 1
    out = capsys.readouterr().out
    assert "error: energy not finite; leave these frames out (frames 3; 1 in all)" in out
    assert "1 error," in out


def test_json_is_all_there_is_on_the_output(
    water: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    water.write_text(water.read_text() + WATER.format(energy="nan", z=0.0))
    assert run(water, "--json", "--cutoff", "4.5") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["summary"]["frames"] == 4
    assert document["summary"]["compositions"] == {"H2O": 4}
    assert document["summary"]["cutoff"] == 4.5
    assert document["summary"]["energy_per_atom"]["max"] == pytest.approx(-14.3 / 3)
    assert document["lint"]["errors"] == 1


def test_units_and_keys(water: Path, capsys: pytest.CaptureFixture[str]) -> None:
    water.write_text(water.read_text().replace("energy=", "e_tot="))
    assert run(water, "--units", "kcal/mol", "--energy-key", "e_tot", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["summary"]["energy_per_atom"]["min"] == pytest.approx(
        -14.5 / 3 * 0.0433641, rel=1e-6
    )
    assert any("converted to eV" in note for note in document["summary"]["notes"])
    assert run(water) == 1
    assert "no frame has energy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["absent.xyz"], "absent.xyz: no such file"),
        (["{water}", "--units", "furlong/Å"], "unknown energy unit 'furlong'"),
        (["{water}", "--units", "hartree/bohr"], "leave the unit of positions open"),
        (["{water}", "--cutoff", "-1"], "--cutoff must lie between 0 and 100 Å, got -1"),
        (["{water}", "--forces-key", "grad"], "no frame has 'grad', named as forces key"),
        (["{water}", "--stress-key", "s", "--virial-key", "v"], "not both"),
        (["{water}", "--format", "exotic"], "unknown format 'exotic'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    water: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert run(*(word.format(water=water) for word in arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err
    assert captured.err.count("\n") == 1


def test_a_truncated_file_names_line_and_frame(
    water: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    water.write_text(water.read_text()[:-32])
    assert run(water) == 2
    assert (
        "line 11 (frame 2): expected 3 atoms, but the file ends after 2" in capsys.readouterr().err
    )
