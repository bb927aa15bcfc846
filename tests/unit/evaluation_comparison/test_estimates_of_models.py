from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.evaluation.comparison.evidence import Strata
from hallmark.evaluation.comparison.making import make_report
from hallmark.evaluation.comparison.report import Estimate, Report
from hallmark.evaluation.metrics import Direction, Metric
from hallmark.evaluation.results import CaseResult, Score
from hallmark.statistics.intervals import estimate_quantile, estimate_stratified_mean
from hallmark.statistics.rates import wilson
from hallmark.statistics.resampling import mean_of_sums
from tests.fakes.evaluated_cases import DELAY, QUALITY, RATIO, RIGHT, answer, evidence_of, failed, scored, scores_of


def estimate_of(report: Report, model: str, metric: Metric = RIGHT) -> Estimate:
    found = report.estimate_of(model, metric.name)
    assert found is not None
    return found


def test_a_rate_has_wilsons_interval() -> None:
    report = make_report(evidence_of(scores_of({"old": [1] * 37 + [0] * 13, "new": [1] * 50})))

    found, expected = estimate_of(report, "old"), wilson(37, 50)

    assert found.value == 0.74
    assert found.span is not None
    assert (found.span.low, found.span.high, found.span.method) == (expected.low, expected.high, "Wilson")


def test_repeats_of_a_case_make_a_rate_no_surer_than_their_cases_allow() -> None:
    once = [scored("old", case, case % 2) for case in range(40)]
    agreeing = [scored("old", case, case % 2, epoch=epoch) for case in range(40) for epoch in range(5)]

    single = estimate_of(make_report(evidence_of(once)), "old")
    repeated = estimate_of(make_report(evidence_of(agreeing)), "old")

    assert (repeated.cases, repeated.attempts) == (40, 200)
    assert single.span is not None
    assert repeated.span is not None
    assert repeated.span.low is not None
    assert single.span.low is not None
    assert repeated.span.low <= single.span.low


def test_a_case_with_many_repeats_counts_once() -> None:
    results = [scored("old", 0, 1, epoch=epoch) for epoch in range(9)] + [scored("old", 1, 0), scored("old", 2, 0)]

    assert estimate_of(make_report(evidence_of(results)), "old").value == pytest.approx(1 / 3)


def test_repeats_tell_how_often_one_attempt_or_each_of_several_is_right() -> None:
    passed = {0: 5, 1: 3, 2: 0, 3: 1}
    results = [
        scored("old", case, int(epoch < right), epoch=epoch) for case, right in passed.items() for epoch in range(5)
    ]
    results += [scored("old", case, 1, epoch=epoch) for case in range(4, 40) for epoch in range(5)]

    repeated = estimate_of(make_report(evidence_of(results)), "old").repeated

    assert repeated is not None
    assert (repeated.k, repeated.cases) == (5, 40)
    assert repeated.any_passes == pytest.approx(39 / 40)
    assert repeated.all_pass == pytest.approx(37 / 40)
    assert repeated.any_span.low is not None
    assert repeated.any_span.low < repeated.any_passes


def test_a_few_lost_attempts_leave_their_cases_out_of_pass_at_k_and_no_more() -> None:
    results = [scored("old", case, case % 2, epoch=epoch) for case in range(40) for epoch in range(3)]
    lost = [each for place, each in enumerate(results) if place not in {0, 30, 60}]

    repeated = estimate_of(make_report(evidence_of(lost)), "old").repeated

    assert repeated is not None
    assert (repeated.k, repeated.cases) == (3, 37)
    assert repeated.any_passes == pytest.approx(20 / 37)


def test_cases_that_are_asked_once_have_no_pass_at_k() -> None:
    assert estimate_of(make_report(evidence_of(scores_of({"old": [1, 0] * 20}))), "old").repeated is None


def test_a_sample_with_unequal_strata_stands_for_its_population() -> None:
    random = np.random.default_rng(3)
    groups = ["rare"] * 30 + ["usual"] * 30
    values = np.concatenate((random.uniform(0.1, 0.3, 30), random.uniform(0.6, 1.0, 30)))
    results = [
        scored("old", case, value, QUALITY, group=group)
        for case, (value, group) in enumerate(zip(values.tolist(), groups, strict=True))
    ]
    strata = Strata(by="group", shares={"rare": 0.1, "usual": 0.9})

    found = estimate_of(make_report(evidence_of(results, QUALITY, strata=strata)), "old", QUALITY)

    expected = estimate_stratified_mean(values, groups, {"rare": 0.1, "usual": 0.9})
    assert found.value == pytest.approx(expected.value)
    assert found.span is not None
    assert found.span.low == pytest.approx(expected.interval.low)
    assert found.span.method == "t over strata"


