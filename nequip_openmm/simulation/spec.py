"""What a molecular dynamics run is asked to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from nequip_openmm.errors import ConfigError
from nequip_openmm.settings import Settings
from nequip_openmm.simulation.mixed import Mixed
from nequip_openmm.simulation.stages import (
    LARGEST_SEED,
    Ensemble,
    Phase,
    Stage,
    Thermostat,
    phases_of,
    with_unit,
)

__all__ = ["SimulationSpec"]


class SimulationSpec(Settings):
    """Settings of one run; the YAML file of ``nequip-openmm md`` has the same keys.

    Units: K, fs, 1/ps, bar, eV/Å, amu; intervals in steps.
    """

    # --- what -----------------------------------------------------------------------------------------
    model: Path
    """Model file (.safetensors)."""
    structure: Path
    """Starting structure: PDB, PDBx/mmCIF, or any file that ASE reads."""
    frame: int = 0
    """Which structure of a file with several, counted from 0; -1 is the last."""

    # --- interactions ---------------------------------------------------------------------------------
    periodic: bool | None = None
    """Whether atoms see their images; None: if the structure has a cell. False simulates one without its images."""
    scale: float = Field(1.0, ge=0, le=1000)
    """Factor of the potential's energy and forces."""
    mixed: Mixed | None = None
    """A force field for what the potential does not describe; None: the potential describes all atoms."""

    # --- ensemble -------------------------------------------------------------------------------------
    ensemble: Ensemble = "nvt"
    """nve: constant energy (Verlet); nvt: constant temperature; npt: nvt with a Monte Carlo barostat."""
    thermostat: Thermostat = "langevin"
    """langevin: stochastic (middle scheme); nose-hoover: deterministic chain with a conserved quantity."""
    temperature: float = Field(300.0, ge=0, le=100_000, json_schema_extra=with_unit("K"))
    """Temperature of the thermostat and of the first velocities, K."""
    temperature_end: float | None = Field(None, ge=0, le=100_000, json_schema_extra=with_unit("K"))
    """Temperature that the thermostat is brought to, evenly over the run, K; None keeps it. Stages have their own."""
    timestep: float = Field(0.5, gt=0, le=100, json_schema_extra=with_unit("fs"))
    """Time step, fs. With hydrogen atoms 0.5 fs is safe."""
    steps: int = Field(ge=1, le=10**12)
    """Number of time steps; with stages it is their sum and need not be given."""
    stages: tuple[Stage, ...] = ()
    """Stages that follow one another, such as equilibration and production; none for a run of one stage."""
    friction: float = Field(1.0, gt=0, le=10_000, json_schema_extra=with_unit("1/ps"))
    """Friction of the Langevin thermostat or collision frequency of the Nosé-Hoover chain, 1/ps."""
    pressure: float = Field(1.0, ge=-1e7, le=1e7, json_schema_extra=with_unit("bar"))
    """Pressure of the barostat, bar."""
    barostat: Literal["isotropic", "anisotropic", "flexible"] = "isotropic"
    """isotropic: the cell keeps its shape; anisotropic: its three axes change separately; flexible: angles change as well."""
    barostat_interval: int = Field(25, ge=1)
    """Steps between two attempts to change the volume."""
    molecules: bool = False
    """Whether a barostat moves molecules, found from the topology's bonds, as wholes; else atoms. Not for reactions."""
    hydrogen_mass: float | None = Field(None, gt=0, le=12, json_schema_extra=with_unit("amu"))
    """Mass of hydrogen bound to a heavy atom, amu, at the cost of that atom: 3 allows 1 fs; None keeps natural masses."""
    seed: int = Field(1, ge=1, le=LARGEST_SEED)
    """Seed of the velocities, the thermostat and the barostat."""

    beads: int = Field(1, ge=1, le=1024)
    """Beads of the ring polymer that every atom becomes (RPMD): quantum nuclei; 1 is classical. nvt has the thermostat PILE."""

    # --- start ----------------------------------------------------------------------------------------
    minimise: bool = False
    """Whether to relax the structure before the dynamics."""
    minimise_tolerance: float = Field(0.01, gt=0, le=100, json_schema_extra=with_unit("eV/Å"))
    """Relaxation ends when the root mean square of all force components is below this, eV/Å."""
    minimise_iterations: int = Field(1000, ge=0)
    """Most iterations of the relaxation; 0 for no limit."""

    # --- output ---------------------------------------------------------------------------------------
    trajectory_format: Literal["dcd", "xtc", "xyz"] = "dcd"
    """dcd: binary positions (with topology.pdb); xtc: the same, compressed to 0.01 Å; xyz: extended XYZ with energy and forces."""
    trajectory_interval: int = Field(100, ge=1)
    """Steps between frames of the trajectory."""
    thermo_interval: int = Field(100, ge=1)
    """Steps between rows of thermo.csv."""
    checkpoint_interval: int = Field(1000, ge=1)
    """Steps between checkpoints; a crash loses at most as many."""
    analysis: tuple[Literal["rdf", "msd"], ...] = ()
    """What to compute while the run goes, into the event stream: rdf, distribution of distances; msd, mean square displacement."""
    analysis_interval: int = Field(100, ge=1)
    """Steps between structures that this analysis takes in."""

    # --- guard ----------------------------------------------------------------------------------------
    guard_interval: int = Field(10, ge=1)
    """Steps between checks that the run has not blown up."""
    max_temperature: float = Field(10_000.0, gt=0, json_schema_extra=with_unit("K"))
    """The run stops when its instantaneous temperature passes this, K."""
    max_force: float = Field(100.0, gt=0, json_schema_extra=with_unit("eV/Å"))
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

    @model_validator(mode="before")
    @classmethod
    def _steps_are_those_of_the_stages(cls, values: Any) -> Any:
        """Fill in the number of steps, where every stage has one that can be summed."""
        if not isinstance(values, dict) or not values.get("stages"):
            return values
        if values.get("steps") is not None:
            return values
        stages = values["stages"]
        counts = [_steps_of(stage) for stage in stages] if isinstance(stages, (list, tuple)) else []
        is_whole = bool(counts) and all(isinstance(count, int) and count > 0 for count in counts)
        return values | {"steps": sum(counts) if is_whole else 1}  # or the stages are refused

    @model_validator(mode="after")
    def _is_sound(self) -> SimulationSpec:
        if self.stages and self.temperature_end is not None:
            raise ValueError(
                f"temperature_end = {self.temperature_end:g}: the run has stages; give it to one of them"
            )
        total = sum(stage.steps for stage in self.stages)
        if self.stages and self.steps != total:
            raise ValueError(
                f"steps = {self.steps}: the stages have {total} together; leave steps out, or correct a stage"
            )
        self._check_mixed()
        for phase in self.phases:
            phase.check(f"stages.{phase.number}: " if self.stages else "")
        return self

    def _check_mixed(self) -> None:
        if self.mixed is None:
            return
        if self.periodic is not None or self.scale != 1.0:
            raise ValueError("periodic and scale go without mixed, where coupling is the factor")
        is_chain = any(p.has_thermostat and p.thermostat == "nose-hoover" for p in self.phases)
        if self.mixed.inner_steps > 1 and is_chain:
            raise ValueError("mixed.inner_steps: a Nosé-Hoover thermostat has none; use langevin")
        if self.mixed.inner_steps > 1 and self.beads > 1:
            raise ValueError(f"mixed.inner_steps: beads = {self.beads} have none; leave it out")
        if self.mixed.contraction is not None and self.mixed.contraction >= self.beads:
            raise ValueError(
                f"mixed.contraction = {self.mixed.contraction}: it must be less than the number of beads, {self.beads}"
            )

    @property
    def has_one_energy(self) -> bool:
        """Whether all forces follow from one energy; those of contracted ring polymers do from another than that of the beads."""
        return self.mixed is None or self.mixed.contraction is None

    @property
    def trajectory_name(self) -> str:
        """File name of the trajectory in the run folder."""
        return f"trajectory.{self.trajectory_format}"

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The stages with every setting filled in; one for a run without."""
        return phases_of(self)

    def extended(self, steps: int) -> SimulationSpec:
        """Return the settings of a run of so many steps, by a longer or shorter last stage.

        Raises
        ------
        ConfigError
            If nothing is left of the last stage, or it brings the temperature to another.
        """
        if steps != self.steps and self.phases[-1].temperature_end is not None:
            raise ConfigError(
                f"steps = {steps}: the temperature goes from one to another over {self.steps} steps; start another run"
            )
        if not self.stages:
            return self.model_copy(update={"steps": steps})
        *before, last = self.stages
        rest = steps - (self.steps - last.steps)
        if rest < 1:
            raise ConfigError(
                f"steps = {steps}: the stages before the last have {self.steps - last.steps} already"
            )
        stages = (*before, last.model_copy(update={"steps": rest}))
        return self.model_copy(update={"steps": steps, "stages": stages})

    def time_ps(self, step: int) -> float:
        """Return the time at a step, ps."""
        return step * self.timestep / 1000.0


def _steps_of(stage: Any) -> Any:
    return stage.get("steps") if isinstance(stage, dict) else getattr(stage, "steps", None)
