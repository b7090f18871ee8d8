"""What a check of a data set reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Finding", "Report", "Severity"]

Severity = Literal["error", "warning", "note"]
ORDER: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Attributes
    ----------
    severity
        ``"error"``: training would fail or learn wrong numbers; ``"warning"``: probably a mistake; ``"note"``: good to know.
    code
        Short identifier, explained in the documentation.
    message
        One line: what, how much, what to do.
    frames
        Frames it concerns, counted from 0; empty where it concerns all.
    """

    severity: Severity
    code: str
    message: str
    frames: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        severity: Severity,
        code: str,
        message: str,
        frames: Sequence[int] | NDArray[np.int64] = (),
    ) -> Finding:
        """Build one from frames of any integer type."""
        return cls(severity, code, message, tuple(int(i) for i in frames))

    def to_dict(self, most_frames: int = 100) -> dict[str, Any]:
        """Return plain values for JSON, with the first ``most_frames`` frames and their number."""
        return {
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "n_frames": len(self.frames),
            "frames": list(self.frames[:most_frames]),
        }


@dataclass(frozen=True)
class Report:
    """All findings, errors first."""

    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> Report:
        """Sort findings by severity; within one, the order stays."""
        return cls(tuple(sorted(findings, key=lambda finding: ORDER.index(finding.severity))))

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that must be dealt with."""
        return tuple(f for f in self.findings if f.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that should be looked at."""
        return tuple(f for f in self.findings if f.severity == "warning")

    def __getitem__(self, code: str) -> Finding:
        return next(finding for finding in self.findings if finding.code == code)

    def __contains__(self, code: str) -> bool:
        return any(finding.code == code for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "findings": [finding.to_dict() for finding in self.findings],
        }
