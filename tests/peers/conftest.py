"""Fixtures of the tests beside other packages."""

from __future__ import annotations

from tests.forces.conftest import model_file

__all__ = ["model_file"]
