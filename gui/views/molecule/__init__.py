"""Atoms in three dimensions."""
