"""Socket files that a killed process left behind."""

from __future__ import annotations

import socket
from pathlib import Path

from nequip_openmm.errors import UserError

__all__ = ["remove_stale"]


def remove_stale(path: Path) -> bool:
    """Remove a unix socket that nobody listens on; return whether there was one.

    Raises
    ------
    UserError
        If a process listens there, or the file is no socket or somebody else's.
    """
    if not path.exists():
        return False
    if not path.is_socket():
        raise UserError(f"{path}: is not a socket; move it away")
    if _is_listened_on(path):
        raise UserError(
            f"{path}: an i-PI server listens there already; is this run still going on?"
        )
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be removed: {error.strerror}") from error
    return True


def _is_listened_on(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except FileNotFoundError:  # gone meanwhile
            return False
        except OSError:  # its queue is full, or it is not ours: somebody is there
            return True
    return True
