"""Intervals for rates, means, differences of rates and quantiles; for cases that are clustered, weighted or stratified.

Rates have Wilson's interval (or the exact one of Clopper and Pearson) because the normal approximation is wrong for the
few hundred cases that an evaluation has. Means have Student's t, with as many degrees of freedom as there are
independent units less one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple

import numpy as np

from hallmark.errors import InvalidInputError
from hallmark.statistics.distributions import (
    binomial_at_most,
    t_quantile,
    two_sided_z,
)
from hallmark.statistics.inputs import (
    Floats,
    Labels,
    Values,
    coded,
    finite,
    positive_weights,
    zero_or_one,
)
from hallmark.statistics.outcomes import Estimate, Interval
from hallmark.statistics.pairs import PairedCounts
from hallmark.statistics.ranges import fraction
from hallmark.statistics.rates import wilson

_LEAST_UNITS = 2
_BISECTIONS = 100
_ROUNDING = 1e-12


class Units(NamedTuple):
    """Independent units with their weighted sums: cases, or clusters of cases."""

    sums: Floats
    """Weighted sum of the values of each unit, shape ``(units,)``."""
    weights: Floats
    """Sum of the weights of each unit, shape ``(units,)``."""
    n: int
    clusters: int | None

    @property
    def mean(self) -> float:
        """Weighted mean over all cases."""
        return float(self.sums.sum() / self.weights.sum())


def gather_units(values: Values, weights: Values | None = None, clusters: Labels | None = None) -> Units:
    """Sum values by the unit in which they are independent of all others.

    Args:
        values: Shape ``(n,)``.
        weights: How much each case counts, above 0; alike without.
        clusters: One label per case; each case is its own unit without.

    Raises:
        InvalidInputError: Lengths differ, a value is not finite, or a weight is not above 0.
    """
    found = finite("values", values)
    weight = np.ones(len(found)) if weights is None else positive_weights("weights", weights, len(found))
    if clusters is None:
        return Units(found * weight, weight, len(found), None)
    units = coded("clusters", clusters, len(found))
    count = len(units.labels)
    sums, weighed = (
        np.bincount(units.codes, weights=each, minlength=count).astype(np.float64) for each in (found * weight, weight)
    )
    return Units(sums, weighed, len(found), count)


def standard_error(units: Units) -> float:
    """Standard error of the (weighted) mean, with the correction C / (C - 1) for C units.

    The sandwich estimator CR1 of an intercept (Cameron and Miller, Journal of Human Resources 50, 2015; Miller, Adding
    Error Bars to Evals, arXiv 2411.00640, appendix A, with the finite correction that Inspect applies). For cases that
    are not clustered and weigh the same it is the usual standard error.

    Raises:
        InvalidInputError: There are fewer than two units.
    """
    count = len(units.sums)
    if count < _LEAST_UNITS:
        what = "clusters" if units.clusters is not None else "values"
        raise InvalidInputError(what, f"{count} of them", "give at least two: one cannot tell how far others would be")
    residuals = units.sums - units.mean * units.weights
    found = math.sqrt(float(residuals @ residuals) * count / (count - 1)) / float(units.weights.sum())
    # What rounding leaves of equal scores is no scatter.
    return found if found > _ROUNDING * abs(units.mean) else 0.0


def t_interval(value: float, error: float, degrees: float, confidence: float, method: str) -> Interval:
    """Student's interval; without any bounds where all units agree: their scatter is unknown then, not zero."""
    fraction("confidence", confidence)
    if error == 0:
        return Interval(-math.inf, math.inf, confidence, f"{method}, undetermined: all units agree")
    half = t_quantile(0.5 + confidence / 2, degrees) * error
    return Interval(value - half, value + half, confidence, method)


