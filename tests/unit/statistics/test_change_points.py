"""Changes of a level are found where they are, and not where there are none."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from hallmark.errors import InvalidInputError
from hallmark.statistics.changes import find_changes
from hallmark.statistics.inputs import Floats

RANDOM = np.random.default_rng(80)


def test_a_step_is_found_where_it_is() -> None:
    history = np.concatenate((RANDOM.normal(0.8, 0.02, size=30), RANDOM.normal(0.7, 0.02, size=25)))
    (change,) = find_changes(history).changes
    assert change.at == 30
    assert change.difference == pytest.approx(-0.1, abs=0.02)
    assert change.p_value == pytest.approx(0.001)


def test_several_steps_are_found_with_the_levels_between_them() -> None:
    levels = [0.5] * 20 + [0.9] * 20 + [0.7] * 30
    found = find_changes(np.array(levels) + RANDOM.normal(0, 0.03, size=70))
    assert [change.at for change in found.changes] == [20, 40]
    assert found.changes[0].after == pytest.approx(found.changes[1].before)
    assert found.changes[1].after == pytest.approx(0.7, abs=0.02)


def test_exact_levels_are_told_apart() -> None:
    found = find_changes([1.0] * 6 + [2.0] * 6)
    assert [(change.at, change.before, change.after) for change in found.changes] == [(6, 1.0, 2.0)]
    assert find_changes([0.1 + 0.2] * 50).changes == ()


def _history(draw: str, n: int, random: np.random.Generator) -> Floats:
    if draw == "normal":
        return random.normal(size=n)
    return random.exponential(size=n) ** 2 if draw == "skewed" else random.binomial(50, 0.9, size=n) / 50


@pytest.mark.parametrize("draw", ["normal", "skewed", "rates"])
@pytest.mark.parametrize("n", [8, 25])
def test_a_change_is_wrongly_found_in_at_most_one_of_twenty_histories(draw: str, n: int) -> None:
    trials, wrong = 400, 0
    for trial in range(trials):
        history = _history(draw, n, np.random.default_rng((81, trial)))
        wrong += len(find_changes(history, permutations=199, seed=trial).changes) > 0
    assert wrong / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_the_split_is_the_one_that_leaves_the_least_scatter_on_both_sides() -> None:
    compared = 0
    for trial in range(60):
        random = np.random.default_rng((82, trial))
        place = int(random.integers(3, 28))
        history = random.normal(np.where(np.arange(31) < place, 0.0, 1.5), 1)
        found = find_changes(history, permutations=199, shortest=2)
        if len(found.changes) == 1:
            compared += 1
            scatter = [
                ((history[:k] - history[:k].mean()) ** 2).sum() + ((history[k:] - history[k:].mean()) ** 2).sum()
                for k in range(2, 30)
            ]
            assert found.changes[0].at == int(np.argmin(scatter)) + 2
    assert compared > 25


def test_a_short_history_says_that_it_could_not_tell() -> None:
    short = find_changes([0.9, 0.9, 0.9, 0.1, 0.1, 0.1])
    assert (short.changes, short.can_find) == ((), False)
    assert not find_changes([0.9]).can_find
    longer = find_changes([0.9] * 4 + [0.1] * 4)
    assert longer.can_find
    assert [change.at for change in longer.changes] == [4]


def test_one_outlier_is_no_change_of_level() -> None:
    history = [0.8, 0.81, 0.79, 0.8, 0.8, 0.82, 0.1, 0.8, 0.79, 0.81, 0.8, 0.8, 0.81, 0.79]
    assert find_changes(history).changes == ()


def test_scaling_and_shifting_moves_no_change() -> None:
    history = np.concatenate((RANDOM.normal(size=15), RANDOM.normal(4, 1, size=15)))
    plain, moved = find_changes(history), find_changes(1e6 * history - 5e7)
    assert [change.at for change in plain.changes] == [change.at for change in moved.changes]
    assert [change.p_value for change in plain.changes] == [change.p_value for change in moved.changes]


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: find_changes([]), "values"),
        (lambda: find_changes([1.0, math.inf]), "values[1]"),
        (lambda: find_changes([1.0], alpha=1.0), "alpha"),
        (lambda: find_changes([1.0], shortest=0), "shortest"),
        (lambda: find_changes([1.0], permutations=9), "permutations"),
    ],
)
def test_histories_that_are_none_are_refused_by_name(call: Callable[[], object], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        call()
    assert refused.value.field == field
