"""pass@k, pass^k and means over epochs, against all subsets and the closed forms."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.errors import InvalidInputError
from hallmark.statistics.intervals import estimate_mean
from hallmark.statistics.passing import (
    case_means,
    estimate_pass_at_k,
    estimate_pass_hat_k,
    mean_over_epochs,
    pass_at_k,
    pass_hat_k,
)
from hallmark.statistics.rates import wilson


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(1, 8))
def test_both_are_the_share_of_all_subsets_of_k_attempts(passes: list[bool], k: int) -> None:
    if k > len(passes):
        return
    subsets = list(combinations(passes, k))
    assert pass_at_k(sum(passes), len(passes), k) == pytest.approx(sum(map(any, subsets)) / len(subsets))
    assert pass_hat_k(sum(passes), len(passes), k) == pytest.approx(sum(map(all, subsets)) / len(subsets))


def test_the_figures_of_the_product_formula_are_reproduced() -> None:
    # Chen et al. 2021, figure 3: 1 - prod(1 - k / arange(n - c + 1, n + 1)).
    for n, c, k in ((200, 13, 10), (200, 1, 100), (10, 3, 5), (1_000, 500, 1)):
        assert pass_at_k(c, n, k) == pytest.approx(1 - np.prod(1 - k / np.arange(n - c + 1, n + 1)))


def test_the_estimate_has_no_bias_where_the_plug_in_has() -> None:
    random, k, chance = np.random.default_rng(70), 5, 0.2
    passed = random.binomial(8, chance, size=20_000)
    truth = 1 - (1 - chance) ** k
    assert np.mean([pass_at_k(int(c), 8, k) for c in passed]) == pytest.approx(truth, abs=0.006)
    assert abs(np.mean(1 - (1 - passed / 8) ** k) - truth) > 0.03


def test_cases_are_the_units_and_not_attempts() -> None:
    random = np.random.default_rng(71)
    chances = random.random(40)
    passes = (random.random((40, 6)) < chances[:, None]).astype(float)
    cases = np.repeat(np.arange(40), 6)
    found = estimate_pass_at_k(passes.ravel(), cases, 2)
    per_case = [pass_at_k(int(row.sum()), 6, 2) for row in passes]
    assert found.value == pytest.approx(np.mean(per_case))
    assert found.interval.width == pytest.approx(estimate_mean(per_case).interval.width)
    assert (found.n, found.clusters) == (240, 40)
    assert estimate_pass_hat_k(passes.ravel(), cases, 2).value < found.value
    # Cases of one cluster scatter together.
    clustered = estimate_pass_at_k(passes.ravel(), cases, 2, clusters=cases // 4)
    assert (clustered.value, clustered.clusters) == (found.value, 10)
    assert clustered.interval.width == pytest.approx(
        estimate_mean(per_case, clusters=np.arange(40) // 4).interval.width
    )
    # pass@1, pass^1 and the mean over epochs are one number with one interval.
    for one in (estimate_pass_at_k, estimate_pass_hat_k):
        assert one(passes.ravel(), cases, 1).value == pytest.approx(passes.mean())
    assert mean_over_epochs(passes.ravel(), cases).interval.low == pytest.approx(
        estimate_pass_at_k(passes.ravel(), cases, 1).interval.low
    )


def test_cases_that_all_pass_are_as_sure_as_so_many_cases() -> None:
    found = estimate_pass_at_k(np.ones(60), np.repeat(np.arange(20), 3), 2)
    assert (found.value, found.interval) == (1.0, wilson(20, 20))
    nearly = estimate_pass_at_k([1] * 57 + [1, 0, 0], np.repeat(np.arange(20), 3), 1)
    assert nearly.interval.high == 1


def test_means_of_cases_keep_the_order_in_which_cases_come() -> None:
    means, cases = case_means([1, 0, 1, 1, 0], ["b", "a", "b", "a", "c"])
    assert (means.tolist(), cases) == ([1.0, 0.5, 0.0], ("b", "a", "c"))


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: pass_at_k(3, 2, 1), "passed"),
        (lambda: pass_at_k(1, 2, 3), "k"),
        (lambda: pass_hat_k(1, 0, 1), "attempts"),
        (lambda: estimate_pass_at_k([1, 0, 1], ["a", "a", "b"], 2), "cases['b']"),
        (lambda: estimate_pass_at_k([1, 0.5], ["a", "a"], 1), "passes[1]"),
        (lambda: estimate_pass_hat_k([1, 0], ["a"], 1), "cases"),
    ],
)
def test_impossible_attempts_are_refused_by_name(call: Callable[[], object], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        call()
    assert refused.value.field == field
