"""What i-PI itself says to an input, in a process of its own: its loader keeps state and reads paths relative to the input.

Run as ``python -m ipi_driver.inputs.ask_ipi INPUT``; prints a JSON object as its last line.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from ipi.engine.outputs import CheckpointOutput, PropertyOutput
from ipi.engine.properties import getall
from ipi.engine.simulation import Simulation
from ipi.utils.units import unit_to_internal

__all__ = ["main"]


def _ask(path: Path) -> dict[str, Any]:
    os.chdir(path.parent)
    try:
        with open(path.name, encoding="utf-8") as file:
            simulation = Simulation.load_from_xml(file, custom_verbosity="quiet", read_only=True)
    except Exception as error:  # noqa: BLE001 - i-PI raises all kinds for what is wrong in an input
        text = " ".join(str(error).split())
        return {"problems": [["input", f"i-PI refuses it: {type(error).__name__}: {text}"]]}
    return {"problems": _output_problems(simulation), "systems": _systems(simulation)}


def _systems(simulation: Simulation) -> list[dict[str, Any]]:
    return [
        {
            "names": list(map(str, system.beads.names)),
            "cell_bohr": system.cell.h.T.tolist(),  # rows
            "nbeads": int(system.beads.nbeads),
        }
        for system in simulation.syslist
    ]


def _output_problems(simulation: Simulation) -> list[list[str]]:
    """Return what i-PI would find out only after it has opened its socket, or at the first output."""
    problems = []
    system = simulation.syslist[0]
    for output in simulation.outtemplate:
        if isinstance(output, CheckpointOutput):
            continue
        is_table = isinstance(output, PropertyOutput)
        known = system.properties.property_dict if is_table else system.trajs.traj_dict
        kind = "property" if is_table else "trajectory"
        for what in output.outlist if is_table else [output.what]:
            if problem := _problem_of(str(what), known):
                problems.append([f"{kind} {what}", problem])
    return problems


def _problem_of(what: str, known: dict[str, dict[str, Any]]) -> str:
    name, unit, _, _ = getall(what)
    if name not in known:
        return "unknown:" + ",".join(known)
    try:
        unit_to_internal(known[name].get("dimension", "undefined"), unit, 1.0)
    except (KeyError, TypeError, ValueError) as error:
        return f"unit {unit!r}: {error}"
    return ""


def main() -> None:
    """Ask and print."""
    print("\n" + json.dumps(_ask(Path(sys.argv[1]))))  # noqa: T201 - its output is its answer


if __name__ == "__main__":
    main()