def test_weights_of_cases_count_without_strata_too() -> None:
    results = [scored("old", case, float(case < 10), weight=9.0 if case < 10 else 1.0) for case in range(100)]

    assert estimate_of(make_report(evidence_of(results)), "old").value == pytest.approx(90 / 180)


def test_open_measurements_have_percentiles_with_intervals_of_order_statistics() -> None:
    delays = np.random.default_rng(1).lognormal(5, 0.4, size=400)
    report = make_report(evidence_of(scores_of({"old": delays.tolist()}, DELAY), DELAY, models=["old"]))

    found = estimate_of(report, "old", DELAY)

    expected = estimate_quantile(delays, 0.95)
    (tail,) = [each for each in found.quantiles if each.probability == 0.95]
    assert tail.value == pytest.approx(expected.value)
    assert (tail.span.low, tail.span.high) == (expected.interval.low, expected.interval.high)


def test_an_end_that_too_few_cases_do_not_bound_is_open_and_survives_json() -> None:
    report = make_report(evidence_of(scores_of({"old": [5.0, 6.0, 9.0]}, DELAY), DELAY, models=["old"]))

    tail = estimate_of(report, "old", DELAY).quantiles[-1]

    assert tail.span.high is None
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_scores_that_are_all_equal_are_not_taken_for_certain() -> None:
    report = make_report(evidence_of(scores_of({"old": [1.0] * 12, "new": [1.0] * 12}, QUALITY), QUALITY))

    found = estimate_of(report, "old", QUALITY)

    assert found.value == 1.0
    assert found.span is not None
    assert found.span.low is not None
    assert found.span.low < 0.9


def test_a_single_case_has_a_value_and_an_honest_interval() -> None:
    report = make_report(evidence_of(scores_of({"old": [1.0], "new": [0.0]})))

    found = estimate_of(report, "old")

    assert (found.value, found.cases) == (1.0, 1)
    assert found.span is not None
    assert found.span.low == pytest.approx(wilson(1, 1).low)


def test_a_metric_of_the_corpus_is_computed_from_sums_and_not_from_means() -> None:
    results = [
        CaseResult(
            model="old",
            dataset="questions",
            case=str(case),
            answer=answer(),
            scores=(Score(metric="ratio", statistics=(float(case % 3), float(1 + case)), value=0.5),),
        )
        for case in range(30)
    ]

    found = estimate_of(make_report(evidence_of(results, RATIO), {"ratio": mean_of_sums}), "old", RATIO)

    assert found.value == pytest.approx(sum(case % 3 for case in range(30)) / sum(1 + case for case in range(30)))
    assert found.span is not None
    assert found.span.method.startswith("bootstrap")


def test_a_metric_of_the_corpus_that_nobody_can_compute_is_said_to_have_no_value() -> None:
    result = CaseResult(
        model="old",
        dataset="questions",
        case="1",
        answer=answer(),
        scores=(Score(metric="ratio", statistics=(1.0, 2.0)),),
    )

    report = make_report(evidence_of([result], RATIO))

    assert estimate_of(report, "old", RATIO).value is None
    assert any("ratio" in note and "no scorer told how" in note for note in report.notes)


def test_scorer_failures_and_what_does_not_apply_are_counted_and_never_scores_of_zero() -> None:
    broken = CaseResult(
        model="old", dataset="questions", case="b", answer=answer(), scores=(Score(metric="right", failure="no JSON"),)
    )
    blank = CaseResult(model="old", dataset="questions", case="n", answer=answer(), scores=(Score(metric="right"),))

    report = make_report(evidence_of([scored("old", 1, 1), broken, blank]))

    found = estimate_of(report, "old")
    assert (found.value, found.cases, found.scorer_failures, found.not_applicable) == (1.0, 1, 1, 1)
    assert found.reasons == {"no JSON": 1}


def test_a_score_that_its_metric_does_not_allow_is_a_failure_of_the_scorer() -> None:
    results = [scored("old", 1, 1), scored("old", 2, 0.5), scored("old", 3, 1.5, QUALITY)]

    report = make_report(evidence_of(results, RIGHT, QUALITY))

    assert estimate_of(report, "old").reasons == {"the score is 0.5, neither 0 nor 1": 1}
    assert estimate_of(report, "old", QUALITY).reasons == {"the score is 1.5, not from 0.0 to 1.0": 1}