def estimate_mean(
    values: Values, *, weights: Values | None = None, clusters: Labels | None = None, confidence: float = 0.95
) -> Estimate:
    """Mean with its t interval; units less one are the degrees of freedom.

    Where all units agree the interval has no ends: ask ``sequential.confidence_sequence`` if the scores have bounds.

    Args:
        values: Shape ``(n,)``, at least two units.
        weights: How much each case counts, above 0.
        clusters: Cases with the same label are not independent (questions on one text, epochs of one case).
        confidence: E.g. 0.95.

    Raises:
        InvalidInputError: See ``gather_units`` and ``standard_error``.
    """
    units = gather_units(values, weights, clusters)
    error = standard_error(units)
    method = "t" if clusters is None else "t over clusters"
    interval = t_interval(units.mean, error, len(units.sums) - 1, confidence, method)
    return Estimate(units.mean, error, interval, units.n, units.clusters)


def estimate_rate(
    values: Values, *, weights: Values | None = None, clusters: Labels | None = None, confidence: float = 0.95
) -> Estimate:
    """Rate of cases that score 1 with Wilson's interval, on as many cases as the clustering and weights leave.

    The effective number of cases is rate * (1 - rate) / variance, at most all (Korn and Graubard, Survey Methodology
    24, 1998), further reduced by (z / t)² for the few clusters; where all cases agree it is the number of clusters.

    Args:
        values: 0 or 1 each, shape ``(n,)``.
        weights: How much each case counts, above 0.
        clusters: Cases with the same label are not independent.
        confidence: E.g. 0.95.

    Raises:
        InvalidInputError: A value is neither 0 nor 1; see ``gather_units``.
    """
    units = gather_units(zero_or_one("values", values), weights, clusters)
    rate = min(1.0, max(0.0, units.mean))
    if weights is None and clusters is None:
        interval = wilson(float(units.sums.sum()), units.n, confidence)
        return Estimate(rate, math.sqrt(rate * (1 - rate) / units.n), interval, units.n)
    error = standard_error(units)
    kish = float(units.weights.sum() ** 2 / (units.weights @ units.weights))
    effective = min(float(units.n), rate * (1 - rate) / error**2) if error > 0 else kish
    upper = 0.5 + confidence / 2
    effective *= (two_sided_z(confidence) / t_quantile(upper, len(units.sums) - 1)) ** 2
    found = wilson(rate * effective, effective, confidence)
    interval = Interval(found.low, found.high, confidence, "Wilson on effective cases")
    return Estimate(rate, error, interval, units.n, units.clusters)


def estimate_stratified_mean(
    values: Values, strata: Labels, shares: Mapping[Hashable, float], *, confidence: float = 0.95
) -> Estimate:
    """Mean of a population from samples of its strata (Cochran, Sampling Techniques, 1977, sections 5.2-5.4).

    Args:
        values: Shape ``(n,)``.
        strata: The stratum of each, shape ``(n,)``.
        shares: The share of each stratum in the population; they are scaled to sum to 1.
        confidence: E.g. 0.95; the degrees of freedom are Satterthwaite's (Cochran, equation 5.16).

    Raises:
        InvalidInputError: A stratum has a share but fewer than two cases, or cases but no share above 0.
    """
    found = finite("values", values)
    labelled = coded("strata", strata, len(found))
    whole_share = _total_share(shares, labelled.labels)
    mean = variance = spread = 0.0
    for code, label in enumerate(labelled.labels):
        sample = found[labelled.codes == code]
        if len(sample) < _LEAST_UNITS:
            raise InvalidInputError(f"strata[{label!r}]", "1 case", "give at least two cases, or merge it with another")
        share = shares[label] / whole_share
        part = share**2 * float(sample.var(ddof=1)) / len(sample)
        mean += share * float(sample.mean())
        variance += part
        spread += part**2 / (len(sample) - 1)
    degrees = variance**2 / spread if spread > 0 else math.inf
    interval = t_interval(mean, math.sqrt(variance), degrees, confidence, "t over strata")
    return Estimate(mean, math.sqrt(variance), interval, len(found))


def _total_share(shares: Mapping[Hashable, float], strata: tuple[Hashable, ...]) -> float:
    for label, share in shares.items():
        if not 0 < share < math.inf:
            raise InvalidInputError(f"shares[{label!r}]", share, "give a share above 0, or leave the stratum out")
        if label not in strata:
            raise InvalidInputError(
                f"strata[{label!r}]", "no case", "give cases of it, or leave its share out and say so"
            )
    for label in strata:
        if label not in shares:
            raise InvalidInputError("shares", sorted(map(str, shares)), f"give the share of stratum {label!r} too")
    return float(sum(shares.values()))


