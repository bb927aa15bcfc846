"""Intervals against statsmodels, scipy and published examples, and how often they are right."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from hallmark.errors import InvalidInputError
from hallmark.statistics.intervals import (
    difference_of_rates,
    estimate_mean,
    estimate_quantile,
    estimate_rate,
    estimate_stratified_mean,
    paired_difference_of_rates,
    paired_score,
)
from hallmark.statistics.outcomes import Interval
from hallmark.statistics.pairs import PairedCounts
from hallmark.statistics.rates import clopper_pearson, wilson

COUNTS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS, st.sampled_from([0.8, 0.95, 0.99]))
@settings(max_examples=80, deadline=None)
def test_intervals_of_a_rate_are_those_of_statsmodels(counts: tuple[int, int], confidence: float) -> None:
    for ours, name in ((wilson, "wilson"), (clopper_pearson, "beta")):
        found = ours(*counts, confidence)
        expected = proportion_confint(*counts, alpha=1 - confidence, method=name)
        np.testing.assert_allclose((found.low, found.high), np.nan_to_num(expected, nan=found.low), atol=1e-10)


@pytest.mark.parametrize("n", [5, 20, 60])
def test_the_exact_interval_is_never_less_sure_than_it_says(n: int) -> None:
    intervals = [clopper_pearson(count, n) for count in range(n + 1)]
    for rate in np.linspace(0.005, 0.995, 80):
        assert _coverage(intervals, n, float(rate)) >= 0.95


def test_wilsons_interval_is_right_as_often_as_it_says_on_average() -> None:
    intervals = [wilson(count, 30) for count in range(31)]
    covered = [_coverage(intervals, 30, float(rate)) for rate in np.linspace(0.01, 0.99, 197)]
    assert 0.945 < np.mean(covered) < 0.965
    assert min(covered) > 0.83


def _coverage(intervals: list[Interval], n: int, rate: float) -> float:
    right = [count for count, interval in enumerate(intervals) if interval.contains(rate)]
    return float(stats.binom.pmf(right, n, rate).sum())


def test_mean_has_the_t_interval_of_scipy() -> None:
    values = np.random.default_rng(1).gamma(2, size=23)
    found = estimate_mean(values)
    expected = stats.t.interval(0.95, 22, loc=values.mean(), scale=stats.sem(values))
    np.testing.assert_allclose((found.interval.low, found.interval.high), expected, rtol=1e-12)
    assert found.standard_error == pytest.approx(stats.sem(values), rel=1e-12)


def test_weighted_mean_agrees_with_whole_weights_as_repeats_and_with_statsmodels() -> None:
    random = np.random.default_rng(2)
    values, weights = random.normal(size=40), random.integers(1, 5, size=40)
    found = estimate_mean(values, weights=weights)
    assert found.value == pytest.approx(np.repeat(values, weights).mean())
    assert found.value == pytest.approx(DescrStatsW(values, weights=weights).mean)
    # Cases with a common weight are cases without one.
    assert estimate_mean(values, weights=np.full(40, 7.0)).interval.low == pytest.approx(
        estimate_mean(values).interval.low
    )


def test_clustered_error_is_the_sum_over_pairs_in_a_cluster() -> None:
    random = np.random.default_rng(3)
    values, clusters = random.random(30), random.integers(0, 7, size=30)
    centred = values - values.mean()
    pairs = sum(
        a * b
        for a, one in zip(centred, clusters, strict=True)
        for b, other in zip(centred, clusters, strict=True)
        if one == other
    )
    count = len(set(clusters.tolist()))
    # Inspect AI's stderr(cluster=...): sqrt(sum * C / (C - 1)) / n.
    assert estimate_mean(values, clusters=clusters).standard_error == pytest.approx(
        math.sqrt(pairs * count / (count - 1)) / 30
    )


def test_a_cluster_each_is_no_cluster_and_copies_add_nothing() -> None:
    values = np.random.default_rng(4).random(25)
    single = estimate_mean(values)
    assert estimate_mean(values, clusters=range(25)).interval.high == pytest.approx(single.interval.high)
    copied = estimate_mean(np.repeat(values, 4), clusters=np.repeat(np.arange(25), 4))
    assert (copied.n, copied.clusters) == (100, 25)
    assert copied.interval.high == pytest.approx(single.interval.high)


def test_stratified_mean_is_that_of_cochran() -> None:
    values = [1.0, 2.0, 3.0, 10.0, 14.0]
    found = estimate_stratified_mean(values, ["a", "a", "a", "b", "b"], {"a": 3, "b": 1})
    assert found.value == pytest.approx(0.75 * 2 + 0.25 * 12)
    parts = (0.75**2 * 1 / 3, 0.25**2 * 8 / 2)
    assert found.standard_error == pytest.approx(math.sqrt(sum(parts)))
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 1)
    assert found.interval.high - found.value == pytest.approx(stats.t.ppf(0.975, degrees) * math.sqrt(sum(parts)))


def test_rates_of_clusters_are_covered() -> None:
    random = np.random.default_rng(5)
    trials, right = 800, 0
    for _ in range(trials):
        chances = random.beta(4.5, 0.5, size=25)
        values = (random.random((25, 4)) < chances[:, None]).ravel()
        right += estimate_rate(values, clusters=np.repeat(np.arange(25), 4)).interval.contains(0.9)
    assert 0.925 <= right / trials <= 0.99


def test_all_passed_in_few_clusters_is_not_certainty() -> None:
    found = estimate_rate(np.ones(400), clusters=np.repeat(np.arange(8), 50))
    assert found.interval.low == pytest.approx(0.6, abs=0.03)
    assert estimate_rate(np.ones(400)).interval == wilson(400, 400)


@given(COUNTS, COUNTS)
@settings(max_examples=60, deadline=None)
def test_difference_of_rates_is_that_of_statsmodels(first: tuple[int, int], second: tuple[int, int]) -> None:
    found = difference_of_rates(*first, *second)
    expected = confint_proportions_2indep(*first, *second, method="newcomb")
    np.testing.assert_allclose((found.low, found.high), expected, atol=1e-9)


def test_newcombes_published_interval_is_reproduced() -> None:
    # Newcombe 1998, table II, 56/70 - 48/80, method 10: 0.0524 to 0.3339.
    found = difference_of_rates(56, 70, 48, 80)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)


@given(
    st.tuples(st.integers(0, 40), st.integers(0, 20), st.integers(0, 20), st.integers(0, 40)).filter(
        lambda c: sum(c) > 0
    ),
    st.floats(-0.9, 0.9),
)
@settings(max_examples=60, deadline=None)
def test_the_paired_score_uses_the_likeliest_share_under_the_hypothesis(
    cells: tuple[int, int, int, int], difference: float
) -> None:
    counts = PairedCounts(*cells)
    b, c, n = counts.only_candidate, counts.only_baseline, counts.n

    def unlikelihood(share: float) -> float:
        one, rest = share + difference, 1 - 2 * share - difference
        return -float(sum(k * math.log(max(p, 1e-300)) for k, p in ((b, one), (c, share), (n - b - c, rest)) if k))

    low, high = max(0.0, -difference), (1 - difference) / 2
    best = optimize.minimize_scalar(unlikelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    variance = n * (2 * best + difference * (1 - difference))
    if variance > 1e-3:
        expected = (b - c - n * difference) / math.sqrt(variance)
        assert paired_score(counts, difference) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_the_paired_interval_is_right_as_often_as_it_says() -> None:
    n, covered = 30, []
    tables = {
        (b, c): paired_difference_of_rates(PairedCounts(n - b - c, b, c, 0))
        for b in range(n + 1)
        for c in range(n + 1 - b)
    }
    cells = np.array([(b, c, n - b - c) for b, c in tables])
    for discordance, difference in ((0.1, 0), (0.3, 0.1), (0.4, -0.3), (0.6, 0.05), (0.2, 0.19)):
        shares = ((discordance + difference) / 2, (discordance - difference) / 2, 1 - discordance)
        chances = stats.multinomial.pmf(cells, n, shares)
        covered.append(
            sum(p for p, interval in zip(chances, tables.values(), strict=True) if interval.contains(difference))
        )
    assert min(covered) > 0.93
    assert np.mean(covered) < 0.985


def test_order_statistics_hold_the_quantile_as_often_as_they_say() -> None:
    for n, probability in ((30, 0.5), (200, 0.95), (500, 0.99), (61, 0.25)):
        found = estimate_quantile(np.arange(1.0, n + 1), probability)
        below = 0 if math.isinf(found.interval.low) else int(found.interval.low)
        above = n + 1 if math.isinf(found.interval.high) else int(found.interval.high)
        # X(below) <= quantile < X(above), by the number of values under the quantile.
        coverage = stats.binom.cdf(above - 1, n, probability) - stats.binom.cdf(below - 1, n, probability)
        assert 0.95 <= coverage < 0.99
        assert found.interval.contains(found.value)


def test_too_few_cases_leave_the_tail_open() -> None:
    assert estimate_quantile(np.arange(58.0), 0.95, 0.9).interval.high == math.inf
    assert estimate_quantile(np.arange(59.0), 0.95, 0.9).interval.high == 58
    assert estimate_quantile([4.0], 0.5).interval == Interval(-math.inf, math.inf, 0.95, "order statistics")


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=30), st.integers(-1000, 1000), st.floats(0.01, 100))
@settings(max_examples=60, deadline=None)
def test_means_move_and_stretch_with_the_scores(values: list[int], shift: int, scale: float) -> None:
    plain, moved = estimate_mean(values), estimate_mean([scale * value + shift for value in values])
    size = scale * max(map(abs, values)) + abs(shift) + 1
    assert moved.value == pytest.approx(scale * plain.value + shift, abs=1e-9 * size)
    assert moved.interval.width == pytest.approx(scale * plain.interval.width, rel=1e-6, abs=1e-6 * size)


SHARES: dict[Hashable, float] = {"a": 1.0}


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: wilson(5, 0), "n"),
        (lambda: wilson(6, 5), "successes"),
        (lambda: wilson(1, 5, 1.0), "confidence"),
        (lambda: clopper_pearson(-1, 5), "successes"),
        (lambda: estimate_mean([]), "values"),
        (lambda: estimate_mean([1.0]), "values"),
        (lambda: estimate_mean([1.0, math.nan]), "values[1]"),
        (lambda: estimate_mean([[1.0], [2.0]]), "values"),  # type: ignore[list-item] # what is refused
        (lambda: estimate_mean([1.0, 2.0], clusters=["a"]), "clusters"),
        (lambda: estimate_mean([1.0, 2.0], clusters=["a", "a"]), "clusters"),
        (lambda: estimate_mean([1.0, 2.0], clusters=["a", None]), "clusters[1]"),
        (lambda: estimate_mean([1.0, 2.0], weights=[1.0, 0.0]), "weights[1]"),
        (lambda: estimate_rate([1.0, 0.5]), "values[1]"),
        (lambda: estimate_quantile([1.0], 1.0), "probability"),
        (lambda: estimate_stratified_mean([1.0, 2.0], ["a", "b"], {"a": 1, "b": 1}), "strata['a']"),
        (lambda: estimate_stratified_mean([1.0, 2.0], ["a", "b"], SHARES), "shares"),
        (lambda: estimate_stratified_mean([1.0, 2.0], ["a", "a"], {"a": 1, "b": 1}), "strata['b']"),
        (lambda: estimate_stratified_mean([1.0, 2.0], ["a", "a"], {"a": 0}), "shares['a']"),
        (lambda: PairedCounts(0, 0, 0, 0), "cases"),
        (lambda: PairedCounts(0, -1, 0, 3), "only_candidate"),
        (lambda: PairedCounts.of([1, 0], [1]), "candidate"),
    ],
)
def test_scores_that_cannot_be_are_refused_by_name(call: Callable[[], object], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        call()
    assert refused.value.field == field
