"""Bootstrap intervals against R's boot and scipy, and the short cuts against the long way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hallmark.errors import InvalidInputError
from hallmark.statistics.bootstrap import (
    BootstrapInterval,
    bootstrap_corpora,
    bootstrap_difference,
    bootstrap_mean,
    bootstrap_metric,
)
from hallmark.statistics.inputs import Floats
from hallmark.statistics.resampling import generator, mean_of_sums, resampled_sums, shared_resampled_sums

# scipy's test_bootstrap_against_R: R's boot.ci of the mean of these, a million resamples.
SKEWED = (10, 12, 12.5, 12.5, 13.9, 15, 21, 22, 23, 34, 50, 81, 89, 121, 134, 213)
OF_R = {BootstrapInterval.PERCENTILE: (28.86, 84.32), BootstrapInterval.BCA: (32.31, 91.43)}


@pytest.mark.parametrize("method", OF_R)
def test_intervals_are_those_of_r(method: BootstrapInterval) -> None:
    found = bootstrap_mean(SKEWED, method=method, resamples=200_000).interval
    np.testing.assert_allclose((found.low, found.high), OF_R[method], rtol=0.01)


@pytest.mark.parametrize(
    ("method", "name"), [(BootstrapInterval.PERCENTILE, "percentile"), (BootstrapInterval.BCA, "BCa")]
)
def test_intervals_of_a_ratio_are_those_of_scipy(method: BootstrapInterval, name: str) -> None:
    random = np.random.default_rng(7)
    above, below = random.gamma(1, size=40), random.gamma(3, size=40)
    found = bootstrap_metric(np.column_stack((above, below)), mean_of_sums, method=method, resamples=40_000)
    expected = stats.bootstrap(
        (above, below),
        lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=40_000,
        batch=2_000,
        method=name,
        rng=8,
    )
    interval = expected.confidence_interval
    np.testing.assert_allclose((found.interval.low, found.interval.high), (interval.low, interval.high), rtol=0.02)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=0.03)


def test_yes_and_no_scores_have_the_law_of_drawn_cases() -> None:
    rows = (np.random.default_rng(9).random(500) < 0.3).astype(float)[:, None]
    short = resampled_sums(rows, 20_000, generator(1))[:, 0]
    long = shared_resampled_sums(rows, 20_000, generator(2))[:, 0]
    assert stats.ks_2samp(short, long).pvalue > 0.001
    assert short.var() == pytest.approx(500 * rows.mean() * (1 - rows.mean()), rel=0.05)


def test_sums_of_whole_numbers_are_exact_and_means_of_resamples_are_right() -> None:
    rows = np.random.default_rng(10).integers(0, 40, size=(300, 3)).astype(float)
    sums = shared_resampled_sums(rows, 5_000, generator(3))
    assert (sums == np.rint(sums)).all()
    np.testing.assert_allclose(sums.mean(axis=0), rows.sum(axis=0), rtol=0.005)
    fractions = shared_resampled_sums(rows / 7, 5_000, generator(3))
    np.testing.assert_allclose(fractions, sums / 7, rtol=1e-12)


def test_copies_in_clusters_add_nothing() -> None:
    values = np.random.default_rng(11).normal(size=30)
    clusters = np.repeat(np.arange(30), 5)
    single = bootstrap_mean(values, method=BootstrapInterval.EXPANDED)
    copied = bootstrap_mean(np.repeat(values, 5), clusters=clusters, method=BootstrapInterval.EXPANDED)
    assert copied.interval.width == pytest.approx(single.interval.width, rel=0.05)
    assert copied.value == pytest.approx(single.value)
    loose = bootstrap_mean(np.repeat(values, 5))
    assert loose.interval.width < 0.6 * single.interval.width


def test_weights_count() -> None:
    found = bootstrap_mean([0.0] * 20 + [1.0] * 20, weights=[3.0] * 20 + [1.0] * 20)
    assert found.value == pytest.approx(0.25)
    assert found.interval.contains(0.25)


def test_the_expanded_interval_holds_with_few_cases_where_the_plain_one_does_not() -> None:
    random, right = np.random.default_rng(12), {BootstrapInterval.PERCENTILE: 0, BootstrapInterval.EXPANDED: 0}
    trials = 700
    for trial in range(trials):
        sample = random.normal(size=6)
        for method in right:
            right[method] += bootstrap_mean(sample, method=method, resamples=500, seed=trial).interval.contains(0)
    assert right[BootstrapInterval.PERCENTILE] / trials < 0.9
    assert right[BootstrapInterval.EXPANDED] / trials > 0.925


def test_the_same_seed_gives_the_same_answer_and_equal_scores_one_point() -> None:
    first, second = np.random.default_rng(13).random((2, 80))
    assert bootstrap_difference(first, second, seed=4) == bootstrap_difference(first, second, seed=4)
    assert bootstrap_difference(first, second, seed=4) != bootstrap_difference(first, second, seed=5)
    constant = bootstrap_mean([0.5] * 10)
    assert (constant.interval.low, constant.interval.high) == (0.5, 0.5)
    same = bootstrap_difference(first, first)
    assert (same.p_value, same.effect) == (1.0, 0.0)


def test_swapping_the_models_turns_the_answer_round() -> None:
    first, second = np.random.default_rng(14).random((2, 60))
    one, other = bootstrap_difference(first, second), bootstrap_difference(second, first)
    assert one.interval is not None
    assert other.interval is not None
    assert one.effect == pytest.approx(-other.effect)
    assert one.p_value == pytest.approx(other.p_value, abs=1e-9)
    assert one.interval.low == pytest.approx(-other.interval.high, abs=1e-9)


def _broken(sums: Floats) -> Floats:
    return np.full(len(sums), np.nan)


def test_what_cannot_be_resampled_is_refused_by_name() -> None:
    table = np.ones((5, 2))
    for call, field in (
        (lambda: bootstrap_mean([1.0]), "values"),
        (lambda: bootstrap_mean([1.0, 2.0], resamples=10), "resamples"),
        (lambda: bootstrap_mean([1.0, 2.0], seed=-1), "seed"),
        (lambda: bootstrap_metric(table, _broken), "metric"),
        (lambda: bootstrap_metric(table, lambda sums: sums), "metric"),
        (lambda: bootstrap_metric([1.0, 2.0], mean_of_sums), "statistics"),
        (lambda: bootstrap_corpora([], table, mean_of_sums), "candidates"),
        (lambda: bootstrap_corpora([table[:4]], table, mean_of_sums), "candidates[0]"),
        (lambda: bootstrap_corpora([table[:, :1]], table, mean_of_sums), "candidates[0][0]"),
        (lambda: bootstrap_difference([1.0, 2.0], [1.0]), "candidate"),
    ):
        with pytest.raises(InvalidInputError) as refused:
            call()
        assert refused.value.field == field
