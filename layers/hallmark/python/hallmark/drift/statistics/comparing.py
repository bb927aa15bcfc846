"""One statistic of one pair of samples: how large, how sure, and how likely by chance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hallmark.drift.statistics.arrays import Floats, Integers
from hallmark.drift.statistics.binning import BINS, binned, bins_of, neighbours_merged, smallest_merged
from hallmark.drift.statistics.checks import Check, Reading, Statistic
from hallmark.drift.statistics.distances import (
    Distance,
    cramers_v,
    jensen_shannon,
    kolmogorov_smirnov,
    population_stability_index,
    wasserstein,
)
from hallmark.drift.statistics.evidence import (
    LEAST_EXPECTED,
    at_least_drawn_p,
    at_most_mean_p,
    homogeneity_p,
    larger_sum_p,
    smirnov_p,
)
from hallmark.statistics.rates import wilson

_Z95 = 1.959963984540054
_TESTED_BINS = 10
_P95 = 0.95
_QUARTILES_OF_NORMAL = 1.3489795003921634


@dataclass(frozen=True, eq=False)
class Samples:
    """Baseline and window as counts over what either has.

    Args:
        baseline: Counts, shape ``(distinct,)``.
        current: Counts, shape ``(distinct,)``.
        values: What was counted, ascending; None for categories.
    """

    baseline: Integers
    current: Integers
    values: Floats | None = None

    @property
    def numbers(self) -> Floats:
        """The values, of a numeric feature."""
        if self.values is None:
            raise TypeError("categories have no numeric values")
        return self.values


@dataclass(frozen=True)
class Comparison:
    """What a statistic is, and the chance of it where nothing has changed."""

    distance: Distance
    p_value: float
    baseline_value: float | None = None
    change_fraction: float | None = None


class IncomparableError(Exception):
    """These samples have no such statistic; the text says why and what to do."""


def compare(check: Check, samples: Samples) -> Comparison:
    """Compute what the check asks for, of samples that both have values.

    Raises:
        IncomparableError: The statistic does not exist for these values.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        found = _COMPARISONS[check.statistic](check, samples)
    if not all(map(math.isfinite, (*found.distance, found.p_value))):
        raise IncomparableError("values are too large to be compared: watch their logarithm, or another unit")
    return found


def _binned(samples: Samples) -> tuple[Integers, Integers]:
    """Counts over the baseline's bins, or over the categories."""
    if samples.values is None:
        return samples.baseline, samples.current
    places, bins = bins_of(samples.values, samples.baseline)
    return binned(places, bins, samples.baseline), binned(places, bins, samples.current)


def _distribution_p(samples: Samples) -> float:
    """Of "the distributions are the same": whichever of two tests sees more, at the price of both.

    Kolmogorov and Smirnov's sees shifts best, chi-square over ten bins sees what changes shape. The ten bins are cut at
    quantiles of both samples together, so that chance alone says which values are whose.
    """
    if samples.values is None:
        return homogeneity_p(*smallest_merged(samples.baseline, samples.current, LEAST_EXPECTED))
    places, bins = bins_of(samples.values, samples.baseline + samples.current, _TESTED_BINS)
    tested = neighbours_merged(
        binned(places, bins, samples.baseline), binned(places, bins, samples.current), LEAST_EXPECTED
    )
    return min(1.0, 2 * min(homogeneity_p(*tested), _smirnov_p(samples)))


def _smirnov_p(samples: Samples) -> float:
    distance = kolmogorov_smirnov(samples.baseline, samples.current).value
    return smirnov_p(distance, int(samples.baseline.sum()), int(samples.current.sum()))


def _jensen_shannon(_check: Check, samples: Samples) -> Comparison:
    return Comparison(jensen_shannon(*_binned(samples)), _distribution_p(samples))


def _psi(_check: Check, samples: Samples) -> Comparison:
    return Comparison(population_stability_index(*_binned(samples)), _distribution_p(samples))


def _chi_square(_check: Check, samples: Samples) -> Comparison:
    return Comparison(cramers_v(*_binned(samples)), _distribution_p(samples))


def _kolmogorov_smirnov(_check: Check, samples: Samples) -> Comparison:
    return Comparison(kolmogorov_smirnov(samples.baseline, samples.current), _smirnov_p(samples))


