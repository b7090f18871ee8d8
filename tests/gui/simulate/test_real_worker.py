"""The page with the real program: a small model, a short run, its frames, its script, the way on after a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gui.jobs.commands import PROGRAM
from gui.session import Session
from gui.views.common.page import PageState
from gui.views.simulate.page import SimulatePage

pytestmark = pytest.mark.slow

MAKE_MODEL = """
import sys, torch
from nequip_openmm.model.config import ModelConfig
from nequip_openmm.model.file import save_model
from nequip_openmm.model.nequip import NequIP
torch.manual_seed(3)
config = ModelConfig(species=("H", "C", "O"), cutoff=4.0, l_max=1, num_layers=2, num_features=4, radial_mlp_width=8,
                     avg_num_neighbors=5.0, per_type_energy_scales=0.1)
save_model(sys.argv[1], NequIP(config, torch.float32), {})
"""


@pytest.fixture
def page(make_session, tmp_path: Path, structure_file: Path, qtbot, monkeypatch) -> SimulatePage:
    pytest.importorskip("openmm")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    subprocess.run(
        [sys.executable, "-c", MAKE_MODEL, str(tmp_path / "small.safetensors")], check=True
    )
    session: Session = make_session("ok")
    session.jobs.program = list(PROGRAM)
    page = SimulatePage(session)
    qtbot.addWidget(page)
    page.show()
    page.open_file(tmp_path / "small.safetensors")
    page.open_file(structure_file)
    qtbot.waitUntil(lambda: page.state is PageState.READY)
    form = page.setup.form
    for name, value in {
        "trajectory_interval": 10,
        "thermo_interval": 10,
        "analysis_interval": 10,
        "checkpoint_interval": 50,
    }.items():
        form.set_value(name, value)
    return page


def test_check_run_steer_and_script(page: SimulatePage, qtbot, tmp_path: Path, answers) -> None:
    page.model.verify()
    qtbot.waitUntil(lambda: not page.model.is_verifying)
    assert page.model.verification["ok"] is True
    assert page.setup.checkBanner.text().startswith("Ready to run. ")
    page.setup.form.set_value("length", 500.0)
    page.setup.start()
    qtbot.waitUntil(lambda: page.state is PageState.RUNNING)
    assert page.model.set_knob("temperature", 350.0)
    qtbot.waitUntil(lambda: page.model.record.knobs["temperature"] == 350.0)
    qtbot.waitUntil(
        lambda: len(page.run.player.trajectory) > 5 and bool(page.model.record.rdf.y),
    )
    assert page.run.player.view.snapshot() is not None
    assert len(page.model.record.series.arrays("rms_force")[0])
    page.model.job.stop()
    qtbot.waitUntil(lambda: page.state is PageState.STOPPED)
    answers.ready["open_folder"] = tmp_path
    page.run.save_script()
    script = tmp_path / page.model.job.name / "simulate.py"
    compile(script.read_text(), str(script), "exec")
    assert "350" in script.read_text()


def test_a_crash_loses_nothing_and_the_run_goes_on(page: SimulatePage, qtbot) -> None:
    page.setup.form.set_value("length", 500.0)
    page.setup.start()
    qtbot.waitUntil(lambda: (page.model.record.checkpoint_step or 0) >= 100)
    os.kill(page.model.job.hello["pid"], signal.SIGSEGV)
    qtbot.waitUntil(lambda: page.state is PageState.FAILED)
    step = page.model.record.checkpoint_step
    assert f"{page.model.record.time_ps(step):.4g} ps" in page.run.trouble.buttons()[0].text()
    page.run.trouble.buttons()[0].click()
    qtbot.waitUntil(lambda: page.state is PageState.RUNNING)
    qtbot.waitUntil(lambda: page.model.record.last_step > step + 100)
    time_ps, _ = page.model.record.series.arrays("temp")
    assert (time_ps[1:] > time_ps[:-1]).all()  # no sample missing a place, none twice
    page.model.job.stop()
    qtbot.waitUntil(lambda: page.state is PageState.STOPPED)
