"""All runs: list, curves side by side, differences of settings."""
