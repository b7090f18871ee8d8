"""Sub-commands that this package adds to ``nequip-openmm``; their modules import nothing slow."""
