"""Reports are one valid HTML file that holds everything."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from PIL import Image

from nequip_openmm.analysis.report import (
    Section,
    dataset_section,
    errors_section,
    simulation_section,
    timings_section,
    training_section,
    write_report,
)

VOID = {"meta", "img"}


class _Checker(HTMLParser):
    """Collects text and pictures and checks that tags nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.images: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.images.append(str(dict(attrs)["src"]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


def _read(path: Path) -> _Checker:
    checker = _Checker()
    checker.feed(path.read_text(encoding="utf-8"))
    assert checker.open == []
    return checker


def test_a_report_holds_text_tables_pictures_and_commands(tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    Image.new("RGB", (4, 4)).save(picture)
    thermo = tmp_path / "thermo.csv"
    header = "time_ps,temperature_K,potential_eV,total_eV,max_force_eV_per_A"
    thermo.write_text("\n".join([header, *(f"{k},30{k % 3},-5,-4,{k}" for k in range(50))]) + "\n")
    errors = {"energy_mae_mev_per_atom": 0.51, "forces_mae_mev_per_angstrom": 21.249}
    path = write_report(
        tmp_path / "report.html",
        "Methanol <CCSD(T)>",
        [
            dataset_section("methanol", {"frames": 300}, {"training": 220, "test": 50}),
            training_section({"weights": 1234}, picture),
            errors_section(errors, 50, picture),
            simulation_section(tmp_path, {"ensemble": "nvt"}, picture),
            timings_section({"train": 170.25, "test": 2.0}),
            Section("Again", "First.\n\nSecond & last.", code="./run demo"),
        ],
        lead="Force error 21.2 meV/Å.",
    )
    page = _read(path)
    assert page.text.count("Methanol <CCSD(T)>") == 2
    for expected in (
        "220 training, 50 test",
        "1234",
        "0.51",
        "21.25",
        "mean temperature (K)",
        "49.00",
        "172.2",
        "Second & last.",
        "./run demo",
        "Force error 21.2 meV/Å.",
    ):
        assert expected in page.text
    assert len(page.images) == 3
    assert all(image.startswith("data:image/png;base64,") for image in page.images)