def difference_of_rates(
    candidate_successes: int, candidate_n: int, baseline_successes: int, baseline_n: int, confidence: float = 0.95
) -> Interval:
    """Interval of the difference of the rates of two independent samples (Newcombe, 1998, method 10).

    Newcombe, Interval estimation for the difference between independent proportions, Statistics in Medicine 17.

    Raises:
        InvalidInputError: Successes are not from 0 to n, or n is not above 0.
    """
    first = wilson(candidate_successes, candidate_n, confidence)
    second = wilson(baseline_successes, baseline_n, confidence)
    one, other = candidate_successes / candidate_n, baseline_successes / baseline_n
    low = one - other - math.hypot(one - first.low, second.high - other)
    high = one - other + math.hypot(first.high - one, other - second.low)
    return Interval(low, high, confidence, "Newcombe")


def paired_difference_of_rates(counts: PairedCounts, confidence: float = 0.95) -> Interval:
    """Interval of the difference of two models' rates on the same cases, by inverting the score test.

    Tango, Equivalence test and confidence interval for the difference in proportions for the paired-sample design,
    Statistics in Medicine 17 (1998). It agrees with McNemar's test without continuity correction.
    """
    z = two_sided_z(confidence)
    low = _root(lambda difference: paired_score(counts, difference) - z, -1.0, counts.difference)
    high = _root(lambda difference: paired_score(counts, difference) + z, counts.difference, 1.0)
    return Interval(low, high, confidence, "Tango")


def paired_score(counts: PairedCounts, difference: float) -> float:
    """Tango's score statistic of the hypothesis that the rates differ by ``difference``; standard normal if they do."""
    n, b, c = counts.n, counts.only_candidate, counts.only_baseline
    linear = -b - c + (2 * n - b + c) * difference
    constant = -c * difference * (1 - difference)
    root = math.sqrt(max(0.0, linear * linear - 8 * n * constant))
    # The likeliest share of cases that only the baseline passes, if the difference is as supposed.
    share = (root - linear) / (4 * n)
    variance = n * (2 * share + difference * (1 - difference))
    gap = b - c - n * difference
    if variance <= 0:
        return math.copysign(math.inf, gap) if gap else 0.0
    return gap / math.sqrt(variance)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function crosses 0; the end that is nearer where it does not."""
    if function(low) <= 0:
        return low
    if function(high) >= 0:
        return high
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return (low + high) / 2


def estimate_quantile(values: Values, probability: float, confidence: float = 0.95) -> Estimate:
    """Quantile (p50, p95, p99) with an interval of order statistics, which holds for every distribution.

    The interval is from the largest value that is low enough to the smallest that is high enough by the binomial
    distribution (David and Nagaraja, Order Statistics, 2003, section 7.1); each end is wrong at most half of the
    time that the confidence leaves. Too few cases leave an end open (infinite): 59 bound p95 from above at 90 %.

    Args:
        values: Shape ``(n,)``.
        probability: Which quantile, e.g. 0.95; the estimate interpolates as numpy's default does.
        confidence: E.g. 0.95.

    Returns:
        The estimate; its standard error is NaN: order statistics have none.
    """
    ordered = np.sort(finite("values", values))
    n = len(ordered)
    fraction("probability", probability)
    tail = (1 - fraction("confidence", confidence)) / 2
    # X(k) <= quantile unless fewer than k values are at or below it.
    below = _first(lambda k: binomial_at_most(k, n, probability) > tail, n)
    above = _first(lambda k: binomial_at_most(k, n, probability) >= 1 - tail, n)
    low = float(ordered[below - 1]) if below >= 1 else -math.inf
    high = float(ordered[above]) if above < n else math.inf
    interval = Interval(low, high, confidence, "order statistics")
    return Estimate(float(np.quantile(ordered, probability)), math.nan, interval, n)


def _first(holds: Callable[[int], bool], most: int) -> int:
    """Return the first number from 0 from which a condition holds, by bisection; ``most`` if it never does."""
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
