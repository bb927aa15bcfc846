"""How likely such a difference is when nothing has changed: p-values that hold far out in the tail.

Looking every hour for a year asks for p-values of one in a million, where a normal approximation or a thousand
permutations say nothing. So each is exact, or an approximation whose error is small *relative* to p. All are given the
values of both samples together: the null hypothesis is that which of them are the window's is chance.
"""

from __future__ import annotations

import math

import numpy as np

from hallmark.drift.statistics.arrays import Floats, Integers
from hallmark.drift.statistics.distances import chi_square, likelihood_ratio
from hallmark.statistics.distributions import chi_square_tail

LEAST_EXPECTED = 5.0
"""Values that a bin must expect in either sample before it is tested: the usual rule for chi-square (Cochran, 1954)."""
_EXACT_PATHS = 250_000
_SMALLEST_EXACT = 1e-9
_NEWTON_STEPS = 60
_NEAR_CENTRE = 1e-4
_SERIES_TERMS = 101


def homogeneity_p(baseline: Integers, current: Integers) -> float:
    """p-value of "the shares are the same", of bins that both expect to hold at least five values each.

    The larger one of the likelihood-ratio and Pearson's test: Pearson's tail is too light where a bin is nearly empty,
    that of G where it is filled to excess. One bin says nothing: 1.
    """
    g, degrees = likelihood_ratio(baseline, current)
    if degrees < 1:
        return 1.0
    pearson, _ = chi_square(baseline, current)
    return max(chi_square_tail(g, degrees), chi_square_tail(pearson, degrees))


def smirnov_p(distance: float, m: int, n: int) -> float:
    """p-value of the largest distance of two distribution functions of m and n values.

    Exact for m * n up to 250,000, by counting the paths that stay inside the distance (Hodges, 1958); beyond it
    Kolmogorov's series without a correction, which errs to the safe side, as do equal values.
    """
    if distance <= 0:
        return 1.0
    series = _kolmogorov_tail(distance * math.sqrt(m * n / (m + n)))
    if m * n > _EXACT_PATHS:
        return series
    exact = 1 - _inside_probability(distance, m, n)
    return exact if exact > _SMALLEST_EXACT else min(series, _SMALLEST_EXACT)


def _kolmogorov_tail(z: float) -> float:
    if z < 0.2:  # noqa: PLR2004 - the series needs more terms there, and the tail is 1 within 1e-12
        return 1.0
    orders = np.arange(1, _SERIES_TERMS)
    return float(min(1.0, max(0.0, 2 * np.sum((-1.0) ** (orders - 1) * np.exp(-2 * (orders * z) ** 2)))))


def _inside_probability(distance: float, m: int, n: int) -> float:
    """Probability that a random path from (0, 0) to (m, n) stays nearer to the diagonal than ``distance``."""
    m, n = min(m, n), max(m, n)
    allowed = distance * (1 - 1e-12)
    columns = np.arange(n + 1) / n
    row = (columns < allowed).astype(np.float64)
    log_scale = 0.0
    for i in range(1, m + 1):
        outside = np.abs(i / m - columns) >= allowed
        row[outside] = 0.0
        row = np.cumsum(row)
        row[outside] = 0.0
        largest = row.max()
        if largest <= 0:
            return 0.0
        row /= largest
        log_scale += math.log(largest)
    if row[-1] <= 0:
        return 0.0
    log_paths = math.lgamma(m + n + 1) - math.lgamma(m + 1) - math.lgamma(n + 1)
    return min(1.0, math.exp(math.log(row[-1]) + log_scale - log_paths))


