"""``nequip-ipi-driver`` as a child process of the runner: the same command, which ends when the runner is gone."""

from __future__ import annotations

import logging
import os
import sys

from ipi_driver.cli import main as driver
from ipi_driver.runner.link import Link, LogReports

__all__ = ["main"]


def main() -> None:
    """Run ``client.py DESCRIPTOR FOLDER OPTION...``."""
    descriptor, folder, *options = sys.argv[1:]
    os.chdir(folder)
    logging.getLogger("ipi_driver").addHandler(LogReports(Link(int(descriptor))))
    sys.argv = ["nequip-ipi-driver", *options]
    driver()


if __name__ == "__main__":
    main()
