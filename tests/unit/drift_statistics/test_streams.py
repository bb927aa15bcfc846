"""Cumulative sums, Page and Hinkley's test and adaptive cuts of streams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.drift.statistics.streams import adaptive_cut, cusum, exceedance_p, page_hinkley
from hallmark.errors import InvalidInputError

RIVER = {
    0: (0.0, 0.0),
    1: (0.13316831683168318, 0.0),
    7: (0.5179985855728428, 0.0),
    50: (0.2285316899036844, 0.12491749174917466),
    199: (0.3554950495049507, 0.0),
    220: (5.866366545255969, 0.0),
    300: (23.970584879871943, 0.0),
    399: (39.0609489959655, 0.0),
}
"""Sums of river 0.26.1's ``PageHinkley(min_instances=1, delta=0.05, alpha=1)`` after these values of that stream."""
RIVER_ALARM = 235
"""Where its first alarm at ``threshold=10`` is."""


def test_page_and_hinkleys_sums_are_those_of_river() -> None:
    values = np.array([(i % 200 * 37) % 101 / 101 + 0.35 * (i >= 200) for i in range(400)])
    sums = page_hinkley(values, 0.05)

    for place, wanted in RIVER.items():
        assert (sums.up[place], sums.down[place]) == pytest.approx(wanted, abs=1e-9)
    assert int(np.flatnonzero(np.maximum(sums.up, sums.down) > 10)[0]) == RIVER_ALARM


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=60), st.floats(0, 5))
@settings(max_examples=100, deadline=None)
def test_cumulative_sums_are_the_recursion(values: list[float], slack: float) -> None:
    sums = cusum(np.array(values), 1.0, 2.0, slack)
    up = down = 0.0
    for place, value in enumerate(values):
        scaled = (value - 1.0) / 2.0
        up, down = max(0.0, up + scaled - slack), max(0.0, down - scaled - slack)
        assert (sums.up[place], sums.down[place]) == pytest.approx((up, down), abs=1e-9)


@pytest.mark.parametrize("slack", [0.25, 0.5, 1.0])
def test_sums_are_as_high_no_more_often_than_bounded(slack: float) -> None:
    noise = np.random.default_rng(1).normal(size=200_000)
    up = cusum(noise, 0.0, 1.0, slack).up
    for height in (1.0, 2.0, 4.0):
        bound = exceedance_p(height, slack)
        assert np.mean(up >= height) < bound
        assert np.mean(up >= height) > bound / 30


def test_a_stream_is_cut_where_its_level_changes() -> None:
    random = np.random.default_rng(2)
    values = np.concatenate([random.normal(size=100), random.normal(2, 1, 16)])
    for cut in (adaptive_cut(values), adaptive_cut(values, 1.0)):
        assert cut is not None
        assert cut.at == 100
        assert cut.difference == pytest.approx(2, abs=0.8)
        assert cut.p_value < 1e-8


def test_without_a_change_cuts_are_as_rare_as_promised() -> None:
    random = np.random.default_rng(3)
    chances = []
    for _ in range(500):
        cut = adaptive_cut(random.normal(size=40))
        assert cut is not None
        chances.append(cut.p_value)

    assert sum(p <= 0.05 for p in chances) <= 45  # of 500 at 5 %: more has a chance of 1 in 10,000


def test_streams_that_say_nothing() -> None:
    assert adaptive_cut(np.array([1.0, 2.0, 3.0])) is None
    same = adaptive_cut(np.ones(8))
    assert same is not None
    assert same.p_value == 1
    with pytest.raises(InvalidInputError, match="standard deviation"):
        cusum(np.ones(3), 0.0, 0.0, 0.5)
