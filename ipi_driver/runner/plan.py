"""A run that can be started: everything is looked at before anything is on disk."""

from __future__ import annotations

import importlib.util
import os
from importlib.metadata import version
from pathlib import Path

from ipi_driver.inputs import PimdSpec, input_xml, new_address, read_start
from ipi_driver.inputs.saved import check_saved
from ipi_driver.runner import files
from ipi_driver.runner.checks import check_start, warnings_about
from nequip_openmm.errors import BackendError
from nequip_openmm.runs import RunFolder

__all__ = ["Plan", "require_ipi"]

OLDEST = (3, 3)  # i-PI with batches over sockets


class Plan:
    """A run that has passed all checks.

    Parameters
    ----------
    spec
        What to run.
    output
        The folder that is to be made.

    Raises
    ------
    UserError
        For input that cannot be simulated.
    """

    def __init__(self, spec: PimdSpec, output: Path) -> None:
        RunFolder.require_free(output)
        self.spec = spec = _with_absolute_paths(spec)
        self._output = output
        self._start = read_start(spec.structure, spec.frame)
        if spec.start is not None:
            check_saved(spec.start, list(self._start.frame.to_ase().symbols))
        self.address = None if spec.ffdirect else new_address(spec)
        input_xml(spec, self._start, self.address, files.PES_FILE)  # refuses what does not fit
        potential = check_start(spec, self._start)
        self.warnings = warnings_about(spec, self._start, potential)

    def make_folder(self) -> RunFolder:
        """Make the folder, with the settings in it."""
        return RunFolder.create(self._output, files.KIND, self.spec.model_dump(mode="json"))

    def write(self, folder: RunFolder) -> None:
        """Write all that i-PI and the drivers read."""
        files.write_inputs(folder, self.spec, self._start, self.address)


def require_ipi() -> None:
    """Raise `BackendError` unless i-PI is installed, in a version that can send several beads at once."""
    if importlib.util.find_spec("ipi") is None:
        raise BackendError("i-PI is not installed; pip install 'nequip-openmm[ipi]'")
    found = tuple(int(part) for part in version("ipi").split(".")[:2] if part.isdigit())
    if found < OLDEST:
        raise BackendError(
            f"i-PI {version('ipi')} cannot send several beads at once; pip install 'ipi>=3.3.1'"
        )


def _with_absolute_paths(spec: PimdSpec) -> PimdSpec:
    """Return the settings with paths that mean the same from any working directory."""
    names = ("model", "structure", "start", "gle")
    paths = {name: getattr(spec, name) for name in names}
    return spec.model_copy(
        update={name: Path(os.path.abspath(path)) for name, path in paths.items() if path}
    )
