"""Non-inferiority, equivalence and effect sizes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from hallmark.errors import InvalidInputError
from hallmark.statistics.effects import cliffs_delta, cohens_dz, discordant_odds_ratio, risk_difference
from hallmark.statistics.equivalence import (
    equivalence_of_means,
    equivalence_of_rates,
    non_inferiority_of_means,
    non_inferiority_of_rates,
)
from hallmark.statistics.pairs import PairedCounts

RANDOM = np.random.default_rng(30)


def test_equivalence_of_means_is_that_of_statsmodels() -> None:
    first, second = RANDOM.normal(0.05, 0.5, size=(2, 40))
    for margin in (0.1, 0.3, 1.0):
        expected = ttost_paired(first, second, -margin, margin)
        found = equivalence_of_means(first, second, margin)
        assert found.p_value == pytest.approx(expected[0], rel=1e-9)
        lower = non_inferiority_of_means(first, second, margin)
        assert lower.p_value == pytest.approx(stats.ttest_rel(first + margin, second, alternative="greater").pvalue)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=30),
    st.floats(0.01, 0.9),
    st.sampled_from([0.01, 0.05]),
)
@settings(max_examples=80, deadline=None)
def test_a_mean_holds_where_its_interval_is_within_the_margin(
    pairs: list[tuple[float, float]], margin: float, alpha: float
) -> None:
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))
    one = non_inferiority_of_means(first, second, margin, alpha=alpha)
    both = equivalence_of_means(first, second, margin, alpha=alpha)
    if one.interval.width > 1e-9:
        assert one.holds == (one.interval.low > -margin)
        assert both.holds == (-margin < both.interval.low and both.interval.high < margin)
    assert one.holds or not both.holds


@given(
    st.tuples(*[st.integers(0, 80)] * 4).filter(lambda cells: sum(cells) > 0),
    st.floats(0.01, 0.5),
)
@settings(max_examples=80, deadline=None)
def test_a_rate_holds_where_its_interval_is_within_the_margin(cells: tuple[int, int, int, int], margin: float) -> None:
    counts = PairedCounts(*cells)
    one, both = non_inferiority_of_rates(counts, margin), equivalence_of_rates(counts, margin)
    if min(abs(one.interval.low + margin), abs(one.interval.high - margin)) > 1e-6:
        assert one.holds == (one.interval.low > -margin)
        assert both.holds == (-margin < both.interval.low and both.interval.high < margin)


def test_two_equal_models_are_shown_equal_by_many_cases_and_not_by_few() -> None:
    many, few = PairedCounts(900, 50, 50, 1000), PairedCounts(9, 1, 1, 9)
    assert equivalence_of_rates(many, 0.02).holds
    assert not equivalence_of_rates(few, 0.02).holds


def test_tangos_score_without_margin_is_mcnemars() -> None:
    found = non_inferiority_of_rates(PairedCounts(101, 70, 59, 33), 1e-12)
    # R's mcnemar.test without correction: p = 0.3327967, two-sided.
    assert found.p_value == pytest.approx(0.3327967 / 2, rel=1e-6)


def test_clusters_make_it_harder() -> None:
    first = np.repeat(RANDOM.normal(0, 0.3, size=12), 10)
    loose = non_inferiority_of_means(first, np.zeros(120), 0.15)
    strict = non_inferiority_of_means(first, np.zeros(120), 0.15, clusters=np.repeat(np.arange(12), 10))
    assert strict.interval.width > 2.5 * loose.interval.width
    assert strict.p_value > loose.p_value


def test_differences_that_are_all_alike_show_nothing_about_a_margin() -> None:
    # Models that differ by the margin tie as often: twenty ties miss a failure in one case of twenty every third time.
    for test in (non_inferiority_of_means, equivalence_of_means):
        found = test([0.5] * 20, [0.5] * 20, 0.05)
        assert (found.p_value, found.holds, found.interval.width) == (1.0, False, math.inf)


def test_cohens_d_is_t_over_the_root_of_n() -> None:
    first, second = RANDOM.gamma(2, size=(2, 25))
    assert cohens_dz(first, second) == pytest.approx(stats.ttest_rel(first, second).statistic / 5)
    assert cohens_dz([1.0, 2.0], [0.0, 1.0]) == math.inf
    assert cohens_dz([1.0, 2.0], [1.0, 2.0]) == 0


def test_cliffs_delta_is_mann_whitneys_u_between_minus_one_and_one() -> None:
    first, second = RANDOM.integers(0, 6, size=30), RANDOM.integers(1, 7, size=45)
    u = stats.mannwhitneyu(first, second).statistic
    assert cliffs_delta(first, second) == pytest.approx(2 * u / (30 * 45) - 1)
    assert cliffs_delta([2.0, 3.0], [1.0]) == 1


def test_odds_of_discordant_cases_have_their_exact_interval() -> None:
    ratio, interval = discordant_odds_ratio(PairedCounts(3, 20, 8, 4))
    share = stats.binomtest(20, 28).proportion_ci(method="exact")
    assert ratio == 2.5
    assert interval.low == pytest.approx(share.low / (1 - share.low))
    assert interval.high == pytest.approx(share.high / (1 - share.high))
    assert discordant_odds_ratio(PairedCounts(3, 2, 0, 4))[0] == math.inf
    assert discordant_odds_ratio(PairedCounts(3, 2, 0, 4))[1].high == math.inf
    assert math.isnan(discordant_odds_ratio(PairedCounts(3, 0, 0, 4))[0])


def test_risk_difference_has_walds_error_and_tangos_interval() -> None:
    found = risk_difference(PairedCounts(50, 20, 10, 20))
    assert found.value == pytest.approx(0.1)
    assert found.standard_error == pytest.approx(math.sqrt((0.3 - 0.01) / 100))
    assert found.interval.contains(0.1)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: non_inferiority_of_means([1.0, 2.0], [1.0, 2.0], 0), "margin"),
        (lambda: equivalence_of_rates(PairedCounts(1, 1, 1, 1), -0.1), "margin"),
        (lambda: equivalence_of_means([1.0, 2.0], [1.0, 2.0], 1, alpha=0.5), "alpha"),
        (lambda: cohens_dz([1.0], [0.0]), "candidate"),
        (lambda: cliffs_delta([], [0.0]), "candidate"),
    ],
)
def test_senseless_questions_are_refused(call: Callable[[], object], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        call()
    assert refused.value.field == field
