from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.evaluation.comparison.evidence import EvaluatedModel
from hallmark.evaluation.comparison.letters import assign_letters
from hallmark.evaluation.comparison.making import make_report
from hallmark.evaluation.comparison.pareto import place_on_front
from hallmark.evaluation.comparison.report import Column, Report
from hallmark.evaluation.suites import Facts
from tests.fakes.evaluated_cases import DELAY, QUALITY, RIGHT, answer, evidence_of, failed, scored, scores_of

NAMES = "abcdefgh"
PAIRS = list(combinations(NAMES, 2))


@given(st.sets(st.sampled_from(PAIRS)))
def test_two_models_share_a_letter_if_and_only_if_they_cannot_be_told_apart(differing: set[tuple[str, str]]) -> None:
    letters = assign_letters(NAMES, differing)

    assert all(letters[name] for name in NAMES)
    for one, other in PAIRS:
        assert bool(set(letters[one]) & set(letters[other])) == ((one, other) not in differing)


def test_letters_are_those_that_r_gives_feeds_of_chickens() -> None:
    # R package cld, "Understanding and Interpreting Compact Letter Displays": pairwise Wilcoxon tests of chickwts.
    published = {"casein": "a", "horsebean": "b", "linseed": "bc", "meatmeal": "ac", "soybean": "c", "sunflower": "a"}
    differing = [pair for pair in combinations(published, 2) if not set(published[pair[0]]) & set(published[pair[1]])]

    assert assign_letters(list(published), differing) == published


def test_the_order_of_a_pair_does_not_matter() -> None:
    assert assign_letters("ab", [("b", "a")]) == assign_letters("ab", [("a", "b")]) == {"a": "a", "b": "b"}


def column(report: Report, name: str) -> Column:
    return next(each for each in report.matrix.columns if each.name == name)


def test_a_model_is_behind_the_front_only_where_that_can_be_told() -> None:
    values = {"quality": {"a": 0.9, "b": 0.8, "c": 0.7}, "thrift": {"a": -1.0, "b": -1.0, "c": -2.0}}

    places = place_on_front("abc", values, {"quality": {("a", "c"), ("b", "c")}, "thrift": set()})

    assert [(each.model, each.state, each.by) for each in places] == [
        ("a", "front", ()),
        ("b", "possible", ("a",)),
        ("c", "dominated", ("a", "b")),
    ]


def test_a_model_that_is_best_in_one_respect_is_on_the_front() -> None:
    values = {"quality": {"a": 0.9, "b": 0.1}, "thrift": {"a": -9.0, "b": -1.0}}

    assert [each.state for each in place_on_front("ab", values, {})] == ["front", "front"]


def test_a_model_without_a_price_is_not_placed() -> None:
    values = {"quality": {"a": 0.9, "b": 0.1}, "thrift": {"a": -9.0}}

    assert [each.model for each in place_on_front("ab", values, {})] == ["a"]


def test_ranks_say_what_they_can_be_at_best_and_at_worst() -> None:
    source = np.random.default_rng(1)
    base = source.uniform(0.2, 0.6, 200)
    values = {
        "old": base.tolist(),
        "twin": (base + source.normal(0, 0.1, 200)).clip(0, 1).tolist(),
        "best": (base + 0.3).tolist(),
    }
    values["best"][0] -= 0.01

    found = column(make_report(evidence_of(scores_of(values, QUALITY), QUALITY, models=list(values))), "quality")

    cells = {cell.model: cell for cell in found.cells}
    assert (cells["best"].rank, cells["best"].best_rank, cells["best"].worst_rank, cells["best"].letters) == (
        1,
        1,
        1,
        "a",
    )
    assert {(cells[name].best_rank, cells[name].worst_rank, cells[name].letters) for name in ("old", "twin")} == {
        (2, 3, "b")
    }


def test_cost_latency_and_facts_stand_beside_quality() -> None:
    results = [
        scored(model, case, 1, answer=answer(latency_ms=delay + case, cost_usd=cost))
        for model, delay, cost in (("old", 100, 0.002), ("new", 50, 0.001))
        for case in range(20)
    ]
    facts = Facts(licence="Apache-2.0", deployment="serverless")
    evidence = evidence_of(results).model_copy(
        update={"models": (EvaluatedModel(name="old", facts=facts), EvaluatedModel(name="new"))}
    )

    report = make_report(evidence)

    assert [(each.name, each.dimension) for each in report.matrix.columns] == [
        ("right", "technical"),
        ("answer:latency", "technical"),
        ("answer:latency:p95", "technical"),
        ("answer:throughput", "technical"),
        ("answer:coverage", "technical"),
        ("answer:cost", "business"),
        ("fact:licence", "business"),
        ("fact:deployment", "operational"),
    ]
    assert [cell.text for cell in column(report, "fact:licence").cells] == ["Apache-2.0", None]
    assert [(cell.model, cell.rank) for cell in column(report, "answer:latency").cells] == [("old", 2), ("new", 1)]
    assert report.matrix.pareto_columns == ("right", "answer:cost", "answer:latency")


def test_a_suite_that_scores_latency_itself_has_it_once() -> None:
    results = scores_of({"old": [1.0, 2.0, 3.0], "new": [2.0, 3.0, 4.0]}, DELAY)

    names = [each.name for each in make_report(evidence_of(results, DELAY)).matrix.columns]

    assert "answer:latency" not in names
    assert {"delay", "delay:p95"} <= set(names)


def test_throughput_is_tokens_over_time_and_not_a_mean_of_rates() -> None:
    results = [
        scored("old", case, 1, answer=answer(latency_ms=delay)) for case, delay in enumerate([100.0, 200.0, 900.0])
    ]

    found = column(make_report(evidence_of(results, models=["old"])), "answer:throughput")

    assert found.cells[0].value == pytest.approx(60 / 1.2)


def test_a_model_that_answered_nothing_has_empty_cells_and_no_rank() -> None:
    results = [*(scored("old", case, 1) for case in range(5)), *(failed("new", case) for case in range(5))]

    report = make_report(evidence_of(results, RIGHT))

    cell = column(report, "right").cells[1]
    assert (cell.model, cell.value, cell.rank, cell.letters) == ("new", None, None, "")
    assert [each.model for each in report.matrix.pareto] == ["old"]
