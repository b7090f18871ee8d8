"""What a run folder of molecular dynamics holds besides outputs: all that it takes to run it again."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import openmm
from openmm import app

from nequip_openmm.data.frame import Frame
from nequip_openmm.errors import UserError
from nequip_openmm.runs import RunFolder, atomic_write
from nequip_openmm.settings import validate
from nequip_openmm.simulation.embedding import ml_atoms
from nequip_openmm.simulation.schedule import Schedule
from nequip_openmm.simulation.script import simulate_script
from nequip_openmm.simulation.spec import SimulationSpec
from nequip_openmm.simulation.structure import Structure
from nequip_openmm.simulation.thermo import cell_angstrom, positions_angstrom

__all__ = [
    "KIND",
    "MODEL",
    "SCRIPT",
    "START",
    "THERMO",
    "TOPOLOGY",
    "read_spec",
    "read_start",
    "write_inputs",
]

KIND = "md"
MODEL = "model.safetensors"
TOPOLOGY = "topology.pdb"
START = "start.xml"
SCRIPT = "simulate.py"
THERMO = "thermo.csv"


def write_inputs(
    folder: RunFolder, spec: SimulationSpec, simulation: app.Simulation, schedule: Schedule
) -> None:
    """Copy the model and write topology, exact starting positions and a script that repeats the run."""
    with atomic_write(folder / MODEL) as temporary:
        shutil.copyfile(spec.model, temporary)
    state = simulation.context.getState(positions=True)
    with (folder / TOPOLOGY).open("w", encoding="utf-8") as file:
        app.PDBFile.writeFile(simulation.topology, state.getPositions(), file, keepIds=True)
    (folder / START).write_text(openmm.XmlSerializer.serialize(state), encoding="utf-8")
    if spec.mixed is not None:
        for number, name in enumerate(spec.mixed.forcefield):
            if Path(name).is_file():
                shutil.copyfile(name, folder / spec.mixed.copy_name(number))
    if spec.hydrogen_mass is not None or spec.molecules or spec.mixed is not None:
        _refuse_lost_bonds(folder, simulation.topology)
    write_script(folder, spec, simulation, schedule)


def write_script(
    folder: RunFolder, spec: SimulationSpec, simulation: app.Simulation, schedule: Schedule
) -> None:
    """Write ``simulate.py``."""
    platform = simulation.context.getPlatform().getName()
    ml = None if spec.mixed is None else ml_atoms(spec.mixed, simulation.topology)
    text = simulate_script(spec, schedule, platform, ml)
    with atomic_write(folder / SCRIPT) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _refuse_lost_bonds(folder: RunFolder, topology: app.Topology) -> None:
    """Raise `UserError` if the PDB file does not give back the bonds, which masses or molecules are made from."""
    again = app.PDBFile(str(folder / TOPOLOGY)).topology
    before, after = (
        {frozenset((bond[0].index, bond[1].index)) for bond in each.bonds()}
        for each in (topology, again)
    )
    if before != after:
        atoms = sorted(next(iter(before ^ after)))
        raise UserError(
            f"{folder / TOPOLOGY} cannot hold the bond between atoms {atoms[0]} and {atoms[1]} (counted from 0), "
            "which hydrogen_mass, molecules and mixed need; give the structure as PDB or PDBx/mmCIF with standard residues"
        )


def read_spec(folder: RunFolder) -> SimulationSpec:
    """Return the settings of a run folder; raises `UserError` if they were damaged."""
    values = {key: value for key, value in folder.read_spec().items() if key != "kind"}
    return validate(SimulationSpec, values, str(folder / "spec.yaml"))


def set_start(folder: RunFolder, simulation: app.Simulation) -> None:
    """Put a simulation at the exact starting positions; those of `read_start` went through a change of units."""
    state = openmm.XmlSerializer.deserialize((folder / START).read_text(encoding="utf-8"))
    simulation.context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    simulation.context.setPositions(state.getPositions(asNumpy=True))


def read_start(folder: RunFolder) -> Structure:
    """Return the structure that the run in a folder started from.

    Raises
    ------
    UserError
        If a file is missing or damaged.
    """
    try:
        topology = app.PDBFile(str(folder / TOPOLOGY)).topology
        state = openmm.XmlSerializer.deserialize((folder / START).read_text(encoding="utf-8"))
    except Exception as error:
        raise UserError(f"{folder.path} lacks a readable {TOPOLOGY} or {START}: {error}") from error
    periodic = topology.getPeriodicBoxVectors() is not None
    cell = cell_angstrom(state) if periodic else None
    if periodic:  # exact, where the PDB file has three decimals
        topology.setPeriodicBoxVectors(state.getPeriodicBoxVectors(asNumpy=True))
    numbers = [
        0 if atom.element is None else atom.element.atomic_number for atom in topology.atoms()
    ]
    frame = Frame.create(numbers, positions_angstrom(state), cell, periodic)
    return Structure(topology, frame, np.eye(3))
