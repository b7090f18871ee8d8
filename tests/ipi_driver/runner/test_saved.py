"""States of earlier runs that cannot be started from are refused before anything is written."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from ipi_driver.inputs.saved import check_saved
from nequip_openmm.errors import StructureError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: No such file"),
        ("<simulation> <system> cut sh", "is no RESTART or checkpoint of i-PI, or was cut short"),
        ("<simulation/>", "holds no atoms"),
        ("<a><beads><names shape='(2)'> [ C, O ] </names></beads></a>", r"\(2 atoms\) differ"),
        ("<a><beads><names shape='(3)'> [ C, H,\n O ] </names></beads></a>", "differ"),
        ("<a><beads><names shape='(3)'> [ C, O,\n H ] </names></beads></a>", ""),
    ],
)
def test_a_state_to_start_from_holds_the_same_atoms(
    text: str | None, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "RESTART"
    if text is not None:
        path.write_text(text)
    with pytest.raises(StructureError, match=said) if said else nullcontext():
        check_saved(path, ["C", "O", "H"])
