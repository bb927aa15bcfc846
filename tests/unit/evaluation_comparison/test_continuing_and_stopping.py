from __future__ import annotations

import numpy as np
import pytest

from hallmark.evaluation.cases import Case
from hallmark.evaluation.comparison.making import make_report
from hallmark.evaluation.comparison.stopping import decide_continuation
from hallmark.evaluation.plans import make_rounds
from hallmark.evaluation.results import CaseResult
from hallmark.evaluation.suites import ComparisonSettings, Template
from hallmark.statistics.verdicts import Finding
from tests.fakes.evaluated_cases import DELAY, QUALITY, evidence_of, failed, scored, scores_of

LOOKING = ComparisonSettings(early_stopping=True)


def test_a_run_whose_question_is_open_goes_on() -> None:
    evidence = evidence_of(scores_of({"old": [1, 0] * 10, "new": [1, 0] * 10}), settings=LOOKING, planned=1000)

    found = decide_continuation(evidence)

    assert (found.goes_on, found.saved_calls) == (True, 0)
    assert found.reason == "not decided yet: new against old"


def test_a_run_whose_question_is_decided_stops_and_says_what_that_saved() -> None:
    evidence = evidence_of(
        scores_of({"old": [0.0] * 100, "new": [1.0] * 100}), settings=LOOKING, planned=1000, cost_usd=0.4
    )

    found = decide_continuation(evidence)

    assert (found.goes_on, found.asked, found.planned, found.saved_calls) == (False, 200, 2000, 1800)
    assert found.saved_usd == pytest.approx(0.4 / 200 * 1800)
    assert found.reason == "decided: new is better than old"


def test_a_run_goes_on_until_every_pair_is_decided() -> None:
    values = {"old": [0.0] * 100, "new": [1.0] * 100, "other": [0.0, 1.0] * 10 + [0.0] * 80}

    found = decide_continuation(evidence_of(scores_of(values), models=list(values), settings=LOOKING))

    assert found.goes_on
    assert [(look.candidate, look.is_decided) for look in found.looks] == [("new", True), ("other", False)]


def test_a_regression_suite_stops_when_worse_by_the_margin_is_ruled_out() -> None:
    settings = ComparisonSettings(early_stopping=True, margin=0.1)
    source = np.random.default_rng(0)
    old = source.uniform(0.3, 0.7, 600)
    new = (old + source.uniform(-0.05, 0.05, 600)).tolist()
    results = scores_of({"old": old.tolist(), "new": new}, QUALITY)

    found = decide_continuation(evidence_of(results, QUALITY, settings=settings, template=Template.REGRESSION))

    assert not found.goes_on
    assert found.looks[0].is_non_inferior
    assert found.looks[0].finding in {Finding.EQUIVALENT, Finding.NON_INFERIOR}


def test_the_report_of_a_stopped_run_says_what_the_decision_said() -> None:
    source = np.random.default_rng(7)
    old, new = (source.uniform(0, 1, 150) < rate for rate in (0.4, 0.75))
    evidence = evidence_of(
        scores_of({"old": [float(each) for each in old], "new": [float(each) for each in new]}),
        settings=LOOKING,
        stopped="its question is decided",
    )

    (look,) = decide_continuation(evidence).looks
    (answer,) = make_report(evidence).answers

    assert look.is_decided
    assert (answer.finding, answer.answer) == (look.finding, look.answer)
    assert answer.span == look.span


def test_a_metric_without_bounds_is_asked_of_all_cases() -> None:
    found = decide_continuation(
        evidence_of(scores_of({"old": [1.0] * 50, "new": [9.0] * 50}, DELAY), DELAY, settings=LOOKING)
    )

    assert found.goes_on
    assert "no bounds" in found.reason


def test_cases_that_one_model_did_not_answer_decide_nothing() -> None:
    results = [scored("old", case, 1) for case in range(300)] + [failed("new", case) for case in range(300)]

    found = decide_continuation(evidence_of(results, settings=LOOKING))

    assert found.goes_on
    assert found.looks[0].cases == 0


def test_looking_often_at_equal_models_rarely_stops_a_run() -> None:
    source = np.random.default_rng(11)
    stopped = 0
    for _ in range(60):
        pair = source.integers(0, 2, size=(2, 200)).astype(float).tolist()
        results = scores_of({"old": pair[0], "new": pair[1]})
        for seen in range(40, 201, 40):
            told = [*results[:seen], *results[200 : 200 + seen]]
            if not decide_continuation(evidence_of(told, settings=LOOKING)).goes_on:
                stopped += 1
                break

    assert stopped <= 6


def test_a_regression_suite_stops_although_it_is_open_whether_a_model_is_better() -> None:
    settings = ComparisonSettings(early_stopping=True, margin=0.25)
    values = {
        "old": [1.0] * 40 + [0.0] * 14 + [1.0] * 6 + [0.0] * 20,
        "new": [1.0] * 40 + [1.0] * 14 + [0.0] * 6 + [0.0] * 20,
    }

    stops, goes_on = (
        decide_continuation(evidence_of(scores_of(values), settings=settings, template=template))
        for template in (Template.REGRESSION, Template.CHAMPION_CHALLENGER)
    )

    assert stops.looks[0].finding is Finding.NON_INFERIOR
    assert (stops.goes_on, goes_on.goes_on) == (False, True)


def test_cases_that_do_not_count_alike_are_all_asked_and_compared_by_their_weights() -> None:
    """Unweighted, the new model would be better; by weight it is worse."""
    light = [scored(model, case, value) for case in range(150) for model, value in (("old", 0), ("new", 1))]
    heavy = [
        scored(model, case, value, weight=9.0) for case in range(150, 200) for model, value in (("old", 1), ("new", 0))
    ]
    evidence = evidence_of([*light, *heavy], settings=LOOKING, planned=1000)

    found = decide_continuation(evidence)
    (answer,) = make_report(evidence).answers

    assert found.goes_on
    assert "do not count alike" in found.reason
    assert answer.difference == pytest.approx((150 - 9 * 50) / (150 + 9 * 50))
    assert "any number of looks" not in answer.method


def test_equal_models_of_which_each_suits_half_of_a_sorted_dataset_are_not_told_apart_by_looking() -> None:
    """Asked in the dataset's order, the first half would decide for the new model nearly always."""
    source, stopped = np.random.default_rng(5), 0
    cases = [Case(id=f"{number:04}", prompt="?") for number in range(400)]
    for seed in range(10):
        batches, sizes = make_rounds({"questions": cases}, repeats=1, size=50, look_every=50, seed=seed)
        seen: list[CaseResult] = []
        for place in range(len(sizes)):
            for case in (case for batch in batches[sum(sizes[:place]) :][: sizes[place]] for case in batch.cases):
                chance = 0.9 if int(case.id) < 200 else 0.3
                seen += [
                    scored("old", case.id, float(source.random() < 0.6)),
                    scored("new", case.id, float(source.random() < chance)),
                ]
            if not decide_continuation(evidence_of(seen, settings=LOOKING, planned=400)).goes_on:
                stopped += 1
                break

    assert stopped <= 2