def at_least_drawn_p(count: int, drawn: int, marked: int, total: int) -> float:
    """Probability of at least ``count`` marked ones when ``drawn`` of ``total`` are drawn, ``marked`` of which are so.

    Exact: Fisher's test of two shares, one-sided.
    """
    least, most = max(0, drawn + marked - total), min(drawn, marked)
    if count <= least:
        return 1.0
    if count > most:
        return 0.0
    first = _log_choose(marked, count) + _log_choose(total - marked, drawn - count) - _log_choose(total, drawn)
    k = np.arange(count, most, dtype=np.float64)
    ratios = np.log(marked - k) + np.log(drawn - k) - np.log(k + 1) - np.log(total - marked - drawn + k + 1)
    terms = np.concatenate([[0.0], np.cumsum(ratios)])
    largest = float(terms.max())
    return min(1.0, math.exp(first + largest) * float(np.exp(terms - largest).sum()))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def larger_sum_p(values: Floats, baseline: Integers, current: Integers) -> float:
    """p-value of "the window's mean is no larger", over all ways to draw the window from the values of both samples.

    For two distinct values it is Fisher's exact test. Otherwise the double saddle-point approximation of the
    permutation distribution (Robinson, 1982; Booth and Butler, 1990), whose relative error stays small in the tail
    and which knows skewed values, where Student's t does not.

    Args:
        values: Distinct, shape ``(values,)``.
        baseline: How often each occurs in the baseline, shape ``(values,)``.
        current: How often each occurs in the window, shape ``(values,)``.
    """
    pooled = baseline + current
    values, pooled, current = values[pooled > 0], pooled[pooled > 0], current[pooled > 0]
    total, drawn = int(pooled.sum()), int(current.sum())
    if len(values) < 2 or not 0 < drawn < total:  # noqa: PLR2004 - nothing can differ
        return 1.0
    if len(values) == 2:  # noqa: PLR2004 - shares: Fisher's test
        high = int(np.argmax(values))
        return at_least_drawn_p(int(current[high]), drawn, int(pooled[high]), total)
    values = values / float(np.abs(values).max())  # their unit does not matter, and squares stay finite
    centre = float(pooled @ values) / total
    scaled = values - centre
    spread = math.sqrt(float(pooled @ scaled**2) / total)
    return _saddle_point_tail(scaled / spread, pooled.astype(np.float64), drawn, float(current @ scaled) / spread)


def _saddle_point_tail(values: Floats, counts: Floats, drawn: int, observed: float) -> float:
    """P(sum of ``drawn`` values drawn without replacement >= observed); values have mean 0 and variance 1."""
    total = float(counts.sum())
    share = drawn / total
    tilt = np.zeros(2)  # of the number drawn, and of their sum
    goal = np.array([float(drawn), observed])
    objective, chances = _tilted(tilt, values, counts, share, goal)
    curvature = np.eye(2)
    for _ in range(_NEWTON_STEPS):
        weights = counts * chances * (1 - chances)
        slope = np.array([counts @ chances, (counts * values) @ chances]) - goal
        cross = weights @ values
        curvature = np.array([[weights.sum(), cross], [cross, weights @ values**2]])
        determinant = curvature[0, 0] * curvature[1, 1] - cross**2
        if determinant <= 1e-12 * max(1.0, curvature[0, 0] * curvature[1, 1]):
            break
        step = np.linalg.solve(curvature, slope)
        decrease = float(slope @ step)
        if decrease < 1e-12:  # noqa: PLR2004 - of a log-probability
            break
        length = 1.0
        while True:
            trial, moved = _tilted(tilt - length * step, values, counts, share, goal)
            if trial <= objective - length * decrease / 4 or length < 1e-6:  # noqa: PLR2004 - Armijo's rule
                break
            length /= 2
        tilt, objective, chances = tilt - length * step, trial, moved
    return _lugannani_rice(tilt[1], objective, curvature, total * share * (1 - share))


def _tilted(tilt: Floats, values: Floats, counts: Floats, share: float, goal: Floats) -> tuple[float, Floats]:
    """Cumulant generating function less what it is tilted to, and the chance of each value to be drawn."""
    exponents = tilt[0] + tilt[1] * values
    logs = np.logaddexp(math.log1p(-share), math.log(share) + exponents)
    chances = np.exp(math.log(share) + exponents - logs)
    return float(counts @ logs - tilt @ goal), chances


def _lugannani_rice(tilt: float, objective: float, curvature: Floats, plain: float) -> float:
    w = math.copysign(math.sqrt(max(0.0, -2 * objective)), tilt)
    determinant = float(np.linalg.det(curvature))
    # For any tilt above 0 this bounds the tail (Chernoff), given how likely the number drawn is.
    bound = min(1.0, math.exp(min(0.0, objective)) * math.sqrt(2 * math.pi * plain) * 1.1) if tilt > 0 else 1.0
    upper = math.erfc(w / math.sqrt(2)) / 2
    if abs(w) < _NEAR_CENTRE:
        return upper
    u = tilt * math.sqrt(max(determinant, 0.0) / plain)
    if u == 0:
        return bound
    found = upper + math.exp(-w * w / 2) / math.sqrt(2 * math.pi) * (1 / u - 1 / w)
    return found if 0 < found <= bound else bound


def at_most_mean_p(mean: float, count: int, least: float) -> float:
    """Bound of the probability of such a low mean of ``count`` scores from 0 to 1, if it is truly ``least`` or more.

    Chernoff's bound in Hoeffding's form (1963, theorem 1): it holds for any independent scores from 0 to 1, whatever
    their distribution, at any number of them.
    """
    if mean >= least:
        return 1.0
    divergence = _term(mean, least) + _term(1 - mean, 1 - least)
    return math.exp(-count * divergence)


def _term(share: float, other: float) -> float:
    if share <= 0:
        return 0.0
    return share * math.log(share / other) if other > 0 else math.inf
