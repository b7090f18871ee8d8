"""The run folder and the event stream: what every long job leaves and says."""

from nequip_openmm.runs.commands import Command, Commands
from nequip_openmm.runs.events import EventStream, read_events
from nequip_openmm.runs.folder import RunFolder, atomic_write

__all__ = ["Command", "Commands", "EventStream", "RunFolder", "atomic_write", "read_events"]
