"""Where a run computes: OpenMM's platform, the device of the model, and how the model enters OpenMM."""

from __future__ import annotations

import openmm

from nequip_openmm.errors import BackendError
from nequip_openmm.forces.backends import Choice, choose_loaded, incomplete_platforms
from nequip_openmm.simulation.spec import SimulationSpec

__all__ = ["choose_backend", "choose_platform", "model_device", "platform_properties"]

_GPU_PLATFORMS = ("CUDA", "HIP")
_CPU_PLATFORMS = ("CPU", "Reference")


def choose_platform(spec: SimulationSpec) -> Choice:
    """Return the name of the platform and why it was taken.

    Raises
    ------
    BackendError
        Naming the platforms there are, if the one asked for is not among them.
    """
    known = [
        openmm.Platform.getPlatform(i).getName() for i in range(openmm.Platform.getNumPlatforms())
    ]
    if spec.platform == "auto":
        return _automatic_platform(known)
    if spec.platform not in known:
        raise BackendError(f"platform {spec.platform}: this OpenMM has {', '.join(known)}")
    return Choice(spec.platform, "asked for")


def platform_properties(name: str, spec: SimulationSpec) -> dict[str, str]:
    """Return the properties that the platform of that name is created with.

    The CPU platform gets one thread: the model, which does nearly all the work, has threads of its own, and a fixed
    number makes a run repeatable, because every thread of the platform draws its own random numbers.
    """
    if name == "CPU":
        return {"Threads": "1"}
    if name == "Reference":
        return {}
    properties: dict[str, str] = {
        "Precision": "mixed" if spec.precision == "auto" else spec.precision
    }
    if spec.device is not None and ":" in spec.device:
        properties["DeviceIndex"] = spec.device.partition(":")[2]
    return properties


def model_device(name: str, spec: SimulationSpec) -> str | None:
    """Return the PyTorch device asked for, else that of the platform of that name; None takes a GPU if there is one."""
    if spec.device is None and (name in _CPU_PLATFORMS or spec.engine == "fused"):
        return "cpu"
    return spec.device


def choose_backend(spec: SimulationSpec) -> Choice:
    """Return how the model enters OpenMM on the platform of a run, and why.

    Raises
    ------
    BackendError
        If what was asked for does not work, or would end the process on this platform.
    """
    platform = choose_platform(spec).name
    choice = choose_loaded(spec.backend)
    if choice.name != "TorchForce" or platform not in incomplete_platforms(loaded=False):
        return choice
    reason = f"TorchForce would end the process on the platform {platform}"
    if spec.backend == "TorchForce":
        raise BackendError(f"backend TorchForce: {reason}; use PythonForce")
    return Choice("PythonForce", reason)


def _automatic_platform(known: list[str]) -> Choice:
    """Return a GPU platform if PyTorch can put the model on the same GPU, else CPU."""
    import torch

    on_gpu = [name for name in _GPU_PLATFORMS if name in known]
    if not on_gpu:
        return Choice("CPU", "this OpenMM has no platform CUDA or HIP")
    if not torch.cuda.is_available():
        return Choice("CPU", f"OpenMM has {on_gpu[0]}, but PyTorch sees no GPU")
    return Choice(on_gpu[0], "OpenMM and PyTorch both see a GPU")
