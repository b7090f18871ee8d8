"""Inputs for i-PI: from a model, a structure and a few settings to a correct ``input.xml``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipi_driver.inputs.document import input_xml
    from ipi_driver.inputs.spec import PimdSpec
    from ipi_driver.inputs.structure import Start, read_start
    from ipi_driver.inputs.transport import Address, new_address

__all__ = ["Address", "PimdSpec", "Start", "input_xml", "new_address", "read_start"]

_HOMES = {
    "Address": "transport",
    "PimdSpec": "spec",
    "Start": "structure",
    "input_xml": "document",
    "new_address": "transport",
    "read_start": "structure",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: the window wants the settings, and not what reads structures."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ipi_driver.inputs' has no attribute {name!r}")
    return getattr(import_module(f"ipi_driver.inputs.{_HOMES[name]}"), name)
