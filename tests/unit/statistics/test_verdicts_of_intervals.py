"""What an interval lets one say."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.errors import InvalidInputError
from hallmark.statistics.bootstrap import bootstrap_difference
from hallmark.statistics.outcomes import Interval
from hallmark.statistics.paired import mcnemar, paired_t, sign_test
from hallmark.statistics.pairs import PairedCounts
from hallmark.statistics.sequential import decide
from hallmark.statistics.verdicts import Answer, Finding, judge, judge_significance


def _interval(low: float, high: float) -> Interval:
    return Interval(low, high, 0.95, "t")


@pytest.mark.parametrize(
    ("low", "high", "margin", "finding", "answer", "is_non_inferior"),
    [
        (0.01, 0.05, None, Finding.BETTER, Answer.BETTER, None),
        (0.01, 0.05, 0.1, Finding.BETTER, Answer.BETTER, True),
        (-0.05, -0.01, None, Finding.WORSE, Answer.NOT_BETTER, None),
        (-0.05, -0.01, 0.02, Finding.WORSE, Answer.NOT_BETTER, False),
        (-0.05, -0.01, 0.1, Finding.WORSE, Answer.NOT_BETTER, True),
        (-0.05, 0.05, None, Finding.CANNOT_TELL, Answer.CANNOT_TELL, None),
        (-0.05, 0.05, 0.01, Finding.CANNOT_TELL, Answer.CANNOT_TELL, False),
        (-0.01, 0.01, 0.02, Finding.EQUIVALENT, Answer.NOT_BETTER, True),
        (-0.05, 0.01, 0.02, Finding.NOT_BETTER, Answer.NOT_BETTER, False),
        (-0.01, 0.05, 0.02, Finding.NON_INFERIOR, Answer.CANNOT_TELL, True),
    ],
)
def test_the_interval_says_what_it_rules_out(
    low: float, high: float, margin: float | None, finding: Finding, answer: Answer, is_non_inferior: bool | None
) -> None:
    found = judge((low + high) / 2, _interval(low, high), 500, margin=margin)
    assert (found.finding, found.answer, found.is_non_inferior) == (finding, answer, is_non_inferior)
    assert (found.more_cases is None) or answer is Answer.CANNOT_TELL


@given(st.floats(-1, 1), st.floats(0.001, 1), st.one_of(st.none(), st.floats(0.001, 0.5)))
def test_a_lower_is_better_metric_is_its_mirror(effect: float, half: float, margin: float | None) -> None:
    plain = judge(effect, _interval(effect - half, effect + half), 100, margin=margin)
    mirrored = judge(-effect, _interval(-effect - half, half - effect), 100, margin=margin, higher_is_better=False)
    assert (plain.finding, plain.more_cases) == (mirrored.finding, mirrored.more_cases)
    assert plain.interval == mirrored.interval


def test_a_p_value_raised_by_other_questions_takes_better_away_and_asks_for_more() -> None:
    sure = judge(0.03, _interval(0.005, 0.055), 400)
    raised = judge(0.03, _interval(0.005, 0.055), 400, p_value=0.19)
    assert (sure.answer, raised.answer) == (Answer.BETTER, Answer.CANNOT_TELL)
    little = judge(0.03, _interval(0.005, 0.055), 400, p_value=0.06)
    assert raised.more_cases is not None
    assert little.more_cases is not None
    assert raised.more_cases > little.more_cases + 100


def test_cannot_tell_says_how_many_more_and_they_would() -> None:
    random = np.random.default_rng(100)
    differences = random.normal(0.04, 0.5, size=300)
    found = judge_significance(paired_t(differences, np.zeros(300)))
    assert found.answer is Answer.CANNOT_TELL
    assert found.more_cases is not None
    assert f"{found.more_cases:,} more would probably decide" in found.sentence
    decided = 0
    for _ in range(300):
        more = random.normal(found.effect, 0.5, size=found.more_cases)
        again = judge_significance(paired_t(np.concatenate((differences, more)), np.zeros(300 + found.more_cases)))
        decided += again.answer is Answer.BETTER
    assert decided / 300 > 0.7


def test_nothing_seen_is_no_reason_for_hope() -> None:
    found = judge(0.0, _interval(-0.05, 0.05), 100)
    assert found.more_cases is None
    assert "name a margin" in found.sentence
    assert judge(0.0, _interval(-0.05, 0.05), 100, margin=0.02).more_cases is not None
    open_ended = judge(0.5, Interval(-math.inf, math.inf, 0.95, "order statistics"), 3)
    assert (open_ended.answer, open_ended.more_cases) == (Answer.CANNOT_TELL, None)


def test_cases_that_all_agree_show_nothing_but_their_bounds_do() -> None:
    for scores in ([0.5] * 3, [0.9] * 3):
        by_t = judge_significance(paired_t(scores, [0.5] * 3), margin=0.1)
        by_bootstrap = judge_significance(bootstrap_difference(scores, [0.5] * 3), margin=0.1)
        for found in (by_t, by_bootstrap):
            assert (found.finding, found.is_non_inferior) == (Finding.CANNOT_TELL, False)
            assert "all cases agree" in found.sentence
    assert decide([0.0] * 20, margin=0.1).finding is Finding.CANNOT_TELL
    assert decide([0.0] * 400, margin=0.1).finding is Finding.EQUIVALENT


def test_mcnemars_test_speaks_through_its_verdict() -> None:
    better = judge_significance(mcnemar(PairedCounts(700, 90, 40, 170)))
    assert better.finding is Finding.BETTER
    assert better.sentence.startswith("better: +0.05 (95% +0.02")
    assert judge_significance(mcnemar(PairedCounts(700, 40, 90, 170))).finding is Finding.WORSE
    equal = judge_significance(mcnemar(PairedCounts(4_000, 100, 101, 800)), margin=0.02)
    assert equal.finding is Finding.EQUIVALENT


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: judge(0.5, _interval(0, 0.1), 10), "effect"),
        (lambda: judge(math.nan, _interval(0, 0.1), 10), "effect"),
        (lambda: judge(0.05, _interval(0, 0.1), 0), "n"),
        (lambda: judge(0.05, _interval(0, 0.1), 10, margin=0), "margin"),
        (lambda: judge(0.05, _interval(0, 0.1), 10, p_value=1.5), "p_value"),
        (lambda: judge_significance(sign_test([1.0, 2.0], [0.0, 1.0])), "found.interval"),
    ],
)
def test_what_cannot_be_judged_is_refused_by_name(call: Callable[[], object], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        call()
    assert refused.value.field == field


def test_from_a_handful_of_cases_nothing_is_foretold() -> None:
    interval = Interval(-0.2, 0.6, 0.95, "t")

    assert judge(0.2, interval, 9).more_cases is None
    assert judge(0.2, interval, 10).more_cases is not None