def _wasserstein(_check: Check, samples: Samples) -> Comparison:
    scale = _spread(samples.numbers, samples.baseline)
    if scale == 0 and np.any(samples.current[samples.baseline == 0]):
        raise IncomparableError(
            "the baseline is one constant value, which gives no scale: watch it with kolmogorov_smirnov or chi_square"
        )
    distance = wasserstein(samples.numbers, samples.baseline, samples.current, scale or 1.0)
    two_sided = 2 * min(
        larger_sum_p(samples.numbers, samples.baseline, samples.current),
        larger_sum_p(-samples.numbers, samples.baseline, samples.current),
    )
    return Comparison(distance, min(1.0, 2 * min(_smirnov_p(samples), two_sided)))


def _p95_ratio(_check: Check, samples: Samples) -> Comparison:
    before = _quantile_interval(samples.numbers, samples.baseline)
    after = _quantile_interval(samples.numbers, samples.current)
    if before.low <= 0:
        raise IncomparableError("the baseline's 95th percentile is not above 0: watch mean_increase in points instead")
    pooled = samples.baseline + samples.current
    above = samples.numbers > _quantile(samples.numbers, pooled, _P95)
    chance = at_least_drawn_p(
        int(samples.current[above].sum()), int(samples.current.sum()), int(pooled[above].sum()), int(pooled.sum())
    )
    ratio = after.value / before.value
    distance = Distance(ratio, max(0.0, after.low / before.high), after.high / before.low)
    return Comparison(distance, chance, before.value, ratio - 1)


def _increase(check: Check, samples: Samples) -> Comparison:
    """Difference of means: the window's less the baseline's, or the other way round for a decrease."""
    is_rate = check.statistic in {Statistic.RATE_INCREASE, Statistic.RATE_DECREASE}
    _refuse_values_outside(samples, is_rate)
    sign = -1.0 if check.statistic in {Statistic.MEAN_DECREASE, Statistic.RATE_DECREASE} else 1.0
    before, before_error = _mean(samples.numbers, samples.baseline)
    after, after_error = _mean(samples.numbers, samples.current)
    chance = larger_sum_p(sign * samples.numbers, samples.baseline, samples.current)
    difference = sign * (after - before)
    if is_rate:
        low, high = _newcombe(samples, sign)
    else:
        spread = _Z95 * math.hypot(before_error, after_error)
        low, high = difference - spread, difference + spread
    return _read(check, Distance(difference, low, high), before, chance, after)


def _missing_share(check: Check, samples: Samples) -> Comparison:
    """Values 0 (there) and 1 (missing)."""
    before, after = (float(part[1] / part.sum()) for part in (samples.baseline, samples.current))
    chance = larger_sum_p(samples.numbers, samples.baseline, samples.current)
    return _read(check, Distance(after - before, *_newcombe(samples, 1.0)), before, chance, after)


def _read(check: Check, points: Distance, before: float, chance: float, after: float) -> Comparison:
    change = _change(before, after)
    if check.reading is Reading.POINTS:
        return Comparison(points, chance, before, change)
    if not before:
        raise IncomparableError("the baseline's value is 0, of which nothing is a part: set reading to points")
    return Comparison(Distance(*(part / abs(before) for part in points)), chance, before, change)


def _change(before: float, after: float) -> float | None:
    """By which part of the baseline's value the window's differs; None where that is 0 or next to it."""
    change = (after - before) / abs(before) if before else math.inf
    return change if math.isfinite(change) else None


def _score_floor(check: Check, samples: Samples) -> Comparison:
    _refuse_values_outside(samples, True)
    after, _ = _mean(samples.numbers, samples.current)
    count = int(samples.current.sum())
    low, high = _wilson(after, count)
    chance = at_most_mean_p(after, count, check.limit)
    before = float(samples.numbers @ samples.baseline / samples.baseline.sum()) if samples.baseline.any() else None
    change = _change(before, after) if before is not None else None
    return Comparison(Distance(after, low, high), chance, before, change)


def _refuse_values_outside(samples: Samples, is_share: bool) -> None:
    there = samples.numbers[(samples.baseline + samples.current) > 0]
    if is_share and (there[0] < 0 or there[-1] > 1):
        raise IncomparableError(
            f"values go from {there[0]:g} to {there[-1]:g}: a rate or a score needs values from 0 to 1"
        )


def _mean(values: Floats, counts: Integers) -> tuple[float, float]:
    """Mean and its standard error."""
    count = int(counts.sum())
    mean = float(values @ (counts / count))
    variance = float(counts @ (values - mean) ** 2) / max(1, count - 1)
    return mean, math.sqrt(variance / count)


