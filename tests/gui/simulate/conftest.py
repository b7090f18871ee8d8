"""A model file without weights, structures, and a reader of structures that needs no OpenMM."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from shiboken6 import delete, isValid

from gui.session import Session
from gui.viewmodels.simulation import SimulationModel

METHANOL = """6
methanol
C -0.688 -0.037 -0.212
O 0.646 0.041 0.246
H -0.925 0.641 -1.009
H 1.217 -0.007 -0.502
H -0.923 -1.042 -0.461
H -1.426 0.201 0.591
"""


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """``make_model(species=("H", "C"), cutoff=4.0)``: a file with the header of a model."""

    def make(
        species: tuple[str, ...] = ("H", "C", "O"), cutoff: float = 4.0, name: str = "m"
    ) -> Path:
        document = {
            "format_version": 1,
            "model": {"species": list(species), "cutoff": cutoff, "num_layers": 3, "l_max": 2},
            "dtype": "float32",
            "metrics": {"test": {"forces_mae_mev_per_angstrom": 18.49}},
        }
        header = json.dumps({"__metadata__": {"nequip-openmm": json.dumps(document)}}).encode()
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(len(header).to_bytes(8, "little") + header)
        return path

    return make


@pytest.fixture
def model_file(make_model: Callable[..., Path]) -> Path:
    return make_model()


@pytest.fixture
def structure_file(tmp_path: Path) -> Path:
    path = tmp_path / "methanol.xyz"
    path.write_text(METHANOL)
    return path


@pytest.fixture
def preview(tmp_path: Path) -> list[str]:
    """A reader that knows plain XYZ; a file whose comment is ``cell=A`` repeats in a cube."""
    script = tmp_path / "preview.py"
    script.write_text(
        textwrap.dedent(
            """
            import json, os, sys, time
            path, fd = sys.argv[1], int(sys.argv[sys.argv.index("--events") + 1])
            out = os.fdopen(fd, "w")
            def emit(ev, **f):
                out.write(json.dumps({"v": 1, "ev": ev, "t": 0, **f}) + "\\n"); out.flush()
            Z = {"H": 1, "C": 6, "O": 8, "Na": 11}
            try:
                lines = open(path).read().splitlines()
                rows = [line.split() for line in lines[2 : 2 + int(lines[0])]]
                positions = [[float(x) for x in row[1:4]] for row in rows]
                numbers = [Z[row[0]] for row in rows]
            except Exception as error:
                emit("error", code="user-error", title=f"structure {path}: cannot be read", detail="", hint="")
                emit("done", reason="failed"); sys.exit(2)
            edge = lines[1].partition("cell=")[2]
            cell = None if not edge else [[float(edge) * (i == j) for j in range(3)] for i in range(3)]
            emit("result", numbers=numbers, positions=positions, cell=cell, closest=None)
            emit("done", reason="finished")
            """
        )
    )
    return [sys.executable, "-S", str(script)]


@pytest.fixture
def make_simulation(
    make_session: Callable[..., Session],
    preview: list[str],
    model_file: Path,
    structure_file: Path,
    qtbot,
) -> Iterator[Callable[..., SimulationModel]]:
    """``make_simulation(mode, filled=True)``: the view model, with model and structure read, and a worker of a mode."""
    made: list[SimulationModel] = []

    def make(mode: str = "ok", filled: bool = True) -> SimulationModel:
        session = make_session(mode)
        model = SimulationModel(session.jobs, lambda: session.settings.runs_folder, preview)
        made.append(model)
        if filled:
            model.set_model(model_file)
            model.set_structure(structure_file)
            qtbot.waitUntil(lambda: model.state.name == "READY")
        return model

    yield make
    for model in made:
        if isValid(model):
            delete(model)
