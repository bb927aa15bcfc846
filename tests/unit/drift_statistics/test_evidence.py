"""p-values are exact, or close relative to themselves far out in the tail."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from hallmark.drift.statistics.arrays import Floats, Integers
from hallmark.drift.statistics.evidence import (
    at_least_drawn_p,
    at_most_mean_p,
    homogeneity_p,
    larger_sum_p,
    smirnov_p,
)


def _drawn(values: Floats, window: Floats) -> tuple[Floats, Integers, Integers]:
    """Distinct values, and how many of each stay and are drawn."""
    distinct = np.unique(values)
    current = np.array([(window == value).sum() for value in distinct])
    return distinct, np.array([(values == value).sum() for value in distinct]) - current, current


@pytest.mark.parametrize(
    ("distance", "m", "n", "wanted"),
    [
        (1 / 3, 2, 3, 1.0),
        (2 / 3, 2, 3, 6 / 10),
        (2 / 4, 2, 4, 14 / 15),
        (3 / 4, 2, 4, 6 / 15),
        (3 / 100, 100, 100, 0.9999999999962055),
    ],
)
def test_smirnovs_p_values_are_the_known_ones(distance: float, m: int, n: int, wanted: float) -> None:
    # By counting all ways to mix the samples; the last one is quoted in scipy's TestKSTwoSamples.
    assert smirnov_p(distance, m, n) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(("m", "n"), [(10, 7), (55, 70), (200, 300), (30, 5000)])
@pytest.mark.parametrize("z", [0.6, 1.0, 1.8, 2.6])
def test_smirnovs_p_values_are_those_of_scipys_exact_ones(m: int, n: int, z: float) -> None:
    random = np.random.default_rng(2)
    one, other = random.normal(size=m), random.normal(z * math.sqrt(1 / m + 1 / n), 1, n)
    exact = stats.ks_2samp(one, other, method="exact")

    assert smirnov_p(exact.statistic, m, n) == pytest.approx(exact.pvalue, rel=1e-6)


def test_smirnovs_series_is_near_the_exact_value_and_not_below_it() -> None:
    for z in (1.2, 1.8, 2.5, 3.0):
        distance = round(z * math.sqrt(2 / 600) * 600) / 600
        exact = stats.ks_2samp(np.arange(600), np.arange(600) + 600 * distance - 0.5, method="exact")
        assert 0.999 < smirnov_p(exact.statistic, 600, 600) / exact.pvalue < 1.3


@pytest.mark.parametrize(("count", "drawn", "marked", "total"), [(9, 40, 20, 300), (1, 5, 1, 10), (60, 100, 90, 4000)])
def test_drawing_without_replacement_is_hypergeometric(count: int, drawn: int, marked: int, total: int) -> None:
    wanted = stats.hypergeom.sf(count - 1, total, marked, drawn)

    assert at_least_drawn_p(count, drawn, marked, total) == pytest.approx(wanted, rel=1e-8)
    assert at_least_drawn_p(0, drawn, marked, total) == 1
    assert at_least_drawn_p(marked + 1, drawn, marked, total) == 0


def test_the_saddle_point_is_near_the_exact_permutation_distribution_of_skewed_values() -> None:
    values = np.exp(1.5 * np.random.default_rng(0).normal(size=18))
    sums = np.array([values[list(chosen)].sum() for chosen in itertools.combinations(range(18), 6)])
    ordered = np.sort(values)
    for window in (ordered[-6:], ordered[[-8, -7, -5, -4, -2, -1]], ordered[[1, 4, 8, 11, 14, 17]], ordered[3:9]):
        exact = np.mean(sums >= window.sum() - 1e-9)
        found = larger_sum_p(*_drawn(values, window))
        assert found == pytest.approx(exact, rel=0.35, abs=1e-4)


def test_the_saddle_point_holds_far_out_in_the_tail() -> None:
    # A window of 200 among 2,000 exponential values: the sum of the window is nearly a scaled beta variable.
    random = np.random.default_rng(12)
    values = random.exponential(size=2000)
    window = np.sort(values)[-200:]
    found = larger_sum_p(*_drawn(values, window))
    exact = math.exp(-(math.lgamma(2001) - math.lgamma(201) - math.lgamma(1801)))

    assert exact <= found < 1e-200


def test_the_p_value_of_a_mean_is_uniform_where_nothing_has_changed() -> None:
    random = np.random.default_rng(5)
    found = []
    for _ in range(600):
        values = random.lognormal(0, 1.5, 160)
        found.append(larger_sum_p(*_drawn(values, values[:40])))

    for level in (0.01, 0.1, 0.5):
        assert stats.binomtest(sum(p <= level for p in found), 600, level).pvalue > 1e-4


def test_two_distinct_values_are_fishers_exact_test() -> None:
    table = [[9, 31], [11, 249]]
    found = larger_sum_p(np.array([0.0, 1.0]), np.array([249, 11]), np.array([31, 9]))

    assert found == pytest.approx(stats.fisher_exact(table, alternative="greater").pvalue, rel=1e-9)


def test_nothing_differs_among_equal_values() -> None:
    assert larger_sum_p(np.array([3.0]), np.array([5]), np.array([2])) == 1
    assert homogeneity_p(np.array([5]), np.array([2])) == 1
    assert smirnov_p(0.0, 5, 5) == 1


@pytest.mark.parametrize("bins", [2, 3, 10])
def test_homogeneity_is_rejected_no_more_often_than_promised(bins: int) -> None:
    random = np.random.default_rng(bins)
    tables = random.multinomial(60, np.full(bins, 1 / bins), (3000, 2))
    found = np.array([homogeneity_p(*table) for table in tables])

    for level in (0.05, 0.01, 0.001):
        assert (found <= level).sum() <= stats.binom.ppf(0.9999, 3000, level)


def test_the_bound_of_a_mean_is_above_the_exact_binomial_and_near_it() -> None:
    for count, mean in ((100, 0.75), (1000, 0.82), (40, 0.5)):
        exact = stats.binom.cdf(round(mean * count), count, 0.85)
        assert exact < at_most_mean_p(mean, count, 0.85) < 10 * exact
    assert at_most_mean_p(0.9, 100, 0.85) == 1
    assert at_most_mean_p(0.0, 10, 0.85) == pytest.approx(0.15**10)
