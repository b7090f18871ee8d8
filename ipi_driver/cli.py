"""The ``nequip-ipi-driver`` command.

Exit codes: 0 i-PI has ended, or a signal asked to stop; 2 input that cannot be used; 3 the evaluation failed or a request was
refused; 4 no i-PI within the time given with ``--retry``.
"""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ipi_driver.client import ConnectionSettings
from ipi_driver.failures import clear_error, write_error
from ipi_driver.transport import Address, InetAddress, UnixAddress
from nequip_openmm._version import __version__
from nequip_openmm.cli.app import run_app
from nequip_openmm.errors import RunFailed, UserError

__all__ = ["main"]

PES_FILE = Path(__file__).with_name("pes.py")


def drive(
    model: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Model file; several --model make a committee, whose mean drives the dynamics.",
            show_default=False,
        ),
    ] = None,
    template: Annotated[
        Path | None,
        typer.Option(
            help="Structure with i-PI's atoms in i-PI's order: elements and periodicity are taken from it.",
            show_default=False,
        ),
    ] = None,
    unix: Annotated[
        bool, typer.Option("--unix", help="i-PI has <ffsocket mode='unix'>.", show_default=False)
    ] = False,
    shm: Annotated[
        bool, typer.Option("--shm", help="i-PI has <ffsocket mode='shm'>.", show_default=False)
    ] = False,
    address: Annotated[
        str | None,
        typer.Option(help="The <address> of --unix or --shm.", show_default=False),
    ] = None,
    sockets_prefix: Annotated[
        str, typer.Option(help="What comes before the address, i-PI's option -S.")
    ] = "/tmp/ipi_",
    host: Annotated[
        str | None, typer.Option(help="Machine on which i-PI runs.", show_default=False)
    ] = None,
    port: Annotated[int | None, typer.Option(help="Its <port>.", show_default=False)] = None,
    connections: Annotated[
        int,
        typer.Option(
            help="Connections to open, evaluated together; for i-PI before 3.3, which has no batch_size."
        ),
    ] = 1,
    device: Annotated[
        str | None, typer.Option(help="Such as cpu or cuda.", show_default="a GPU if there is one")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="float32 or float64.", show_default="the model's")
    ] = None,
    atomic_energies: Annotated[
        bool,
        typer.Option(
            "--atomic-energies", help="Send the energy of every atom as extras.", show_default=False
        ),
    ] = False,
    retry: Annotated[
        float, typer.Option(help="Seconds to wait for an i-PI that does not listen yet.")
    ] = 60.0,
    reconnect: Annotated[
        bool,
        typer.Option(
            "--reconnect",
            help="Wait for another i-PI when one was lost without EXIT.",
            show_default=False,
        ),
    ] = False,
    error_file: Annotated[Path, typer.Option(help="Where a failure is written as JSON.")] = Path(
        "driver_error.json"
    ),
    pes_path: Annotated[
        bool,
        typer.Option(
            "--pes-path",
            help="Print the file for <ffdirect><pes>custom</pes><pes_path> and i-pi-driver-py -m custom -P.",
            show_default=False,
        ),
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", show_default=False)
    ] = False,
) -> None:
    """Compute energies, forces and virials for i-PI with a NequIP potential."""
    if version or pes_path:
        typer.echo(__version__ if version else str(PES_FILE))
        return
    from ipi_driver.driver import run
    from ipi_driver.potentials import load_evaluator

    _log_to_stderr()
    clear_error(error_file)
    try:
        if not model or template is None:
            raise UserError("give --model and --template")
        where = _address(unix or shm, address, sockets_prefix, host, port)
        settings = ConnectionSettings(where, connections, shm, retry, reconnect)
        evaluator = load_evaluator(model, template, device, dtype, atomic_energies)
    except (UserError, RunFailed) as error:
        write_error(error_file, error)
        raise
    raise typer.Exit(run(evaluator, settings, error_file))


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the command and exit."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the client takes signals over
    code = _run(argv)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends already
    sys.exit(code)


def _address(
    is_local: bool, address: str | None, prefix: str, host: str | None, port: int | None
) -> Address:
    if is_local and address is not None and host is None and port is None:
        return UnixAddress(address, prefix)
    if not is_local and address is None and host is not None and port is not None:
        return InetAddress(host, port)
    raise UserError("say where i-PI listens: --unix --address NAME, or --host HOST --port PORT")


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("nequip-ipi-driver: %(message)s"))
    for name in ("ipi_driver", "nequip_openmm"):  # the latter tells when kernels are compiled
        package = logging.getLogger(name)
        package.addHandler(handler)
        package.setLevel(logging.INFO)


def _run(argv: list[str] | None) -> int:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(drive)
    return run_app(app, argv)
