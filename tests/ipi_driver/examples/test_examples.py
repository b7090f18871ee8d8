"""Every example of examples/ipi runs: with plain i-PI and the driver, as job script, and as one command; shortened."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.io import read

from ipi_driver.analysis.averages import summarise
from ipi_driver.analysis.run import open_runs
from ipi_driver.inputs import PimdSpec
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.file import save_model
from nequip_openmm.model.nequip import NequIP
from nequip_openmm.settings import load_yaml, validate

pytest.importorskip("ipi")

EXAMPLES = Path(__file__).parents[3] / "examples" / "ipi"
BIN = Path(sys.executable).parent
STEPS = 10
SEVERAL = {"remd": 4}
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": f"{BIN}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the examples with a model of random weights and weak forces, few steps and addresses of its own."""
    torch.manual_seed(3)
    config = ModelConfig(
        species=("H", "C", "O"), cutoff=4.0, l_max=1, num_layers=2, num_features=4, radial_mlp_width=8,
        avg_num_neighbors=5.0, per_type_energy_scales=0.1,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("examples") / "ipi"
    shutil.copytree(EXAMPLES, folder)
    save_model(folder / "model.safetensors", NequIP(config, torch.float64), {})
    suffix = uuid.uuid4().hex[:8]
    for path in folder.glob("*/input.xml"):
        text = re.sub(r"<total_steps> \d+ ", f"<total_steps> {STEPS} ", path.read_text())
        path.write_text(re.sub(r"<address> (\S+)-", rf"<address> {suffix}-\1-", text))
    return folder


def address(folder: Path) -> str:
    return re.findall(r"<address> (\S+) ", (folder / "input.xml").read_text())[0]


def start_plainly(folder: Path, structure: str) -> None:
    """Run i-PI and the driver in the folder of an example, as its README says."""
    driver = [BIN / "nequip-ipi-driver", "--model", "../model.safetensors", "--template", f"../{structure}.xyz",
              "--unix", "--address", address(folder)]  # fmt: skip
    with (folder / "i-pi.log").open("w") as log:
        server = subprocess.Popen([BIN / "i-pi", "input.xml"], cwd=folder, env=ENVIRONMENT, stdout=log, stderr=log)  # fmt: skip
        try:
            done = subprocess.run(driver, cwd=folder, env=ENVIRONMENT, timeout=300, capture_output=True, text=True, check=False)  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert server.wait(timeout=300) == 0
        finally:
            server.kill()
            server.wait()
    assert "I-PI reports success" in (folder / "i-pi.log").read_text()


def assert_finished(folder: Path, n_systems: int = 1) -> None:
    outputs = sorted(folder.glob("*simulation.out"))
    assert len(outputs) == n_systems
    for path in outputs:
        columns = np.loadtxt(path)
        assert columns[-1, 0] == STEPS
        assert np.isfinite(columns).all()


def test_start_structures_are_those_of_the_script(tmp_path: Path) -> None:
    (tmp_path / "ipi").mkdir()
    shutil.copy(EXAMPLES / "make_start.py", tmp_path / "ipi")
    shutil.copy(EXAMPLES.parent / "methanol.pdb", tmp_path)
    subprocess.run([sys.executable, tmp_path / "ipi" / "make_start.py"], check=True, timeout=300)
    for name in ("methanol.xyz", "water.xyz"):
        made, shipped = read(tmp_path / "ipi" / name), read(EXAMPLES / name)
        assert made.symbols.get_chemical_formula() == shipped.symbols.get_chemical_formula()
        np.testing.assert_allclose(made.positions, shipped.positions, atol=2e-6)
        np.testing.assert_allclose(made.cell.array, shipped.cell.array)


def test_water_has_its_density_and_no_overlaps() -> None:
    box = read(EXAMPLES / "water.xyz")
    assert box.get_masses().sum() * 1.66053907 / box.get_volume() == pytest.approx(0.997, abs=1e-3)
    distances = box.get_all_distances(mic=True)
    molecule = np.repeat(np.arange(32), 3)
    assert distances[molecule[:, None] != molecule].min() > 1.5


@pytest.mark.slow
def test_plain_i_pi_runs_every_example(copied: Path) -> None:
    # trpmd and rpmd go on from what pimd leaves
    for name in ("pimd", "trpmd", "rpmd", "remd", "npt"):
        start_plainly(copied / name, "water" if name == "npt" else "methanol")
        assert_finished(copied / name, SEVERAL.get(name, 1))
    subprocess.run([BIN / "i-pi-remdsort", "RESTART"], cwd=copied / "remd", check=True, timeout=300, capture_output=True)  # fmt: skip
    temperatures = [run.replica.temperature for run in open_runs(copied / "remd")]
    assert temperatures == pytest.approx([300, 378, 476, 600])
    (run,) = open_runs(copied / "npt", skip=0.0)
    assert {"density", "pressure_cv"} <= set(summarise(run).means)
    start = open_runs(copied / "rpmd", skip=0.0)[0].series["kinetic_cv"].values[0]
    end = open_runs(copied / "pimd", skip=0.0)[0].series["kinetic_cv"].values[-1]
    assert start == pytest.approx(end, rel=1e-6)  # the same beads, so it was a continuation


@pytest.mark.slow
def test_one_command_runs_an_example(copied: Path) -> None:
    command = [BIN / "nequip-openmm", "pimd", "pimd/run.yaml", f"steps={STEPS}", "max_force=1e4",
               "--model", "model.safetensors", "--output", "my-pimd"]  # fmt: skip
    done = subprocess.run(command, cwd=copied, env=ENVIRONMENT, timeout=300, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert_finished(copied / "my-pimd")


@pytest.mark.parametrize("name", ["pimd", "trpmd", "rpmd", "remd", "npt"])
def test_settings_of_the_command_are_those_of_the_input(name: str) -> None:
    spec = validate(PimdSpec, load_yaml(EXAMPLES / name / "run.yaml") | {"model": "m"}, name)
    text = (EXAMPLES / name / "input.xml").read_text()
    assert spec.mode == name
    assert (EXAMPLES / spec.structure).is_file()
    assert f"nbeads='{spec.n_beads}'" in text
    assert f"<total_steps> {spec.steps} " in text
    assert f"<timestep units='femtosecond'> {spec.timestep:g} <" in text
    for replica, temperature in enumerate(spec.temperatures):
        assert f"[ r{replica}, {temperature:g} ]" in text


SRUN = """#!/bin/bash
trap 'kill $(jobs -p)' TERM
n=1; while [[ $1 == --* ]]; do [[ $1 == --ntasks=* ]] && n=${1#*=}; shift; done
for ((k = 0; k < n; k++)); do SLURM_PROCID=$k "$@" & done; wait
"""


@pytest.mark.slow
def test_job_script_shares_the_beads_among_drivers(copied: Path, tmp_path: Path) -> None:
    srun = tmp_path / "srun"  # stands in for SLURM's: so many processes on this machine
    srun.write_text(SRUN)
    srun.chmod(0o755)
    environment = {**ENVIRONMENT, "PATH": f"{tmp_path}:{ENVIRONMENT['PATH']}", "HOST": "127.0.0.1", "SLURM_NTASKS": "2"}  # fmt: skip
    folder = copied / "cluster"
    text = (folder / "input.xml").read_text()
    (folder / "input.xml").write_text(
        text.replace(f"> {STEPS} </total_steps", "> 100000 </total_steps")
    )
    logs = [folder / f"driver-{k}.log" for k in range(2)]
    with subprocess.Popen(["bash", "job.sh"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as job:  # fmt: skip
        wait_for(lambda: all("has answered the first request" in said(log) for log in logs))
        job.terminate()  # as the scheduler does when the time is up
        printed, _ = job.communicate(timeout=300)
    assert "Restartable as is: YES" in printed
    for log in logs:
        assert "i-PI has sent EXIT" in said(log)
        assert re.search(r"[1-9]\d* structures in", said(log))


def said(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
