"""Which settings of a training the form shows, and where."""

from __future__ import annotations

from typing import Any

from gui.core.fields import get_value
from gui.views.common.form import Entry, Section

__all__ = ["SECTIONS"]


def _scheduler(*names: str) -> Any:
    return lambda values: get_value(values, "training.scheduler") in names


def _is(path: str, value: object) -> Any:
    return lambda values: get_value(values, path) == value


SECTIONS = (
    Section(
        "Network",
        [
            Entry("model.cutoff"),
            Entry("model.num_layers", title="Layers"),
            Entry("model.num_features", title="Features"),
            Entry("model.l_max", title="Highest order l"),
            Entry("model.parity", title="Mirror-odd features too"),
        ],
    ),
    Section(
        "Training",
        [
            Entry("training.max_epochs", title="Epochs at most"),
            Entry("training.max_time", title="Time at most", blank="no limit"),
            Entry("training.batch_size", title="Batch size"),
            Entry("training.lr"),
            Entry("training.scheduler", title="Learning rate over time"),
            Entry("training.lr_final", shown_if=_scheduler("cosine", "exponential", "plateau")),
        ],
    ),
    Section(
        "Loss",
        [
            Entry("training.loss", title="Penalty", labels={"mse": "square", "huber": "Huber"}),
            Entry(
                "training.huber_delta",
                title="Huber: linear from",
                shown_if=_is("training.loss", "huber"),
            ),
            Entry("training.energy_weight", title="Weight of energies"),
            Entry("training.forces_weight", title="Weight of forces"),
            Entry("training.stress_weight", title="Weight of stresses"),
            Entry("training.per_atom_energy", title="Energies per atom"),
        ],
        is_advanced=True,
    ),
    Section(
        "Optimiser",
        [
            Entry(
                "training.optimizer", title="Optimiser", labels={"adam": "Adam", "adamw": "AdamW"}
            ),
            Entry("training.amsgrad", title="AMSGrad"),
            Entry("training.weight_decay"),
            Entry("training.grad_clip", title="Longest gradient"),
            Entry("training.ema_decay", title="Weight average: decay"),
            Entry("training.warmup_steps", title="Warm-up steps"),
            Entry(
                "training.plateau_patience",
                title="Plateau: patience",
                shown_if=_scheduler("plateau"),
            ),
            Entry(
                "training.plateau_factor", title="Plateau: factor", shown_if=_scheduler("plateau")
            ),
            Entry(
                "training.early_stopping_patience",
                title="Stop without progress after",
                blank="never",
            ),
        ],
        is_advanced=True,
    ),
    Section(
        "Network, details",
        [
            Entry("model.type_embed_num_features", title="Length of element vectors"),
            Entry("model.num_bessels", title="Radial functions"),
            Entry("model.bessel_trainable", title="Radial functions learn"),
            Entry("model.polynomial_cutoff_p", title="Cutoff exponent"),
            Entry("model.radial_mlp_depth", title="Radial network: layers"),
            Entry("model.radial_mlp_width", title="Radial network: width"),
            Entry("model.readout_mlp_depth", title="Readout: hidden layers"),
            Entry(
                "model.readout_mlp_width",
                title="Readout: width",
                shown_if=lambda values: bool(get_value(values, "model.readout_mlp_depth")),
            ),
            Entry("model.species", title="Elements"),
            Entry("model.avg_num_neighbors", title="Mean neighbours"),
            Entry("model.per_type_energy_shifts", title="Atomic energies", blank="0"),
            Entry("model.per_type_energy_scales", title="Energy scale", blank="1"),
            Entry("model.per_type_energy_shifts_trainable", title="Atomic energies learn"),
            Entry("model.per_type_energy_scales_trainable", title="Energy scale learns"),
            Entry("model.zbl", title="ZBL repulsion"),
        ],
        is_advanced=True,
    ),
    Section(
        "Computer",
        [
            Entry("training.accelerator", title="Processor", labels={"cpu": "CPU", "gpu": "GPU"}),
            Entry("training.engine", title="Engine"),
            Entry("training.threads", title="CPU threads"),
            Entry("training.dtype", title="Precision"),
            Entry("training.validation_batch_size", title="Validation batch size"),
            Entry("training.cache_size", title="Neighbour lists kept"),
            Entry("training.checkpoint_interval", title="Checkpoint every"),
            Entry("training.seed", title="Random seed"),
            Entry("training.tensorboard", title="TensorBoard log"),
        ],
        is_advanced=True,
    ),
)
