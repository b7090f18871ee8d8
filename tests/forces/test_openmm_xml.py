"""Systems go through XML, copies and CustomCVForce, and come back with the same numbers, in another process too."""

from __future__ import annotations

import copy
import pickle
import pickletools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nequip_openmm.errors import ModelFileError
from nequip_openmm.forces import NequIPPotential, computation
from nequip_openmm.forces.computation import Computation, restore
from nequip_openmm.model.file import model_to_bytes
from nequip_openmm.potential import Potential
from tests.forces.cases import (
    BACKENDS,
    context,
    energy_and_forces,
    methanol,
    openmm,
    random_model,
    random_potential,
    triclinic,
)


def evaluate(system: openmm.System) -> tuple[float, np.ndarray]:
    simulation = context(system)
    simulation.setPositions(triclinic().positions)
    return energy_and_forces(simulation)


FUSED = [
    pytest.param((way.values[0], "fused"), marks=way.marks, id=f"{way.values[0]}-fused")
    for way in BACKENDS
]
SELF_CONTAINED = pytest.param(
    ("TorchForce", "reference"), marks=BACKENDS[0].marks, id="TorchForce-reference"
)


@pytest.fixture(scope="module", params=[*FUSED, SELF_CONTAINED])
def system(request: pytest.FixtureRequest) -> openmm.System:
    backend, engine = request.param
    potential = NequIPPotential(Potential(random_model(), engine=engine))
    return potential.createSystem(triclinic().topology, forceGroup=2, backend=backend)


def test_xml(system: openmm.System) -> None:
    text = openmm.XmlSerializer.serialize(system)
    again = openmm.XmlSerializer.deserialize(text)
    force = again.getForce(0)
    assert force.getForceGroup() == 2
    assert force.usesPeriodicBoundaryConditions()
    expected, found = evaluate(system), evaluate(again)
    assert found[0] == expected[0]
    np.testing.assert_array_equal(found[1], expected[1])
    assert openmm.XmlSerializer.serialize(again).count("\n") == text.count("\n")


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_copies(system: openmm.System, way: object) -> None:
    expected, found = evaluate(system), evaluate(way(system))  # type: ignore[operator]
    assert found[0] == expected[0]
    np.testing.assert_array_equal(found[1], expected[1])


def test_inside_a_custom_cv_force(system: openmm.System) -> None:
    energy, forces = evaluate(system)
    scaled = openmm.CustomCVForce("0.25 * potential")
    scaled.addCollectiveVariable("potential", copy.deepcopy(system.getForce(0)))
    other = copy.deepcopy(system)
    other.removeForce(0)
    other.addForce(scaled)
    found = evaluate(other)
    assert found[0] == pytest.approx(0.25 * energy, rel=1e-14)
    np.testing.assert_allclose(found[1], 0.25 * forces, atol=1e-9)


def test_in_a_fresh_process(system: openmm.System, tmp_path: Path) -> None:
    """Reading needs nothing but the imports that the documentation names."""
    (tmp_path / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    np.save(tmp_path / "positions.npy", triclinic().positions)
    code = (
        "import torch, openmm, numpy as np\n"
        "from nequip_openmm.forces.backends import available, import_openmmtorch\n"
        "available()[0].works and import_openmmtorch()\n"
        "system = openmm.XmlSerializer.deserialize(open('system.xml').read())\n"
        "reference = openmm.Platform.getPlatformByName('Reference')\n"
        "context = openmm.Context(system, openmm.VerletIntegrator(0.001), reference)\n"
        "context.setPositions(np.load('positions.npy'))\n"
        "print(repr(context.getState(energy=True).getPotentialEnergy()._value))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert float(result.stdout) == evaluate(system)[0]


def molecular() -> Computation:
    potential = random_potential()
    types = potential.batch(methanol().atoms).types.tolist()
    return Computation(potential, types, False)


def test_the_pickle_is_small_and_names_no_foreign_code() -> None:
    content = pickle.dumps(molecular())
    model = random_potential().model
    assert len(content) < len(model_to_bytes(model)) + 1000
    named = {
        str(argument)
        for opcode, argument, _ in pickletools.genops(content)
        if opcode.name in ("GLOBAL", "SHORT_BINUNICODE") and "." in str(argument)
    }
    assert named == {"nequip_openmm.forces.computation"}


@pytest.mark.parametrize("way", ["pickle", "xml"])
def test_a_pickle_of_another_version_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    """By OpenMM too, where an exception during reading would end the process."""
    says = r"format 2, .*upgrade nequip-openmm"
    monkeypatch.setattr(computation, "PICKLE_VERSION", 2)
    newer = pickle.dumps(molecular())
    text = openmm.XmlSerializer.serialize(
        NequIPPotential(random_potential()).createSystem(methanol().topology, backend="PythonForce")
    )
    monkeypatch.undo()
    if way == "pickle":
        found = pickle.loads(newer)
        assert pickle.dumps(found) == newer  # nothing is lost on the way
        with pytest.raises(ModelFileError, match=says):
            found(None)
    else:
        system = openmm.XmlSerializer.deserialize(text)
        simulation = context(system)
        simulation.setPositions(methanol().positions)
        with pytest.raises(openmm.OpenMMException, match=says):
            energy_and_forces(simulation)
    assert "format 2" in caplog.text


def test_a_damaged_pickle_says_so() -> None:
    _, (version, content, settings) = molecular().__reduce__()
    for broken in (
        restore(version, content[:-5], settings),
        restore(version, content, {**settings, "types": [7]}),
        restore(version, content, {}),
    ):
        with pytest.raises(ModelFileError):
            broken(None)
    with pytest.raises(ModelFileError, match="the model in this System"):
        restore(version, content[:-5], settings)(None)


def test_a_pickle_from_a_gpu_opens_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _, (version, content, settings) = molecular().__reduce__()
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    found = restore(version, content, {**settings, "device": "cuda:0"})
    assert found.potential.device.type == "cpu"
