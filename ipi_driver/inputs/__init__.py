"""Inputs for i-PI: from a model, a structure and a few settings to a correct ``input.xml``."""

from ipi_driver.inputs.document import input_xml
from ipi_driver.inputs.spec import PimdSpec
from ipi_driver.inputs.structure import Start, read_start
from ipi_driver.inputs.transport import Address, new_address

__all__ = ["Address", "PimdSpec", "Start", "input_xml", "new_address", "read_start"]
