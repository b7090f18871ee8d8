"""Peak memory of one evaluation, or of a step of a training, in a process that does nothing else.

    python -m benchmarks.memory evaluate P water-192 fused --threads 2

prints one JSON object: ``peak`` and ``before`` in MB, the largest resident memory of the process in its life, and that
when everything was imported and the structure was there, but no model.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.common import call_with, network, structure
from nequip_openmm import load
from nequip_openmm.model.file import save_model

__all__ = ["peak_memory"]

OURS = ("fused", "reference")


def peak_memory(kind: str, model: str, system: str, what: str, threads: int) -> dict[str, float]:
    """Return what the module prints; raises RuntimeError if it fails."""
    command = [sys.executable, "-m", "benchmarks.memory", kind, model, system, what]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        if what in OURS:
            save_model(path, network(model))
        done = subprocess.run(
            [*command, "--threads", str(threads), "--file", str(path)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip() or f"exit code {done.returncode}")[-300:])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _largest() -> float:
    """Return the peak of resident memory of this process in MB; the kernel's own figure forgets what the parent had."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except OSError:
        unit = 1024**2 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=("evaluate", "train"))
    parser.add_argument("model")
    parser.add_argument("system", help="a structure, or the number of frames in a batch")
    parser.add_argument("what", help="fused, reference, or a mode of the peer")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--file", type=Path, help="our model, so that the peer is not needed")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    warnings.simplefilter("ignore")
    before, call = _prepared(arguments)
    for _ in range(3):
        call()
    print(json.dumps({"peak": _largest(), "before": before}))


def _prepared(arguments: argparse.Namespace) -> tuple[float, Callable[[], object]]:
    """Return the memory before there is a model, and what is to be measured."""
    import benchmarks.train
    from benchmarks.peers import call_of

    if arguments.what not in OURS:
        import nequip.model  # noqa: F401
    if arguments.kind == "train":
        n = int(arguments.system)
        before = _largest()
        ours = load(arguments.file).model if arguments.what in OURS else None
        return before, benchmarks.train.step_of(arguments.what, arguments.model, n, ours)
    atoms = structure(arguments.system)
    before = _largest()
    if arguments.what in OURS:
        return before, call_with(load(arguments.file, engine=arguments.what), atoms)
    return before, call_of(arguments.model, arguments.what, atoms, arguments.threads)


if __name__ == "__main__":
    main()
