"""``nequip-openmm demo``: the whole way once, on the data set of the examples."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from nequip_openmm.errors import DataError
from nequip_openmm.examples import METHANOL

if TYPE_CHECKING:
    from nequip_openmm.analysis.report import Section
    from nequip_openmm.data import Dataset
    from nequip_openmm.data.split import Split
    from nequip_openmm.simulation import SimulationResult
    from nequip_openmm.training import TrainingResult
    from nequip_openmm.training.evaluate import Errors

__all__ = ["demo"]

FOLDER = Path("demo-run")
N_VALID, N_TEST = 30, 50
TEMPERATURE_K = 300.0
TIMESTEP_FS = 0.5
STEPS = 4000  # 2 ps
PARTS = 5
PLUGINS = "nequip_openmm.demo"
"""Entry points of further parts: functions of model, structure, folder, steps and console that return report sections."""


def demo(
    output: Annotated[
        Path | None,
        typer.Argument(help="Folder to make.", show_default="demo-run, or demo-run-2, ..."),
    ] = None,
    dataset: Annotated[Path, typer.Option(help="Another data set.")] = METHANOL,
) -> None:
    """Train on methanol at CCSD(T), test, simulate, with path integrals where i-PI is installed, report."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    folder = _new_folder(output)
    Demo(folder, dataset, console).run()


