"""Fixtures of the command-line tests."""

from __future__ import annotations

from tests.training.conftest import cluster_file

__all__ = ["cluster_file"]
