"""Sampling of methanol geometries on the GFN2-xTB surface.

Every function returns :class:`ase.Atoms` in the atom order C, O, H(C), H(O),
H(C), H(C).  Lengths are in Å, energies in eV, temperatures in K.  GFN2-xTB
(Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019)) only
decides where the reference calculations are made; it never labels a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
from ase import Atoms, units
from ase.build import molecule
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.optimize import BFGS
from tblite.ase import TBLite

CARBON, OXYGEN, HYDROXYL_H = 0, 1, 3
METHYL_H = (2, 4, 5)

#: Share of each origin in the data set, in per mille.
RECIPE = {
    "md300": 130,
    "md600": 190,
    "md1000": 220,
    "wigner300": 140,
    "wigner300_x1.5": 60,
    "stretch_OH": 70,
    "stretch_CH": 65,
    "stretch_CO": 30,
    "bend_HOC": 25,
    "bend_HCO": 25,
    "bend_HCH": 20,
    "compressed": 25,
}
#: Langevin MD: step and sampling interval in fs, equilibration in fs.
MD_STEP, MD_INTERVAL, MD_EQUILIBRATION = 0.5, 80.0, 1000.0
#: Independent trajectories (each from another torsion) per temperature.
TRAJECTORIES = 6
#: A candidate is kept below these GFN2-xTB limits (eV above minimum, eV/Å).
XTB_ENERGY_LIMIT, XTB_FORCE_LIMIT = 5.5, 38.0
#: No two nuclei closer than this (Å).
SHORTEST_DISTANCE = 0.65


def with_xtb(atoms: Atoms) -> Atoms:
    """Attach a silent GFN2-xTB calculator."""
    atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
    return atoms


def optimised_methanol() -> Atoms:
    """Return the GFN2-xTB minimum (staggered methanol)."""
    atoms = with_xtb(molecule("CH3OH"))
    BFGS(atoms, logfile=None).run(fmax=1e-4, steps=500)
    return atoms


def twisted(atoms: Atoms, angle: float) -> Atoms:
    """Turn the hydroxyl hydrogen about the C-O axis by ``angle`` degrees."""
    turned = atoms.copy()
    axis = turned.positions[OXYGEN] - turned.positions[CARBON]
    _rotate_atom(turned, HYDROXYL_H, axis, OXYGEN, angle)
    return turned


def _rotate_atom(atoms: Atoms, index: int, axis: np.ndarray, centre: int, angle: float) -> None:
    """Rotate one atom about ``axis`` through atom ``centre`` (degrees)."""
    lone = Atoms("H", [atoms.positions[index]])
    lone.rotate(angle, axis, center=atoms.positions[centre])
    atoms.positions[index] = lone.positions[0]


def langevin_frames(
    start: Atoms, temperature: float, count: int, rng: np.random.Generator
) -> list[Atoms]:
    """Sample ``count`` frames, ``MD_INTERVAL`` apart, after equilibration.

    The centre of mass is left to diffuse: ``fixcm=True`` of ASE heats a
    molecule this small to well above the target temperature.
    """
    atoms = with_xtb(start.copy())
    MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
    dynamics = Langevin(
        atoms,
        MD_STEP * units.fs,
        temperature_K=temperature,
        friction=0.02 / units.fs,
        rng=rng,
        fixcm=False,
    )
    dynamics.run(round(MD_EQUILIBRATION / MD_STEP))
    frames = []
    for _ in range(count):
        dynamics.run(round(MD_INTERVAL / MD_STEP))
        frames.append(atoms.copy())
    return frames


def thermal_frames(
    minimum: Atoms, temperature: float, count: int, rng: np.random.Generator
) -> list[Atoms]:
    """Sample ``count`` frames from trajectories begun at different torsions."""
    shares = [len(part) for part in np.array_split(range(count), TRAJECTORIES)]
    frames = []
    for trajectory, share in enumerate(shares):
        start = twisted(minimum, 120.0 * trajectory / TRAJECTORIES)
        frames += langevin_frames(start, temperature, share, rng)
    return frames


def normal_modes(minimum: Atoms, step: float = 0.005) -> tuple[np.ndarray, np.ndarray]:
    """Return the vibrations of the GFN2-xTB minimum.

    The Hessian comes from central differences of the forces (``step`` in Å).
    Returns the angular frequencies as energies ħω (eV), shape (3N-6,), and the
    mass-weighted orthonormal modes in rows, shape (3N-6, 3N).
    """
    atoms = with_xtb(minimum.copy())
    reference = atoms.positions.copy()
    hessian = np.empty((reference.size, reference.size))
    for row in range(reference.size):
        forces = []
        for sign in (1, -1):
            atoms.positions = reference
            atoms.positions.flat[row] += sign * step
            forces.append(atoms.get_forces().ravel())
        hessian[row] = (forces[1] - forces[0]) / (2 * step)
    root_mass = np.sqrt(np.repeat(atoms.get_masses(), 3))
    weighted = 0.5 * (hessian + hessian.T) / np.outer(root_mass, root_mass)
    curvature, modes = np.linalg.eigh(weighted)
    hbar = units._hbar * units.J * units.s
    return hbar * np.sqrt(curvature[6:]), modes.T[6:]


def wigner_frame(
    minimum: Atoms,
    vibrations: tuple[np.ndarray, np.ndarray],
    amplitude: float,
    rng: np.random.Generator,
    temperature: float = 300.0,
) -> Atoms:
    """Draw one frame from the quantum harmonic oscillator at ``temperature``.

    Each mass-weighted normal coordinate is Gaussian with variance
    ħ/(2ω) coth(ħω/2kT) (Wigner, Phys. Rev. 40, 749 (1932)), its width scaled
    by ``amplitude``.  The torsion is then turned by a uniform random angle,
    because it is a hindered rotor and not an oscillator.
    """
    quanta, modes = vibrations
    hbar = units._hbar * units.J * units.s
    thermal = 1 / np.tanh(quanta / (2 * units.kB * temperature))
    width = amplitude * hbar * np.sqrt(thermal / (2 * quanta))
    shift = (rng.normal(size=quanta.size) * width) @ modes
    frame = minimum.copy()
    root_mass = np.sqrt(frame.get_masses())[:, None]
    frame.positions += shift.reshape(-1, 3) / root_mass
    return twisted(frame, rng.uniform(0.0, 360.0))


def stretched(atoms: Atoms, fixed: int, moved: list[int], length: float) -> Atoms:
    """Set the bond ``fixed``-``moved[0]`` to ``length`` Å, moving all of ``moved``."""
    frame = atoms.copy()
    bond = frame.positions[moved[0]] - frame.positions[fixed]
    frame.positions[moved] += bond * (length / np.linalg.norm(bond) - 1.0)
    return frame


def bent(atoms: Atoms, moved: int, centre: int, end: int, angle: float) -> Atoms:
    """Set the angle moved-centre-end to ``angle`` degrees by turning one atom."""
    frame = atoms.copy()
    first = frame.positions[moved] - frame.positions[centre]
    second = frame.positions[end] - frame.positions[centre]
    present = frame.get_angle(moved, centre, end)
    _rotate_atom(frame, moved, np.cross(first, second), centre, present - angle)
    return frame


def compressed(atoms: Atoms, scale: float) -> Atoms:
    """Scale all distances by ``scale``."""
    frame = atoms.copy()
    frame.positions *= scale
    return frame


def distortions(minimum: Atoms, rng: np.random.Generator) -> dict[str, Callable[[Atoms], Atoms]]:
    """Return the random distortions of a thermal frame, by origin.

    Stretches are 0.75-1.6 (O-H, C-H) and 0.85-1.35 (C-O) of the equilibrium
    length; the angles reach 60-165°, and H-C-H closes to 55-85°, which brings
    two hydrogens to 1.0-1.5 Å.
    """

    def methyl() -> int:
        return int(rng.choice(METHYL_H))

    def stretch(fixed: int, moved: list[int], low: float, high: float):
        length = minimum.get_distance(fixed, moved[0]) * rng.uniform(low, high)
        return lambda frame: stretched(frame, fixed, moved, length)

    def bend(moved: int, centre: int, end: int, low: float, high: float):
        angle = rng.uniform(low, high)
        return lambda frame: bent(frame, moved, centre, end, angle)

    pair = [int(i) for i in rng.choice(METHYL_H, 2, replace=False)]
    scale = rng.uniform(0.86, 0.97)
    return {
        "stretch_OH": stretch(OXYGEN, [HYDROXYL_H], 0.75, 1.6),
        "stretch_CH": stretch(CARBON, [methyl()], 0.75, 1.6),
        "stretch_CO": stretch(CARBON, [OXYGEN, HYDROXYL_H], 0.85, 1.35),
        "bend_HOC": bend(HYDROXYL_H, OXYGEN, CARBON, 65.0, 165.0),
        "bend_HCO": bend(methyl(), CARBON, OXYGEN, 60.0, 155.0),
        "bend_HCH": bend(pair[0], CARBON, pair[1], 55.0, 85.0),
        "compressed": lambda frame: compressed(frame, scale),
    }


def acceptable(frame: Atoms, lowest: float) -> bool:
    """Tell whether a candidate lies within the GFN2-xTB and distance limits."""
    distances = frame.get_all_distances()[np.triu_indices(len(frame), 1)]
    if distances.min() < SHORTEST_DISTANCE:
        return False
    trial = with_xtb(frame.copy())
    energy = trial.get_potential_energy() - lowest
    force = np.linalg.norm(trial.get_forces(), axis=1).max()
    return energy < XTB_ENERGY_LIMIT and force < XTB_FORCE_LIMIT


def candidates(
    origin: str, count: int, minimum: Atoms, rng: np.random.Generator
) -> Iterator[Atoms]:
    """Yield geometries of one origin without end (MD: ``count`` at a time)."""
    if origin.startswith("wigner"):
        vibrations = normal_modes(minimum)
        amplitude = 1.5 if origin.endswith("x1.5") else 1.0
        while True:
            yield wigner_frame(minimum, vibrations, amplitude, rng)
    is_md = origin.startswith("md")
    temperature = float(origin[2:]) if is_md else 300.0
    while True:
        for frame in thermal_frames(minimum, temperature, count, rng):
            yield frame if is_md else distortions(minimum, rng)[origin](frame)


def sample_origin(origin: str, count: int, minimum: Atoms, rng: np.random.Generator) -> list[Atoms]:
    """Return ``count`` acceptable geometries of one origin."""
    lowest = minimum.get_potential_energy()
    usable = (
        frame for frame in candidates(origin, count, minimum, rng) if acceptable(frame, lowest)
    )
    frames = list(islice(usable, count))
    for frame in frames:
        frame.info = {"origin": origin}
    return frames


def recipe_counts(total: int) -> dict[str, int]:
    """Split ``total`` frames over the origins of :data:`RECIPE`."""
    share = sum(RECIPE.values())
    counts = {name: total * part // share for name, part in RECIPE.items()}
    for name in list(RECIPE)[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def sample_geometries(total: int, seed: int) -> list[Atoms]:
    """Return ``total`` geometries in random order, the first one the minimum.

    Positions are rounded to 1e-8 Å, the precision of the file, so that the
    stored geometry is exactly the one computed.
    """
    minimum = optimised_methanol()
    rng = np.random.default_rng(seed)
    frames = []
    for origin, count in recipe_counts(total - 1).items():
        frames += sample_origin(origin, count, minimum, rng)
    first = minimum.copy()
    first.info = {"origin": "xtb_minimum"}
    ordered = [first] + [frames[i] for i in rng.permutation(len(frames))]
    for index, frame in enumerate(ordered):
        frame.positions = np.round(frame.positions - frame.get_center_of_mass(), 8)
        frame.info["frame"] = index
    return ordered
