"""Energy minimisation and normal modes: wavenumbers of methanol, beside measured ones; some seconds.

python examples/openmm_normal_modes.py [MODEL]; without a model, the one that ./run demo leaves.
"""

import sys

import numpy as np
from openmm import Context, LocalEnergyMinimizer, Platform, VerletIntegrator, app, unit

from nequip_openmm import NequIPPotential

model = sys.argv[1] if len(sys.argv) > 1 else "demo-run/model.safetensors"
# T. Shimanouchi, Tables of Molecular Vibrational Frequencies I (1972): fundamentals, so anharmonic
MEASURED = [295, 1033, 1060, 1165, 1345, 1455, 1477, 1477, 2844, 2960, 3000, 3681]

pdb = app.PDBFile("examples/methanol.pdb")
potential = NequIPPotential(model, dtype="float64")  # a second derivative needs digits
system = potential.createSystem(pdb.topology)
context = Context(system, VerletIntegrator(0.0005), Platform.getPlatformByName("Reference"))
context.setPositions(pdb.positions)
LocalEnergyMinimizer.minimize(context, 0.001)  # kJ/mol/nm
state = context.getState(positions=True, energy=True)
x0 = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
print("energy of the minimum", state.getPotentialEnergy())


def gradient(x: np.ndarray) -> np.ndarray:
    """Return dE/dx (3N) in kJ/mol/nm."""
    context.setPositions(x.reshape(-1, 3))
    forces = context.getState(forces=True).getForces(asNumpy=True)
    return -forces.value_in_unit(unit.kilojoule_per_mole / unit.nanometer).ravel()


step = 1e-4  # nm
hessian = np.array(
    [
        (gradient(x0.ravel() + step * e) - gradient(x0.ravel() - step * e)) / (2 * step)
        for e in np.eye(x0.size)
    ]
)
n_atoms = system.getNumParticles()
masses = [system.getParticleMass(i).value_in_unit(unit.dalton) for i in range(n_atoms)]
weights = 1.0 / np.sqrt(np.repeat(masses, 3))
eigenvalues = np.linalg.eigvalsh(0.5 * (hessian + hessian.T) * np.outer(weights, weights))
# kJ/mol/nm²/Da is 1/ps²; angular frequencies become wavenumbers by 2πc
per_cm = 1.0 / (
    2.0 * np.pi * unit.SPEED_OF_LIGHT_C.value_in_unit(unit.centimeter / unit.picosecond)
)
wavenumbers = np.sign(eigenvalues) * np.sqrt(np.abs(eigenvalues)) * per_cm
print("translations and rotations /cm", *np.round(sorted(wavenumbers, key=abs)[:6], 1))
print("vibrations /cm   measured /cm")
for found, measured in zip(sorted(sorted(wavenumbers, key=abs)[6:]), MEASURED):
    print(f"{found:10.0f}      {measured:10.0f}")
