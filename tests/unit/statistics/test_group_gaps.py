"""Gaps between groups: all intervals hold together, and no group vanishes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.multicomp import pairwise_tukeyhsd
from statsmodels.tools import add_constant

from hallmark.errors import InvalidInputError
from hallmark.statistics.groups import compare_groups
from hallmark.statistics.inputs import Floats
from hallmark.statistics.intervals import difference_of_rates

SIZES = {"a": 15, "b": 40, "c": 60, "d": 100}
GROUPS = np.repeat(list(SIZES), list(SIZES.values()))


def _scores(kind: str, random: np.random.Generator) -> Floats:
    if kind == "rates":
        return (random.random(len(GROUPS)) < 0.8).astype(float)
    return random.normal(size=len(GROUPS)) if kind == "normal" else random.exponential(size=len(GROUPS))


@pytest.mark.parametrize("kind", ["rates", "normal", "skewed"])
def test_equal_groups_are_told_apart_in_at_most_one_of_twenty_reports(kind: str) -> None:
    trials, wrong = 250, 0
    for trial in range(trials):
        scores = _scores(kind, np.random.default_rng((90, trial)))
        wrong += any(gap.is_shown for gap in compare_groups(scores, GROUPS, resamples=500, seed=trial).gaps)
    # A skewed mean of 15 cases is the worst that is compared.
    assert wrong / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_intervals_are_near_tukeys_where_his_suppositions_hold() -> None:
    random = np.random.default_rng(91)
    groups = np.repeat(["a", "b", "c"], 80)
    scores = random.normal(np.repeat([0.0, 0.3, 1.0], 80), 1)
    expected = pairwise_tukeyhsd(scores, groups)
    found = {frozenset((gap.higher, gap.lower)): gap for gap in compare_groups(scores, groups, resamples=20_000).gaps}
    for (one, other), (low, high) in zip([("a", "b"), ("a", "c"), ("b", "c")], expected.confint, strict=True):
        assert found[frozenset((one, other))].interval.width == pytest.approx(high - low, rel=0.08)


def test_gaps_over_clusters_have_the_errors_of_a_regression_on_groups_with_clustered_errors() -> None:
    random = np.random.default_rng(75)
    clusters = np.repeat(np.arange(40), 6)
    groups = np.where(random.random(240) < 0.4, "a", "b")
    scores = random.normal(size=40)[clusters] + random.normal(np.where(groups == "a", 0.5, 0.0))

    (gap,) = compare_groups(scores, groups, clusters=clusters).gaps

    fit = OLS(scores, add_constant((groups == gap.higher).astype(float))).fit(
        cov_type="cluster", cov_kwds={"groups": clusters}
    )
    # Their correction for few cases has (n - 1) / (n - 2) besides clusters / (clusters - 1).
    error = fit.bse[1] / math.sqrt(239 / 238)
    assert gap.difference == pytest.approx(fit.params[1])
    assert gap.interval.width / 2 == pytest.approx(stats.t.ppf(0.975, 39) * error)


def test_a_group_in_few_clusters_is_left_out() -> None:
    scores = np.random.default_rng(76).random(120)
    clusters = [f"p{place % 20}" if place < 60 else f"q{place % 4}" for place in range(120)]
    found = compare_groups(scores, ["many"] * 60 + ["few"] * 60, clusters=clusters)
    assert (found.gaps, [each.group for each in found.left_out]) == ((), ["few"])
    assert found.left_out[0].reason == "its cases lie in clusters worth fewer than 10 of equal size"


def test_rates_have_newcombes_interval_for_so_many_pairs() -> None:
    scores = [1.0] * 18 + [0.0] * 2 + [1.0] * 10 + [0.0] * 10 + [1.0] * 15 + [0.0] * 5
    found = compare_groups(scores, ["x"] * 20 + ["y"] * 20 + ["z"] * 20)
    assert found.largest is not None
    assert (found.largest.higher, found.largest.lower) == ("x", "y")
    expected = difference_of_rates(18, 20, 10, 20, 1 - 0.05 / 3)
    assert (found.largest.interval.low, found.largest.interval.high) == (expected.low, expected.high)
    assert found.largest.is_shown
    assert [gap.difference for gap in found.gaps] == sorted((gap.difference for gap in found.gaps), reverse=True)


def test_small_and_empty_groups_are_stated() -> None:
    scores = [1.0, 0.0] * 10 + [1.0] * 3
    found = compare_groups(scores, ["x"] * 20 + ["y"] * 3, expected_groups=("x", "z"))
    assert [(left.group, left.n, left.reason) for left in found.left_out] == [
        ("y", 3, "fewer than 10 cases"),
        ("z", 0, "no case"),
    ]
    assert [score.group for score in found.groups] == ["x"]
    assert (found.largest, found.gaps) == (None, ())


def test_a_group_without_any_scatter_still_has_an_interval_with_width() -> None:
    random = np.random.default_rng(92)
    scores = np.concatenate((np.full(20, 0.2), random.normal(0.8, 0.1, size=30)))
    found = compare_groups(scores, ["flat"] * 20 + ["usual"] * 30)
    assert found.largest is not None
    assert found.largest.is_shown
    assert found.largest.interval.width > 2 * 1.9 * 0.08 * math.sqrt(1 / 20 + 1 / 30)
    nothing = compare_groups([0.25] * 20 + [0.75] * 20, ["a"] * 20 + ["b"] * 20)
    assert (nothing.largest, len(nothing.left_out)) == (None, 2)


def test_a_groups_own_interval_is_its_own() -> None:
    scores = np.random.default_rng(93).normal(size=30)
    found = compare_groups(scores, ["only"] * 30)
    expected = stats.t.interval(0.95, 29, loc=scores.mean(), scale=stats.sem(scores))
    assert found.groups[0].interval.low == pytest.approx(expected[0])
    assert found.largest is None


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: compare_groups([], []), "values"),
        (lambda: compare_groups([1.0], ["a", "b"]), "groups"),
        (lambda: compare_groups([1.0, 2.0], ["a", None]), "groups[1]"),
        (lambda: compare_groups([1.0], ["a"], smallest=1), "smallest"),
        (lambda: compare_groups([1.0], ["a"], confidence=95), "confidence"),
    ],
)
def test_groups_that_fit_no_scores_are_refused_by_name(call: Callable[[], object], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        call()
    assert refused.value.field == field
