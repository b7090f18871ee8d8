"""What a molecular dynamics run is asked to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from nequip_openmm.settings import Settings

__all__ = ["SimulationSpec"]


def _unit(unit: str) -> dict[str, Any]:
    return {"unit": unit}


class SimulationSpec(Settings):
    """Settings of one run; the YAML file of ``nequip-openmm md`` has the same keys.

    Units: K, fs, 1/ps, bar, eV/Å; intervals in steps.
    """

    # --- what -----------------------------------------------------------------------------------------
    model: Path
    """Model file (.safetensors)."""
    structure: Path
    """Starting structure: PDB, PDBx/mmCIF, or any file that ASE reads."""
    frame: int = 0
    """Which structure of a file with several, counted from 0; -1 is the last."""

    # --- ensemble -------------------------------------------------------------------------------------
    ensemble: Literal["nve", "nvt", "npt"] = "nvt"
    """nve: constant energy (Verlet); nvt: constant temperature (Langevin, middle scheme);
    npt: nvt with a Monte Carlo barostat."""
    temperature: float = Field(300.0, ge=0, le=100_000, json_schema_extra=_unit("K"))
    """Temperature of the thermostat and of the first velocities, K."""
    timestep: float = Field(0.5, gt=0, le=100, json_schema_extra=_unit("fs"))
    """Time step, fs. With hydrogen atoms 0.5 fs is safe."""
    steps: int = Field(ge=1, le=10**12)
    """Number of time steps."""
    friction: float = Field(1.0, gt=0, le=10_000, json_schema_extra=_unit("1/ps"))
    """Friction of the Langevin thermostat, 1/ps."""
    pressure: float = Field(1.0, ge=-1e7, le=1e7, json_schema_extra=_unit("bar"))
    """Pressure of the barostat, bar."""
    barostat_interval: int = Field(25, ge=1)
    """Steps between two attempts to change the volume."""
    seed: int = Field(1, ge=1, le=2**31 - 1)
    """Seed of the velocities, the thermostat and the barostat."""

    # --- start ----------------------------------------------------------------------------------------
    minimise: bool = False
    """Whether to relax the structure before the dynamics."""
    minimise_tolerance: float = Field(0.01, gt=0, le=100, json_schema_extra=_unit("eV/Å"))
    """Relaxation ends when the root mean square of all force components is below this, eV/Å."""
    minimise_iterations: int = Field(1000, ge=0)
    """Most iterations of the relaxation; 0 for no limit."""

    # --- output ---------------------------------------------------------------------------------------
    trajectory_format: Literal["dcd", "xyz"] = "dcd"
    """dcd: binary positions (with topology.pdb); xyz: extended XYZ with energy and forces."""
    trajectory_interval: int = Field(100, ge=1)
    """Steps between frames of the trajectory."""
    thermo_interval: int = Field(100, ge=1)
    """Steps between rows of thermo.csv."""
    checkpoint_interval: int = Field(1000, ge=1)
    """Steps between checkpoints; a crash loses at most as many."""

    # --- guard ----------------------------------------------------------------------------------------
    guard_interval: int = Field(10, ge=1)
    """Steps between checks that the run has not blown up."""
    max_temperature: float = Field(10_000.0, gt=0, json_schema_extra=_unit("K"))
    """The run stops when its instantaneous temperature passes this, K."""
    max_force: float = Field(100.0, gt=0, json_schema_extra=_unit("eV/Å"))
    """The run stops when the force on an atom passes this, eV/Å."""

    # --- where ----------------------------------------------------------------------------------------
    platform: Literal["auto", "Reference", "CPU", "CUDA", "OpenCL", "HIP"] = "auto"
    """OpenMM platform; auto takes a GPU that OpenMM and PyTorch both see, else the CPU."""
    precision: Literal["auto", "single", "mixed", "double"] = "auto"
    """Precision of OpenMM's own arithmetic on a GPU platform; auto is mixed. Others are always double."""
    device: str | None = None
    """PyTorch device of the model, such as cpu or cuda:1; None follows the platform."""
    dtype: Literal["auto", "float32", "float64"] = "auto"
    """Precision of the model; auto is that of the model file."""
    engine: Literal["auto", "fused", "reference"] = "auto"
    """What computes the model: fused kernels for CPUs, or the network in PyTorch; auto is fused on the CPU."""
    threads: int | None = Field(None, ge=1, le=4096)
    """Threads of the fused engine; None is as many as PyTorch uses, which obeys OMP_NUM_THREADS."""
    backend: Literal["auto", "TorchForce", "PythonForce"] = "auto"
    """How the model enters OpenMM."""

    @model_validator(mode="after")
    def _barostat_is_warm(self) -> SimulationSpec:
        if self.ensemble == "npt" and self.temperature == 0:
            raise ValueError("temperature = 0: ensemble npt needs more than 0 K; use nvt or nve")
        return self

    @property
    def trajectory_name(self) -> str:
        """File name of the trajectory in the run folder."""
        return f"trajectory.{self.trajectory_format}"

    @property
    def has_thermostat(self) -> bool:
        """Whether temperature and friction act during the dynamics."""
        return self.ensemble != "nve"

    def time_ps(self, step: int) -> float:
        """Return the time at a step, ps."""
        return step * self.timestep / 1000.0