@dataclass
class Demo:
    """One walk through the package; every step leaves its files in ``folder``.

    Attributes
    ----------
    folder
        Run folder.
    source
        Data set.
    console
        Where progress and results are shown.
    settings
        Training settings that differ from the ``quick`` preset, as ``key=value``.
    steps
        Time steps of every simulation.
    seconds
        Wall time of every part so far.
    """

    folder: Path
    source: Path
    console: Console
    settings: tuple[str, ...] = (f"data.n_valid={N_VALID}", f"data.n_test={N_TEST}")
    steps: int = STEPS
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        """Take all steps."""
        (self.folder / "plots").mkdir(parents=True)
        with self._part("check the data"):
            data = self._read()
        with self._part("train"):
            training = self._train()
        with self._part("test"):
            errors = self._test(data)
        with self._part("simulate"):
            simulation = self._simulate(data)
        more = self._further_parts()
        with self._part("plot and report"):
            self._report(data, training, errors, simulation, more)
        self._print_summary(errors, simulation)

    @contextmanager
    def _part(self, title: str) -> Iterator[None]:
        self.console.rule(
            f"[bold]{len(self.seconds) + 1}/{PARTS + len(self._plugins)} {title}", align="left"
        )
        begin = time.perf_counter()
        yield
        self.seconds[title] = time.perf_counter() - begin

    # --- steps

    def _read(self) -> Dataset:
        from nequip_openmm.data import read_dataset
        from nequip_openmm.data.lint import check_dataset

        data = read_dataset(self.source, progress=True)
        report = check_dataset(data)
        for finding in report.findings:
            self.console.print(f"{finding.severity}: {finding.message}", markup=False)
        if report.errors:
            raise DataError(f"{self.source} has errors; see nequip-openmm info {self.source}")
        formula = data[0].to_ase().get_chemical_formula()
        self.console.print(
            f"{len(data)} frames of {formula}, {data.n_atoms[0]} atoms; no errors found"
        )
        return data

    def _train(self) -> TrainingResult:
        from nequip_openmm.training import load_config, train

        config = load_config(None, "quick", (*self.settings, *self._shifts()), self.source)
        result = train(config, self.folder / "train", console=self.console)
        if result.model is None or result.reason != "finished":
            raise typer.Exit(130)
        shutil.copyfile(result.model, self.model)
        self.console.print(
            f"{result.epoch} epochs in {result.elapsed:.0f} s; best epoch {result.best_epoch}"
        )
        return result

    def _test(self, data: Dataset) -> Errors:
        from nequip_openmm import load
        from nequip_openmm.training import evaluate_model

        errors = evaluate_model(load(self.model, device="cpu"), data.subset(self._split().test))
        text = json.dumps(errors.to_dict(), indent=2)
        (self.folder / "evaluation.json").write_text(text + "\n", encoding="utf-8")
        return errors

    def _simulate(self, data: Dataset) -> SimulationResult:
        import ase.io

        from nequip_openmm.simulation import SimulationSpec, run_simulation

        test = data.subset(self._split().test)
        ase.io.write(self._start, test[int(test.energies.argmin())].to_ase())
        spec = SimulationSpec(
            model=self.model,
            structure=self._start,
            ensemble="nvt",
            temperature=TEMPERATURE_K,
            timestep=TIMESTEP_FS,
            steps=self.steps,
            friction=10.0,  # 1/ps: six atoms thermalise within the run
            minimise=True,
            trajectory_format="xyz",
            trajectory_interval=20,
            thermo_interval=10,
            platform="CPU",
            backend="TorchForce",
        )
        return run_simulation(spec, self.folder / "md", console=self.console)

    def _further_parts(self) -> list[Section]:
        """Take the parts that other packages add; return their sections of the report."""
        sections = []
        for plugin in self._plugins:
            with self._part(plugin.name):
                folder = self.folder / plugin.name.replace(" ", "-")
                part = plugin.load()
                sections += part(self.model, self._start, folder, self.steps, self.console)
        return sections

    def _report(
        self,
        data: Dataset,
        training: TrainingResult,
        errors: Errors,
        simulation: SimulationResult,
        more: list[Section],
    ) -> Path:
        from nequip_openmm.analysis import plots, report

        self._draw_parity(data, errors)
        curves = plots.plot_learning_curves(
            training.output / "metrics.csv", self._plot("learning-curves")
        )
        thermo = plots.plot_thermo(
            simulation.folder / "thermo.csv",
            self._plot("thermo"),
            temperature=TEMPERATURE_K,
            n_atoms=int(data.n_atoms[0]),
        )
        sections = [
            report.dataset_section(self.source.name, self._data_facts(data), self._frames_used()),
            report.training_section(self._training_facts(training), curves),
            report.errors_section(errors.total, errors.frames, self._plot("parity")),
            report.simulation_section(
                simulation.folder, self._simulation_facts(simulation), thermo
            ),
            *more,
            report.timings_section(self.seconds),
            report.Section("Do it again, or go on", code=self._commands()),
        ]
        lead = (
            f"Force error {errors.total['forces_mae_mev_per_angstrom']:.1f} meV/Å and energy error "
            f"{errors.total['energy_mae_mev_per_atom']:.2f} meV/atom on frames never trained on, after "
            f"{training.elapsed:.0f} s of training."
        )
        title = "A NequIP potential from data to dynamics"
        return report.write_report(self.folder / "report.html", title, sections, lead=lead)

    def _draw_parity(self, data: Dataset, errors: Errors) -> None:
        from nequip_openmm.analysis.plots import plot_parity

        test = data.subset(self._split().test)
        plot_parity(
            test.energies / test.n_atoms,
            errors.energies / test.n_atoms,
            test.forces,
            errors.forces,
            self._plot("parity"),
        )

    def _shifts(self) -> list[str]:
        """Return the setting for energies of isolated atoms where they lie beside the data set.

        One composition alone leaves open how the total divides among the elements.
        """
        atoms = self.source.with_name("isolated_atoms.json")
        if not atoms.exists():
            return []
        energies = json.loads(atoms.read_text(encoding="utf-8"))
        return [f"data.isolated_atom_energies={json.dumps(energies)}"]

    # --- what the report says

    def _data_facts(self, data: Dataset) -> dict[str, object]:
        per_atom = data.energies / data.n_atoms
        return {
            "frames": len(data),
            "elements": ", ".join(data.species),
            "atoms in a frame": int(data.n_atoms[0]),
            "energy range (eV/atom)": f"{per_atom.min():.3f} to {per_atom.max():.3f}",
            "root mean square force (eV/Å)": f"{(data.forces**2).mean() ** 0.5:.2f}",
        }

    def _frames_used(self) -> dict[str, int]:
        split = self._split()
        return {
            "training": len(split.train),
            "validation": len(split.valid),
            "test": len(split.test),
        }

    def _training_facts(self, training: TrainingResult) -> dict[str, object]:
        from nequip_openmm import load

        config = load(self.model, device="cpu").info.config
        return {
            "preset": "quick",
            "l_max, layers, features": f"{config.l_max}, {config.num_layers}, {config.num_features}",
            "cutoff (Å)": config.cutoff,
            "epochs, best epoch": f"{training.epoch}, {training.best_epoch}",
            "training time (s)": f"{training.elapsed:.0f}",
        }

    def _simulation_facts(self, simulation: SimulationResult) -> dict[str, object]:
        return {
            "ensemble": f"NVT, Langevin middle, {TEMPERATURE_K:g} K, time step {TIMESTEP_FS} fs",
            "length (ps)": f"{simulation.step * TIMESTEP_FS / 1000:g}",
            "speed (ns/day)": ""
            if simulation.ns_per_day is None
            else f"{simulation.ns_per_day:.3g}",
        }

    def _commands(self) -> str:
        program, python = _shown(sys.argv[0]), _shown(sys.executable)
        data = _shown(self.source)
        return f"""
{program} train --dataset {data} --preset balanced --output better
{program} evaluate {self.model} {data} --indices {self.folder}/train/split.json:test
{program} md --model {self.model} --structure {self._start} --steps 20000 --output longer
{python} {self.folder}/md/simulate.py
"""

    # --- helpers

    @property
    def model(self) -> Path:
        """The trained potential."""
        return self.folder / "model.safetensors"

    @property
    def _start(self) -> Path:
        """Where simulations start: the test frame of the lowest energy."""
        return self.folder / "start.xyz"

    @property
    def _plugins(self) -> list[EntryPoint]:
        return sorted(entry_points(group=PLUGINS))

    def _split(self) -> Split:
        from nequip_openmm.data.split import Split

        return Split.load(self.folder / "train" / "split.json")

    def _plot(self, name: str) -> Path:
        return self.folder / "plots" / f"{name}.png"

    def _print_summary(self, errors: Errors, simulation: SimulationResult) -> None:
        table = Table(title="Summary", title_justify="left", show_header=False)
        for name, value in self._summary(errors, simulation):
            table.add_row(name, value)
        self.console.print(table)
        self.console.print(f"report: {self.folder / 'report.html'}", markup=False)
        self.console.print(f"next:{self._commands()}", markup=False)

    def _summary(self, errors: Errors, simulation: SimulationResult) -> list[tuple[str, str]]:
        total = errors.total
        speed = simulation.ns_per_day
        return [
            ("test frames", str(errors.frames)),
            ("force MAE", f"{total['forces_mae_mev_per_angstrom']:.1f} meV/Å"),
            ("force RMSE", f"{total['forces_rmse_mev_per_angstrom']:.1f} meV/Å"),
            ("energy MAE", f"{total['energy_mae_mev_per_atom']:.2f} meV/atom"),
            ("dynamics", f"{simulation.step * TIMESTEP_FS / 1000:g} ps at {TEMPERATURE_K:g} K"),
            ("speed", "" if speed is None else f"{speed:.3g} ns/day"),
            *((part, f"{seconds:.0f} s") for part, seconds in self.seconds.items()),
        ]


def _shown(path: Path | str) -> str:
    """Return a path as one would type it here: relative where that is shorter."""
    return min(str(path), os.path.relpath(path), key=len)


def _new_folder(output: Path | None) -> Path:
    """Return the folder asked for, or the first free one of ``demo-run``, ``demo-run-2``, ..."""
    from nequip_openmm.runs import RunFolder

    if output is not None:
        RunFolder.require_free(output, is_resumable=False)
        return output
    number = 2
    folder = FOLDER
    while folder.exists():
        folder = FOLDER.with_name(f"{FOLDER.name}-{number}")
        number += 1
    return folder
