"""Bootstrap intervals and tests of means and of metrics that are computed from sums over cases.

Intervals are percentile, expanded percentile or BCa (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
chapters 13 and 14). The expanded percentile interval widens the percentile interval as Student's t does the normal one
(Hesterberg, What Teachers Should Know About the Bootstrap, The American Statistician 69, 2015, section 4.3): without
it the bootstrap is too sure of itself with few cases. Tests are two-sided and centred: they ask how often a resampled
difference is as far from the mean of the resampled ones as the observed difference is from zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from hallmark.errors import InvalidInputError
from hallmark.statistics.distributions import normal_cdf, normal_quantile, t_quantile, t_two_sided
from hallmark.statistics.inputs import (
    Floats,
    Labels,
    Values,
    coded,
    finite_rows,
    paired_differences,
)
from hallmark.statistics.intervals import Units, gather_units
from hallmark.statistics.outcomes import Estimate, Interval, Significance
from hallmark.statistics.ranges import fraction, same_length, whole
from hallmark.statistics.resampling import (
    MetricOfSums,
    apply_metric,
    distinct_rows,
    generator,
    mean_of_sums,
    resampled_sums,
    shared_resampled_sums,
    summed_by_cluster,
)

_LEAST_RESAMPLES = 100
_LEAST_UNITS = 2


class BootstrapInterval(StrEnum):
    """How an interval is read from resampled values."""

    PERCENTILE = "percentile"
    EXPANDED = "expanded percentile"
    BCA = "BCa"


def bootstrap_mean(
    values: Values,
    *,
    weights: Values | None = None,
    clusters: Labels | None = None,
    method: BootstrapInterval = BootstrapInterval.BCA,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Estimate:
    """Mean with its bootstrap interval; whole clusters are resampled where there are any.

    Args:
        values: Shape ``(n,)``, at least two units. Where all are equal the interval is that one value.
        weights: How much each case counts, above 0.
        clusters: Cases with the same label are resampled together.
        method: Which interval.
        confidence: E.g. 0.95.
        resamples: How many, at least 100.
        seed: The same seed gives the same answer.

    Raises:
        InvalidInputError: See ``gather_units``; or there are fewer than two units.
    """
    units = gather_units(values, weights, clusters)
    return _estimate(*_as_sums(units), units.n, units.clusters, method, confidence, resamples, seed)


def bootstrap_metric(
    statistics: object,
    metric: MetricOfSums,
    *,
    clusters: Labels | None = None,
    method: BootstrapInterval = BootstrapInterval.BCA,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Estimate:
    """Metric of a corpus with its bootstrap interval.

    Args:
        statistics: What is summed over the cases, shape ``(n, k)``.
        metric: Computes the metric from sums.
        clusters: Cases with the same label are resampled together.
        method: Which interval.
        confidence: E.g. 0.95.
        resamples: How many, at least 100.
        seed: The same seed gives the same answer.

    Raises:
        InvalidInputError: The statistics are no table of finite numbers, or the metric gives something else.
    """
    rows = finite_rows("statistics", statistics, least=_LEAST_UNITS)
    n, count = len(rows), None
    if clusters is not None:
        labelled = coded("clusters", clusters, n)
        count = len(labelled.labels)
        rows = summed_by_cluster(rows, labelled.codes, count)
    return _estimate(rows, metric, n, count, method, confidence, resamples, seed)


def _as_sums(units: Units) -> tuple[Floats, MetricOfSums]:
    count = len(units.sums)
    if units.clusters is None and bool((units.weights == units.weights[0]).all()):
        scale = float(units.weights[0]) * count
        return units.sums[:, None], lambda sums: sums[:, 0] / scale
    return np.column_stack((units.sums, units.weights)), mean_of_sums


def _estimate(
    rows: Floats,
    metric: MetricOfSums,
    n: int,
    clusters: int | None,
    method: BootstrapInterval,
    confidence: float,
    resamples: int,
    seed: int,
) -> Estimate:
    _refuse_few(len(rows), resamples)
    fraction("confidence", confidence)
    observed = float(apply_metric(metric, rows.sum(axis=0, keepdims=True))[0])
    found = apply_metric(metric, resampled_sums(rows, resamples, generator(seed)))
    if method is BootstrapInterval.BCA:
        low, high = _bca_tails(rows, metric, observed, found, confidence)
    else:
        low, high = _plain_tails(method, confidence, len(rows))
    ends = np.quantile(found, (low, high))
    interval = Interval(float(ends[0]), float(ends[1]), confidence, f"bootstrap, {method.value}")
    return Estimate(observed, float(found.std(ddof=1)), interval, n, clusters)


def _refuse_few(units: int, resamples: int) -> None:
    whole("resamples", resamples, least=_LEAST_RESAMPLES)
    if units < _LEAST_UNITS:
        raise InvalidInputError("values", f"{units} unit", "give at least two cases, or clusters of cases, to resample")


def _plain_tails(method: BootstrapInterval, confidence: float, units: int) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    if method is BootstrapInterval.EXPANDED:
        tail = normal_cdf(t_quantile(tail, units - 1) * math.sqrt(units / (units - 1)))
    return tail, 1 - tail


def _bca_tails(
    rows: Floats, metric: MetricOfSums, observed: float, found: Floats, confidence: float
) -> tuple[float, float]:
    """Efron and Tibshirani, equations 14.9 to 14.15; ties count half, as in scipy."""
    tail = (1 - confidence) / 2
    below = float(((found < observed).sum() + (found <= observed).sum()) / (2 * len(found)))
    if not 0 < below < 1:
        return tail, 1 - tail
    bias = normal_quantile(below)
    distinct, counts = distinct_rows(rows)
    without = apply_metric(metric, rows.sum(axis=0) - distinct)
    deviations = np.average(without, weights=counts) - without
    squares = float(counts @ deviations**2)
    acceleration = float(counts @ deviations**3) / (6 * squares**1.5) if squares > 0 else 0.0

    def adjusted(probability: float) -> float:
        shifted = bias + normal_quantile(probability)
        return normal_cdf(bias + shifted / (1 - acceleration * shifted))

    return adjusted(tail), adjusted(1 - tail)


def bootstrap_difference(
    candidate: Values,
    baseline: Values,
    *,
    weights: Values | None = None,
    clusters: Labels | None = None,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Significance:
    """Compare two models by the mean of their differences on the same cases.

    Args:
        candidate: Scores, shape ``(n,)``.
        baseline: Scores of the same cases in the same order.
        weights: How much each case counts, above 0.
        clusters: Cases with the same label are resampled together.
        confidence: Of the expanded percentile interval.
        resamples: How many, at least 100.
        seed: The same seed gives the same answer.

    Raises:
        InvalidInputError: The two are not scores of the same cases, or there are fewer than two units.
    """
    units = gather_units(paired_differences(candidate, baseline), weights, clusters)
    rows, metric = _as_sums(units)
    _refuse_few(len(rows), resamples)
    found = apply_metric(metric, resampled_sums(rows, resamples, generator(seed)))
    return _centred(units.mean, found, units.n, len(rows), confidence)


def bootstrap_corpora(
    candidates: Sequence[object],
    baseline: object,
    metric: MetricOfSums,
    *,
    clusters: Labels | None = None,
    confidence: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> tuple[Significance, ...]:
    """Compare several systems with one baseline by a metric of the corpus; all share the same resamples.

    Koehn, Statistical Significance Tests for Machine Translation Evaluation, EMNLP 2004, centred and two-sided: the
    usual programs count one side, and reject a true hypothesis at 5 % in 10 % of cases.

    Args:
        candidates: Per system what is summed over the cases, shape ``(n, k)`` each.
        baseline: The same of the baseline, shape ``(n, k)``.
        metric: Computes the metric from sums.
        clusters: Cases with the same label (sentences of one document) are resampled together.
        confidence: Of the expanded percentile interval.
        resamples: How many, at least 100.
        seed: The same seed gives the same answer.

    Returns:
        One result per candidate, in their order.

    Raises:
        InvalidInputError: The tables are not of the same cases, or the metric gives something else.
    """
    rows, n = stacked(candidates, baseline, clusters)
    _refuse_few(len(rows), resamples)
    width = rows.shape[1] // (len(candidates) + 1)
    drawn = shared_resampled_sums(rows, resamples, generator(seed))
    observed, found = (
        [apply_metric(metric, np.ascontiguousarray(sums[:, at : at + width])) for at in range(0, sums.shape[1], width)]
        for sums in (rows.sum(axis=0, keepdims=True), drawn)
    )
    return tuple(
        _centred(float(observed[place][0] - observed[0][0]), found[place] - found[0], n, len(rows), confidence)
        for place in range(1, len(observed))
    )


def stacked(candidates: Sequence[object], baseline: object, clusters: Labels | None) -> tuple[Floats, int]:
    """Put the statistics of baseline and candidates side by side, one row per unit; say how many cases there are.

    Raises:
        InvalidInputError: There is no candidate, or the tables are not of the same cases.
    """
    if not candidates:
        raise InvalidInputError("candidates", (), "give at least one system to compare with the baseline")
    first = finite_rows("baseline", baseline)
    tables = [first]
    for place, candidate in enumerate(candidates):
        table = finite_rows(f"candidates[{place}]", candidate)
        same_length(f"candidates[{place}]", len(table), len(first), "baseline")
        same_length(f"candidates[{place}][0]", table.shape[1], first.shape[1], "baseline[0]")
        tables.append(table)
    rows = np.concatenate(tables, axis=1)
    if clusters is None:
        return rows, len(rows)
    labelled = coded("clusters", clusters, len(rows), "baseline")
    return summed_by_cluster(rows, labelled.codes, len(labelled.labels)), len(rows)


def _centred(observed: float, found: Floats, n: int, units: int, confidence: float) -> Significance:
    low, high = _plain_tails(BootstrapInterval.EXPANDED, fraction("confidence", confidence), units)
    ends = np.quantile(found, (low, high))
    interval = Interval(float(ends[0]), float(ends[1]), confidence, f"bootstrap, {BootstrapInterval.EXPANDED.value}")
    deviations = np.abs(found - found.mean())
    slack = 1e-12 * float(deviations.max(initial=abs(observed)))
    extreme = int((deviations >= abs(observed) - slack).sum())
    plain = (extreme + 1) / (len(found) + 1)
    return Significance(
        statistic=observed,
        p_value=_expanded(plain, units),
        effect=observed,
        interval=interval,
        n=n,
        method=f"paired bootstrap, centred, two-sided, {len(found):,} resamples",
    )


def _expanded(p_value: float, units: int) -> float:
    """Read a p-value as the expanded interval does: by Student's t, on the unbiased scale."""
    if p_value >= 1:
        return 1.0
    z = -normal_quantile(p_value / 2)
    return t_two_sided(z * math.sqrt((units - 1) / units), units - 1)
