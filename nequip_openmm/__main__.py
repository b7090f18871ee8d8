"""``python -m nequip_openmm`` is the ``nequip-openmm`` command."""

from nequip_openmm.cli.app import main

main()
