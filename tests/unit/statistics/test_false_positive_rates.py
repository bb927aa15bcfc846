"""Every test at 5 % rejects a true hypothesis in about 5 % of trials, within the error of the simulation.

The hypotheses are true in the ways that evaluations have: scores that are skewed, few, yes or no, or in clusters.
Tests of yes-or-no scores need no simulation: their rate is summed over all tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from scipy import stats

from hallmark.statistics.bootstrap import bootstrap_difference
from hallmark.statistics.equivalence import (
    equivalence_of_means,
    non_inferiority_of_means,
    non_inferiority_of_rates,
)
from hallmark.statistics.inputs import Floats
from hallmark.statistics.outcomes import Significance
from hallmark.statistics.paired import McNemar, mcnemar, paired_t, sign_flip, sign_test
from hallmark.statistics.pairs import PairedCounts

TRIALS = 400
LEVEL = 0.05
ERROR = 3 * math.sqrt(LEVEL * (1 - LEVEL) / TRIALS)

Draw = Callable[[np.random.Generator], tuple[Floats, Floats]]
Test = Callable[[Floats, Floats], Significance]


def _normal(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    first, second = random.normal(size=(2, n)) + random.normal(size=n)
    return first, second


def _skewed(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    first, second = random.exponential(size=(2, n)) ** 1.5 + random.exponential(size=n)
    return first, second


def _ratings(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    first, second = random.choice(np.arange(1.0, 6.0), p=(0.02, 0.03, 0.1, 0.25, 0.6), size=(2, n))
    return first, second


def _passes(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    first, second = (random.random((2, n)) < random.beta(3, 1, size=n)).astype(float)
    return first, second


def _rare_failures(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    first, second = (random.random((2, n)) < 0.99).astype(float)
    return first, second


DRAWS: dict[str, Callable[[np.random.Generator, int], tuple[Floats, Floats]]] = {
    "normal": _normal,
    "skewed": _skewed,
    "ratings": _ratings,
    "passes": _passes,
    "rare failures": _rare_failures,
}
TESTS: dict[str, Test] = {
    "paired t": paired_t,
    "sign": sign_test,
    "sign flip": partial(sign_flip, resamples=199),
    "bootstrap": partial(bootstrap_difference, resamples=199),
}


def _rejected(test: Test, draw: Draw, seed: int, trials: int = TRIALS) -> float:
    rejected = 0
    for trial in range(trials):
        rejected += test(*draw(np.random.default_rng((seed, trial)))).p_value <= LEVEL
    return rejected / trials


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("n", [7, 60])
@pytest.mark.parametrize("test", TESTS)
def test_paired_tests_keep_their_level(test: str, n: int, name: str) -> None:
    trials = 250 if n > 7 else TRIALS
    rejected = _rejected(TESTS[test], lambda random: DRAWS[name](random, n), 110, trials)
    assert rejected <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / trials)


@pytest.mark.parametrize("test", ["paired t", "sign flip", "bootstrap"])
def test_the_level_is_used_where_scores_are_many_and_fine(test: str) -> None:
    assert _rejected(TESTS[test], lambda random: _normal(random, 80), 111) >= LEVEL - ERROR


def _clustered(random: np.random.Generator, clusters: int, each: int) -> tuple[Floats, Floats]:
    # What is hard in a text is hard for both models, and each has texts that suit it.
    first, second = np.repeat(random.normal(size=(2, clusters)), each, axis=1) + random.normal(
        size=(2, clusters * each)
    )
    return first, second


@pytest.mark.parametrize("test", ["paired t", "sign flip", "bootstrap"])
def test_clusters_keep_the_level_if_they_are_named_and_lose_it_if_not(test: str) -> None:
    labels = np.repeat(np.arange(15), 8)
    aware: dict[str, Test] = {
        "paired t": partial(paired_t, clusters=labels),
        "sign flip": partial(sign_flip, clusters=labels, resamples=199),
        "bootstrap": partial(bootstrap_difference, clusters=labels, resamples=199),
    }
    draw = partial(_clustered, clusters=15, each=8)
    assert LEVEL - ERROR <= _rejected(aware[test], draw, 112) <= LEVEL + ERROR
    assert _rejected(TESTS[test], draw, 112, trials=200) > 0.3


def _rate_by_discordant(method: McNemar, most: int) -> Floats:
    """How often a true hypothesis is rejected, for each number of discordant cases from 0."""
    rates = [0.0]
    for discordant in range(1, most + 1):
        tables = range(discordant + 1)
        rejecting = [k for k in tables if mcnemar(PairedCounts(0, k, discordant - k, 9), method).p_value <= LEVEL]
        rates.append(float(stats.binom.pmf(rejecting, discordant, 0.5).sum()))
    return np.array(rates)


@pytest.mark.parametrize("method", [McNemar.AUTOMATIC, McNemar.EXACT, McNemar.CORRECTED])
def test_mcnemar_keeps_its_level_for_any_number_of_discordant_cases(method: McNemar) -> None:
    rates = _rate_by_discordant(method, 70)
    assert rates.max() <= LEVEL + 1e-12
    assert rates[40:].mean() > 0.025


@pytest.mark.parametrize(("method", "most"), [(McNemar.MID_P, 0.051), (McNemar.UNCORRECTED, 0.061)])
def test_the_less_cautious_ways_keep_it_over_all_numbers_of_discordant_cases(method: McNemar, most: float) -> None:
    rates = _rate_by_discordant(method, 60)
    for discordance in (0.1, 0.3, 0.5, 0.7):
        assert float(stats.binom.pmf(np.arange(61), 60, discordance) @ rates) <= most


@pytest.mark.parametrize(("n", "discordance", "margin"), [(30, 0.2, 0.1), (100, 0.2, 0.1), (200, 0.06, 0.05)])
def test_not_worse_is_wrongly_shown_of_rates_in_one_of_twenty(n: int, discordance: float, margin: float) -> None:
    shares = ((discordance - margin) / 2, (discordance + margin) / 2, 1 - discordance)
    wrong = 0.0
    for b in range(n // 2):
        for c in range(min(n - b, n // 2)):
            chance = float(stats.multinomial.pmf((b, c, n - b - c), n, shares)) if _likely(b, c, n, shares) else 0.0
            if chance > 1e-7:
                wrong += chance * non_inferiority_of_rates(PairedCounts(n - b - c, b, c, 0), margin).holds
    assert 0.02 < wrong < 0.06


def _likely(b: int, c: int, n: int, shares: tuple[float, float, float]) -> bool:
    return all(
        abs(count - n * share) < 6 * math.sqrt(n * share * (1 - share)) + 3
        for count, share in zip((b, c), shares, strict=False)
    )


@pytest.mark.parametrize("n", [6, 40])
def test_not_worse_and_equal_are_wrongly_shown_of_means_in_one_of_twenty(n: int) -> None:
    wrong = {"not worse": 0, "equal": 0}
    for trial in range(TRIALS):
        first, second = np.random.default_rng((113, trial)).normal(size=(2, n))
        wrong["not worse"] += non_inferiority_of_means(first - 0.5, second, 0.5).holds
        wrong["equal"] += equivalence_of_means(first + 0.5, second, 0.5).holds
    assert LEVEL - ERROR <= wrong["not worse"] / TRIALS <= LEVEL + ERROR
    assert wrong["equal"] / TRIALS <= LEVEL + ERROR
