"""The Simulate page: inputs and settings, then the run as it goes."""
