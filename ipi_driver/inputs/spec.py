"""What a run in i-PI is asked to do."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from nequip_openmm.settings import Settings

__all__ = ["PimdSpec"]

QUANTUM_BEADS = 32
_ONE_BEAD = ("classical", "minimise")


def _unit(unit: str) -> dict[str, Any]:
    return {"unit": unit}


class PimdSpec(Settings):
    """Settings of one run; the YAML file of ``nequip-openmm pimd`` has the same keys.

    Units: K, fs, bar, eV/Å; intervals in steps.
    """

    # --- what -----------------------------------------------------------------------------------------
    model: Path
    """Model file (.safetensors)."""
    structure: Path
    """Starting structure: any file that ASE reads."""
    frame: int = 0
    """Which structure of a file with several, counted from 0; -1 is the last."""
    start: Path | None = None
    """Checkpoint or RESTART of an earlier i-PI run: beads and velocities start from it instead of the structure."""

    # --- ensemble -------------------------------------------------------------------------------------
    mode: Literal["pimd", "piglet", "trpmd", "rpmd", "classical", "npt", "remd", "minimise"] = (
        "pimd"
    )
    """pimd: path integrals at constant temperature (PILE-G); piglet: the same with a GLE thermostat, see gle;
    trpmd: thermostatted ring polymers, free centroid; rpmd: ring polymers at constant energy;
    classical: one bead, Langevin; npt: constant pressure; remd: replica exchange in temperature; minimise: relax."""
    beads: int | None = Field(None, ge=1, le=4096)
    """Number of beads; 32 unless the mode is classical or minimise, which have one."""
    temperature: float = Field(300.0, gt=0, le=100_000, json_schema_extra=_unit("K"))
    """Temperature of the ensemble and of the first velocities, K."""
    temperatures: tuple[float, ...] = ()
    """Temperatures of the replicas of mode remd, K, ascending."""
    exchange_interval: int = Field(100, ge=1)
    """Steps between two attempts to exchange replicas, on average."""
    timestep: float = Field(0.25, gt=0, le=100, json_schema_extra=_unit("fs"))
    """Time step, fs. With hydrogen atoms 0.25 fs is safe."""
    steps: int = Field(ge=1, le=10**12)
    """Number of time steps, or the most iterations of mode minimise."""
    thermostat_tau: float = Field(100.0, gt=0, le=1e9, json_schema_extra=_unit("fs"))
    """Time constant of the thermostat, of the centroid's in path integrals, fs."""
    pile_lambda: float = Field(0.5, gt=0, le=100)
    """Friction of the ring polymer's internal modes relative to critical damping."""
    gle: Path | None = None
    """For mode piglet: the matrices A and C in i-PI's format, as https://gle4md.org gives them for this number of beads."""
    pressure: float = Field(1.0, ge=-1e7, le=1e7, json_schema_extra=_unit("bar"))
    """Pressure of mode npt, bar."""
    barostat: Literal["isotropic", "anisotropic"] = "isotropic"
    """Whether mode npt scales the cell or lets all its lengths and angles change."""
    barostat_tau: float = Field(250.0, gt=0, le=1e9, json_schema_extra=_unit("fs"))
    """Time constant of the barostat, fs."""
    fix_com: bool = True
    """Whether the centre of mass is held still; must be false in an external field."""
    seed: int = Field(1, ge=1, le=2**31 - 1)
    """Seed of the velocities and the thermostats."""
    force_tolerance: float = Field(0.01, gt=0, le=100, json_schema_extra=_unit("eV/Å"))
    """Mode minimise ends when every force component is below this, eV/Å."""

    # --- output ---------------------------------------------------------------------------------------
    trajectory: Literal["both", "beads", "centroid"] = "both"
    """Whose positions are written: one file per bead, one of the centroid, or both."""
    thermo_interval: int = Field(10, ge=1)
    """Steps between rows of properties."""
    trajectory_interval: int = Field(100, ge=1)
    """Steps between frames of the trajectory."""
    checkpoint_interval: int = Field(1000, ge=1)
    """Steps between checkpoints; a crash loses at most as many."""

    # --- guard ----------------------------------------------------------------------------------------
    max_temperature: float = Field(10_000.0, gt=0, json_schema_extra=_unit("K"))
    """The run stops when its instantaneous temperature passes this, K."""
    max_force: float = Field(100.0, gt=0, json_schema_extra=_unit("eV/Å"))
    """The run does not begin when the force on an atom of the structure passes this, eV/Å."""
    max_restarts: int = Field(5, ge=0)
    """How often drivers that died are started again, without a new row of properties between, before the run is given up."""

    # --- where ----------------------------------------------------------------------------------------
    processes: int = Field(1, ge=1, le=1024)
    """Number of driver processes that share the beads."""
    ffdirect: bool = False
    """Whether i-PI evaluates the model in its own process, without drivers and sockets."""
    socket: Literal["unix", "inet"] = "unix"
    """How drivers on this machine are reached; inet also lets drivers on other machines help."""
    host: str = "localhost"
    """Address on which i-PI listens with socket inet; 0.0.0.0 for all of this machine's."""
    port: int | None = Field(None, ge=1025, le=65535)
    """Port for socket inet; by default a free one."""
    batch_size: int | None = Field(None, ge=1, le=4096)
    """Structures that a driver evaluates at once; by default the beads divided by the processes."""
    latency: float | None = Field(None, ge=0, le=10, json_schema_extra=_unit("s"))
    """Seconds between i-PI's looks at its queue; by default as the size of the system demands."""
    timeout: float = Field(600.0, ge=0, json_schema_extra=_unit("s"))
    """Seconds after which i-PI gives a driver up that does not answer; longer than a model takes to load and compile."""
    device: str | None = None
    """PyTorch device of the model, such as cpu or cuda:1; None takes a GPU if there is one."""
    dtype: Literal["auto", "float32", "float64"] = "auto"
    """Precision of the model; auto is that of the model file."""

    @model_validator(mode="after")
    def _fits_the_mode(self) -> PimdSpec:
        if self.mode in _ONE_BEAD and self.n_beads > 1:
            raise ValueError(f"beads = {self.beads}: mode {self.mode} has one bead")
        if self.mode == "piglet" and self.gle is None:
            raise ValueError("mode = 'piglet': needs gle, a file with the matrices A and C")
        if self.gle is not None and self.mode != "piglet":
            raise ValueError(f"gle = {str(self.gle)!r}: only mode piglet uses it")
        self._check_replicas()
        return self

    def _check_replicas(self) -> None:
        given = self.temperatures
        if self.mode != "remd" and given:
            raise ValueError(f"temperatures: mode {self.mode} has one temperature; use mode remd")
        if self.mode != "remd":
            return
        if len(given) < 2 or any(a >= b for a, b in pairwise(given)) or given[0] <= 0:
            raise ValueError("temperatures: mode remd needs two or more, ascending, above 0 K")

    @property
    def n_beads(self) -> int:
        """Beads of every ring polymer."""
        if self.beads is not None:
            return self.beads
        return 1 if self.mode in _ONE_BEAD else QUANTUM_BEADS

    @property
    def n_replicas(self) -> int:
        """Systems that move side by side."""
        return len(self.temperatures) or 1

    @property
    def is_dynamics(self) -> bool:
        """Whether steps are steps in time."""
        return self.mode != "minimise"

    @property
    def has_thermostat(self) -> bool:
        """Whether the temperature is held."""
        return self.mode not in ("rpmd", "minimise")

    def time_ps(self, step: int) -> float:
        """Return the time at a step, ps."""
        return step * self.timestep / 1000.0
