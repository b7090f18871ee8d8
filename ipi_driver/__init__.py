"""NequIP potentials as the force engine of i-PI: wire protocol, client, in-process PES."""
