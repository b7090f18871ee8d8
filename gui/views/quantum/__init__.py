"""The quantum nuclei mode of the Simulate page: path integrals through i-PI."""
