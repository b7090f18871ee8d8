"""What lies where is read from i-PI's input, in all the forms that it may have."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ipi_driver.analysis.averages import summarise
from ipi_driver.analysis.layout import read_layout
from ipi_driver.analysis.run import open_runs
from ipi_driver.analysis.tables import estimators_text
from nequip_openmm.errors import DataError

from .conftest import write_input

TEMPLATE = """<system_template><labels>[PREFIX, TEMP, TEMP2]</labels>
<instance>[cold, 300, x]</instance><instance>[hot, 450, y]</instance>
<template><system prefix='PREFIX'>
<initialize nbeads='4'><file mode='xyz'>init.xyz</file></initialize><forces><force forcefield='ff'/></forces>
<ensemble><temperature units='kelvin'>TEMP</temperature></ensemble>
<motion mode='dynamics'><dynamics mode='nvt'><timestep units='femtosecond'>0.5</timestep>
<thermostat mode='pile_g'><tau units='femtosecond'>25</tau></thermostat></dynamics></motion>
</system></template></system_template>
"""


def replica_exchange(folder: Path, smotion: str) -> None:
    write_input(folder, beads=4)
    text = (folder / "input.xml").read_text()
    start, end = text.index("<system>"), text.index("</simulation>")
    (folder / "input.xml").write_text(text[:start] + TEMPLATE + smotion + text[end:])


REMD = "<smotion mode='remd'><remd><stride>10</stride></remd></smotion>"


def test_input_tells_what_was_simulated(by_hand: Path) -> None:
    (replica,) = read_layout(by_hand)
    assert replica.properties == (by_hand / "simulation.out",)
    assert replica.positions == (by_hand / "simulation.pos_0.xyz",)
    assert replica.centroid == by_hand / "simulation.xc.xyz"
    assert (replica.n_beads, replica.mode) == (1, "nvt")
    assert replica.temperature == pytest.approx(300.0)
    assert replica.timestep == pytest.approx(0.25)


def test_restart_tells_the_same(harmonic) -> None:
    folder = harmonic(4)
    (expected,) = read_layout(folder)
    (folder / "input.xml").rename(folder / "kept")
    try:
        (found,) = read_layout(folder)
    finally:
        (folder / "kept").rename(folder / "input.xml")
    assert found.timestep == pytest.approx(expected.timestep)  # i-PI prints nine digits
    assert replace(found, timestep=expected.timestep, temperature=expected.temperature) == expected


def test_systems_of_a_template_have_their_own_files_and_temperatures(tmp_path: Path) -> None:
    replica_exchange(tmp_path, "")
    for name in ("cold", "hot"):
        (tmp_path / f"{name}_simulation.out").touch()
    replicas = read_layout(tmp_path)
    assert [one.temperature for one in replicas] == pytest.approx([300.0, 450.0])
    assert [one.properties[0].name for one in replicas] == ["cold_simulation.out", "hot_simulation.out"]  # fmt: skip


def test_replicas_that_exchange_are_read_sorted_only(tmp_path: Path) -> None:
    replica_exchange(tmp_path, REMD)
    (tmp_path / "cold_simulation.out").touch()
    with pytest.raises(DataError, match="i-pi-remdsort RESTART"):
        read_layout(tmp_path)
    for name in ("cold", "hot"):
        (tmp_path / f"SRT_{name}_simulation.out").touch()
    assert [one.properties[0].name for one in read_layout(tmp_path)] == [
        "SRT_cold_simulation.out",
        "SRT_hot_simulation.out",
    ]
    later = (tmp_path / "SRT_hot_simulation.out").stat().st_mtime + 10.0
    os.utime(tmp_path / "cold_simulation.out", (later, later))
    with pytest.raises(DataError, match="gone on since it was sorted"):
        read_layout(tmp_path)


def test_masses_of_the_input_are_noticed(by_hand: Path) -> None:
    text = (by_hand / "input.xml").read_text()
    masses = "<masses mode='manual' units='dalton'>[16, 2, 2, 16]</masses></initialize>"
    (by_hand / "input.xml").write_text(text.replace("</initialize>", masses))
    assert read_layout(by_hand)[0].has_own_masses


@pytest.mark.parametrize(("off_diagonal", "is_piglet"), [(0, False), (20, True)])
def test_piglet_is_known_by_its_covariance(
    off_diagonal: int, is_piglet: bool, by_hand: Path
) -> None:
    """A coloured thermostat of one temperature, as for TRPMD, leaves all estimators their meaning."""
    text = (by_hand / "input.xml").read_text()
    start, end = text.index("<thermostat"), text.index("</thermostat>")
    matrices = (
        "<thermostat mode='nm_gle'><A shape='(1,2,2)'> [1, 1, -1, 1] </A>"
        f"<C shape='(1,2,2)' units='kelvin'> [300, {off_diagonal}, {off_diagonal}, 300] </C>"
    )
    (by_hand / "input.xml").write_text(text[:start] + matrices + text[end:])
    (run,) = open_runs(by_hand)
    assert run.replica.is_piglet == is_piglet
    assert ("coloured" in estimators_text(summarise(run))) == is_piglet


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("<simulation", "<simulatoin"), "no input that i-PI can read"),
        (("femtosecond", "fortnight"), "no input that i-PI can read"),
        (("</system>", ""), "no input that i-PI can read"),
    ],
)
def test_inputs_at_fault_are_one_line(by_hand: Path, change: tuple[str, str], message: str) -> None:
    text = (by_hand / "input.xml").read_text()
    (by_hand / "input.xml").write_text(text.replace(*change))
    with pytest.raises(DataError, match=message) as caught:
        read_layout(by_hand)
    assert "\n" not in str(caught.value)


def test_an_optimisation_has_no_averages(by_hand: Path) -> None:
    text = (by_hand / "input.xml").read_text()
    start, end = text.index("<motion"), text.index("</system>")
    (by_hand / "input.xml").write_text(text[:start] + "<motion mode='minimize'/>" + text[end:])
    with pytest.raises(DataError, match="'minimize', not of dynamics"):
        read_layout(by_hand)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no input\.xml"):
        read_layout(tmp_path)
    with pytest.raises(DataError, match="is no folder"):
        read_layout(tmp_path / "none")
