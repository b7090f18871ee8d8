"""Which backend is taken follows from versions alone, and a refusal names the versions that would work."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from nequip_openmm.errors import BackendError
from nequip_openmm.forces import backends

WORKING = {"torch": "2.9.1", "openmm": "8.5.2", "openmmtorch": "1.5"}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Versions that the package believes to be installed; tests change them."""
    versions = dict(WORKING)
    monkeypatch.setattr(backends, "_version", versions.get)
    return versions


def test_auto_takes_torch_force_where_everything_fits(installed: dict[str, str]) -> None:
    choice = backends.choose()
    assert choice.name == "TorchForce"
    assert "torch 2.9.1, openmm 8.5.2, openmmtorch 1.5" in choice.reason


@pytest.mark.parametrize(
    ("package", "version", "says"),
    [
        ("openmm", "8.6.1", "crashes when a TorchForce is copied"),
        ("openmm", "8.6.0.dev-abc", "crashes when a TorchForce is copied"),
        ("openmm", "9.0", "crashes when a TorchForce is copied"),
        ("torch", "2.10.0+cu128", "does not run with torch 2.10.0"),
        ("torch", "2.8.0", "does not run with torch 2.8.0"),
        ("openmmtorch", "1.4", "openmmtorch 1.4 is not known to work"),
        ("openmmtorch", "1.6", "openmmtorch 1.6 is not known to work"),
        ("openmmtorch", None, "openmmtorch is not installed"),
    ],
)
def test_versions_that_do_not_fit(
    installed: dict[str, str], package: str, version: str | None, says: str
) -> None:
    if version is None:
        del installed[package]
    else:
        installed[package] = version
    with pytest.raises(BackendError, match=says) as refusal:
        backends.choose("TorchForce")
    message = str(refusal.value)
    assert "\n" not in message
    assert "'openmmtorch==1.5'" in message
    assert "'torch>=2.9,<2.10'" in message
    auto = backends.choose("auto")
    assert auto.name == "PythonForce"
    assert says in auto.reason
    with pytest.raises(BackendError, match=says):
        backends.import_openmmtorch()


def test_an_old_openmm_has_no_backend(installed: dict[str, str]) -> None:
    installed["openmm"] = "8.4.0"
    assert [backend.works for backend in backends.available()] == [False, False, False]
    for name in ("auto", "PythonForce"):
        with pytest.raises(BackendError, match=r"needs OpenMM 8.5 or later, found 8.4.0"):
            backends.choose(name)


def test_without_openmm(installed: dict[str, str]) -> None:
    del installed["openmm"]
    for name in ("auto", "PythonForce", "TorchForce"):
        with pytest.raises(BackendError, match=r"pip install 'nequip-openmm\[openmm\]'"):
            backends.choose(name)


def test_openmm_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openmm", None)
    with pytest.raises(BackendError, match=r"nequip-openmm\[openmm\]"):
        backends.import_openmm()


def test_a_library_that_does_not_load(
    installed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openmmtorch", None)
    with pytest.raises(BackendError, match=r"openmmtorch does not load .*openmmtorch==1.5"):
        backends.import_openmmtorch()


@pytest.mark.parametrize("name", ["torchforce", "TorchForces", "", "CUDA", None])
def test_unknown_names(name: object) -> None:
    with pytest.raises(
        BackendError, match="choose auto, TorchForce, PythonForce or PythonTorchForce"
    ):
        backends.choose(name)  # type: ignore[arg-type]


def test_a_mistyped_name_is_corrected() -> None:
    with pytest.raises(BackendError, match="did you mean 'TorchForce'"):
        backends.choose("torchforce")


def test_asking_imports_neither_torch_nor_openmm() -> None:
    code = (
        "import sys; from nequip_openmm.forces.backends import available; available();"
        "print([m for m in ('torch', 'openmm', 'openmmtorch') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.skipif(not backends.available()[0].works, reason=backends.available()[0].reason)
def test_loading_openmmtorch_is_silent_and_leaves_logging_as_it_was() -> None:
    code = (
        "from nequip_openmm.forces.backends import import_openmmtorch as f; print(f().TorchForce)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "TorchForce" in result.stdout
    assert result.stderr == ""
    before = list(logging.getLogger().filters)
    backends.import_openmmtorch()
    assert logging.getLogger().filters == before


@pytest.mark.skipif(not backends.available()[0].works, reason=backends.available()[0].reason)
@pytest.mark.parametrize("first", ["openmm.app", "torch"])
def test_the_order_in_which_a_script_imports_does_not_matter(first: str) -> None:
    """With openmm before torch the plugin of openmmtorch misses torch's libraries at first."""
    code = (
        f"import {first}\n"
        "from nequip_openmm.forces.backends import import_openmmtorch\n"
        "openmmtorch = import_openmmtorch()\n"
        "import openmm, torch\n"
        "class Zero(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return 0.0 * x.sum()\n"
        "system = openmm.System()\n"
        "system.addParticle(1.0)\n"
        "system.addForce(openmmtorch.TorchForce(torch.jit.trace(Zero(), torch.zeros(1, 3))))\n"
        "for name in ('Reference', 'CPU'):\n"
        "    platform = openmm.Platform.getPlatformByName(name)\n"
        "    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)\n"
        "    context.setPositions([openmm.Vec3(0, 0, 0)])\n"
        "    context.getState(energy=True)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.skipif(not backends.available()[0].works, reason=backends.available()[0].reason)
def test_a_platform_on_which_torch_force_would_end_the_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Found by the function that OpenMM lacks; auto avoids it, and whoever insists is warned."""
    monkeypatch.setattr(backends, "incomplete_platforms", list)
    assert backends.choose_loaded().name == "TorchForce"
    monkeypatch.setattr(backends, "incomplete_platforms", lambda: ["OpenCL"])
    choice = backends.choose_loaded()
    assert choice.name == "PythonForce"
    assert choice.reason == "TorchForce would end the process on the platform OpenCL"
    assert not caplog.records
    assert backends.choose_loaded("TorchForce").name == "TorchForce"
    assert "use PythonForce there" in caplog.text


@pytest.mark.skipif(not backends.available()[0].works, reason=backends.available()[0].reason)
@pytest.mark.parametrize("first", ["openmm", "torch"])
def test_what_is_incomplete_is_never_run(first: str) -> None:
    """Whatever was imported first, a Simulation without a platform of its own goes on."""
    code = (
        f"import {first}, openmm\n"
        "from nequip_openmm.forces import NequIPPotential\n"
        "from tests.forces.cases import methanol, random_potential\n"
        "system = NequIPPotential(random_potential()).createSystem(methanol().topology)\n"
        "context = openmm.Context(system, openmm.VerletIntegrator(0.0005))\n"
        "context.setPositions(methanol().positions)\n"
        "context.getIntegrator().step(2)\n"
        "print('went on')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "went on" in result.stdout
