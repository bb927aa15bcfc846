"""How far a measured number may be from the true one: bounds at any level, and what is shown against a threshold.

A bound "at a level" is one-sided: the true value lies beyond it with at most that probability.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from hallmark.statistics.distributions import (
    beta_quantile,
    binomial_at_least,
    binomial_at_most,
    t_quantile,
    t_tail,
)

_NORMAL = NormalDist()
_LEAST_LEVEL = 1e-12
_EVEN = 0.5
_HALVINGS = 24
_MOST_CASES = 1_000_000


class Bounds(NamedTuple):
    """Where the true value lies; infinite where the evidence does not bound it."""

    low: float
    high: float


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Counts(_Frozen):
    """Independent cases, each right or wrong: exact bounds (Clopper and Pearson, Biometrika 26, 1934)."""

    kind: Literal["counts"] = "counts"
    successes: int = Field(ge=0)
    cases: int = Field(ge=1)

    @property
    def value(self) -> float:
        """The rate."""
        return self.successes / self.cases

    def bounds(self, level: float) -> Bounds:
        """Return the bounds at a level."""
        return _exact_bounds(self.successes, self.cases, level)

    def level_above(self, threshold: float) -> float:
        """Return the smallest level at which the rate is shown to be at least a threshold."""
        if not 0 < threshold <= 1:
            return 0.0 if threshold <= 0 else 1.0
        return binomial_at_least(self.successes, self.cases, threshold)

    def level_below(self, threshold: float) -> float:
        """Return the smallest level at which the rate is shown to be at most a threshold."""
        if not 0 <= threshold < 1:
            return 0.0 if threshold >= 1 else 1.0
        return binomial_at_most(self.successes, self.cases, threshold)

    def with_cases(self, cases: int) -> Counts:
        """Return what so many cases would show at about the same rate."""
        return Counts(successes=min(cases, round(self.value * cases)), cases=cases)


class Spread(_Frozen):
    """A mean with its standard error: Student's bounds."""

    kind: Literal["spread"] = "spread"
    value: float = Field(allow_inf_nan=False)
    standard_error: float = Field(gt=0, allow_inf_nan=False)
    degrees: float = Field(gt=0)
    cases: int = Field(ge=1)

    def bounds(self, level: float) -> Bounds:
        """Return the bounds at a level."""
        half = t_quantile(1 - level, self.degrees) * self.standard_error
        return Bounds(self.value - half, self.value + half)

    def level_above(self, threshold: float) -> float:
        """Return the smallest level at which the mean is shown to be at least a threshold."""
        return t_tail((self.value - threshold) / self.standard_error, self.degrees)

    def level_below(self, threshold: float) -> float:
        """Return the smallest level at which the mean is shown to be at most a threshold."""
        return t_tail((threshold - self.value) / self.standard_error, self.degrees)

    def with_cases(self, cases: int) -> Spread:
        """Return what so many cases would show: the error shrinks with the root of their number."""
        error = self.standard_error * math.sqrt(self.cases / cases)
        return Spread(value=self.value, standard_error=error, degrees=max(self.degrees, cases - 1), cases=cases)


