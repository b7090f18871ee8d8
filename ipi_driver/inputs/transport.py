"""How i-PI reaches the model, and the rules by which batch size, latency and time-outs are chosen.

Measured with i-PI 3.3.1: its polling thread may wake while the beads of a step are still being queued, sends an incomplete
batch and pads it with copies. With 32 beads of 192 atoms and the default latency of 1e-4 s this happens at almost every
step; 1e-2 s avoids it, and costs as much per step, which small systems would notice.
"""

from __future__ import annotations

import socket
import uuid
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from ipi_driver.inputs.element import element
from ipi_driver.inputs.spec import PimdSpec
from ipi_driver.inputs.structure import TEMPLATE
from nequip_openmm.errors import ConfigError

__all__ = [
    "FORCEFIELD",
    "MODEL",
    "PREFIX",
    "Address",
    "batch_size",
    "forcefield",
    "latency",
    "new_address",
    "parameters",
]

FORCEFIELD = "nequip"
MODEL = "model.safetensors"
PREFIX = "/tmp/ipi_"  # what i-PI puts before the address of a unix socket
MAX_PATH = 107  # bytes of a unix socket's path
_SMALL, _MEDIUM = 500, 2000  # atoms times beads


@dataclass(frozen=True)
class Address:
    """Where i-PI listens.

    Attributes
    ----------
    name
        End of a unix socket's path, or a host name.
    port
        Of a TCP socket; None for a unix socket.
    """

    name: str
    port: int | None = None

    @property
    def path(self) -> Path | None:
        """File of a unix socket."""
        return Path(PREFIX + self.name) if self.port is None else None

    def __str__(self) -> str:
        return str(self.path) if self.port is None else f"{self.name}:{self.port}"


def new_address(spec: PimdSpec) -> Address:
    """Return an address that nobody else uses: a random name, or a free port."""
    if spec.socket == "unix":
        return _checked(Address(f"nequip-{uuid.uuid4().hex[:12]}"))
    return Address(spec.host, spec.port or _free_port(spec.host))


def batch_size(spec: PimdSpec) -> int:
    """Return how many structures one request holds: the share of a process in the beads that are due together."""
    if spec.batch_size is not None:
        return spec.batch_size
    return spec.n_beads if spec.ffdirect else -(-spec.n_beads // spec.processes)


def latency(spec: PimdSpec, n_atoms: int) -> float:
    """Return the seconds that i-PI sleeps between looks at its queue; longer the longer it takes to fill the queue."""
    if spec.latency is not None:
        return spec.latency
    if batch_size(spec) == 1:
        return 1e-4
    size = n_atoms * spec.n_beads
    return 1e-4 if size < _SMALL else 1e-3 if size < _MEDIUM else 1e-2


def forcefield(
    spec: PimdSpec, n_atoms: int, address: Address | None, pes: Path | None = None
) -> Element:
    """Return ``<ffsocket>`` or, in process, ``<ffdirect>`` with the file ``pes``."""
    if spec.ffdirect:
        if pes is None:
            raise ConfigError("ffdirect: needs the path of the PES file")
        return _direct(spec, pes)
    if address is None:
        raise ConfigError("drivers need an address on which i-PI listens")
    result = element("ffsocket", name=FORCEFIELD, mode=spec.socket, pbc=False)
    result.append(element("address", address.name))
    if address.port is not None:
        result.append(element("port", address.port))
    result.append(element("latency", f"{latency(spec, n_atoms):g}"))
    result.append(element("timeout", f"{spec.timeout:g}"))
    result.append(element("batch_size", batch_size(spec)))
    return result


def parameters(spec: PimdSpec) -> dict[str, str]:
    """Return what the PES file is told; paths are relative to the run folder."""
    values = {"model": MODEL, "template": TEMPLATE}
    if spec.device is not None:
        values["device"] = spec.device
    if spec.dtype != "auto":
        values["dtype"] = spec.dtype
    return values


def _direct(spec: PimdSpec, pes: Path) -> Element:
    # Without threads a round of requests is one call, always full; i-PI would wait for ever for one that is not.
    if spec.n_beads % batch_size(spec):
        raise ConfigError(
            f"batch_size = {spec.batch_size}: must divide the {spec.n_beads} beads with ffdirect, or i-PI waits for ever"
        )
    pairs = ", ".join(f"{name}: {value}" for name, value in parameters(spec).items())
    result = element("ffdirect", name=FORCEFIELD, pbc=False, threaded=False)
    result.append(element("pes", "custom"))
    result.append(element("pes_path", str(pes)))
    result.append(element("parameters", f"{{ {pairs} }}"))
    result.append(element("batch_size", batch_size(spec)))
    return result


def _checked(address: Address) -> Address:
    path = str(address.path)
    if len(path.encode()) > MAX_PATH:
        raise ConfigError(
            f"the socket {path} is longer than the {MAX_PATH} bytes that the system allows"
        )
    return address


def _free_port(host: str) -> int:
    """Return a port that is free now; i-PI takes it a moment later."""
    try:
        with socket.socket() as probe:
            probe.bind((host, 0))
            return int(probe.getsockname()[1])
    except OSError as error:
        raise ConfigError(f"host {host}: cannot be listened on: {error}") from error
