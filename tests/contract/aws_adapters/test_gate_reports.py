"""Which run of a suite a gate judges by, and what it reads in its report."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from hallmark.aws.evaluation_runs import DynamoRuns
from hallmark.aws.gate_models import SageMakerModels
from hallmark.aws.gate_reports import EvaluationReports
from hallmark.evaluation.comparison.evidence import EvaluatedModel, MeasuredMetric
from hallmark.evaluation.comparison.report import (
    Cell,
    Column,
    Comparison,
    Coverage,
    Estimate,
    Fairness,
    GroupLeftOut,
    Matrix,
    Report,
    Slice,
    Span,
    write_report,
)
from hallmark.evaluation.metrics import Metric, MetricKind
from hallmark.evaluation.runs import Run, RunStatus, Trigger
from hallmark.evaluation.suites import ComparisonSettings, Template
from hallmark.gates.ports import Subject
from hallmark.gates.uncertainty import Counts, Reported

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/wine/3"
SUBJECT = Subject(model=PACKAGE, name="wine:3", package=PACKAGE, model_id="a.new")
WILSON = Span(low=0.7, high=0.95, confidence=0.95, method="Wilson")


def estimate(model: str, value: float, cases: int, group: str | None = None) -> Estimate:
    part = None if group is None else Slice(dimension="group", value=group)
    return Estimate(model=model, metric="right", part=part, value=value, span=WILSON, cases=cases, attempts=cases)


def report(*names: tuple[str, str]) -> Report:
    candidate = names[-1][0]
    latency = Cell(model=candidate, value=420.0, span=Span(low=400, high=460, confidence=0.95, method="order"))
    return Report(
        suite="s",
        run="s-1",
        template=Template.CHAMPION_CHALLENGER,
        champion=names[0][0],
        primary="right",
        settings=ComparisonSettings(),
        started_at=AT,
        completed_at=AT,
        cost_usd=0,
        budget_usd=None,
        stopped=None,
        headline="",
        models=tuple(EvaluatedModel(name=name, model_id=model_id) for name, model_id in names),
        metrics=(
            MeasuredMetric(metric=Metric(name="right", title="Right", kind=MetricKind.BINARY), signature="right|v1"),
        ),
        data=(),
        coverage=tuple(
            Coverage(model=name, planned=60, answered=50, failures={}, not_asked=10, share=50 / 60) for name, _ in names
        ),
        estimates=tuple(
            each
            for name, _ in names
            for each in (
                estimate(name, 0.9, 50),
                estimate(name, 0.8, 20, "a"),
                estimate(name, 1.0, 25, "b"),
                estimate(name, 1.0, 5, "c"),
            )
        ),
        fairness=(
            Fairness(
                model=candidate,
                metric="right",
                gaps=(),
                left_out=(GroupLeftOut(group="c", cases=5, reason="fewer than 10 cases"),),
                method="",
            ),
        ),
        comparisons=(
            Comparison(
                metric="right",
                candidate=candidate,
                baseline=names[0][0],
                is_primary=True,
                cases=50,
                baseline_value=0.92,
                difference=-0.02,
                span=Span(low=-0.06, high=0.02, confidence=0.95, method="Tango"),
            ),
        ),
        matrix=Matrix(
            columns=(
                Column(
                    name="answer:latency:p95", title="p95", dimension="technical", kind="measured", cells=(latency,)
                ),
            ),
            pareto_columns=(),
            pareto=(),
        ),
        judges=(),
        cases=(),
        notes=(),
    )


BOTH = report(("old", "a.old"), ("candidate", "a.new"))


class Runs:
    """Runs, the newest first."""

    def __init__(self, *runs: Run) -> None:
        self._runs = runs

    def latest(self, limit: int, suite: str | None = None) -> Iterator[Run]:
        return islice((run for run in self._runs if run.suite == suite), limit)


class Files:
    """Reports in S3, by run."""

    def __init__(self, **reports: Report) -> None:
        self._reports = reports

    def get_object(self, **request: Any) -> dict[str, Any]:
        found = self._reports.get(request["Key"].split("/")[0])
        if found is None:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": io.BytesIO(write_report(found))}


def run(name: str, *, source: str = "", status: RunStatus = RunStatus.COMPLETED, kind: str = "manual") -> Run:
    trigger = Trigger.model_validate({"kind": kind, "source": source})
    return Run(
        run=name,
        suite="s",
        status=status,
        trigger=trigger,
        started_at=AT - timedelta(hours=1),
        execution=f"arn:{name}",
        report=f"s3://reports/{name}/" if status is RunStatus.COMPLETED else None,
        reason="no money" if status is RunStatus.FAILED else None,
    )


def reports(runs: Runs, **stored: Report) -> EvaluationReports:
    return EvaluationReports(cast("DynamoRuns", runs), Files(**stored), cast("SageMakerModels", None))


def test_the_newest_run_for_the_sake_of_the_package_counts() -> None:
    runs = Runs(run("x", source="other"), run("mine", source=PACKAGE, kind="gate"), run("older", source=PACKAGE))

    found = reports(runs, x=report(("old", "a.old"), ("n", "b")), mine=BOTH, older=BOTH).of_suite("s", SUBJECT)

    assert found.source is not None
    assert (found.source.node, found.source.uri) == ("arn:mine", "s3://reports/mine/")


def test_a_run_that_has_the_model_among_its_variants_counts() -> None:
    subject = SUBJECT._replace(model="a.old", package="", model_id="a.old")

    found = reports(Runs(run("scheduled")), scheduled=BOTH).of_suite("s", subject)

    assert found.source is not None
    assert found.source.against[0].champion == ""


def test_a_run_without_the_model_does_not_count() -> None:
    found = reports(Runs(run("x")), x=report(("old", "a.old"), ("n", "b"))).of_suite("s", SUBJECT)

    assert found.source is None
    assert "no completed run" in found.reason


@pytest.mark.parametrize(
    ("status", "is_running", "has_failed"),
    [(RunStatus.PLANNING, True, False), (RunStatus.RUNNING, True, False), (RunStatus.FAILED, False, True)],
)
def test_how_a_run_stands_is_told(status: RunStatus, is_running: bool, has_failed: bool) -> None:
    found = reports(Runs(run("x", source=PACKAGE, status=status))).of_suite("s", SUBJECT)

    assert (found.source, found.is_running, found.has_failed) == (None, is_running, has_failed)
    assert ("no money" in found.reason) is has_failed


def test_a_model_that_names_nothing_to_ask_says_so() -> None:
    found = reports(Runs()).of_suite("s", SUBJECT._replace(model_id=""))

    assert "hallmark:model-id" in found.reason


def test_a_report_says_rates_groups_latency_coverage_and_the_difference_from_the_champion() -> None:
    source = reports(Runs(run("x", source=PACKAGE)), x=BOTH).of_suite("s", SUBJECT).source
    assert source is not None

    right, latency = source.find("right"), source.find("latency")

    assert right is not None
    assert latency is not None
    assert right.measured == Counts(successes=45, cases=50)
    assert right.groups == {"a": Counts(successes=16, cases=20), "b": Counts(successes=25, cases=25)}
    assert right.silent_groups == {"c": "fewer than 10 cases"}
    assert latency.percentiles["p95"] == Reported(value=420, low=400, high=460, confidence=0.95, cases=50)
    assert source.coverage is not None
    assert (source.coverage.answered, source.coverage.planned) == (50, 60)
    against = source.against[0]
    assert (against.champion, against.champion_value) == ("old", 0.92)
    assert against.difference == Reported(value=-0.02, low=-0.06, high=0.02, confidence=0.95, cases=50)
