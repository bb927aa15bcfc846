"""Agreement against statsmodels and Krippendorff's own example; judges corrected by people."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa as statsmodels_kappa

from hallmark.errors import InvalidInputError
from hallmark.statistics.agreement import (
    Disagreement,
    Scale,
    cohens_kappa,
    krippendorffs_alpha,
    prediction_powered_mean,
)

IN_STATSMODELS = {Disagreement.ANY: None, Disagreement.LINEAR: "linear", Disagreement.QUADRATIC: "quadratic"}
# Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011, section C: 4 observers, 12 units.
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)


@pytest.mark.parametrize("disagreement", Disagreement)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=8, max_size=60))
@settings(max_examples=40, deadline=None)
def test_kappa_and_its_error_are_those_of_statsmodels(disagreement: Disagreement, pairs: list[tuple[int, int]]) -> None:
    table = np.zeros((4, 4))
    np.add.at(table, tuple(np.transpose(pairs)), 1)
    if len({label for pair in pairs for label in pair}) < 2:
        return
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = statsmodels_kappa(table, wt=IN_STATSMODELS[disagreement])
    found = cohens_kappa(*zip(*pairs, strict=True), disagreement=disagreement, categories=range(4))
    assert found.value == pytest.approx(expected.kappa, abs=1e-12)
    assert found.standard_error == pytest.approx(math.sqrt(max(0.0, float(expected.var_kappa))), abs=1e-7)


def test_labels_may_be_words() -> None:
    first, second = ["good", "bad", "good", "good"], ["good", "bad", "bad", "good"]
    assert cohens_kappa(first, second).value == pytest.approx(0.5)
    assert cohens_kappa(first, first).value == 1


@pytest.mark.parametrize(("scale", "alpha"), [(Scale.NOMINAL, 0.743), (Scale.ORDINAL, 0.815), (Scale.INTERVAL, 0.849)])
def test_alpha_is_that_of_krippendorffs_example(scale: Scale, alpha: float) -> None:
    found = krippendorffs_alpha(OBSERVERS, scale)
    assert round(found.value, 3) == alpha
    assert found.n == 11
    assert found.interval.contains(found.value)


@pytest.mark.parametrize("scale", Scale)
def test_alpha_is_one_for_raters_who_agree_and_zero_for_chance(scale: Scale) -> None:
    random = np.random.default_rng(60)
    ratings = random.integers(1, 6, size=400)
    assert krippendorffs_alpha(np.array([ratings, ratings]), scale).value == pytest.approx(1)
    chance = krippendorffs_alpha(random.integers(1, 6, size=(3, 400)), scale)
    assert chance.value == pytest.approx(0, abs=0.08)
    assert chance.interval.contains(0)


def test_alpha_of_two_categories_is_the_same_on_every_scale() -> None:
    ratings = np.random.default_rng(61).integers(0, 2, size=(4, 30)).astype(float)
    ratings[0, :9] = np.nan
    found = {krippendorffs_alpha(ratings, scale).value for scale in Scale}
    assert max(found) - min(found) < 1e-12


def test_a_corrected_judge_is_right_as_often_as_it_says_however_biased() -> None:
    random, trials = np.random.default_rng(62), 400
    right = naive = 0
    narrower = []
    for _trial in range(trials):
        truth = (random.random(1_200) < 0.6).astype(float)
        judged = np.where(random.random(1_200) < 0.85, truth, 1.0)  # lenient: fails turn into passes
        found = prediction_powered_mean(truth[:150], judged[:150], judged[150:])
        right += found.estimate.interval.contains(0.6)
        naive += abs(found.judge_mean - 0.6) < 0.03
        narrower.append(found.estimate.interval.width / found.human_only.interval.width)
    assert 0.95 - 3 * math.sqrt(0.95 * 0.05 / trials) <= right / trials <= 0.98
    assert naive / trials < 0.1
    assert np.mean(narrower) < 0.75


def test_a_useless_judge_does_no_harm_where_the_correction_is_tuned() -> None:
    random = np.random.default_rng(63)
    truth, noise = random.random(100), 10 * random.random(2_100)
    tuned = prediction_powered_mean(truth, noise[:100], noise[100:])
    plain = prediction_powered_mean(truth, noise[:100], noise[100:], power_tuned=False)
    assert tuned.tuning < 0.05
    assert tuned.estimate.interval.width <= 1.02 * tuned.human_only.interval.width
    assert plain.estimate.interval.width > 5 * tuned.estimate.interval.width


def test_the_plain_correction_is_the_judges_mean_less_its_bias() -> None:
    random = np.random.default_rng(64)
    human, anchor, rest = random.random(20), random.random(20), random.random(90)
    found = prediction_powered_mean(human, anchor, rest, power_tuned=False)
    assert found.estimate.value == pytest.approx(rest.mean() - found.bias)
    variance = (human - anchor).var(ddof=1) / 20 + rest.var(ddof=1) / 90
    assert found.estimate.standard_error == pytest.approx(math.sqrt(variance))


def test_tuning_makes_the_interval_as_short_as_any_weight_of_the_judge_does() -> None:
    random = np.random.default_rng(65)
    truth = random.random(600)
    judged = truth + random.normal(0, 0.3, size=600)
    found = prediction_powered_mean(truth[:200], judged[:200], judged[200:])
    human, anchor, rest = truth[:200], judged[:200], judged[200:]
    errors = [
        math.sqrt((human - weight * anchor).var(ddof=1) / 200 + weight**2 * rest.var(ddof=1) / 400)
        for weight in np.linspace(0, 1, 101)
    ]
    assert found.estimate.standard_error <= 1.01 * min(errors)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: cohens_kappa(["a"], ["a", "b"]), "second"),
        (lambda: cohens_kappa(["a", "a"], ["a", "a"]), "first"),
        (lambda: cohens_kappa(["a", "a"], ["a", "a"], categories=["a", "b"]), "first"),
        (lambda: cohens_kappa(["a", "c"], ["a", "b"], categories=["a", "b"]), "first[1]"),
        (lambda: krippendorffs_alpha([[1, 2, 3]]), "ratings"),
        (lambda: krippendorffs_alpha([[1, 2], [1]]), "ratings"),
        (lambda: krippendorffs_alpha([[1, 1, None], [1, 1, 2]]), "ratings"),
        (lambda: krippendorffs_alpha([[1, None], [None, 2]]), "ratings"),
        (lambda: krippendorffs_alpha([range(60), range(60)], Scale.ORDINAL), "ratings"),
        (lambda: prediction_powered_mean([1.0], [1.0], [1.0, 0.0]), "human"),
        (lambda: prediction_powered_mean([1.0, 0.0], [1.0, 0.0, 1.0], [1.0, 0.0]), "judge_on_anchor"),
        (lambda: prediction_powered_mean([1.0, 0.0], [1.0, math.nan], [1.0, 0.0]), "judge_on_anchor[1]"),
    ],
)
def test_ratings_that_say_nothing_are_refused_by_name(call: Callable[[], object], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        call()
    assert refused.value.field == field
