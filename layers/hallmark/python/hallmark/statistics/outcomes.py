"""What every calculation hands back: a number with its interval, and a test with all that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Alternative(StrEnum):
    """What a test looks for."""

    TWO_SIDED = "two_sided"
    GREATER = "greater"
    """The candidate's scores are higher than the baseline's."""
    LESS = "less"


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true value lies, with so much confidence; an end that the cases do not bound is infinite."""

    low: float
    high: float
    confidence: float
    method: str

    @property
    def width(self) -> float:
        """From end to end."""
        return self.high - self.low

    def contains(self, value: float) -> bool:
        """Tell whether a value lies in it, its ends included."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, how sure it is, and what it rests on."""

    value: float
    standard_error: float
    interval: Interval
    n: int
    """Cases."""
    clusters: int | None = None
    """Independent groups of cases, where cases are not independent of one another."""


@dataclass(frozen=True, slots=True)
class Significance:
    """What a test of a candidate against a baseline found; positive effects are in favour of higher scores."""

    statistic: float
    p_value: float
    effect: float
    """Candidate minus baseline, in the unit of the scores."""
    interval: Interval | None
    """Of the effect; None where the test has none of its own."""
    n: int
    """Cases that the test rests on."""
    method: str
    alternative: Alternative = Alternative.TWO_SIDED
