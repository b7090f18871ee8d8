"""All that ``nequip-ipi-driver`` does once the model is loaded."""

from __future__ import annotations

import logging
from pathlib import Path

from ipi_driver.client import Client, ConnectionSettings
from ipi_driver.evaluator import Evaluator
from ipi_driver.failures import explain, write_error
from ipi_driver.guard import Guard
from nequip_openmm.errors import RunFailed, UserError

__all__ = ["run"]

log = logging.getLogger(__name__)


def run(
    evaluator: Evaluator,
    settings: ConnectionSettings,
    error_file: Path = Path("driver_error.json"),
) -> int:
    """Serve i-PI and return the exit code.

    Returns
    -------
    0 if i-PI has ended or a signal has asked to stop; 2 if the address cannot be used; 3 if the evaluation failed or the
    request was refused; 4 if no i-PI was found in time. What went wrong is logged in one line and written to ``error_file``.
    """
    with Guard() as guard:
        return _serve(Client(evaluator, settings, guard), error_file)


def _serve(client: Client, error_file: Path) -> int:
    try:
        client.run()
    except RunFailed as error:
        log.error("stopped: %s", explain(error))
        write_error(error_file, error)
        return error.exit_code
    except UserError as error:
        log.error("error: %s", error)
        write_error(error_file, error)
        return 2
    finally:
        log.info("%s", client.fill)
    return 0