def _wilson(share: float, count: int) -> tuple[float, float]:
    """Interval of 95 % of a share; too wide, never too narrow, for scores between 0 and 1."""
    found = wilson(min(share * count, count), count)
    return found.low, found.high


def _newcombe(samples: Samples, sign: float) -> tuple[float, float]:
    """Interval of 95 % of the difference of two shares (Newcombe, 1998, method 10)."""
    before, _ = _mean(samples.numbers, samples.baseline)
    after, _ = _mean(samples.numbers, samples.current)
    before_low, before_high = _wilson(before, int(samples.baseline.sum()))
    after_low, after_high = _wilson(after, int(samples.current.sum()))
    difference = after - before
    low = difference - math.hypot(after - after_low, before_high - before)
    high = difference + math.hypot(after_high - after, before - before_low)
    return (low, high) if sign > 0 else (-high, -low)


def _quantile(values: Floats, counts: Integers, fraction: float) -> float:
    reached = np.cumsum(counts)
    return float(values[np.searchsorted(reached, fraction * reached[-1] * (1 - 1e-12))])


def _quantile_interval(values: Floats, counts: Integers) -> Distance:
    """95th percentile with its interval of 95 %: the order statistics beside it that a binomial count allows."""
    spread = _Z95 * math.sqrt(_P95 * (1 - _P95) / int(counts.sum()))
    return Distance(
        _quantile(values, counts, _P95),
        _quantile(values, counts, max(0.0, _P95 - spread)),
        _quantile(values, counts, min(1.0, _P95 + spread)),
    )


def _spread(values: Floats, counts: Integers) -> float:
    """Distance of the quartiles / 1.349, as of a normal distribution; the deviation where half the values are equal."""
    quartiles = (_quantile(values, counts, 0.75) - _quantile(values, counts, 0.25)) / _QUARTILES_OF_NORMAL
    if quartiles > 0:
        return quartiles
    _, error = _mean(values, counts)
    return error * math.sqrt(int(counts.sum()))


_COMPARISONS: dict[Statistic, Callable[[Check, Samples], Comparison]] = {
    Statistic.JENSEN_SHANNON: _jensen_shannon,
    Statistic.PSI: _psi,
    Statistic.CHI_SQUARE: _chi_square,
    Statistic.KOLMOGOROV_SMIRNOV: _kolmogorov_smirnov,
    Statistic.WASSERSTEIN: _wasserstein,
    Statistic.P95_RATIO: _p95_ratio,
    Statistic.MEAN_INCREASE: _increase,
    Statistic.MEAN_DECREASE: _increase,
    Statistic.RATE_INCREASE: _increase,
    Statistic.RATE_DECREASE: _increase,
    Statistic.SCORE_FLOOR: _score_floor,
    Statistic.MISSING_SHARE: _missing_share,
}


def in_baseline_bins(samples: Samples) -> Samples:
    """Return the same samples over few values: one for each bin of the baseline, with what stands for its values.

    Values of a bin become the mean of the baseline's values in it, or its middle one where the baseline has none.
    """
    if samples.values is None:
        return samples
    places, bins = bins_of(samples.values, samples.baseline, BINS)
    baseline, current = binned(places, bins, samples.baseline), binned(places, bins, samples.current)
    shares = samples.baseline / samples.baseline.sum()
    sums = np.bincount(places, weights=samples.values * shares, minlength=bins)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(baseline > 0, sums / np.bincount(places, weights=shares, minlength=bins), np.nan)
    return Samples(baseline, current, _filled(values))


def _filled(values: Floats) -> Floats:
    """Bins that the baseline left empty lie between their neighbours, or one step beyond the last."""
    places = np.arange(len(values), dtype=np.float64)
    known = np.flatnonzero(~np.isnan(values))
    filled = np.interp(places, known, values[known])
    steps = max(1, len(known) - 1)
    step = float(values[known[-1]] / steps - values[known[0]] / steps) or 1.0
    below, above = places < known[0], places > known[-1]
    with np.errstate(over="ignore"):  # cut off below
        filled[below] = values[known[0]] - step * (known[0] - places[below])
        filled[above] = values[known[-1]] + step * (places[above] - known[-1])
    largest = np.finfo(np.float64).max
    return np.clip(filled, -largest, largest)
