"""The validator finds what i-PI itself finds late or never, and nothing in inputs that are right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ipi_driver.inputs import PimdSpec, input_xml, new_address, read_start
from ipi_driver.inputs.validate import refuse_errors, validate_input
from nequip_openmm.errors import ConfigError

Make = Callable[..., PimdSpec]


@pytest.fixture
def written(make_spec: Make, box: Path, tmp_path: Path) -> Callable[..., Path]:
    """Write an input, with replacements in its text."""
    pytest.importorskip("ipi", reason="needs i-PI: pip install 'nequip-openmm[ipi]'")

    def write(*replacements: tuple[str, str], **changes: object) -> Path:
        spec = make_spec(**{"structure": box, **changes})
        start = read_start(spec.structure)
        start.write(tmp_path)
        text = input_xml(spec, start, new_address(spec))
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "input.xml"
        path.write_text(text)
        return path

    return write


SPECIES, CUTOFF = ("H", "C", "O"), 4.0


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "pimd"},
        {"mode": "trpmd", "trajectory": "centroid"},
        {"mode": "rpmd", "trajectory": "beads"},
        {"mode": "classical", "beads": 1},
        {"mode": "npt", "barostat": "isotropic"},
        {"mode": "npt", "barostat": "anisotropic"},
        {"mode": "minimise", "beads": 1},
        {"mode": "remd", "temperatures": (300.0, 330.0, 360.0)},
        {"socket": "inet"},
    ],
)
def test_what_we_write_is_right(changes: dict, written: Callable[..., Path]) -> None:
    path = written(**changes)
    findings = validate_input(path, species=SPECIES, cutoff=CUTOFF, template=list("COHHHH"))
    assert findings == []


@pytest.mark.parametrize(
    ("old", "new", "level", "message"),
    [
        ("kinetic_td{", "kinetic_dt{", "error", "none of this name (did you mean 'kinetic_td'?)"),
        ("{kelvin},", "{kelvni},", "error", "unit 'kelvni'"),
        (" positions{angstrom}", " position{angstrom}", "error", "did you mean 'positions'?"),
        (" positions{angstrom}", " positions{anstrom}", "error", "unit 'anstrom'"),
        ('format="xyz"', 'format="ase"', "error", "trajectory positions{angstrom}: format='ase'"),
        ('filename="xc"', 'filename="pos"', "error", "two outputs have this filename"),
        ("pressure_cv", "pressure_md", "warning", "4 times too large; use pressure_cv"),
        ("<timeout> 600 <", "<timeout> 0 <", "warning", "waits for ever"),
        ("<timeout> 600 <", "<timeout> 5 <", "warning", "shorter than the first evaluation"),
        ("<address> nequip", f"<address> {'n' * 100}", "error", "longer than 107 bytes"),
        ('mode="unix"', 'mode="unix" matching="lock"', "error", "matching='lock'"),
        ("<batch_size> 4 <", "<batch_size> 16 <", "warning", "keeps batches full"),
        ("total_steps>", "steps_total>", "error", "i-PI refuses it"),
    ],
)
def test_mistakes_are_found(
    old: str, new: str, level: str, message: str, written: Callable[..., Path]
) -> None:
    path = written((old, new))
    found = [f for f in validate_input(path, species=SPECIES, cutoff=CUTOFF) if message in str(f)]
    assert [finding.level for finding in found] == [level]


def test_structure_and_model_are_compared(written: Callable[..., Path]) -> None:
    findings = validate_input(written(), species=("H", "O"), cutoff=9.0, template=list("OCHHHH"))
    text = "\n".join(map(str, findings))
    assert "the model knows H, O, not C" in text
    assert "differ from those of the driver's template" in text
    assert "the cell is 6.8" in text
    with pytest.raises(ConfigError, match=r"not C .and 1 more"):
        refuse_errors(Path("input.xml"), findings)


def test_a_file_that_is_no_xml(tmp_path: Path) -> None:
    (tmp_path / "input.xml").write_text("<simulation> <oops")
    with pytest.raises(ConfigError, match="is not XML"):
        validate_input(tmp_path / "input.xml")
    with pytest.raises(ConfigError, match="cannot be read"):
        validate_input(tmp_path / "none.xml")
