"""The ``nequip-openmm`` command: finds the sub-command's file, runs it, turns errors into one line and an exit code.

Exit codes: 0 done; 2 input that cannot be used (`UserError`) or a full disk; 3 a run that could not go on (`RunFailed`); 130 interrupted.
Sub-commands are imported when called, so that ``nequip-openmm --help`` does not wait for torch. Other packages add commands
by an entry point of the group ``nequip_openmm.commands`` whose object is a function as typer wants it; the overview shows
its docstring, so that its module must import nothing slow.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NoReturn

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from nequip_openmm._version import __version__
from nequip_openmm.errors import BackendError, RunFailed, UserError

__all__ = ["main", "run_app"]

PLUGINS = "nequip_openmm.commands"

COMMANDS = {
    "info": "Say what a data set holds and what is wrong with it.",
    "select": "Write some frames of a data set to a file of their own.",
    "train": "Train a potential.",
    "evaluate": "Measure a potential against a data set.",
    "md": "Run molecular dynamics in OpenMM.",
    "import": "Turn a checkpoint of the official nequip package into a model file.",
    "check": "Say what of this installation works.",
    "demo": "Train on methanol at CCSD(T), test, simulate, report.",
}


class _LazyGroup(TyperGroup):
    """Imports ``nequip_openmm.cli.<name>`` (``import_`` for ``import``), or a plug-in, when ``<name>`` is asked for.

    The module holds one function named as the file that typer turns into the command.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS, *sorted(_plugins())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        plugin = None if cmd_name in COMMANDS else _plugins().get(cmd_name)
        if plugin is None and cmd_name not in COMMANDS:
            return None
        if "--help" in sys.argv[1:2]:  # the overview needs the one-line texts only
            return TyperCommand(cmd_name, help=_overview(cmd_name, plugin))
        function = _builtin(cmd_name) if plugin is None else _loaded(plugin)
        app = typer.Typer(add_completion=False)
        app.command(name=cmd_name, help=function.__doc__)(function)
        return get_command(app)


def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=PLUGINS)}


def _builtin(command: str) -> Callable[..., None]:
    name = "import_" if command == "import" else command
    return getattr(importlib.import_module(f"nequip_openmm.cli.{name}"), name)


def _loaded(plugin: EntryPoint) -> Callable[..., None]:
    """Return the function of a plug-in; raises `BackendError` if it cannot be imported."""
    try:
        return plugin.load()
    except (ImportError, AttributeError) as error:
        raise BackendError(
            f"command {plugin.name!r}, which {plugin.value} should hold, cannot be loaded: {error}"
        ) from error


def _overview(command: str, plugin: EntryPoint | None) -> str:
    if plugin is None:
        return COMMANDS[command]
    try:
        return _loaded(plugin).__doc__ or ""
    except BackendError as error:  # one broken plug-in must not hide the other commands
        return str(error)


app = typer.Typer(
    cls=_LazyGroup,
    name="nequip-openmm",
    help="NequIP potentials for OpenMM, i-PI and ASE: train, evaluate, simulate.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


# What typer raises for a wrong option, value or command. Newer versions of typer carry a click of their own, so that the
# class has no name that fits all of them.
_UsageError: type[Exception] = typer.BadParameter.__base__  # type: ignore[assignment]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version."),
) -> None:
    if version:
        typer.echo(__version__)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the command line and exit; see the module's text for exit codes."""
    sys.exit(run_app(app, argv))


def run_app(application: typer.Typer, argv: list[str] | None) -> int:
    """Run an application of typer and return the exit code; whatever is wrong is said in one line."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        return application(args=argv, standalone_mode=False) or 0
    except UserError as error:
        console.print(f"error: {error}", style="red", markup=False)
    except _UsageError as error:
        text = " ".join(error.format_message().split()).rstrip(".")  # type: ignore[attr-defined]
        console.print(f"error: {text}; see --help", style="red", markup=False)
    except RunFailed as error:
        text = ". ".join(filter(None, (str(error), error.hint)))
        console.print(f"stopped: {text}", style="red", markup=False)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):  # Ctrl-C where a command does not catch it
        return 130
    return 2
