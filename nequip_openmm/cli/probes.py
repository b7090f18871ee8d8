"""What ``nequip-openmm check`` tries, each in a process of its own: ``python -m nequip_openmm.cli.probes NAME [ARGUMENT ...]``.

Libraries that do not fit together can end a process without a message, which the command must survive. A probe prints what it
found as one line of text; it fails by an exception.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

import numpy as np

from nequip_openmm.errors import BackendError
from nequip_openmm.units import EV_TO_KJ_PER_MOL

__all__ = ["PROBES", "run"]

TIMEOUT = 300.0  # s, with a compilation on a busy machine
AGREEMENT = 1e-6  # of the interaction energy, for a network in float32
WATER = np.array([[0.0, 0.0, 0.0], [0.76, 0.59, 0.0], [-0.76, 0.59, 0.0]])


def run(name: str, *arguments: str) -> tuple[bool, str]:
    """Return whether a probe, run in its own process, succeeded, and what it found or what is wrong, in one line."""
    command = [sys.executable, "-m", __name__, name, *arguments]
    try:
        found = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer within {TIMEOUT:g} s"
    if found.returncode == 0:
        return True, found.stdout.strip().splitlines()[-1]
    last = (found.stderr.strip().splitlines() or ["no message"])[-1]
    if found.returncode == 1:  # an exception, whose last line is "module.Kind: message"
        return False, last.partition(": ")[2] or last
    return False, f"the process ended with {found.returncode}: {last}"


def platforms() -> str:
    """Names of OpenMM's platforms, separated by spaces."""
    import openmm

    n = openmm.Platform.getNumPlatforms()
    return " ".join(openmm.Platform.getPlatform(i).getName() for i in range(n))


def platform(name: str) -> str:
    """Make a Context on a platform and say on which device."""
    import openmm

    system = openmm.System()
    system.addParticle(1.0)
    chosen = openmm.Platform.getPlatformByName(name)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), chosen)
    context.setPositions([openmm.Vec3(0, 0, 0)])
    context.getIntegrator().step(1)
    shown = [
        key for key in ("DeviceName", "Threads", "Precision") if key in chosen.getPropertyNames()
    ]
    return ", ".join(f"{key} {chosen.getPropertyValue(context, key)}" for key in shown) or "works"


def engine() -> str:
    """Compare the fused engine with the reference."""
    from nequip_openmm.potential import Potential

    model = _model()
    energies = [
        Potential(model, engine=name).evaluate(_water()).energy for name in ("fused", "reference")
    ]
    _compare(*energies)
    return f"test energy {energies[0]:.6f} eV, as the reference"


def backend(name: str, platform: str) -> str:
    """Compare the energy that OpenMM gets by a backend on a platform with that of the potential."""
    import openmm

    from nequip_openmm.forces import NequIPPotential, from_ase
    from nequip_openmm.forces.backends import import_openmmtorch, incomplete_platforms
    from nequip_openmm.potential import Potential

    if name == "TorchForce":
        import_openmmtorch()
        if platform in incomplete_platforms(loaded=False):
            raise BackendError(f"openmmtorch lacks a function of OpenMM on {platform}")
    potential, structure = Potential(_model()), from_ase(_water())
    system = NequIPPotential(potential).createSystem(structure.topology, backend=name)
    chosen = openmm.Platform.getPlatformByName(platform)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), chosen)
    context.setPositions(structure.positions)
    energy = context.getState(energy=True).getPotentialEnergy()
    found = energy.value_in_unit(openmm.unit.kilojoule_per_mole)
    _compare(found / EV_TO_KJ_PER_MOL, potential.evaluate(_water()).energy)
    return f"test energy {found:.4f} kJ/mol, as the potential"


def cuda() -> str:
    """GPUs that PyTorch sees."""
    import torch

    n = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return (
        ", ".join(torch.cuda.get_device_name(i) for i in range(n))
        or "no GPU: models run on the CPU"
    )


def openmmml() -> str:
    """Whether openmm-ml knows the potential."""
    from openmmml import MLPotential

    if "nequip-openmm" not in MLPotential._implFactories:
        raise BackendError(
            "openmm-ml does not know 'nequip-openmm': pip install nequip-openmm again"
        )
    return f"openmm-ml {metadata.version('openmmml')}: MLPotential('nequip-openmm', modelPath=...)"


def ipi() -> str:
    """i-PI's version and command."""
    importlib.import_module("ipi")
    beside = os.path.join(os.path.dirname(sys.executable), "i-pi")
    command = shutil.which("i-pi") or (beside if os.path.exists(beside) else None)
    if command is None:
        raise BackendError("the command i-pi is missing: pip install --force-reinstall ipi")
    return f"i-PI {metadata.version('ipi')}: {command}"


def qt() -> str:
    """Whether Qt's libraries load and a window can be made."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    core = importlib.import_module("PySide6.QtCore")
    widgets = importlib.import_module("PySide6.QtWidgets")
    importlib.import_module("pyqtgraph")
    application = widgets.QApplication([])
    widgets.QWidget().show()
    application.processEvents()
    return f"Qt {core.qVersion()}, platform {os.environ['QT_QPA_PLATFORM']}"


def _model() -> Any:
    """Return a small network with fixed random weights."""
    import torch

    from nequip_openmm.model.config import ModelConfig
    from nequip_openmm.model.nequip import NequIP

    torch.manual_seed(0)
    settings: dict[str, Any] = {"species": ("H", "O"), "cutoff": 4.0, "num_layers": 2}
    return NequIP(ModelConfig(**settings, num_features=8, avg_num_neighbors=2.0), torch.float32)


def _water() -> Any:
    import ase

    return ase.Atoms("OHH", WATER)


def _compare(found: float, expected: float) -> None:
    if not abs(found - expected) <= AGREEMENT * max(abs(expected), 1.0):
        raise BackendError(f"wrong energy: {found!r} instead of {expected!r} eV")


PROBES: dict[str, Callable[..., str]] = {
    "platforms": platforms,
    "platform": platform,
    "engine": engine,
    "backend": backend,
    "cuda": cuda,
    "openmmml": openmmml,
    "ipi": ipi,
    "qt": qt,
}


if __name__ == "__main__":
    sys.stdout.write(f"{PROBES[sys.argv[1]](*sys.argv[2:])}\n")
