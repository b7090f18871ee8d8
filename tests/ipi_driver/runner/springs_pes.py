"""The springs as a PES file, for runs with ffdirect."""

from __future__ import annotations

from typing import Any

from ipi_driver.pes import PES as _PES
from tests.ipi_driver.runner.springs import Springs

__DRIVER_NAME__ = "springs"
__DRIVER_CLASS__ = "PES"


class PES(_PES):
    def __init__(self, model: str = "", template: str = "", **others: Any) -> None:
        super().__init__(evaluator=Springs(template), **others)  # type: ignore[arg-type]
