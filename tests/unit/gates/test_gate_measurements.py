from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from hallmark.aws.gate_measurements import measured_of, source_of_quality_report
from hallmark.errors import InvalidInputError
from hallmark.evaluation.comparison.report import Estimate, Span
from hallmark.gates.uncertainty import Counts, Reported, Spread
from hallmark.statistics.intervals import estimate_mean
from hallmark.statistics.rates import wilson

AT = datetime(2026, 5, 4, tzinfo=UTC)


def estimate(value: float, span: Span | None, cases: int, attempts: int | None = None) -> Estimate:
    return Estimate(model="m", metric="x", value=value, span=span, cases=cases, attempts=attempts or cases)


def test_a_plain_rate_is_taken_as_the_counts_that_it_is() -> None:
    found = wilson(37, 50)
    span = Span(low=found.low, high=found.high, confidence=0.95, method=found.method)

    assert measured_of(estimate(0.74, span, 50), is_rate=True) == Counts(successes=37, cases=50)


def test_a_rate_over_repeats_is_taken_as_it_was_reported() -> None:
    span = Span(low=0.6, high=0.85, confidence=0.95, method="Wilson on effective cases")

    assert isinstance(measured_of(estimate(0.74, span, 50, 150), is_rate=True), Reported)


def test_students_interval_gives_back_its_error_though_an_end_was_cut_off() -> None:
    values = np.linspace(0.7, 1.0, 20)
    found = estimate_mean(values)
    whole = Span(low=found.interval.low, high=found.interval.high, confidence=0.95, method="t")
    cut = whole.model_copy(update={"high": found.value + 0.001})

    for span in (whole, cut):
        sure = measured_of(estimate(found.value, span, 20), is_rate=False)
        assert isinstance(sure, Spread)
        assert sure.standard_error == pytest.approx(found.standard_error)
        assert sure.bounds(0.025).low == pytest.approx(found.interval.low)


@pytest.mark.parametrize("span", [None])
def test_a_value_without_an_interval_is_not_sure(span: Span | None) -> None:
    assert measured_of(estimate(0.9, span, 10), is_rate=True) is None


def report(**more: Any) -> dict[str, Any]:
    return {
        "dataset": {"item_count": 500},
        "multiclass_classification_metrics": {
            "accuracy": {"value": 0.9, "standard_deviation": "NaN"},
            "macro_f1": {"value": 0.88, "standard_deviation": 0.01},
            "weighted_recall": {"value": 0.9, "standard_deviation": "NaN"},
            "confusion_matrix": {"0": {"0": 200, "1": 50}, "1": {"0": 0, "1": 250}},
        },
        **more,
    }


def test_a_confusion_matrix_tells_how_many_of_each_class_were_right() -> None:
    source = source_of_quality_report(report(), uri="s3://b/k", completed_at=AT)

    accuracy = source.find("accuracy")
    assert accuracy is not None
    assert accuracy.measured == Counts(successes=450, cases=500)
    assert accuracy.groups == {"0": Counts(successes=200, cases=250), "1": Counts(successes=250, cases=250)}


def test_a_standard_deviation_of_draws_is_half_of_the_error() -> None:
    """SageMaker draws 80 % of the cases five times; a simulation of what it does finds the factor."""
    random = np.random.default_rng(3)
    means, deviations = [], []
    for _ in range(400):
        cases = random.random(500) < 0.9
        means.append(cases.mean())
        draws = [random.choice(cases, 400, replace=False).mean() for _ in range(5)]
        deviations.append(np.std(draws, ddof=1))
    assert np.std(means) / np.sqrt(np.mean(np.square(deviations))) == pytest.approx(2, rel=0.12)

    source = source_of_quality_report(report(), uri="s3://b/k", completed_at=AT)
    f1 = source.find("macro_f1")
    assert f1 is not None
    assert f1.measured == Spread(value=0.88, standard_error=0.02, degrees=4, cases=500)


def test_a_metric_without_a_deviation_has_a_value_and_nothing_more() -> None:
    source = source_of_quality_report(report(), uri="s3://b/k", completed_at=AT)

    recall = source.find("weighted_recall")
    assert recall is not None
    assert (recall.value, recall.measured) == (0.9, None)


def test_counts_by_group_count() -> None:
    counts = {
        "accuracy": {
            "successes": 9,
            "cases": 10,
            "groups": {"a": {"successes": 5, "cases": 5}, "b": {"successes": 4, "cases": 5}, "c": {"cases": 0}},
        }
    }
    source = source_of_quality_report(report(counts=counts), uri="s3://b/k", completed_at=AT)

    accuracy = source.find("accuracy")
    assert accuracy is not None
    assert accuracy.measured == Counts(successes=9, cases=10)
    assert accuracy.groups["b"] == Counts(successes=4, cases=5)
    assert accuracy.silent_groups == {"c": "it has no cases"}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"dataset": {"item_count": 5}},
        {"counts": []},
        {"counts": {"accuracy": {"successes": 6, "cases": 5}}},
        {"counts": {"accuracy": {"successes": -1, "cases": 5}}},
        {"counts": {"accuracy": {"successes": 0, "cases": 0}}},
        {"counts": {"accuracy": {"successes": 1, "cases": 5, "groups": 3}}},
    ],
)
def test_what_is_no_quality_report_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        source_of_quality_report(document, uri="s3://b/k", completed_at=AT)


def test_a_value_that_is_no_number_is_none() -> None:
    document = {"regression_metrics": {"rmse": {"value": math.nan, "standard_deviation": 1.0}}}
    source = source_of_quality_report(document, uri="s3://b/k", completed_at=AT)

    rmse = source.find("rmse")
    assert rmse is not None
    assert (rmse.value, rmse.measured) == (None, None)