class Reported(_Frozen):
    """A number with a two-sided interval that somebody else computed.

    At another level each side is scaled as a normal distribution's would be.
    """

    kind: Literal["reported"] = "reported"
    value: float = Field(allow_inf_nan=False)
    low: float | None = Field(allow_inf_nan=False)
    high: float | None = Field(allow_inf_nan=False)
    confidence: float = Field(gt=0, lt=1)
    cases: int = Field(ge=1)

    def bounds(self, level: float) -> Bounds:
        """Return the bounds at a level; infinite where the interval has no end."""
        ratio = -_NORMAL.inv_cdf(level) / _NORMAL.inv_cdf((1 + self.confidence) / 2)
        low = -math.inf if self.low is None else self.value - ratio * (self.value - self.low)
        high = math.inf if self.high is None else self.value + ratio * (self.high - self.value)
        return Bounds(low, high)

    def level_above(self, threshold: float) -> float:
        """Return the smallest level at which the value is shown to be at least a threshold."""
        return self._level(self.value - threshold, None if self.low is None else self.value - self.low)

    def level_below(self, threshold: float) -> float:
        """Return the smallest level at which the value is shown to be at most a threshold."""
        return self._level(threshold - self.value, None if self.high is None else self.high - self.value)

    def _level(self, distance: float, half: float | None) -> float:
        if half is None or distance <= 0:
            return 1.0
        if half <= 0:
            return 0.0
        return 1 - _NORMAL.cdf(distance / half * _NORMAL.inv_cdf((1 + self.confidence) / 2))

    def with_cases(self, cases: int) -> Reported:
        """Return what so many cases would show."""
        ratio = math.sqrt(self.cases / cases)
        low = None if self.low is None else self.value - ratio * (self.value - self.low)
        high = None if self.high is None else self.value + ratio * (self.high - self.value)
        return Reported(value=self.value, low=low, high=high, confidence=self.confidence, cases=cases)


Measured = Annotated[Counts | Spread | Reported, Field(discriminator="kind")]


class Difference(NamedTuple):
    """One measured number less another, of other cases: the bounds of both, squared and added.

    Zou and Donner, Construction of confidence limits about effect measures, Statistics in Medicine 27 (2008). With the
    exact bounds of two rates, a gap of the threshold's size passes with the stated probability at most, give or take
    half a percent; with Wilson's (Newcombe's interval) it would in up to 8 % of cases at a level of 5 %.
    """

    first: Measured
    second: Measured

    @property
    def value(self) -> float:
        """The difference."""
        return self.first.value - self.second.value

    @property
    def cases(self) -> int:
        """Of both together."""
        return self.first.cases + self.second.cases

    def bounds(self, level: float) -> Bounds:
        """Return the bounds at a level."""
        one, other = self.first.bounds(level), self.second.bounds(level)
        return Bounds(
            self.value - math.hypot(self.first.value - one.low, other.high - self.second.value),
            self.value + math.hypot(one.high - self.first.value, self.second.value - other.low),
        )

    def level_above(self, threshold: float) -> float:
        """Return the smallest level at which the difference is shown to be at least a threshold."""
        return _least_level(lambda level: self.bounds(level).low >= threshold)

    def level_below(self, threshold: float) -> float:
        """Return the smallest level at which the difference is shown to be at most a threshold."""
        return _least_level(lambda level: self.bounds(level).high <= threshold)

    def with_cases(self, cases: int) -> Difference:
        """Return what so many cases would show, in the same proportion."""
        first = max(1, round(cases * self.first.cases / self.cases))
        return Difference(self.first.with_cases(first), self.second.with_cases(max(1, cases - first)))


Statement = Measured | Difference


def cases_until(statement: Statement, shown: Callable[[Statement], bool]) -> int | None:
    """Return how many more cases would show something if the value stays as it is; None if a million would not."""
    most = statement.cases
    while not shown(statement.with_cases(most)):
        most *= 2
        if most > _MOST_CASES:
            return None
    fewest = most // 2
    while most - fewest > max(1, most // 50):
        middle = (fewest + most) // 2
        fewest, most = (fewest, middle) if shown(statement.with_cases(middle)) else (middle, most)
    return max(1, most - statement.cases)


@lru_cache(maxsize=4096)
def _exact_bounds(successes: int, cases: int, level: float) -> Bounds:
    wrong = cases - successes
    low = beta_quantile(level, successes, wrong + 1) if successes else 0.0
    high = 1 - beta_quantile(level, wrong, successes + 1) if wrong else 1.0
    return Bounds(low, high)


def _least_level(shown: Callable[[float], bool]) -> float:
    """Halve the logarithm of the level, from a probability that nobody asks for up to evens; 1 above that."""
    if not shown(_EVEN):
        return 1.0
    if shown(_LEAST_LEVEL):
        return _LEAST_LEVEL
    low, high = math.log(_LEAST_LEVEL), math.log(_EVEN)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if shown(math.exp(middle)) else (middle, high)
    return math.exp(high)
