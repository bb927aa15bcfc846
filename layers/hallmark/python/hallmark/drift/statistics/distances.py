"""How far two samples lie apart, and how sure that is.

Counts are those of the baseline and of the window over the same bins. All functions accept counts of any size; a
plug-in estimate of a divergence is too large on average, by an amount that depends on the numbers of bins and of
values alone (Miller, 1955): it is subtracted.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from hallmark.drift.statistics.arrays import Floats, Integers

_Z95 = 1.959963984540054


class Distance(NamedTuple):
    """An estimate, and its interval of 95 %."""

    value: float
    low: float
    high: float


def jensen_shannon(baseline: Integers, current: Integers) -> Distance:
    """Jensen-Shannon divergence of two histograms, in bits: 0 for equal shares, 1 for no bin in common.

    The divergence itself, to base 2, with equal weights; scipy's ``jensenshannon`` returns its square root, in nats by
    default. About (k - 1) / (8 ln 2) * (1/n + 1/m) bits come from noise, k being the bins that are occupied: they are
    subtracted. The interval is normal, with the variance of the first two terms of the expansion.

    Args:
        baseline: Counts per bin, shape ``(bins,)``, at least one value.
        current: Counts per bin, shape ``(bins,)``, at least one value.
    """
    p, q, bins, noise = _shares(baseline, current)
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        from_p = np.where(p > 0, np.log2(p / middle), 0.0)
        from_q = np.where(q > 0, np.log2(q / middle), 0.0)
    plugged = float(p @ from_p + q @ from_q) / 2
    scale = 1 / (8 * math.log(2))
    variance = _variance(p, from_p / 2) / baseline.sum() + _variance(q, from_q / 2) / current.sum()
    return _corrected(plugged, scale * (bins - 1) * noise, variance + 2 * (bins - 1) * (scale * noise) ** 2, 1.0)


def population_stability_index(baseline: Integers, current: Integers) -> Distance:
    """Population stability index (PSI) of two histograms, in nats: 0 for equal shares.

    Shares are (count + 1/2) / (n + k/2), which keeps the logarithm finite where a bin is empty; the (k - 1) (1/n + 1/m)
    that come from noise are subtracted.

    Args:
        baseline: Counts per bin, shape ``(bins,)``, at least one value.
        current: Counts per bin, shape ``(bins,)``, at least one value.
    """
    occupied = (baseline + current) > 0
    m, n, bins = baseline.sum(), current.sum(), int(occupied.sum())
    p = (baseline[occupied] + 0.5) / (m + bins / 2)
    q = (current[occupied] + 0.5) / (n + bins / 2)
    logs = np.log(q / p)
    noise = float(1 / m + 1 / n)
    variance = _variance(p, -logs + 1 - q / p) / m + _variance(q, logs + 1 - p / q) / n
    value = float((q - p) @ logs)
    return _corrected(value, (bins - 1) * noise, variance + 2 * (bins - 1) * noise**2, math.inf)


def cramers_v(baseline: Integers, current: Integers) -> Distance:
    """Cramér's V of the two histograms as if both had equally many values: 0 for equal shares, 1 for no bin in common.

    The square root of half the sum of (p - q)**2 / (p + q); unlike the usual V it does not shrink because the baseline
    is larger than the window. (k - 1) / 4 * (1/n + 1/m) of the square come from noise and are subtracted.
    """
    p, q, bins, noise = _shares(baseline, current)
    total = p + q
    square = float(np.sum((p - q) ** 2 / total)) / 2
    ratio = (p - q) / total
    variance = _variance(p, ratio - ratio**2 / 2) / baseline.sum() + _variance(q, -ratio - ratio**2 / 2) / current.sum()
    found = _corrected(square, (bins - 1) / 4 * noise, variance + (bins - 1) / 8 * noise**2, 1.0)
    return Distance(*(math.sqrt(part) for part in found))


def chi_square(baseline: Integers, current: Integers) -> tuple[float, int]:
    """Pearson's statistic of homogeneity, without continuity correction, and its degrees of freedom."""
    p, q, bins, _ = _shares(baseline, current)
    m, n = float(baseline.sum()), float(current.sum())
    pooled = (m * p + n * q) / (m + n)
    return float(np.sum((p - q) ** 2 / pooled) * m * n / (m + n)), bins - 1


def likelihood_ratio(baseline: Integers, current: Integers) -> tuple[float, int]:
    """Statistic G of homogeneity, and its degrees of freedom.

    It is 2 (n + m) times the Jensen-Shannon divergence in nats, with the sample sizes for weights.
    """
    p, q, bins, _ = _shares(baseline, current)
    m, n = float(baseline.sum()), float(current.sum())
    pooled = (m * p + n * q) / (m + n)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, m * p * np.log(p / pooled), 0.0) + np.where(q > 0, n * q * np.log(q / pooled), 0.0)
    return max(0.0, 2 * float(terms.sum())), bins - 1


def kolmogorov_smirnov(baseline: Integers, current: Integers) -> Distance:
    """Largest distance of two distribution functions, over values in ascending order; shape ``(values,)`` each.

    The interval adds and subtracts what Massart's inequality allows with 95 % (1990), of both samples together.
    """
    gaps = np.cumsum(baseline) / baseline.sum() - np.cumsum(current) / current.sum()
    value = float(np.abs(gaps).max())
    slack = math.sqrt(math.log(2 / 0.05) / 2 * (1 / baseline.sum() + 1 / current.sum()))
    return Distance(value, max(0.0, value - slack), min(1.0, value + slack))


def wasserstein(values: Floats, baseline: Integers, current: Integers, scale: float) -> Distance:
    """Wasserstein-1 distance: how far a value has to move on average, in units of ``scale``.

    Args:
        values: Ascending and distinct, shape ``(values,)``.
        baseline: How often each occurs, shape ``(values,)``.
        current: How often each occurs, shape ``(values,)``.
        scale: Above 0, e.g. the standard deviation of the baseline.
    """
    p, q = baseline / baseline.sum(), current / current.sum()
    gaps = np.cumsum(p - q)[:-1]
    steps = np.diff(values) / scale
    value = float(np.abs(gaps) @ steps)
    # The mean of this function differs between the samples by the distance (Kantorovich and Rubinstein).
    potential = np.concatenate([[0.0], np.cumsum(np.sign(gaps) * steps)])
    spread = _Z95 * math.sqrt(_variance(p, potential) / baseline.sum() + _variance(q, potential) / current.sum())
    return Distance(value, max(0.0, value - spread), value + spread)


def _shares(baseline: Integers, current: Integers) -> tuple[Floats, Floats, int, float]:
    """Shares in the bins that either occupies, how many those are, and 1/m + 1/n."""
    occupied = (baseline + current) > 0
    m, n = float(baseline.sum()), float(current.sum())
    return baseline[occupied] / m, current[occupied] / n, int(occupied.sum()), 1 / m + 1 / n


def _variance(shares: Floats, values: Floats) -> float:
    mean = shares @ values
    return float(shares @ (values - mean) ** 2)


def _corrected(plugged: float, noise: float, variance: float, largest: float) -> Distance:
    spread = _Z95 * math.sqrt(variance)
    value = plugged - noise
    bounded = np.clip([value, value - spread, value + spread], 0.0, largest)
    return Distance(float(bounded[0]), float(bounded[1]), float(bounded[2]))
