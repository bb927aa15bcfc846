"""How many cases are needed: against statsmodels, and against the power that the tests really have."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from hallmark.errors import InvalidInputError
from hallmark.statistics.paired import mcnemar
from hallmark.statistics.pairs import PairedCounts
from hallmark.statistics.power import (
    cases_for_paired_means,
    cases_for_paired_rates,
    cases_for_rate,
    cases_to_decide,
    design_effect,
    detectable_difference_of_rates,
    detectable_mean_difference,
)
from hallmark.statistics.rates import wilson


@pytest.mark.parametrize("effect", [0.05, 0.1, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("power", [0.8, 0.9])
def test_cases_for_means_are_those_of_statsmodels(effect: float, power: float) -> None:
    expected = math.ceil(TTestPower().solve_power(effect, power=power, alpha=0.05))
    assert abs(cases_for_paired_means(2 * effect, 2, power=power) - expected) <= 1
    assert cases_for_paired_means(-2 * effect, 2, power=power) == cases_for_paired_means(2 * effect, 2, power=power)


@pytest.mark.parametrize(("difference", "discordance"), [(0.03, 0.1), (0.05, 0.25), (0.02, 0.04), (0.1, 0.3)])
def test_so_many_cases_give_mcnemars_test_its_power(difference: float, discordance: float) -> None:
    n = cases_for_paired_rates(difference, discordance)
    power = _power(n, difference, discordance)
    assert 0.78 < power < 0.86
    assert _power(n // 2, difference, discordance) < 0.6


def _power(n: int, difference: float, discordance: float) -> float:
    """Sum over all numbers of discordant cases that are not out of the question."""
    total, share = 0.0, (discordance + difference) / (2 * discordance)
    low, high = stats.binom.ppf([1e-6, 1 - 1e-6], n, discordance).astype(int)
    for discordant in range(low, high + 1):
        wins = np.arange(discordant + 1)
        # The test is symmetric and monotone: find the edge of what it rejects by bisection.
        few, many = 0, discordant // 2 + 1
        while few < many:
            middle = (few + many) // 2
            rejected = mcnemar(PairedCounts(n, middle, discordant - middle, 0)).p_value <= 0.05 if discordant else False
            few, many = (middle + 1, many) if rejected else (few, middle)
        rejecting = (wins < few) | (wins > discordant - few)
        inside = stats.binom.pmf(wins[rejecting], discordant, share).sum()
        total += float(stats.binom.pmf(discordant, n, discordance) * inside)
    return total


def test_what_can_be_detected_is_the_inverse_of_what_is_needed() -> None:
    for n in (100, 1_000, 20_000):
        difference = detectable_difference_of_rates(n, 0.2)
        assert cases_for_paired_rates(difference, 0.2) <= n
        assert cases_for_paired_rates(difference * 0.999, 0.2) >= n
        smallest = detectable_mean_difference(n, 0.7)
        assert abs(cases_for_paired_means(smallest, 0.7) - n) <= 1
    assert detectable_difference_of_rates(3, 0.2) == math.inf


def test_more_is_needed_for_less() -> None:
    needed = [cases_for_paired_rates(difference, 0.2) for difference in (0.2, 0.1, 0.05, 0.01, 0.001)]
    assert needed == sorted(needed)
    assert cases_for_paired_rates(0.05, 0.2, power=0.95) > cases_for_paired_rates(0.05, 0.2)
    assert cases_for_paired_rates(0.05, 0.2, alpha=0.005) > cases_for_paired_rates(0.05, 0.2)
    assert cases_for_paired_rates(0.05, 0.2, effect=2) == pytest.approx(2 * cases_for_paired_rates(0.05, 0.2), abs=2)


@pytest.mark.parametrize(("width", "rate"), [(0.1, 0.5), (0.02, 0.9), (0.2, 0.0), (0.5, 0.5)])
def test_so_many_cases_make_the_interval_so_narrow(width: float, rate: float) -> None:
    n = cases_for_rate(width, rate)
    assert wilson(rate * n, n).width <= width
    assert n == 1 or wilson(rate * (n - 1), n - 1).width > width


def test_the_known_figure_for_five_points_is_reproduced() -> None:
    # Wald's textbook figure is 385; Wilson's interval needs z² = 3.84 fewer.
    assert cases_for_rate(0.1) == 381


def test_cases_to_decide_have_their_power() -> None:
    needed = cases_to_decide(0.02, 0.015, 400)
    assert needed is not None
    random = np.random.default_rng(40)
    deviation = 0.015 * math.sqrt(400)
    means = random.normal(0.02, deviation / math.sqrt(needed), size=20_000)
    found = np.mean(means - 1.96 * deviation / math.sqrt(needed) > 0)
    assert found == pytest.approx(0.8, abs=0.01)
    assert cases_to_decide(0.2, 0.01, 400) == 400
    assert cases_to_decide(0.0, 0.01, 400) is None
    assert cases_to_decide(1e-300, 0.01, 400) is None
    assert cases_to_decide(-0.05, 0.01, 400, boundary=-0.05) is None


def test_a_design_effect_is_kishs() -> None:
    assert design_effect(5, 0.1) == pytest.approx(1.4)
    assert design_effect(1, 1) == 1


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: cases_for_paired_rates(0, 0.1), "difference"),
        (lambda: cases_for_paired_rates(0.2, 0.1), "discordance"),
        (lambda: cases_for_paired_rates(0.05, 0.1, power=1), "power"),
        (lambda: cases_for_paired_rates(0.05, 0.1, alpha=0.7), "alpha"),
        (lambda: cases_for_paired_rates(0.05, 0.1, effect=0.5), "effect"),
        (lambda: cases_for_paired_rates(1e-9, 0.1), "cases"),
        (lambda: cases_for_paired_means(0, 1), "difference"),
        (lambda: cases_for_paired_means(1, math.nan), "deviation"),
        (lambda: cases_for_paired_rates(1e-300, 0.1), "cases"),
        (lambda: cases_for_paired_means(1e-9, 1), "cases"),
        (lambda: cases_for_paired_means(1e-300, 1), "cases"),
        (lambda: cases_for_rate(1e-300), "cases"),
        (lambda: detectable_mean_difference(1, 1), "n"),
        (lambda: cases_for_rate(0.1, 1.5), "rate"),
        (lambda: cases_for_rate(0), "width"),
        (lambda: cases_to_decide(0.1, -1, 5), "standard_error"),
        (lambda: design_effect(0.5, 0.1), "cases_per_cluster"),
        (lambda: design_effect(5, 2), "correlation"),
    ],
)
def test_questions_without_an_answer_are_refused_by_name(call: Callable[[], object], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        call()
    assert refused.value.field == field
