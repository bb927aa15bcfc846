"""How many cases are needed, and what so many cases can show: before money is spent.

A design effect (Kish, Survey Sampling, 1965) multiplies the cases that independent ones would need.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from hallmark.errors import InvalidInputError
from hallmark.statistics.distributions import normal_quantile, t_quantile
from hallmark.statistics.ranges import fraction, level, positive, whole
from hallmark.statistics.rates import wilson

MOST_CASES = 10**12
"""Beyond this the answer is that no number of cases will do."""
_LEAST_CASES = 2
_ITERATIONS = 60
_USUAL_POWER = 0.8


def design_effect(cases_per_cluster: float, correlation: float) -> float:
    """How many clustered cases are worth one independent case (Kish, 1965, section 5.4).

    Args:
        cases_per_cluster: On average, at least 1.
        correlation: Within a cluster, from 0 to 1.

    Raises:
        InvalidInputError: One of them is out of range.
    """
    if not 0 <= correlation <= 1:
        raise InvalidInputError("correlation", correlation, "give a correlation from 0 to 1")
    if not 1 <= cases_per_cluster < math.inf:
        raise InvalidInputError("cases_per_cluster", cases_per_cluster, "give at least 1")
    return 1 + (cases_per_cluster - 1) * correlation


def cases_for_paired_rates(
    difference: float, discordance: float, *, power: float = _USUAL_POWER, alpha: float = 0.05, effect: float = 1.0
) -> int:
    """Cases for McNemar's test to find a difference of rates (Miettinen, 1968; Connor, Biometrics 43, 1987).

    With the continuity correction that the test applies: |b - c| - 1 must exceed z * sqrt(b + c).

    Args:
        difference: Of the rates, not 0, e.g. 0.03 for three percentage points.
        discordance: Share of cases that exactly one model passes; at least the difference, at most 1.
        power: Chance of finding it.
        alpha: Level of the two-sided test.
        effect: Design effect of clusters.

    Raises:
        InvalidInputError: A share is out of range, or the discordance is smaller than the difference.
    """
    gap = abs(difference)
    _refuse_discordance(gap, discordance)
    reach = _z(alpha) * math.sqrt(discordance) + _power_z(power) * math.sqrt(discordance - gap**2)
    root = (reach + math.sqrt(reach**2 + 4 * gap)) / (2 * gap)
    return _whole_cases(_squared(root) * _design(effect))


def detectable_difference_of_rates(
    n: int, discordance: float, *, power: float = _USUAL_POWER, alpha: float = 0.05, effect: float = 1.0
) -> float:
    """Smallest difference of rates that ``n`` cases find with this power; infinite if not even the largest possible.

    Arguments and errors are those of ``cases_for_paired_rates``, whose inverse it is.
    """
    whole("n", n, least=1)
    fraction("discordance", min(discordance, 1 - 1e-12))
    if cases_for_paired_rates(discordance, discordance, power=power, alpha=alpha, effect=effect) > n:
        return math.inf
    low, high = 0.0, discordance
    for _ in range(_ITERATIONS):
        middle = (low + high) / 2
        enough = (
            middle > 0 and cases_for_paired_rates(middle, discordance, power=power, alpha=alpha, effect=effect) <= n
        )
        low, high = (low, middle) if enough else (middle, high)
    return high


def cases_for_paired_means(
    difference: float, deviation: float, *, power: float = _USUAL_POWER, alpha: float = 0.05, effect: float = 1.0
) -> int:
    """Cases for the paired t test to find a mean difference: ((t + t_power) * deviation / difference)², iterated.

    Args:
        difference: Not 0, in the unit of the scores.
        deviation: Standard deviation of the differences of single cases.
        power: Chance of finding it.
        alpha: Level of the two-sided test.
        effect: Design effect of clusters.

    Raises:
        InvalidInputError: The difference is 0, or another number is out of range.
    """
    if not 0 < abs(difference) < math.inf:
        raise InvalidInputError("difference", difference, "give the smallest difference that matters; it cannot be 0")
    ratio = positive("deviation", deviation) / abs(difference)

    def enough(n: int) -> bool:
        return n >= _squared(_t_reach(n, power, alpha) * ratio)

    return _whole_cases(_smallest(enough, _squared((_z(alpha) + _power_z(power)) * ratio)) * _design(effect))


def detectable_mean_difference(
    n: int, deviation: float, *, power: float = _USUAL_POWER, alpha: float = 0.05, effect: float = 1.0
) -> float:
    """Smallest mean difference that the paired t test on ``n`` cases finds with this power, in the scores' unit.

    Arguments and errors are those of ``cases_for_paired_means``.
    """
    independent = max(_LEAST_CASES, int(whole("n", n, least=_LEAST_CASES) / _design(effect)))
    return _t_reach(independent, power, alpha) * positive("deviation", deviation) / math.sqrt(independent)


def cases_for_rate(width: float, rate: float = 0.5, *, confidence: float = 0.95, effect: float = 1.0) -> int:
    """Cases after which Wilson's interval of a rate is at most so wide.

    Args:
        width: From end to end, e.g. 0.1 for ± 5 percentage points.
        rate: What is expected; 0.5 needs the most.
        confidence: E.g. 0.95.
        effect: Design effect of clusters.

    Raises:
        InvalidInputError: The width is not between 0 and 1, or the rate not from 0 to 1.
    """
    fraction("width", width)
    if not 0 <= rate <= 1:
        raise InvalidInputError("rate", rate, "give a rate from 0 to 1")

    def enough(n: int) -> bool:
        return wilson(rate * n, n, confidence).width <= width

    return _whole_cases(_smallest(enough, _squared(2 / width), least=1) * _design(effect))


def cases_to_decide(
    estimate: float,
    standard_error: float,
    n: int,
    *,
    boundary: float = 0.0,
    power: float = _USUAL_POWER,
    alpha: float = 0.05,
) -> int | None:
    """All cases that it probably takes until the interval excludes ``boundary``, if the estimate stays as it is.

    Args:
        estimate: Of the difference, from ``n`` cases.
        standard_error: Of the estimate; it shrinks with the root of the cases.
        n: Cases so far.
        boundary: What the interval is to exclude: 0, or minus the margin.
        power: Chance that so many cases do.
        alpha: One minus the confidence of the two-sided interval.

    Returns:
        At least ``n``; None if the estimate lies on the boundary or needs more than 10**12 cases.

    Raises:
        InvalidInputError: A number is out of range.
    """
    whole("n", n, least=1)
    gap = abs(estimate - boundary)
    reach = _z(alpha) + _power_z(power)
    if not 0 <= standard_error < math.inf:
        raise InvalidInputError("standard_error", standard_error, "give a finite number of at least 0")
    if gap == 0:
        return None
    needed = n * _squared(reach * standard_error / gap)
    return None if needed > MOST_CASES else max(n, math.ceil(needed))


def _squared(value: float) -> float:
    """Infinite where ``**`` would raise."""
    return value * value


def _refuse_discordance(gap: float, discordance: float) -> None:
    if not 0 < gap <= 1:
        raise InvalidInputError("difference", gap, "give a difference of rates that is not 0 and at most 1")
    if not gap <= discordance <= 1:
        remedy = "give the share of cases that exactly one model passes: from the difference to 1"
        raise InvalidInputError("discordance", discordance, remedy)


def _z(alpha: float) -> float:
    return -normal_quantile(level("alpha", alpha) / 2)


def _power_z(power: float) -> float:
    return normal_quantile(fraction("power", power))


def _t_reach(n: int, power: float, alpha: float) -> float:
    degrees = max(1, n - 1)
    upper = t_quantile(1 - level("alpha", alpha) / 2, degrees)
    return upper + t_quantile(fraction("power", power), degrees)


def _design(effect: float) -> float:
    if not 1 <= effect < math.inf:
        raise InvalidInputError(
            "effect", effect, "give a design effect of at least 1, which is that of independent cases"
        )
    return effect


def _smallest(enough: Callable[[int], bool], start: float, least: int = _LEAST_CASES) -> int:
    """Smallest number for which a condition holds that holds for all larger ones, from a guess."""
    if start > MOST_CASES:
        raise InvalidInputError(
            "cases", f"{start:.3g}", "ask for a larger difference or width: this needs too many cases"
        )
    high = max(least, math.ceil(start))
    while not enough(high):
        high *= 2
    low = least - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _whole_cases(cases: float) -> int:
    if cases > MOST_CASES:
        raise InvalidInputError(
            "cases", f"{cases:.3g}", "ask for a larger difference or width: this needs too many cases"
        )
    return math.ceil(cases - 1e-9)
