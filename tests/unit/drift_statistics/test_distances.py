"""Distances against their true values, and against scipy where it defines the same thing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from hallmark.drift.statistics.arrays import Floats, Integers
from hallmark.drift.statistics.binning import binned, bins_of, neighbours_merged, smallest_merged
from hallmark.drift.statistics.distances import (
    chi_square,
    cramers_v,
    jensen_shannon,
    kolmogorov_smirnov,
    likelihood_ratio,
    population_stability_index,
    wasserstein,
)
from hallmark.drift.statistics.histograms import Histogram, on_common_support

TRUE_BITS = {0.1: 0.00180, 0.3: 0.01605, 0.5: 0.04373, 1.0: 0.16075, 1.5: 0.31908, 2.0: 0.48594}
"""Jensen-Shannon divergence of N(0, 1) and N(shift, 1), by quadrature of the densities."""
HISTOGRAMS = (
    st.integers(2, 12)
    .flatmap(lambda bins: st.tuples(*(st.lists(st.integers(0, 50), min_size=bins, max_size=bins),) * 2))
    .filter(lambda pair: sum(pair[0]) > 0 and sum(pair[1]) > 0)
)


def _arrays(pair: tuple[list[int], list[int]]) -> tuple[Integers, Integers]:
    return np.array(pair[0], dtype=np.int64), np.array(pair[1], dtype=np.int64)


def _counted(one: Floats, other: Floats) -> tuple[Floats, Integers, Integers]:
    return on_common_support(Histogram.of(one), Histogram.of(other))


def _in_bins(one: Floats, other: Floats) -> tuple[Integers, Integers]:
    values, before, after = _counted(one, other)
    places, bins = bins_of(values, before)
    return binned(places, bins, before), binned(places, bins, after)


@pytest.mark.parametrize(("shift", "bits"), TRUE_BITS.items())
def test_the_divergence_of_large_samples_is_the_true_one(shift: float, bits: float) -> None:
    random = np.random.default_rng(3)
    found = jensen_shannon(*_in_bins(random.normal(size=200_000), random.normal(shift, 1, 200_000)))

    # Twenty bins cannot see everything: up to 3 % less where shifts are usual, and more where they are huge.
    assert 0.9 * bits - 1e-4 < found.value < 1.01 * bits + 2e-4


def test_noise_is_taken_from_a_divergence() -> None:
    random = np.random.default_rng(4)
    without_drift = [jensen_shannon(*random.multinomial(200, np.full(20, 0.05), 2)).value for _ in range(400)]
    with_drift = [
        jensen_shannon(*_in_bins(random.normal(size=400), random.normal(0.5, 1, 200))).value for _ in range(300)
    ]

    noise = 19 / (8 * math.log(2)) * (2 / 200)
    assert np.mean(without_drift) < noise / 3  # it is cut off at 0, else its mean would be about 0
    assert np.mean(with_drift) == pytest.approx(TRUE_BITS[0.5], abs=0.005)


@given(HISTOGRAMS)
@settings(max_examples=100, deadline=None)
def test_the_divergence_is_the_square_of_scipys_distance_less_the_noise(pair: tuple[list[int], list[int]]) -> None:
    baseline, current = _arrays(pair)
    occupied = int(((baseline + current) > 0).sum())
    noise = (occupied - 1) / (8 * math.log(2)) * (1 / baseline.sum() + 1 / current.sum())
    distance = float(jensenshannon(baseline, current, base=2))
    wanted = min(1.0, max(0.0, (0.0 if math.isnan(distance) else distance) ** 2 - noise))

    assert jensen_shannon(baseline, current).value == pytest.approx(wanted, abs=1e-7)


@given(HISTOGRAMS)
@settings(max_examples=100, deadline=None)
def test_the_tests_of_homogeneity_are_those_of_scipy(pair: tuple[list[int], list[int]]) -> None:
    baseline, current = _arrays(pair)
    occupied = (baseline + current) > 0
    table = np.array([baseline[occupied], current[occupied]])
    pearson = stats.chi2_contingency(table, correction=False)
    g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")

    assert chi_square(baseline, current) == pytest.approx((pearson.statistic, pearson.dof), abs=1e-9)
    assert likelihood_ratio(baseline, current) == pytest.approx((g.statistic, g.dof), abs=1e-8)


@given(HISTOGRAMS, st.randoms(use_true_random=True))
@settings(max_examples=100, deadline=None)
def test_distances_of_categories_do_not_depend_on_their_order_nor_on_who_is_first(pair, random) -> None:  # type: ignore[no-untyped-def]
    baseline, current = _arrays(pair)
    order = list(range(len(baseline)))
    random.shuffle(order)
    for distance in (jensen_shannon, population_stability_index, cramers_v):
        found = distance(baseline, current)
        assert distance(baseline[order], current[order]) == pytest.approx(found, abs=1e-9)
        assert distance(current, baseline) == pytest.approx(found, abs=1e-9)
        assert found.low <= found.value <= found.high


@pytest.mark.parametrize("distance", [jensen_shannon, population_stability_index, cramers_v])
def test_equal_shares_are_no_distance_and_disjoint_ones_the_largest(distance) -> None:  # type: ignore[no-untyped-def]
    assert distance(np.array([50, 50]), np.array([500, 500])).value == 0
    apart = distance(np.array([100_000, 0]), np.array([0, 100_000])).value
    assert apart > 10 if distance is population_stability_index else apart == pytest.approx(1, abs=1e-3)


def test_psi_is_the_formula_with_half_a_count_in_each_bin() -> None:
    baseline, current = np.array([30, 70, 0]), np.array([10, 80, 10])
    p, q = (np.array([30.5, 70.5, 0.5]) / 101.5, np.array([10.5, 80.5, 10.5]) / 101.5)
    wanted = float(np.sum((q - p) * np.log(q / p))) - 2 * (1 / 100 + 1 / 100)

    assert population_stability_index(baseline, current).value == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("kind", ["normal", "ratings"])
def test_kolmogorov_smirnov_and_wasserstein_are_those_of_scipy(kind: str) -> None:
    random = np.random.default_rng(8)
    one = random.normal(size=700) if kind == "normal" else random.integers(1, 6, 700).astype(float)
    other = random.normal(0.4, 2, 300) if kind == "normal" else random.integers(2, 6, 300).astype(float)
    values, before, after = _counted(one, other)

    assert kolmogorov_smirnov(before, after).value == pytest.approx(stats.ks_2samp(one, other).statistic, abs=1e-12)
    wanted = stats.wasserstein_distance(one, other)
    assert wasserstein(values, before, after, 1.0).value == pytest.approx(wanted, rel=1e-9)
    assert wasserstein(values, before, after, 4.0).value == pytest.approx(wanted / 4, rel=1e-9)


def test_intervals_cover_the_true_divergence() -> None:
    random = np.random.default_rng(9)
    p, q = np.array([0.2, 0.3, 0.4, 0.1]), np.array([0.3, 0.3, 0.25, 0.15])
    true_bits = jensenshannon(p, q, base=2) ** 2
    true_psi = float(np.sum((q - p) * np.log(q / p)))
    covered = np.zeros(2)
    for _ in range(400):
        samples = random.multinomial(2000, p), random.multinomial(1000, q)
        covered += [
            found.low <= true <= found.high
            for found, true in (
                (jensen_shannon(*samples), true_bits),
                (population_stability_index(*samples), true_psi),
            )
        ]

    assert (covered / 400 > 0.92).all()


def test_bins_come_from_the_baseline_and_see_values_that_it_never_had() -> None:
    values, before, after = _counted(np.repeat([1.0, 2.0, 5.0], 10), np.array([0.0, 2.0, 3.0, 9.0]))
    places, bins = bins_of(values, before)

    assert (bins, binned(places, bins, before).tolist()) == (7, [0, 10, 0, 10, 0, 10, 0])
    assert binned(places, bins, after).tolist() == [1, 0, 0, 1, 1, 0, 1]


def test_bins_of_many_values_hold_equally_many_of_the_baseline() -> None:
    values, before, _ = _counted(np.random.default_rng(1).lognormal(size=4000), np.array([1.0]))
    places, bins = bins_of(values, before)

    assert (bins, set(binned(places, bins, before).tolist())) == (20, {200})


@given(HISTOGRAMS, st.floats(1, 20))
@settings(max_examples=100, deadline=None)
def test_bins_are_merged_until_both_expect_enough(pair: tuple[list[int], list[int]], least: float) -> None:
    baseline, current = _arrays(pair)
    for merge in (neighbours_merged, smallest_merged):
        before, after = merge(baseline, current, least)
        assert (before.sum(), after.sum()) == (baseline.sum(), current.sum())
        if len(before) > 1:
            expected = (before + after) * min(before.sum(), after.sum()) / (before + after).sum()
            assert expected.min() >= least - 1e-9
