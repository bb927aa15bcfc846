"""The report of a look, as values; its id comes from what it was made of, so that a repeat makes the same one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict

_DIGEST_LENGTH = 12


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Bars(_Value):
    """Shares of baseline and window over the same bars, for a picture."""

    labels: tuple[str, ...]
    baseline: tuple[float, ...]
    current: tuple[float, ...]


class ReportedFinding(_Value):
    """What a check found; as ``Finding``."""

    feature: str
    statistic: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    threshold: float
    baseline_value: float | None
    change_fraction: float | None
    p_value: float | None
    adjusted_p: float | None
    is_drifted: bool
    baseline_count: int
    current_count: int
    why: str
    is_conclusive: bool = True
    windows: int = 1


class DriftReport(_Value):
    """What a look at a window found."""

    report: str
    """Id of its node: ``hallmark:drift-report/…``."""
    monitor: str
    description: str = ""
    subject: str
    subject_name: str
    source: str
    start: datetime
    end: datetime
    records: int
    broken: dict[str, int] = {}
    baseline: str
    """Id of the baseline's node."""
    baseline_records: int
    findings: tuple[ReportedFinding, ...]
    """Of each check; the drifted ones first."""
    bars: dict[str, Bars] = {}
    horizon: int
    false_alarms: float

    @property
    def is_drifted(self) -> bool:
        """Tell whether any check has drifted."""
        return any(finding.is_drifted for finding in self.findings)

    @property
    def drifted(self) -> tuple[ReportedFinding, ...]:
        """Return the findings that are drift."""
        return tuple(finding for finding in self.findings if finding.is_drifted)

    @property
    def summary(self) -> str:
        """Return what was found, in one sentence."""
        if not self.is_drifted:
            checked = sum(finding.is_conclusive for finding in self.findings)
            return f"{self.monitor}: no drift of {self.subject_name} in {self.records:,} records ({checked} checks)"
        features = list(dict.fromkeys(finding.feature for finding in self.drifted))
        shown = ", ".join(features[:3]) + (f" and {len(features) - 3} more" if len(features) > 3 else "")  # noqa: PLR2004
        first = self.drifted[0]
        return (
            f"{self.monitor}: {self.subject_name} has drifted in {shown}; {first.statistic} of {first.feature} "
            f"is {first.why}"
        )


def digest_of(document: Mapping[str, Any]) -> str:
    """Return a short digest of a document's content."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)
    return sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]