def test_a_score_that_is_no_number_cannot_enter() -> None:
    with pytest.raises(ValueError, match="finite"):
        scored("old", 1, math.nan, QUALITY)


def test_coverage_says_how_many_calls_have_an_answer_and_why_others_have_none() -> None:
    results = [scored("old", 1, 1), scored("old", 2, 1), failed("old", 3), scored("new", 1, 1)]

    report = make_report(evidence_of(results, planned=4))

    old, new = report.coverage
    assert (old.answered, old.failures, old.not_asked, old.share) == (2, {"throttled": 1}, 1, 0.5)
    assert (new.answered, new.failures, new.not_asked) == (1, {}, 3)


def test_missing_answers_leave_the_estimate_between_two_bounds() -> None:
    results = [scored("old", case, 1) for case in range(80)] + [failed("old", case) for case in range(80, 100)]

    found = estimate_of(make_report(evidence_of(results)), "old")

    assert (found.value, found.worst_case, found.best_case) == (1.0, 0.8, 1.0)


def test_each_group_category_and_difficulty_has_its_estimate() -> None:
    results = [
        scored("old", case, case % 2, group="ab"[case % 2], category="x", difficulty="easy" if case < 5 else "hard")
        for case in range(20)
    ]

    report = make_report(evidence_of(results, models=["old"], champion=None))

    parts = {(each.part.dimension, each.part.value): (each.value, each.cases) for each in report.estimates if each.part}
    assert parts == {
        ("group", "a"): (0.0, 10),
        ("group", "b"): (1.0, 10),
        ("category", "x"): (0.5, 20),
        ("difficulty", "easy"): (0.4, 5),
        ("difficulty", "hard"): (pytest.approx(8 / 15), 15),
    }


def test_gaps_between_groups_have_intervals_and_small_groups_are_named() -> None:
    results = [scored("old", case, float(case < 90), group="a" if case < 100 else "b") for case in range(200)]
    results += [scored("old", 900, 1, group="tiny")]

    (found,) = make_report(evidence_of(results, models=["old"], champion=None)).fairness

    assert (found.gaps[0].higher, found.gaps[0].lower, found.gaps[0].is_shown) == ("a", "b", True)
    assert [(each.group, each.cases) for each in found.left_out] == [("tiny", 1)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 2), st.booleans()), min_size=1, max_size=30))
def test_results_that_come_again_do_not_count_twice(drawn: list[tuple[int, int, bool]]) -> None:
    unique = {(case, epoch): value for case, epoch, value in drawn}
    results = [scored("old", case, float(value), epoch=epoch) for (case, epoch), value in unique.items()]

    once, thrice = (make_report(evidence_of(each, planned=27)) for each in (results, results * 3))

    assert once == thrice


def test_a_mean_counts_each_case_once_however_often_it_was_asked() -> None:
    results = [scored("old", 0, value, QUALITY, epoch=epoch) for epoch, value in enumerate([0.2, 0.4, 0.6])]
    results += [scored("old", 1, 0.8, QUALITY), scored("old", 2, 0.0, QUALITY)]

    found = estimate_of(make_report(evidence_of(results, QUALITY)), "old", QUALITY)

    assert found.value == pytest.approx((0.4 + 0.8 + 0.0) / 3)
    assert (found.cases, found.attempts) == (3, 5)


def test_of_a_metric_of_which_less_is_better_the_worst_is_the_most() -> None:
    harm = Metric(name="harm", title="Harm", direction=Direction.LOWER)
    results = [scored("old", case, 0.1, harm) for case in range(9)] + [failed("old", 9)]

    found = estimate_of(make_report(evidence_of(results, harm)), "old", harm)

    assert found.worst_case == pytest.approx(0.19)
    assert found.best_case == pytest.approx(0.09)


def test_a_score_too_large_to_compute_with_is_a_failure_of_its_scorer() -> None:
    results = [scored("old", case, 1e300 if case < 2 else 5.0 + case, DELAY) for case in range(20)]

    report = make_report(evidence_of(results, DELAY, models=["old"]))

    estimate = report.estimate_of("old", "delay")
    assert estimate is not None
    assert estimate.cases == 18
    assert "the scorer failed on 2 answers" in " ".join(report.notes)
