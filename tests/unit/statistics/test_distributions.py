"""Tails and quantiles against scipy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import special, stats

from hallmark.errors import InvalidInputError
from hallmark.statistics import distributions as ours

RANDOM = np.random.default_rng(20_261_124)
DEGREES = (0.7, 1, 2, 3.5, 10, 29, 100, 1_000, 50_000)
PROBABILITIES = (1e-9, 1e-4, 0.01, 0.025, 0.2, 0.5, 0.77, 0.975, 0.9999)
SHAPES = ((0.5, 0.5), (1, 1), (2, 9), (0.3, 40), (15, 16), (800, 3), (5_000, 7_000), (100_000, 0.5))


@pytest.mark.parametrize("degrees", DEGREES)
@pytest.mark.parametrize("t", [-30, -3.2, -0.5, 0, 1e-6, 0.1, 1, 2.5, 8, 40])
def test_students_t_has_the_tails_of_scipy(t: float, degrees: float) -> None:
    assert ours.t_cdf(t, degrees) == pytest.approx(stats.t.cdf(t, degrees), rel=1e-10)
    assert ours.t_tail(t, degrees) == pytest.approx(stats.t.sf(t, degrees), rel=1e-10)


@pytest.mark.parametrize("degrees", DEGREES)
@pytest.mark.parametrize("probability", PROBABILITIES)
def test_students_t_has_the_quantiles_of_scipy(probability: float, degrees: float) -> None:
    found = ours.t_quantile(probability, degrees)
    # scipy's own quantile loses digits in far tails: its distribution function is the judge.
    assert stats.t.cdf(found, degrees) == pytest.approx(probability, rel=1e-10)
    assert found == pytest.approx(stats.t.ppf(probability, degrees), rel=1e-8, abs=1e-12)
    assert ours.t_cdf(ours.t_quantile(probability, degrees), degrees) == pytest.approx(probability, rel=1e-10)


def test_t_with_infinite_degrees_is_normal() -> None:
    assert ours.t_quantile(0.975, math.inf) == pytest.approx(stats.norm.ppf(0.975), rel=1e-14)
    assert ours.t_tail(3, math.inf) == pytest.approx(stats.norm.sf(3), rel=1e-14)


@pytest.mark.parametrize("degrees", DEGREES)
def test_chi_square_has_the_tails_of_scipy(degrees: float) -> None:
    for statistic in np.concatenate((stats.chi2.ppf([0.001, 0.3, 0.9, 0.999999], degrees), [0.0, degrees * 3 + 50])):
        assert ours.chi_square_tail(statistic, degrees) == pytest.approx(stats.chi2.sf(statistic, degrees), rel=1e-10)


@pytest.mark.parametrize(("a", "b"), SHAPES)
def test_beta_has_the_values_of_scipy(a: float, b: float) -> None:
    for x in RANDOM.beta(a, b, size=20):
        assert ours.beta_cdf(x, a, b) == pytest.approx(special.betainc(a, b, x), rel=1e-10, abs=1e-300)
    for probability in PROBABILITIES:
        expected = special.betaincinv(a, b, probability)
        assert ours.beta_quantile(probability, a, b) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("trials", [1, 2, 24, 100, 3_004, 1_000_000])
@pytest.mark.parametrize("chance", [0.001, 0.3, 0.5, 0.95])
def test_binomial_has_the_tails_of_scipy(trials: int, chance: float) -> None:
    for count in sorted({0, 1, trials, *(int(value) for value in stats.binom.ppf([0.01, 0.5, 0.999], trials, chance))}):
        assert ours.binomial_at_most(count, trials, chance) == pytest.approx(
            stats.binom.cdf(count, trials, chance), rel=1e-10, abs=1e-300
        )
        assert ours.binomial_at_least(count, trials, chance) == pytest.approx(
            stats.binom.sf(count - 1, trials, chance), rel=1e-10, abs=1e-300
        )
        assert ours.binomial_probability(count, trials, chance) == pytest.approx(
            stats.binom.pmf(count, trials, chance), rel=1e-9, abs=1e-300
        )


def test_ends_are_exact() -> None:
    assert (ours.beta_quantile(0, 2, 3), ours.beta_quantile(1, 2, 3)) == (0, 1)
    assert (ours.beta_cdf(-1, 2, 3), ours.beta_cdf(2, 2, 3)) == (0, 1)
    assert (ours.binomial_at_most(-1, 5, 0.5), ours.binomial_at_least(6, 5, 0.5)) == (0, 0)
    assert (ours.binomial_at_most(2, 5, 0), ours.binomial_at_most(2, 5, 1)) == (1, 0)
    assert (ours.t_tail(math.inf, 3), ours.chi_square_tail(math.inf, 3), ours.chi_square_tail(-1, 3)) == (0, 0, 1)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: ours.t_quantile(1.0, 5), "probability"),
        (lambda: ours.t_quantile(0.9, 0), "degrees"),
        (lambda: ours.t_tail(math.nan, 5), "t"),
        (lambda: ours.beta_cdf(0.5, -1, 2), "a"),
        (lambda: ours.binomial_at_most(1, 5, 1.5), "chance"),
        (lambda: ours.binomial_probability(6, 5, 0.5), "count"),
        (lambda: ours.chi_square_tail(math.nan, 1), "statistic"),
        (lambda: ours.normal_quantile(0), "probability"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(call: Callable[[], float], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        call()
    assert refused.value.field == field
