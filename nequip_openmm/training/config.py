"""Everything that can be set about a training, in one schema.

Three sections: ``data`` (what is learnt from), ``model`` (the network), ``training`` (how it is fitted, and on what). Energies
are in eV, lengths in Å, forces in eV/Å, times in seconds unless a field says otherwise.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from nequip_openmm.model.config import Architecture, ModelConfig
from nequip_openmm.settings import Settings, validate

__all__ = ["DataSettings", "ModelSettings", "TrainingConfig", "TrainingSettings"]


def _parse_duration(value: Any) -> Any:
    """Turn ``[[D-]HH:]MM:SS`` into seconds; leave anything else to the number's own check."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)", value.strip())
    if not found:
        raise ValueError("must be a number of seconds or HH:MM:SS")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60.0 + seconds


Duration = Annotated[float, BeforeValidator(_parse_duration)]
Energy = Annotated[float, Field(json_schema_extra={"unit": "eV"})]
Neighbours = Annotated[float, Field(gt=0.0)]


class KeySettings(Settings):
    """Names of the labels in the file; None looks for the usual ones."""

    energy: str | None = None
    """Total energy."""
    forces: str | None = None
    """Forces."""
    stress: str | None = None
    """Stress (dE/dε)/V, tension positive."""
    virial: str | None = None
    """Virial -dE/dε, from which the stress follows; only read when named."""


class DataSettings(Settings):
    """What is learnt from, and which part of it."""

    path: str | None = None
    """File or folder of structures with energies and forces; relative to the working directory."""
    format: str | None = None
    """Format of the file; None tells it from the content and the name."""
    units: str | None = None
    """Units of energies and forces in the file, such as ``kcal/mol/Å``; None takes those of the format (eV/Å mostly)."""
    keys: KeySettings = Field(default_factory=KeySettings)
    """Names of labels in the file, such as ``{energy: REF_energy, forces: REF_forces}``."""
    allow_missing_labels: bool = False
    """Whether frames may lack a label; they then teach what they have."""
    n_train: int | float | None = None
    """Training frames: a number, a fraction below one, or None for all that the other two leave."""
    n_valid: int | float = 0.1
    """Validation frames, which choose the best epoch: a number, at least one, or a fraction."""
    n_test: int | float = 0.1
    """Frames kept apart for the test: a number or a fraction below one."""
    split: Literal["random", "block"] = "random"
    """Frames drawn at random, or in contiguous blocks of the file (fairer for frames of one trajectory)."""
    split_seed: int | None = Field(default=None, ge=0)
    """Seed of the split; None takes ``training.seed``."""
    isolated_atom_energies: dict[str, Energy] | None = None
    """Energy of the isolated atom of every element; None fits them by least squares."""

    @field_validator("n_train", "n_valid", "n_test")
    @classmethod
    def _count_or_fraction(
        cls, value: int | float | None, info: ValidationInfo
    ) -> int | float | None:
        least = 0 if info.field_name == "n_test" else 1
        if value is None or (isinstance(value, int) and value >= least) or 0.0 < value < 1.0:
            return value
        raise ValueError(f"must be a number of frames ≥ {least} or a fraction between 0 and 1")


class ModelSettings(Architecture):
    """The network; what ``auto`` stands for is measured on the training frames."""

    species: tuple[str, ...] | Literal["auto"] = "auto"
    """Chemical symbols in the order of the type numbers; ``auto`` takes those of the data set."""
    avg_num_neighbors: Neighbours | dict[str, Neighbours] | Literal["auto"] = "auto"
    """Average number of neighbours within the cutoff."""
    per_type_energy_shifts: Energy | dict[str, Energy] | Literal["auto"] | None = "auto"
    """Energy of an isolated atom by element; ``auto`` takes isolated-atom energies or a least-squares fit."""
    per_type_energy_scales: Energy | dict[str, Energy] | Literal["auto"] | None = "auto"
    """Factor on the network's output; ``auto`` takes the root mean square of the training forces."""

    def resolve(
        self,
        species: tuple[str, ...],
        avg_num_neighbors: float,
        shifts: dict[str, float],
        scale: float,
    ) -> ModelConfig:
        """Return the configuration in which what is ``auto`` has the values given here.

        Parameters
        ----------
        species
            Chemical symbols.
        avg_num_neighbors
            Average number of neighbours.
        shifts
            Energies of isolated atoms, eV.
        scale
            Energy scale, eV.
        """
        measured = {
            "species": species,
            "avg_num_neighbors": avg_num_neighbors,
            "per_type_energy_shifts": shifts,
            "per_type_energy_scales": scale,
        }
        given = self.model_dump()
        for name, value in measured.items():
            if given[name] == "auto":
                given[name] = value
        return validate(ModelConfig, given, "model")

    @model_validator(mode="after")
    def _builds_a_model(self) -> ModelSettings:
        """Let `ModelConfig` judge what can be judged before there are data."""
        if self.species != "auto":
            names = self.species
            self.resolve(names, 1.0, dict.fromkeys(names, 0.0), 1.0)
        return self


