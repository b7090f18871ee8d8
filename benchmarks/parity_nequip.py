"""How far our model is from the official nequip package with the same weights.

Prints one line per architecture and precision: the deviation over a molecule, a cluster, a triclinic crystal smaller than the
cutoff and a larger cell, of the total energy per atom, atomic energies, forces and stress. float64: largest, in eV, eV/Å,
eV/Å³; float32: root mean square relative to the root mean square. Needs nequip (``pip install nequip-openmm[dev]``); run from the root of the repository:

    python -m benchmarks.parity_nequip
"""

from __future__ import annotations

import warnings

import torch

from tests.peers.nequip_peer import CASES, errors, parity_row


def main() -> None:
    warnings.simplefilter("ignore")
    for dtype in (torch.float64, torch.float32):
        for case in CASES:
            print(parity_row(case, dtype, errors(case, dtype)), flush=True)


if __name__ == "__main__":
    main()
