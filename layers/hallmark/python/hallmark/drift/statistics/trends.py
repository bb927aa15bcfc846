"""Does the level move, slowly or at once, from window to window? Cumulative sums over the means of windows.

The mean of a window is turned into the normal score of its permutation p-value, so that skewed values and small windows
do no harm. What it is compared with - the baseline, or the windows so far - is known no better than its size allows,
and that error adds up from window to window: the slack of the sums allows for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from hallmark.drift.statistics.arrays import Floats
from hallmark.drift.statistics.checks import Check, Statistic
from hallmark.drift.statistics.comparing import Comparison, IncomparableError, Samples
from hallmark.drift.statistics.distances import Distance
from hallmark.drift.statistics.evidence import larger_sum_p
from hallmark.drift.statistics.looks import MeanStream, WindowMean
from hallmark.drift.statistics.profiles import Profile
from hallmark.drift.statistics.streams import Sums, adaptive_cut, cusum, exceedance_p, page_hinkley
from hallmark.statistics.distributions import normal_quantile

_Z95 = 1.959963984540054
_REFERENCE_ERROR = 3.5
"""Standard errors of the mean that is compared with, which the slack allows for: more happen once in 2,000 times."""
_SMALLEST_P = 1e-300


def mean_of_window(samples: Samples, baseline: Profile, current: Profile) -> WindowMean:
    """Return where the mean of a window lies.

    Raises:
        IncomparableError: The baseline does not vary, so that there is nothing to measure a shift in.
    """
    if not 0 < baseline.deviation < math.inf:
        raise IncomparableError("the baseline's values do not vary: watch it with kolmogorov_smirnov or chi_square")
    rise = larger_sum_p(samples.numbers, samples.baseline, samples.current)
    fall = larger_sum_p(-samples.numbers, samples.baseline, samples.current)
    if rise <= fall:
        score = max(0.0, -normal_quantile(max(rise, _SMALLEST_P))) if rise < 1 else 0.0
    else:
        score = min(0.0, normal_quantile(max(fall, _SMALLEST_P)))
    shift = (current.mean - baseline.mean) / baseline.deviation
    if not math.isfinite(shift):
        raise IncomparableError("values are too large to be compared: watch their logarithm, or another unit")
    return WindowMean(score=score, shift=shift, count=current.present)


def compare_stream(check: Check, stream: MeanStream) -> tuple[Comparison, int]:
    """Compute a statistic of a stream, its chance where nothing changes, and how many windows it is about."""
    scores = np.array([mean.score for mean in stream.means])
    shifts = np.array([mean.shift for mean in stream.means])
    counts = np.array([mean.count for mean in stream.means], dtype=np.float64)
    size = counts * stream.baseline_count / (counts + stream.baseline_count)
    half = check.limit / 2 * np.sqrt(size)
    return _WAYS[check.statistic](scores, shifts, counts, half, float(stream.baseline_count))


def _cusum(scores: Floats, shifts: Floats, counts: Floats, half: Floats, baseline: float) -> tuple[Comparison, int]:
    slack = np.maximum(half, _REFERENCE_ERROR * np.sqrt(counts / (counts + baseline)))
    sums = cusum(scores, 0.0, 1.0, slack)
    height, start = _height(sums)
    windows = len(scores) - start
    return Comparison(_mean(shifts[start:], counts[start:], 0.0), _chance(height, slack)), windows


def _page_hinkley(
    scores: Floats, shifts: Floats, counts: Floats, half: Floats, _baseline: float
) -> tuple[Comparison, int]:
    slack = half + _REFERENCE_ERROR / np.sqrt(np.arange(1, len(scores) + 1))
    sums = page_hinkley(scores, slack)
    height, start = _height(sums)
    before = float(np.average(shifts[:start], weights=counts[:start])) if start else float(shifts[0])
    return Comparison(_mean(shifts[start:], counts[start:], before), _chance(height, half)), len(scores) - start


def _adwin(scores: Floats, shifts: Floats, counts: Floats, _half: Floats, _baseline: float) -> tuple[Comparison, int]:
    cut = adaptive_cut(scores, 1.0)
    if cut is None:
        return Comparison(_mean(shifts[-1:], counts[-1:], 0.0), 1.0), 1
    before = float(np.average(shifts[: cut.at], weights=counts[: cut.at]))
    return Comparison(_mean(shifts[cut.at :], counts[cut.at :], before), cut.p_value), len(scores) - cut.at


def _height(sums: Sums) -> tuple[float, int]:
    """The larger sum at the end, and the window in which it began to rise (the newest one if it is 0)."""
    path = sums.up if sums.up[-1] >= sums.down[-1] else sums.down
    if path[-1] <= 0:
        return 0.0, len(path) - 1
    zeros = np.flatnonzero(path[:-1] <= 0)
    return float(path[-1]), int(zeros[-1]) + 1 if len(zeros) else 0


def _chance(height: float, slack: Floats) -> float:
    """Chance that either sum is as high, if nothing changes."""
    return min(1.0, 2 * exceedance_p(height, float(slack.min())))


def _mean(shifts: Floats, counts: Floats, before: float) -> Distance:
    """Size of the shift, whichever its direction, in deviations of a value."""
    value = abs(float(np.average(shifts, weights=counts)) - before)
    spread = _Z95 / math.sqrt(float(counts.sum()))
    return Distance(value, max(0.0, value - spread), value + spread)


_WAYS: dict[Statistic, Callable[[Floats, Floats, Floats, Floats, float], tuple[Comparison, int]]] = {
    Statistic.CUSUM: _cusum,
    Statistic.PAGE_HINKLEY: _page_hinkley,
    Statistic.ADWIN: _adwin,
}
