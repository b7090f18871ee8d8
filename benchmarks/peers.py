"""The official nequip package as users run it: eagerly, as TorchScript, compiled ahead of time by AOTInductor.

AOTInductor needs a C++ compiler and minutes for a model. Its packages are kept in a folder (``NEQUIP_BENCHMARK_CACHE``, else the
platform's place for caches), so that they can be made before anything is timed:

    python -m benchmarks.peers P Q R S [--threads 2]
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import ase
import numpy as np
import torch
from platformdirs import user_cache_path

from benchmarks.common import config, official, structure

MODES = ("eager", "TorchScript", "AOTInductor")
LARGEST = {"P": 192, "R": 192, "Q": 1536, "S": 1536}
"""Most atoms that the peer is given: above, it takes tens of GB or minutes."""

Data = dict[str, torch.Tensor]
Call = Callable[[], tuple[float, np.ndarray]]


def data_of(model: str, atoms: ase.Atoms) -> Data:
    """Return the peer's input, with its neighbour list."""
    from nequip.data import compute_neighborlist_, from_ase
    from nequip.data.transforms import ChemicalSpeciesToAtomTypeMapper

    boxed = atoms.copy()
    if not boxed.pbc.any():
        boxed.cell = 100.0 * np.eye(3)  # compiled models want a cell, and nothing repeats
    mapper = ChemicalSpeciesToAtomTypeMapper(list(config(model).species))
    return compute_neighborlist_(mapper(from_ase(boxed)), r_max=config(model).cutoff)


def call_of(model: str, mode: str, atoms: ase.Atoms, threads: int) -> Call:
    """Return what evaluates energy (eV) and forces (N, 3) (eV/Å); the neighbour list is made before.

    Raises
    ------
    RuntimeError
        With the reason, if the mode does not work here.
    """
    data = data_of(model, atoms)
    network = network_of(model, mode, threads)

    def call() -> tuple[float, np.ndarray]:
        found = network(dict(data))
        return float(found["total_energy"].detach()), found["forces"].detach().numpy()

    return call


def calls_of(
    model: str, atoms: ase.Atoms, threads: int, modes: tuple[str, ...] = MODES
) -> tuple[dict[str, Call], dict[str, str]]:
    """Return what works, and the reasons why the rest does not."""
    if len(atoms) > LARGEST[model]:
        return {}, dict.fromkeys(modes, f"left out above {LARGEST[model]} atoms")
    calls, reasons = {}, {}
    for mode in modes:
        try:
            call = call_of(model, mode, atoms, threads)
            call()
            calls[mode] = call
        except RuntimeError as error:
            reasons[mode] = " ".join(str(error).split())[:300]
    return calls, reasons


def network_of(model: str, mode: str, threads: int) -> Any:
    """Return the peer's network, a function of its data; raises RuntimeError with the reason if the mode does not work here."""
    warnings.simplefilter("ignore")
    if mode == "eager":
        return official(model)
    if mode == "TorchScript":
        return _scripted(model)
    from nequip.model.inference_models.aotinductor import load_aotinductor_model

    return load_aotinductor_model(str(package(model, threads)), "cpu")[0]


def _scripted(model: str) -> Any:
    from nequip.model.inference_models.torchscript import (
        load_torchscript_model,
        save_torchscript_model,
    )

    made = official(model)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "model.nequip.pth"))
        save_torchscript_model(made, _metadata(made), path, "cpu")
        return load_torchscript_model(path)[0]


def package(model: str, threads: int) -> Path:
    """Return the compiled package, made in a process of its own if it is not there; raises RuntimeError if that fails."""
    path = _package_path(model, threads)
    if path.exists():
        return path
    command = [sys.executable, "-m", "benchmarks.peers", model, "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not path.exists():
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeError(f"AOTInductor failed: {lines[-1] if lines else 'no message'}")
    return path


def _package_path(model: str, threads: int) -> Path:
    """The number of threads is part of the code that AOTInductor writes."""
    versions = [metadata.version(p) for p in ("torch", "nequip", "e3nn")]
    facts = f"{config(model).model_dump_json()} {versions} {threads}"
    digest = hashlib.sha256(facts.encode()).hexdigest()[:16]
    chosen = os.environ.get("NEQUIP_BENCHMARK_CACHE")
    folder = Path(chosen) if chosen else user_cache_path("nequip-openmm") / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{model}-{digest}.nequip.pt2"


def _metadata(model: Any) -> dict[str, str]:
    """Return what nequip-compile writes into a compiled model."""
    from nequip.utils.global_state import get_latest_global_state

    state = {**model.metadata, **get_latest_global_state(only_metadata_related=True)}
    return {k: str(int(v)) if isinstance(v, bool) else str(v) for k, v in state.items()}


def compile_package(model: str, threads: int) -> Path:
    """Do what ``nequip-compile --mode aotinductor --target ase`` does."""
    from nequip.scripts._compile_utils import COMPILE_TARGET_DICT
    from nequip.utils.aot import aot_export_model
    from nequip.utils.aoti_metadata import (
        NEQUIP_AOTI_INPUTS_KEY,
        NEQUIP_AOTI_OUTPUTS_KEY,
        serialize_aoti_keys,
    )

    warnings.simplefilter("ignore")
    made, target = official(model), COMPILE_TARGET_DICT["ase"]
    sizes = {
        "graph": torch.export.Dim("num_frames", min=1, max=2),
        "node": torch.export.Dim("num_nodes", min=2),
        "edge": torch.export.Dim("num_edges", min=2),
    }
    keys = {
        NEQUIP_AOTI_INPUTS_KEY: serialize_aoti_keys(target["input"]),
        NEQUIP_AOTI_OUTPUTS_KEY: serialize_aoti_keys(target["output"]),
    }
    path = _package_path(model, threads)
    unfinished = path.with_name(f"making-{os.getpid()}-{path.name}")
    aot_export_model(
        model=copy.deepcopy(made),
        device=torch.device("cpu"),
        input_fields=target["input"],
        output_fields=target["output"],
        data=target["data_settings"](data_of(model, structure("ethanol"))),
        batch_map=target["batch_map_settings"](sizes),
        output_path=str(unfinished),
        inductor_configs={"aot_inductor.metadata": {**_metadata(made), **keys}},
    )
    os.replace(unfinished, path)
    return path


def main() -> None:
    """Compile packages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for model in arguments.models:
        print(compile_package(model, arguments.threads), flush=True)


if __name__ == "__main__":
    main()
