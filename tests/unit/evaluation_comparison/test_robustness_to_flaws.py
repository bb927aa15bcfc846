"""What flaws in prompts take from models."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy import stats

from hallmark.evaluation.comparison.making import make_report
from hallmark.evaluation.comparison.report import Report, RobustnessFinding
from hallmark.evaluation.metrics import Direction, Metric
from hallmark.evaluation.reports.markdown import write_markdown
from hallmark.evaluation.reports.page import write_page
from hallmark.evaluation.results import CaseResult
from hallmark.statistics.verdicts import Finding
from tests.fakes.evaluated_cases import QUALITY, evidence_of, failed, scored, scores_of

HARM = Metric(name="quality", title="Harm", direction=Direction.LOWER)
KINDS = ("typos", "upper_case")


def copies_of(model: str, values: list[list[float]], kinds: tuple[str, ...] = KINDS) -> list[CaseResult]:
    """Return a copy of each kind for each case."""
    return [
        scored(model, f"case-{case:04d}~{kind}~1", value, QUALITY, copy_of=f"case-{case:04d}", perturbation=kind)
        for case, of_case in enumerate(values)
        for kind, value in zip(kinds, of_case, strict=True)
    ]


def finding(report: Report, model: str, perturbation: str | None = None) -> RobustnessFinding:
    (found,) = (each for each in report.robustness if (each.model, each.perturbation) == (model, perturbation))
    return found


def report_of(originals: dict[str, list[float]], copies: list[CaseResult], metric: Metric = QUALITY) -> Report:
    results = scores_of(originals, metric)
    return make_report(evidence_of(results, metric, copies=tuple(copies)))


def test_a_model_that_breaks_under_flaws_is_found_and_one_that_does_not_mind_them_is_not() -> None:
    source = np.random.default_rng(4)
    values = {name: source.uniform(0.6, 0.9, 40).tolist() for name in ("old", "new")}
    steady = [[value, value] for value in values["old"]]
    frail = [[value - 0.3, value - 0.1] for value in values["new"]]

    report = report_of(values, [*copies_of("old", steady), *copies_of("new", frail)])

    assert (finding(report, "old").loss, finding(report, "old").is_shown) == (0, False)
    assert finding(report, "new").loss == pytest.approx(0.2)
    assert finding(report, "new").is_shown
    assert finding(report, "new", "typos").loss == pytest.approx(0.3)
    (compared,) = report.robustness_comparisons
    assert compared.difference == pytest.approx(0.2)
    assert compared.finding is Finding.WORSE


def test_cases_and_not_copies_are_what_the_interval_is_made_of() -> None:
    source = np.random.default_rng(7)
    value = source.uniform(0.4, 0.9, 25)
    flawed = value[:, None] - np.abs(source.normal(0.05, 0.1, (25, 2)))
    flawed = np.clip(flawed, 0, 1)

    report = report_of(
        {"old": value.tolist(), "new": value.tolist()},
        [*copies_of("old", flawed.tolist()), *copies_of("new", flawed.tolist())],
    )

    losses = value - flawed.mean(axis=1)
    low, high = stats.t.interval(0.95, 24, losses.mean(), stats.sem(losses))
    found = finding(report, "old")
    assert (found.cases, found.copies) == (25, 50)
    assert found.loss == pytest.approx(losses.mean())
    assert found.span is not None
    assert (found.span.low, found.span.high) == pytest.approx((low, high))
    assert report.robustness_comparisons[0].finding is Finding.CANNOT_TELL


def test_where_less_is_better_a_rise_is_the_loss() -> None:
    values = {"old": [0.1] * 12, "new": [0.1] * 12}

    report = report_of(values, copies_of("old", [[0.4, 0.2]] * 12), HARM)

    assert finding(report, "old").loss == pytest.approx(0.2)
    assert finding(report, "old").is_shown


def test_copies_count_in_robustness_alone() -> None:
    values = {"old": [1.0] * 10, "new": [0.5] * 10}
    without = make_report(evidence_of(scores_of(values, QUALITY), QUALITY))

    report = report_of(values, [*copies_of("old", [[0.0, 0.0]] * 10), *copies_of("new", [[0.0, 0.0]] * 10)])

    assert (report.estimates, report.comparisons, report.coverage) == (
        without.estimates,
        without.comparisons,
        without.coverage,
    )
    assert without.robustness == ()


def test_a_copy_without_an_answer_or_whose_case_has_none_is_missing() -> None:
    copies = copies_of("old", [[0.5, 0.5]] * 6)
    copies[0] = failed("old", 0).model_copy(update={"copy_of": "case-0000", "perturbation": "typos"})
    results = [failed("old", 1), *(scored("old", case, 0.9, QUALITY) for case in (0, 2, 3, 4, 5))]

    report = make_report(evidence_of(results, QUALITY, models=["old"], copies=tuple(copies)))

    found = finding(report, "old")
    assert (found.cases, found.copies, found.missing) == (5, 9, 3)


def test_the_order_of_results_and_repeats_change_nothing() -> None:
    source = random.Random(2)  # noqa: S311
    values = {"old": [source.random() for _ in range(15)], "new": [source.random() for _ in range(15)]}
    copies = [*copies_of("old", [[0.2, 0.3]] * 15), *copies_of("new", [[0.1, 0.6]] * 15)]
    first = report_of(values, copies)

    source.shuffle(copies)

    assert report_of(values, [*copies, *copies[:7]]).robustness == first.robustness


def test_people_read_of_it() -> None:
    report = report_of({"old": [0.9] * 9, "new": [0.8] * 9}, copies_of("old", [[0.5, 0.4]] * 9))

    text = write_markdown(report)
    assert "Robustness" in text
    assert "| upper case |" in text
    assert "With flaws in the prompts" in write_page(report)