class TrainingSettings(Settings):
    """How the network is fitted."""

    # --- loss
    loss: Literal["mse", "huber"] = "mse"
    """Penalty on an error: its square, or square below ``huber_delta`` and linear above."""
    huber_delta: float = Field(default=0.01, gt=0.0)
    """Error at which the Huber loss turns linear, in the unit of the quantity (eV, eV/Å, eV/Å³)."""
    energy_weight: float = Field(default=1.0, ge=0.0)
    """Weight of the energy term."""
    forces_weight: float = Field(default=1.0, ge=0.0)
    """Weight of the force term (mean over all components)."""
    stress_weight: float = Field(default=0.0, ge=0.0)
    """Weight of the stress term (periodic frames that have a stress)."""
    per_atom_energy: bool = True
    """Whether the energy term compares energies per atom (True) or total energies, as in the paper (False)."""

    # --- optimiser
    optimizer: Literal["adam", "adamw"] = "adam"
    """Optimiser."""
    amsgrad: bool = True
    """Whether it is the AMSGrad variant."""
    lr: float = Field(default=0.01, gt=0.0, le=1.0)
    """Learning rate at its highest."""
    weight_decay: float = Field(default=0.0, ge=0.0, le=1.0)
    """Weight decay."""
    grad_clip: float | None = Field(default=None, gt=0.0)
    """Largest norm of the gradient; longer ones are shortened to it. None does not clip."""
    ema_decay: float = Field(default=0.99, ge=0.0, lt=1.0)
    """Decay per step of the exponential moving average of weights that is validated and saved; 0 turns it off."""

    # --- learning rate over time
    scheduler: Literal["constant", "plateau", "cosine", "exponential"] = "cosine"
    """How the learning rate falls: never; by ``plateau_factor`` when the validation loss stalls; or to ``lr_final`` over
    the whole run, along a half cosine or exponentially."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps over which the learning rate first rises from zero."""
    lr_final: float = Field(default=1e-5, gt=0.0, le=1.0)
    """Learning rate at the end (cosine, exponential); the plateau schedule ends the run below it."""
    plateau_patience: int = Field(default=50, ge=0)
    """Validations without improvement after which the plateau schedule lowers the learning rate."""
    plateau_factor: float = Field(default=0.8, gt=0.0, lt=1.0)
    """Factor by which it does."""

    # --- duration
    max_epochs: int = Field(default=1000, ge=1)
    """Passes over the training frames at most."""
    max_time: Duration | None = Field(default=None, gt=0.0, json_schema_extra={"unit": "s"})
    """Time at most, in seconds or as HH:MM:SS. A schedule that falls over the whole run is shortened to end within it."""
    early_stopping_patience: int | None = Field(default=None, ge=1)
    """Validations without improvement after which the run ends; None does not end it."""

    # --- batches
    batch_size: int = Field(default=5, ge=1)
    """Frames a step, over all devices together."""
    validation_batch_size: int = Field(default=32, ge=1)
    """Frames evaluated at once in validation."""
    cache_size: float = Field(default=2.0, ge=0.0, json_schema_extra={"unit": "GiB"})
    """Memory for neighbour lists of frames; those beyond it are computed anew every epoch."""

    # --- reproducibility
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of initial weights, of the order of frames and, unless it has its own, of the split."""
    dtype: Literal["float32", "float64"] = "float32"
    """Precision of the network; positions, distances and energies are float64 always."""

    # --- where it runs
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Processor; auto takes a GPU where there is one."""
    engine: Literal["auto", "fused", "reference"] = "auto"
    """How the network is computed: by fused kernels (CPU), by PyTorch alone, or auto: fused wherever it works."""
    devices: int = Field(default=1, ge=1)
    """Devices (on CPU: processes) a node."""
    num_nodes: int = Field(default=1, ge=1)
    """Nodes."""
    strategy: str = "auto"
    """Lightning strategy for several devices, such as ``ddp``."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads a process; None takes torch's choice."""

    # --- what is written
    checkpoint_interval: Duration = Field(
        default=60.0, gt=0.0, le=3600.0, json_schema_extra={"unit": "s"}
    )
    """Longest time between two checkpoints, besides the one at the end of every epoch."""
    tensorboard: bool = True
    """Whether metrics go to a TensorBoard log too, in ``tensorboard/`` of the run folder."""

    @model_validator(mode="after")
    def _consistent(self) -> TrainingSettings:
        if self.lr_final > self.lr:
            raise ValueError(f"lr_final = {self.lr_final:g} must not exceed lr = {self.lr:g}")
        if self.energy_weight == self.forces_weight == self.stress_weight == 0.0:
            raise ValueError("one of energy_weight, forces_weight, stress_weight must not be 0")
        if self.engine == "fused" and self.accelerator == "gpu":
            raise ValueError(
                "engine fused runs on the CPU: set accelerator to cpu, or engine to auto"
            )
        return self


class TrainingConfig(Settings):
    """A training, complete: with the same data it can be repeated from this alone."""

    preset: str | None = None
    """Preset that the rest was based on, for the record."""
    data: DataSettings = Field(default_factory=DataSettings)
    """What is learnt from."""
    model: ModelSettings = Field(default_factory=ModelSettings)
    """The network."""
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    """How it is fitted."""
