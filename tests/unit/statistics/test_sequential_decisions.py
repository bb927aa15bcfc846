"""Decisions that stay valid however often one looks."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.errors import InvalidInputError
from hallmark.statistics.inputs import Floats
from hallmark.statistics.outcomes import Alternative
from hallmark.statistics.power import cases_for_paired_rates
from hallmark.statistics.sequential import (
    anytime_p,
    cases_until,
    confidence_sequence,
    decide,
    log_e_process,
)
from hallmark.statistics.verdicts import Answer, Finding

RUNS = 400
SCORES = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), min_size=1, max_size=40)


def _paired(random: np.random.Generator, shape: tuple[int, int], better: float, worse: float) -> Floats:
    drawn = random.random(shape)
    return (drawn < better).astype(float) - (drawn > 1 - worse)


def _null(name: str, random: np.random.Generator, shape: tuple[int, int]) -> tuple[Floats, float, float]:
    """Scores whose mean is the hypothesis, that mean, and their lower bound."""
    if name == "symmetric":
        return _paired(random, shape, 0.1, 0.1), 0.0, -1.0
    if name == "rare failures":
        return (random.random(shape) < 0.99).astype(float), 0.99, 0.0
    if name == "rare and skewed":
        # Nearly always a little better, in one case of a hundred much worse: no difference in the mean.
        return np.where(random.random(shape) < 0.99, 0.01, -0.99), 0.0, -1.0
    return random.beta(0.5, 1.5, size=shape), 0.25, 0.0


def test_bets_are_fair_at_the_hypothesis_and_start_with_one_unit() -> None:
    # Fair: the money expected after a case, over all outcomes, is the money before it.
    for null, low, high in ((0.0, -1.0, 1.0), (0.9, 0.0, 1.0), (2.0, 1.0, 5.0)):
        chance = (null - low) / (high - low)
        for alternative in (Alternative.GREATER, Alternative.LESS):
            after = [math.exp(log_e_process([value], null, low, high, alternative)[0]) for value in (high, low)]
            assert chance * after[0] + (1 - chance) * after[1] == pytest.approx(1, rel=1e-12)
            before = math.exp(log_e_process([null, low], null, low, high, alternative)[1])
            both = [
                math.exp(log_e_process([null, low, value], null, low, high, alternative)[2]) for value in (high, low)
            ]
            assert chance * both[0] + (1 - chance) * both[1] == pytest.approx(before, rel=1e-12)


@given(SCORES, st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_cases_changes_neither_interval_nor_verdict(scores: list[float], seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(scores)
    one, other = decide(scores), decide(shuffled)
    assert (one.answer, one.more_cases) == (other.answer, other.more_cases)
    assert one.interval == other.interval


@given(SCORES)
@settings(max_examples=40, deadline=None)
def test_the_interval_holds_the_means_that_nobody_won_against(scores: list[float]) -> None:
    found = confidence_sequence(scores, -1, 1)
    for null in np.linspace(-0.95, 0.95, 21):
        money = float(log_e_process(scores, float(null), -1, 1)[-1])
        if abs(money - math.log(20)) > 1e-6:
            assert found.contains(float(null)) == (money < math.log(20))


@given(SCORES)
@settings(max_examples=40, deadline=None)
def test_turning_the_scores_round_turns_the_answer_round(scores: list[float]) -> None:
    turned = [-score for score in scores]
    one, other = confidence_sequence(scores, -1, 1), confidence_sequence(turned, -1, 1)
    assert one.low == pytest.approx(-other.high)
    assert one.high == pytest.approx(-other.low)
    assert decide(turned, higher_is_better=False).answer == decide(scores).answer
    assert anytime_p(scores, 0, -1, 1) == pytest.approx(anytime_p(turned, 0, -1, 1))


def test_scores_may_have_any_bounds() -> None:
    random = np.random.default_rng(50)
    scores = random.beta(2, 1, size=300)
    unit, wide = confidence_sequence(scores, 0, 1), confidence_sequence(scores * 40 - 7, -7, 33)
    assert wide.low == pytest.approx(unit.low * 40 - 7)
    assert wide.high == pytest.approx(unit.high * 40 - 7)


def test_very_many_different_scores_are_gathered_without_a_narrower_interval() -> None:
    scores = np.random.default_rng(59).beta(4, 2, size=40_000)
    gathered, rounded = confidence_sequence(scores, 0, 1), confidence_sequence(np.round(scores, 4), 0, 1)
    assert gathered.low == pytest.approx(rounded.low, abs=2e-4)
    assert gathered.high == pytest.approx(rounded.high, abs=2e-4)
    assert gathered.width > rounded.width - 2e-5


@pytest.mark.parametrize("name", ["symmetric", "rare failures", "rare and skewed", "beta"])
def test_a_look_after_each_case_keeps_the_level(name: str) -> None:
    random = np.random.default_rng(51)
    shape = (RUNS, 2_000)
    scores, null, low = _null(name, random, shape)
    rejected = (log_e_process(scores, null, low, 1.0).max(axis=1) >= math.log(20)).mean()
    assert rejected <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)


def test_a_t_test_looked_at_as_often_does_not() -> None:
    random = np.random.default_rng(52)
    scores = np.where(random.random((RUNS, 2_000)) < 0.99, 0.01, -0.99)
    n = np.arange(1, 2_001)
    means = np.cumsum(scores, axis=1) / n
    deviations = np.sqrt(np.maximum(np.cumsum(scores**2, axis=1) / n - means**2, 1e-12))
    looked = (np.abs(means) * np.sqrt(n) / deviations)[:, 29:] > 1.96
    assert looked.any(axis=1).mean() > 0.3


def test_intervals_are_right_at_all_looks_at_once() -> None:
    random, missed = np.random.default_rng(53), 0
    for _ in range(40):
        scores = random.beta(8, 2, size=300)
        missed += any(not confidence_sequence(scores[:n], 0, 1).contains(0.8) for n in range(10, 301, 20))
    assert missed <= 6


def test_a_real_difference_is_found_and_without_many_more_cases_than_a_single_look_needs() -> None:
    scores = _paired(np.random.default_rng(54), (RUNS, 5_000), 0.065, 0.035)
    won = log_e_process(scores, 0, -1, 1) >= math.log(20)
    assert won.any(axis=1).all()
    stopped = won.argmax(axis=1) + 1
    assert np.median(stopped) < 1.15 * cases_for_paired_rates(0.03, 0.1)


def test_the_verdict_goes_from_cannot_tell_to_better_and_forecasts_when() -> None:
    scores = _paired(np.random.default_rng(55), (1, 4_000), 0.13, 0.07)[0]
    looks = {n: decide(scores[:n]) for n in (50, 200, 400, 4_000)}
    assert looks[50].answer is Answer.CANNOT_TELL
    assert looks[4_000].finding is Finding.BETTER
    assert looks[4_000].more_cases is None
    decided = next(n for n in range(50, 4_001, 10) if decide(scores[:n]).answer is Answer.BETTER)
    middle = decided * 3 // 4
    more = decide(scores[:middle]).more_cases
    assert more is not None
    assert 0.3 * decided < middle + more < 3 * decided


def test_a_forecast_is_true_if_the_coming_cases_are_like_those_so_far() -> None:
    scores = _paired(np.random.default_rng(56), (1, 300), 0.12, 0.06)[0]
    needed = cases_until(scores, 0, -1, 1)
    assert needed is not None
    copies = np.tile(scores, needed // 300 + 1)
    assert confidence_sequence(copies[: needed // 300 * 300 + 300], -1, 1).low > 0
    assert confidence_sequence(copies[: (needed - 1) // 300 * 300], -1, 1).low <= 0
    assert cases_until(np.array([1.0, -1.0]), 0, -1, 1) is None
    assert decide(scores[:60]).more_cases == (cases_until(scores[:60], 0, -1, 1) or 0) - 60


def test_a_margin_lets_equal_models_be_found_equal() -> None:
    scores = _paired(np.random.default_rng(57), (1, 6_000), 0.05, 0.05)[0]
    assert decide(scores).answer is Answer.CANNOT_TELL
    found = decide(scores, margin=0.03)
    assert (found.finding, found.answer) == (Finding.EQUIVALENT, Answer.NOT_BETTER)
    few = decide(scores[:300], margin=0.03)
    assert few.answer is Answer.CANNOT_TELL
    assert few.more_cases is not None


def test_not_worse_by_a_margin_is_wrongly_shown_at_most_once_in_twenty() -> None:
    # The candidate is worse by exactly the margin: looks after every case must not show that it is not.
    scores = _paired(np.random.default_rng(58), (RUNS, 1_500), 0.05, 0.1)
    shown = log_e_process(scores, -0.05, -1, 1, Alternative.GREATER).max(axis=1) >= math.log(20)
    assert shown.mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: decide([]), "differences"),
        (lambda: decide([0.5, 1.5]), "values[1]"),
        (lambda: decide([0.5, math.nan]), "differences[1]"),
        (lambda: decide([0.5], low=0.1), "low, high"),
        (lambda: decide([0.5], margin=1.0), "margin"),
        (lambda: decide([0.5], alpha=0), "alpha"),
        (lambda: log_e_process([0.5], 1.0, 0, 1), "null"),
        (lambda: log_e_process([[0.5, math.nan]], 0.5, 0, 1), "values[0, 1]"),
        (lambda: confidence_sequence([0.5], 1, 0), "low, high"),
        (lambda: cases_until([0.5], 1, 0, 1), "boundary"),
    ],
)
def test_scores_out_of_bounds_are_refused_by_name(call: Callable[[], object], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        call()
    assert refused.value.field == field
