"""Tails and quantiles of the normal, Student's t, chi-square, binomial and beta distributions, for single numbers.

The incomplete beta and gamma functions are continued fractions by Lentz's algorithm (Press et al., Numerical Recipes,
3rd edition, sections 6.2 and 6.4). Their leading factors are computed as densities by saddle-point expansion (Loader,
Fast and Accurate Computation of Binomial Probabilities, 2000), which keeps 12 digits where differences of log-gamma
values lose them. Held against scipy to 1e-10.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

from hallmark.errors import InvalidInputError
from hallmark.statistics.ranges import fraction, positive, whole

_TINY = 1e-300
_PRECISION = 1e-16
_MOST_TERMS = 200_000
_MOST_STEPS = 400
_SERIES_FROM = 16.0
_NEAR = 0.1
_HALF = 0.5
_STANDARD_NORMAL = NormalDist()


def normal_cdf(z: float) -> float:
    """Probability that a standard normal variable is at most ``z``."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def normal_quantile(probability: float) -> float:
    """Value that a standard normal variable stays below with this probability.

    Raises:
        InvalidInputError: The probability is not between 0 and 1.
    """
    return _STANDARD_NORMAL.inv_cdf(fraction("probability", probability))


def two_sided_z(confidence: float) -> float:
    """Half-width of the central normal interval of this confidence, in standard deviations (1.96 for 0.95)."""
    return -normal_quantile((1 - fraction("confidence", confidence)) / 2)


def t_cdf(t: float, degrees: float) -> float:
    """Probability that Student's t with ``degrees`` of freedom is at most ``t`` (``math.inf`` degrees: normal)."""
    upper = t_tail(abs(t), degrees)
    return upper if t < 0 else 1 - upper


def t_tail(t: float, degrees: float) -> float:
    """Probability that Student's t exceeds ``t``; keeps its digits however small it is.

    Raises:
        InvalidInputError: ``degrees`` is not above 0, or ``t`` is NaN.
    """
    if math.isnan(t):
        raise InvalidInputError("t", t, "give a number")
    if degrees == math.inf:
        return normal_cdf(-t)
    positive("degrees", degrees)
    if t < 0:
        return 1 - t_tail(-t, degrees)
    if math.isinf(t):
        return 0.0
    squared = t * t
    whole_square = degrees + squared
    return 0.5 * _beta_ratio(degrees / 2, 0.5, degrees / whole_square, squared / whole_square)


def t_two_sided(t: float, degrees: float) -> float:
    """Probability that Student's t is at least as far from 0 as ``t``."""
    return min(1.0, 2 * t_tail(abs(t), degrees))


def t_quantile(probability: float, degrees: float) -> float:
    """Value that Student's t stays below with this probability.

    Raises:
        InvalidInputError: The probability is not between 0 and 1, or ``degrees`` is not above 0.
    """
    fraction("probability", probability)
    if degrees == math.inf:
        return normal_quantile(probability)
    positive("degrees", degrees)
    if probability < _HALF:
        return -_upper_t_quantile(probability, degrees)
    return _upper_t_quantile(1 - probability, degrees) if probability > _HALF else 0.0


@lru_cache(maxsize=1024)
def _upper_t_quantile(tail: float, degrees: float) -> float:
    # Of the two complementary fractions take the one that is small: it has the digits.
    outer = beta_quantile(2 * tail, degrees / 2, 0.5)
    if outer < _HALF:
        return math.sqrt(degrees * (1 - outer) / outer)
    inner = beta_quantile(1 - 2 * tail, 0.5, degrees / 2)
    return math.sqrt(degrees * inner / (1 - inner))


def chi_square_tail(statistic: float, degrees: float) -> float:
    """Probability that chi-square with ``degrees`` of freedom is at least ``statistic``.

    Raises:
        InvalidInputError: ``degrees`` is not above 0, or ``statistic`` is NaN.
    """
    positive("degrees", degrees)
    if math.isnan(statistic):
        raise InvalidInputError("statistic", statistic, "give a number")
    if statistic <= 0:
        return 1.0
    if math.isinf(statistic):
        return 0.0
    if degrees == 1:
        return math.erfc(math.sqrt(statistic / 2))
    return _upper_gamma_ratio(degrees / 2, statistic / 2)


def beta_cdf(x: float, a: float, b: float) -> float:
    """Regularised incomplete beta function: probability that a beta variable is at most ``x``.

    Raises:
        InvalidInputError: ``a`` or ``b`` is not above 0.
    """
    positive("a", a)
    positive("b", b)
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    return _beta_ratio(a, b, x, 1 - x)


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Value that a beta variable stays below with this probability.

    Raises:
        InvalidInputError: The probability is not from 0 to 1, or ``a`` or ``b`` is not above 0.
    """
    positive("a", a)
    positive("b", b)
    if not 0 <= probability <= 1:
        raise InvalidInputError("probability", probability, "give a number from 0 to 1")
    if probability in (0, 1):
        return float(probability)

    def density(x: float) -> float:
        return _beta_factor(a, b, x, 1 - x) / (x * (1 - x))

    return _solve(lambda x: _beta_ratio(a, b, x, 1 - x), density, probability, a / (a + b))


def _solve(cdf: Callable[[float], float], density: Callable[[float], float], probability: float, start: float) -> float:
    """Newton's steps inside a bracket that every step narrows; bisection where a step would leave it."""
    low, high, x = 0.0, 1.0, start
    for _ in range(_MOST_STEPS):
        miss = cdf(x) - probability
        if miss == 0:
            return x
        low, high = (low, x) if miss > 0 else (x, high)
        slope = density(x)
        stepped = x - miss / slope if slope > 0 else -1.0
        after = stepped if low < stepped < high else (low + high) / 2
        if abs(after - x) <= 2 * _PRECISION * x or high - low <= 2 * _PRECISION * low:
            return after
        x = after
    return x


