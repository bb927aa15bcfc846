"""Paired tests against vassarstats, R, scipy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from hallmark.errors import InvalidInputError
from hallmark.statistics.outcomes import Alternative
from hallmark.statistics.paired import (
    McNemar,
    approximate_randomisation,
    mcnemar,
    paired_t,
    sign_flip,
    sign_test,
)
from hallmark.statistics.pairs import PairedCounts
from hallmark.statistics.resampling import mean_of_sums

IN_SCIPY = {Alternative.TWO_SIDED: "two-sided", Alternative.GREATER: "greater", Alternative.LESS: "less"}
CELLS = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(1, 60))


@pytest.mark.parametrize(
    ("only_candidate", "only_baseline", "p_value"),
    # statsmodels' test_mcnemar_exact: vassarstats.net
    [(121, 59, 0.000004), (70, 59, 0.378688), (80, 59, 0.089452), (30, 60, 0.00206), (10, 30, 0.002221), (10, 10, 1.0)],
)
def test_exact_p_values_are_those_of_vassarstats(only_candidate: int, only_baseline: int, p_value: float) -> None:
    found = mcnemar(PairedCounts(101, only_candidate, only_baseline, 33), McNemar.EXACT)
    assert found.p_value == pytest.approx(p_value, abs=5e-7)


@pytest.mark.parametrize(
    ("counts", "method", "statistic", "p_value"),
    [
        # R's mcnemar.test, from statsmodels' test_mcnemar_chisquare
        ((101, 121, 59, 33), McNemar.CORRECTED, 20.67222, 5.450095e-06),
        ((101, 70, 59, 33), McNemar.CORRECTED, 0.7751938, 0.3786151),
        ((101, 80, 59, 33), McNemar.CORRECTED, 2.87769784, 0.08981434),
        ((101, 121, 59, 33), McNemar.UNCORRECTED, 21.35556, 3.815136e-06),
        ((101, 70, 59, 33), McNemar.UNCORRECTED, 0.9379845, 0.3327967),
        ((101, 80, 59, 33), McNemar.UNCORRECTED, 3.17266187, 0.07488031),
    ],
)
def test_chi_square_p_values_are_those_of_r(
    counts: tuple[int, int, int, int], method: McNemar, statistic: float, p_value: float
) -> None:
    found = mcnemar(PairedCounts(*counts), method)
    assert found.statistic == pytest.approx(statistic, rel=1e-6)
    assert found.p_value == pytest.approx(p_value, rel=1e-6)


@given(CELLS)
@settings(max_examples=60, deadline=None)
def test_mcnemar_is_that_of_statsmodels(cells: tuple[int, int, int, int]) -> None:
    counts = PairedCounts(*cells)
    table = np.array([[cells[0], cells[1]], [cells[2], cells[3]]])
    exact = statsmodels_mcnemar(table, exact=True).pvalue
    assert mcnemar(counts, McNemar.EXACT).p_value == pytest.approx(min(1.0, exact), rel=1e-9)
    if cells[1] != cells[2]:
        expected = statsmodels_mcnemar(table, exact=False, correction=True)
        assert mcnemar(counts, McNemar.CORRECTED).p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_the_way_is_chosen_by_the_discordant_cases_and_said() -> None:
    assert "exact, 24 discordant" in mcnemar(PairedCounts(50, 12, 12, 50)).method
    assert "continuity corrected, 25 discordant" in mcnemar(PairedCounts(50, 13, 12, 50)).method
    never = mcnemar(PairedCounts(10, 0, 0, 5))
    assert (never.p_value, never.effect) == (1.0, 0.0)
    assert mcnemar(PairedCounts(10, 0, 0, 5), McNemar.CORRECTED).p_value == 1.0


def test_mid_p_takes_half_of_what_was_seen() -> None:
    # Fagerland, Lydersen and Laake 2013, airway hyper-responsiveness, 1 and 7 discordant: exact 0.0703, mid-p 0.0391.
    counts = PairedCounts(1, 1, 7, 12)
    assert round(mcnemar(counts, McNemar.EXACT).p_value, 4) == 0.0703
    assert round(mcnemar(counts, McNemar.MID_P).p_value, 4) == 0.0391


@pytest.mark.parametrize("alternative", Alternative)
def test_sign_test_is_scipys_binomial_test(alternative: Alternative) -> None:
    random = np.random.default_rng(20)
    first, second = random.integers(0, 5, size=(2, 40)).astype(float)
    found = sign_test(first, second, alternative)
    higher, ties = int((first > second).sum()), int((first == second).sum())
    expected = stats.binomtest(higher, 40 - ties, alternative=IN_SCIPY[alternative]).pvalue
    assert found.p_value == pytest.approx(expected, rel=1e-12)
    assert found.n == 40 - ties
    assert sign_test(first, first).p_value == 1.0


@pytest.mark.parametrize("alternative", Alternative)
def test_paired_t_is_scipys(alternative: Alternative) -> None:
    first, second = np.random.default_rng(21).gamma(2, size=(2, 15))
    found = paired_t(first, second, alternative=alternative)
    expected = stats.ttest_rel(first, second, alternative=IN_SCIPY[alternative])
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)
    both = stats.ttest_rel(first, second).confidence_interval()
    assert found.interval is not None
    assert found.interval.low == pytest.approx(both.low)
    assert found.interval.high == pytest.approx(both.high)


def test_differences_that_are_all_alike_are_no_certainty() -> None:
    found = paired_t([1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0])
    assert found.statistic == math.inf
    assert found.p_value == pytest.approx(0.125)
    assert found.interval is not None
    assert found.interval.width == math.inf
    assert paired_t([1.0, 1.0], [1.0, 1.0]).p_value == 1.0


@pytest.mark.parametrize("alternative", Alternative)
def test_all_swaps_give_scipys_exact_p_value(alternative: Alternative) -> None:
    first, second = np.random.default_rng(22).gamma(2, size=(2, 10))
    expected = stats.permutation_test(
        (first, second),
        lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
        alternative=IN_SCIPY[alternative],
    )
    found = sign_flip(first, second, alternative=alternative)
    # scipy counts each swap of all twice; the share is the same.
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert "exact, 1,024 swaps" in found.method


def test_swaps_of_yes_and_no_scores_are_mcnemars_exact_test() -> None:
    first, second = (np.random.default_rng(23).random((2, 300)) < 0.7).astype(float)
    expected = mcnemar(PairedCounts.of(first, second), McNemar.EXACT)
    assert sign_flip(first, second).p_value == pytest.approx(expected.p_value, rel=1e-12)


@pytest.mark.parametrize("levels", [None, 5])
@pytest.mark.parametrize("alternative", Alternative)
def test_random_swaps_come_near_all_swaps(levels: int | None, alternative: Alternative) -> None:
    random = np.random.default_rng(24)
    differences = random.normal(0.3, 1, size=21) if levels is None else random.integers(-1, levels - 1, size=60) / 2
    found = sign_flip(differences, np.zeros(len(differences)), alternative=alternative, resamples=40_000)
    expected = stats.permutation_test(
        (differences,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=40_000,
        batch=4_000,
        alternative=IN_SCIPY[alternative],
        rng=1,
    )
    assert "40,000 random swaps" in found.method
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.012)


def test_clusters_are_swapped_as_one() -> None:
    differences = np.array([0.1, 0.4, 0.5, -0.2, 0.3, 0.9, 0.8, 0.2])
    clusters = ["a", "a", "b", "b", "c", "c", "d", "d"]
    found = sign_flip(differences, np.zeros(8), clusters=clusters)
    sums = sign_flip([0.5, 0.3, 1.2, 1.0], [0.0] * 4)
    assert found.p_value == pytest.approx(sums.p_value)
    assert found.p_value == 0.125


def test_no_p_value_of_random_swaps_is_zero() -> None:
    first = np.random.default_rng(25).random(100) + 5
    assert sign_flip(first, np.zeros(100), resamples=999).p_value == pytest.approx(1 / 1000)
    rows = np.column_stack((first, np.ones(100)))
    (found,) = approximate_randomisation([rows], rows * [0.1, 1], mean_of_sums, trials=999)
    assert found.p_value == pytest.approx(1 / 1000)


def test_randomisation_of_a_mean_is_the_sign_flip_test() -> None:
    first, second = np.random.default_rng(26).normal(0.1, 1, size=(2, 50))
    tables = [np.column_stack((values, np.ones(50))) for values in (first, second)]
    (found,) = approximate_randomisation([tables[0]], tables[1], mean_of_sums, trials=20_000)
    flipped = sign_flip(first, second, resamples=20_000)
    assert found.effect == pytest.approx(flipped.effect)
    assert found.p_value == pytest.approx(flipped.p_value, abs=0.015)


@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=2, max_size=14))
@settings(max_examples=50, deadline=None)
def test_swapping_the_models_changes_no_two_sided_p_value(pairs: list[tuple[int, int]]) -> None:
    first, second = ([float(pair[side]) for pair in pairs] for side in (0, 1))
    assert sign_flip(first, second).p_value == sign_flip(second, first).p_value
    assert sign_test(first, second).p_value == sign_test(second, first).p_value
    assert paired_t(first, second).p_value == pytest.approx(paired_t(second, first).p_value)


def test_scores_of_other_cases_are_refused() -> None:
    for test in (sign_test, paired_t, sign_flip):
        for first, second, field in (
            ([1.0, 2.0], [1.0], "candidate"),
            ([1.0, math.inf], [1.0, 2.0], "candidate[1]"),
            ([1.0], [], "baseline"),
        ):
            with pytest.raises(InvalidInputError) as refused:
                test(first, second)
            assert refused.value.field == field
