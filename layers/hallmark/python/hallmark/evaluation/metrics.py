"""What a number means: its direction, its range, what kind of statistics fit it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Direction(StrEnum):
    """Which way is better."""

    HIGHER = "higher_is_better"
    LOWER = "lower_is_better"


class MetricKind(StrEnum):
    """What the values of single cases look like."""

    BINARY = "binary"
    """0 or 1: a rate over cases."""
    BOUNDED = "bounded"
    """Any value between ``low`` and ``high``: a mean over cases."""
    UNBOUNDED = "unbounded"
    """No known bound (milliseconds, dollars)."""
    CORPUS = "corpus"
    """Computed from sums over all cases, e.g. BLEU; the mean of single cases is another number."""


class Metric(BaseModel):
    """A metric as reports and gates know it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: str
    title: str
    direction: Direction = Direction.HIGHER
    kind: MetricKind = MetricKind.BOUNDED
    low: float | None = 0.0
    high: float | None = 1.0
    unit: str = ""

    def is_better(self, value: float, than: float) -> bool:
        """Tell whether a value is strictly better than another."""
        return value > than if self.direction is Direction.HIGHER else value < than
