"""What i-PI runs tell: quantum kinetic energies, the size of ring polymers, pair distributions, drift, convergence."""
