"""Frames read where events say they end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from shiboken6 import delete

from gui.core.frames import FrameBuffer
from gui.core.run_atoms import read_run_atoms
from gui.core.trajectory import cell_of, frame_ends, read_beads, read_frame
from gui.jobs import Jobs
from gui.viewmodels.trajectory import Trajectory
from gui.views.molecule.player import MoleculePlayer
from nequip_openmm.errors import DataError
from nequip_openmm.units import BOHR_TO_ANGSTROM

N = 5
RNG = np.random.default_rng(0)
POSITIONS = RNG.normal(scale=20.0, size=(7, N, 3))
CELL = np.array([[10.0, 0, 0], [2.0, 9.0, 0], [-1.0, 1.5, 11.0]])


@pytest.fixture
def jobs(qapp: object) -> Iterator[Jobs]:
    """Jobs that live as long as the test; a job does not keep them alive."""
    jobs = Jobs()
    yield jobs
    delete(jobs)


def write_extended_xyz(path: Path) -> list[int]:
    ends = []
    with path.open("w") as file:
        for k, positions in enumerate(POSITIONS):
            cell = " ".join(f"{x:.10g}" for x in CELL.ravel())
            file.write(
                f'{N}\nLattice="{cell}" pbc="T T T" Properties=species:S:1:pos:R:3:forces:R:3 '
                f"energy=-1.0 step={10**k} time_ps=0.1\n"
            )
            for r in positions:
                file.write("O  " + " ".join(f"{x:16.8f}" for x in (*r, *(-r))) + "\n")
            ends.append(file.tell())
    return ends


def write_ipi_xyz(
    path: Path, shift: float = 0.0, bead: int = 0, unit: str = "angstrom"
) -> list[int]:
    ends = []
    with path.open("w") as file:
        for k, positions in enumerate(POSITIONS):
            file.write(
                f"{N}\n# CELL(abcABC):   10.00000    9.00000   11.00000    90.00000    90.00000    90.00000"
                f"  Step: {10 * k:11d}  Bead: {bead:7d} positions{{{unit}}}  cell{{{unit}}}\n"
            )
            for r in positions + shift:
                file.write("       O " + " ".join(f"{x:12.5e}" for x in r) + "\n")
            ends.append(file.tell())
    return ends


def test_extended_xyz(tmp_path: Path) -> None:
    path = tmp_path / "trajectory.xyz"
    ends = write_extended_xyz(path)
    for k, end in enumerate(ends):
        frame = read_frame(path, end, N)
        assert np.allclose(frame.positions, POSITIONS[k], atol=1e-8)
        assert np.allclose(frame.forces, -POSITIONS[k], atol=1e-8)
        assert np.allclose(frame.cell, CELL)
        assert frame.step == 10**k
    assert [end for end, _ in frame_ends(path)] == ends


def test_a_frame_that_is_being_written_is_no_frame(tmp_path: Path) -> None:
    path = tmp_path / "trajectory.xyz"
    ends = write_extended_xyz(path)
    with path.open("r+b") as file:
        file.truncate(ends[-1] - 3)
    assert [end for end, _ in frame_ends(path)] == ends[:-1]
    with pytest.raises(DataError, match="no frame ends at byte"):
        read_frame(path, ends[-1], N)
    with pytest.raises(DataError, match="no frame ends at byte"):
        read_frame(path, ends[2] - 40, N)
    with pytest.raises(DataError, match="frame of 6 atoms"):
        read_frame(path, ends[3], 6)
    with pytest.raises(DataError, match="missing"):
        read_frame(tmp_path / "missing.xyz", 10, N)


@pytest.mark.parametrize("unit", ["angstrom", "atomic_unit"])
def test_ipi(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "simulation.xc.xyz"
    ends = write_ipi_xyz(path, unit=unit)
    scale = BOHR_TO_ANGSTROM if unit == "atomic_unit" else 1.0
    frame = read_frame(path, ends[4], N)
    assert np.allclose(frame.positions, scale * POSITIONS[4], rtol=1e-5)
    assert np.allclose(frame.cell, scale * np.diag([10, 9, 11]))
    assert frame.step == 40


def test_beads_of_a_step(tmp_path: Path) -> None:
    ends = write_ipi_xyz(tmp_path / "simulation.xc.xyz")
    paths = [tmp_path / f"simulation.pos_{k}.xyz" for k in range(3)]
    for k, path in enumerate(paths):
        write_ipi_xyz(path, shift=float(k), bead=10**k)
    for k in (0, 3, 6):
        beads = read_beads(paths, ends[k], N, 10 * k)
        assert beads is not None
        for p in range(3):
            assert np.allclose(beads[p], POSITIONS[k] + p, rtol=1e-5)
    assert read_beads(paths, ends[-1], N, 70) is None


@pytest.mark.parametrize("is_periodic", [True, False])
def test_dcd_as_openmm_writes_it(tmp_path: Path, is_periodic: bool) -> None:
    openmm = pytest.importorskip("openmm")
    pytest.importorskip("openmm.app")
    topology = openmm.app.Topology()
    residue = topology.addResidue("MOL", topology.addChain())
    for _ in range(N):
        topology.addAtom("O", openmm.app.Element.getBySymbol("O"), residue)
    box = 0.1 * CELL if is_periodic else None
    if is_periodic:
        topology.setPeriodicBoxVectors(box * openmm.unit.nanometer)
    path = tmp_path / "trajectory.dcd"
    ends = []
    with path.open("wb") as file:
        dcd = openmm.app.DCDFile(file, topology, 0.5 * openmm.unit.femtosecond, 20, 10)
        for positions in POSITIONS:
            dcd.writeModel(positions * openmm.unit.angstrom)
            file.flush()
            ends.append(path.stat().st_size)
    for k, end in enumerate(ends):
        frame = read_frame(path, end, N, step=20 + 10 * k)
        assert np.allclose(frame.positions, POSITIONS[k], atol=1e-5)
        assert np.allclose(frame.cell, CELL if is_periodic else 0, atol=1e-6)
    assert frame_ends(path) == [(end, 20 + 10 * k) for k, end in enumerate(ends)]
    with pytest.raises(DataError, match="elsewhere"):
        read_frame(path, ends[2] - 4, N)


def test_cells_from_lengths_and_angles() -> None:
    lengths = np.linalg.norm(CELL, axis=1)
    units = CELL / lengths[:, None]
    cosines = np.array([units[1] @ units[2], units[0] @ units[2], units[0] @ units[1]])
    assert np.allclose(cell_of(lengths, cosines), CELL)


def test_the_buffer_reads_what_is_looked_at_once() -> None:
    read: list[int] = []
    buffer = FrameBuffer(lambda key: read.append(key) or key, capacity=5)
    for k in range(8):
        buffer.append(k)
    assert list(buffer) == [3, 4, 5, 6, 7]
    assert not read
    assert (buffer.at(0), buffer.at(-1), buffer.at(0)) == (3, 7, 3)
    assert read == [3, 7]
    assert buffer.total == 8


def run_folder(tmp_path: Path, n_events: int, *, is_over: bool) -> Path:
    folder = tmp_path / "runs" / "water"
    folder.mkdir(parents=True)
    (folder / "spec.yaml").write_text("kind: pimd\n")
    (folder / "template.xyz").write_text(
        f'{N}\nProperties=species:S:1:pos:R:3 pbc="F F F"\n' + "O 0 0 0\n" * N
    )
    ends = write_ipi_xyz(folder / "simulation.xc.xyz")
    for k in range(2):
        write_ipi_xyz(folder / f"simulation.pos_{k}.xyz", shift=0.3 * k)
    events = ['{"v": 1, "ev": "hello", "t": 1.0, "kind": "pimd", "pid": 999999999}']
    events += [frame_event(k, ends) for k in range(n_events)]
    if is_over:
        events.append('{"v": 1, "ev": "done", "t": 1.0, "reason": "finished"}')
    (folder / "events.jsonl").write_text("\n".join(events) + "\n")
    return folder


def frame_event(k: int, ends: list[int]) -> str:
    return f'{{"v": 1, "ev": "frame", "t": 1.0, "step": {10 * k}, "path": "simulation.xc.xyz", "bytes": {ends[k]}}}'


def test_which_atoms_a_run_has(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, 1, is_over=True)
    assert read_run_atoms(folder).numbers.tolist() == [8] * N
    assert not read_run_atoms(folder).is_periodic
    (folder / "topology.pdb").write_text(
        "CRYST1   12.430   12.430   12.430  90.00  90.00  90.00 P 1           1 \n"
        "HETATM    1  O1  MOL 1   1       1.604   0.504   1.725  1.00  0.00           O  \n"
        "HETATM    2 Cl1  MOL 1   1       0.755   0.899   1.463  1.00  0.00          Cl  \n"
    )
    assert read_run_atoms(folder).numbers.tolist() == [8, 17]
    assert read_run_atoms(folder).is_periodic
    with pytest.raises(DataError, match="which atoms"):
        read_run_atoms(tmp_path)


def test_a_finished_run_shows_all_its_frames(qtbot, jobs: Jobs, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    job = jobs.attach(run_folder(tmp_path, 2, is_over=True))
    qtbot.waitUntil(lambda: not job.is_alive)
    trajectory = Trajectory()
    with qtbot.waitSignal(trajectory.frame_changed) as shown:
        trajectory.set_job(job)
    assert len(trajectory) == len(POSITIONS)
    frame = shown.args[0]
    assert frame.step == 60
    assert frame.beads.shape == (2, N, 3)
    assert np.allclose(frame.positions, POSITIONS[-1] + 0.15, rtol=1e-4)
    trajectory.show(2)
    assert (trajectory.step, trajectory.index, trajectory.is_live) == (20, 2, False)
    trajectory.go_live()
    assert (trajectory.step, trajectory.is_live) == (60, True)


def test_playing_ends_at_the_last_frame(qtbot, jobs: Jobs, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    job = jobs.attach(run_folder(tmp_path, 2, is_over=True))
    qtbot.waitUntil(lambda: not job.is_alive)
    player = MoleculePlayer()
    qtbot.addWidget(player)
    player.setJob(job, 0.5)
    qtbot.waitUntil(lambda: player.trajectory.step == 60)
    player.scrubber.playButton.click()
    assert player.trajectory.is_playing
    qtbot.waitUntil(lambda: not player.trajectory.is_playing)
    assert player.trajectory.step == 60
    player.scrubber.slider.setValue(1)
    assert player.trajectory.step == 10
    assert not player.scrubber.liveButton.isChecked()
    player.scrubber.liveButton.click()
    assert player.scrubber.liveButton.isChecked()
    assert player.view.snapshot().beads.shape == (2, N, 3)
    assert not player.view.snapshot().is_periodic


def test_frames_come_while_a_person_looks_back(qtbot, jobs: Jobs, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = run_folder(tmp_path, 2, is_over=False)
    job = jobs.attach(folder)
    qtbot.waitUntil(lambda: len(job.events("frame")) == 2)
    trajectory = Trajectory()
    trajectory.set_job(job)
    trajectory.show(0)
    ends = [end for end, _ in frame_ends(folder / "simulation.xc.xyz")]
    with (folder / "events.jsonl").open("a") as file:
        file.write(frame_event(2, ends) + "\n")
    qtbot.waitUntil(lambda: len(trajectory) == 3 or not job.is_alive)
    assert trajectory.step == 0


def test_a_file_that_is_gone_is_told(qtbot, jobs: Jobs, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = run_folder(tmp_path, 2, is_over=False)
    (folder / "simulation.xc.xyz").unlink()
    job = jobs.attach(folder)
    qtbot.waitUntil(lambda: len(job.events("frame")) == 2)
    player = MoleculePlayer()
    qtbot.addWidget(player)
    with qtbot.waitSignal(player.trajectory.failed) as failed:
        player.setJob(job)
    assert "simulation.xc.xyz" in failed.args[0]


@pytest.mark.parametrize("is_looking_back", [False, True])
def test_all_frames_are_there_once_the_run_is_over(
    qtbot, jobs: Jobs, tmp_path: Path, is_looking_back: bool
) -> None:  # type: ignore[no-untyped-def]
    folder = run_folder(tmp_path, 3, is_over=False)
    lines = (folder / "events.jsonl").read_text().splitlines()
    hello = {"v": 1, "ev": "hello", "t": time.time(), "kind": "pimd", "pid": os.getpid()}
    (folder / "events.jsonl").write_text("\n".join([json.dumps(hello), *lines[1:]]) + "\n")
    job = jobs.attach(folder)
    qtbot.waitUntil(lambda: len(job.events("frame")) == 3)
    trajectory = Trajectory()
    trajectory.set_job(job)
    if is_looking_back:
        trajectory.show(1)
    with (folder / "events.jsonl").open("a") as file:
        file.write('{"v": 1, "ev": "done", "t": 1.0, "reason": "finished"}\n')
    qtbot.waitUntil(lambda: len(trajectory) == len(POSITIONS))
    qtbot.waitUntil(lambda: trajectory.step == (10 if is_looking_back else 60))
    assert trajectory.index == (1 if is_looking_back else 6)