def binomial_probability(count: int, trials: int, chance: float) -> float:
    """Probability of exactly ``count`` successes."""
    whole("trials", trials)
    whole("count", count, most=trials)
    _refuse_improbable(chance)
    return _raw_binomial(float(count), float(trials), chance, 1 - chance)


def binomial_at_most(count: int, trials: int, chance: float) -> float:
    """Probability of at most ``count`` successes in ``trials``, each with the same chance.

    Raises:
        InvalidInputError: ``trials`` is negative, or ``chance`` is not from 0 to 1.
    """
    whole("trials", trials)
    _refuse_improbable(chance)
    if count < 0 or count >= trials:
        return 0.0 if count < 0 else 1.0
    if chance in (0, 1):
        return 1.0 - chance
    return _beta_ratio(trials - count, count + 1.0, 1 - chance, chance)


def binomial_at_least(count: int, trials: int, chance: float) -> float:
    """Probability of at least ``count`` successes; keeps its digits however small it is."""
    whole("trials", trials)
    _refuse_improbable(chance)
    if count <= 0 or count > trials:
        return 1.0 if count <= 0 else 0.0
    if chance in (0, 1):
        return float(chance)
    return _beta_ratio(float(count), trials - count + 1.0, chance, 1 - chance)


def _refuse_improbable(chance: float) -> None:
    if not 0 <= chance <= 1:
        raise InvalidInputError("chance", chance, "give a probability from 0 to 1")


def _beta_ratio(a: float, b: float, x: float, rest: float) -> float:
    """Regularised incomplete beta function of ``x = 1 - rest``; both are given to keep the digits of the smaller."""
    if x <= 0 or rest <= 0:
        return 0.0 if x <= 0 else 1.0
    factor = _beta_factor(a, b, x, rest)
    if x < (a + 1) / (a + b + 2):
        return min(1.0, factor * _beta_fraction(a, b, x) / a)
    return max(0.0, 1 - factor * _beta_fraction(b, a, rest) / b)


def _beta_factor(a: float, b: float, x: float, rest: float) -> float:
    """``x**a * rest**b / B(a, b)``."""
    return _raw_binomial(a, a + b, x, rest) * a * b / (a + b)


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Numerical Recipes 6.4.5 by the modified Lentz algorithm."""
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / _nonzero(1 + even * d), _nonzero(1 + even / c)
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / _nonzero(1 + odd * d), _nonzero(1 + odd / c)
        value *= d * c
        if abs(d * c - 1) <= 2 * _PRECISION:
            break
    return value


def _upper_gamma_ratio(a: float, x: float) -> float:
    """Regularised upper incomplete gamma function: Numerical Recipes 6.2.5 below ``a + 1``, 6.2.7 above."""
    factor = _raw_poisson(a, x)  # x**a * exp(-x) / gamma(a + 1)
    if x < a + 1:
        term = total = 1.0
        for n in range(1, _MOST_TERMS):
            term *= x / (a + n)
            total += term
            if term <= _PRECISION * total:
                break
        return max(0.0, 1 - factor * total)
    b = x + 1 - a
    c, d = 1 / _TINY, 1 / b
    value = d
    for n in range(1, _MOST_TERMS):
        numerator = -n * (n - a)
        b += 2
        d, c = 1 / _nonzero(numerator * d + b), _nonzero(b + numerator / c)
        value *= d * c
        if abs(d * c - 1) <= 2 * _PRECISION:
            break
    return min(1.0, factor * a * value)


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _raw_binomial(x: float, n: float, p: float, q: float) -> float:
    """Binomial probability for real ``x`` of ``n`` (Loader 2000, equation 3)."""
    if x in (0, n):
        return (math.exp(n * _log(q, p)) if x == 0 else math.exp(n * _log(p, q))) if n else 1.0
    if p <= 0 or q <= 0:
        return 0.0
    exponent = (
        _stirling_error(n) - _stirling_error(x) - _stirling_error(n - x) - _deviance(x, n * p) - _deviance(n - x, n * q)
    )
    return math.exp(exponent) * math.sqrt(n / (2 * math.pi * x * (n - x)))


def _log(value: float, complement: float) -> float:
    if value <= 0:
        return -math.inf
    return math.log1p(-complement) if complement < _NEAR else math.log(value)


def _raw_poisson(x: float, mean: float) -> float:
    """Poisson probability for real ``x`` above 0 (Loader 2000, equation 4)."""
    return math.exp(-_stirling_error(x) - _deviance(x, mean)) / math.sqrt(2 * math.pi * x)


def _stirling_error(n: float) -> float:
    """``log(n!)`` minus Stirling's approximation of it (Loader 2000)."""
    if n < _SERIES_FROM:
        return math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - 0.5 * math.log(2 * math.pi)
    square = n * n
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / (1188 * square)) / square) / square) / square) / n


def _deviance(x: float, mean: float) -> float:
    """``x * log(x / mean) + mean - x`` without cancellation where the two are close (Loader 2000)."""
    if abs(x - mean) < _NEAR * (x + mean):
        v = (x - mean) / (x + mean)
        total = (x - mean) * v
        term = 2 * x * v
        for j in range(1, 1000):
            term *= v * v
            after = total + term / (2 * j + 1)
            if after == total:
                return after
            total = after
    return x * math.log(x / mean) + mean - x
