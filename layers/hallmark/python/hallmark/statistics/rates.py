"""Intervals of a rate from two numbers: so many successes in so many cases."""

from __future__ import annotations

import math

from hallmark.errors import InvalidInputError
from hallmark.statistics.distributions import beta_quantile, two_sided_z
from hallmark.statistics.outcomes import Interval
from hallmark.statistics.ranges import fraction, whole


def wilson(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Score interval of a rate (Wilson, Journal of the American Statistical Association 22, 1927).

    Args:
        successes: From 0 to ``n``; an effective number need not be whole.
        n: Cases, above 0.
        confidence: E.g. 0.95.

    Raises:
        InvalidInputError: ``successes`` is not from 0 to ``n``, or ``n`` is not above 0.
    """
    _refuse_impossible(successes, n)
    z = two_sided_z(confidence)
    rate, squared = successes / n, z * z
    centre = (rate + squared / (2 * n)) / (1 + squared / n)
    half = z / (1 + squared / n) * math.sqrt(rate * (1 - rate) / n + squared / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(low, high, confidence, "Wilson")


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Exact interval of a rate: never less sure than it says (Clopper and Pearson, Biometrika 26, 1934).

    Raises:
        InvalidInputError: ``successes`` is not from 0 to ``n``, or ``n`` is not above 0.
    """
    _refuse_impossible(whole("successes", successes), whole("n", n))
    tail = (1 - fraction("confidence", confidence)) / 2
    low = beta_quantile(tail, successes, n - successes + 1) if successes else 0.0
    high = 1 - beta_quantile(tail, n - successes, successes + 1) if successes < n else 1.0
    return Interval(low, high, confidence, "Clopper-Pearson")


def _refuse_impossible(successes: float, n: float) -> None:
    if not 0 < n < math.inf:
        raise InvalidInputError("n", n, "give at least one case")
    if not 0 <= successes <= n:
        raise InvalidInputError("successes", successes, f"give a number from 0 to n, which is {n}")
