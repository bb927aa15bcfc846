"""Measures how much of the account lineage knows; tells the newest measurement to whoever asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.coverage_reports import CoverageReports
from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.aws.resource_listing import AwsResources
from hallmark.lineage.coverage.asking import CoverageQuestion, read_coverage_question
from hallmark.lineage.coverage.measuring import Record, measure
from hallmark.lineage.coverage.report import CoverageReport
from hallmark.lineage.listing import Allowance
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings

_RESERVE_MILLISECONDS = 30_000
"""Kept for what follows the measurement: inputs that match nothing, the report, metrics."""


class CoverageSettings(Settings):
    """What the function is told by its deployment."""

    lineage_table_name: str
    lineage_bucket_name: str
    coverage_required: str
    """Needs, with commas."""
    coverage_window_seconds: int
    known_sources: str = ""
    """Beginnings of names of data that never count as unmatched, a line each."""
    coverage_request_budget: int = 2_000
    """Requests to SageMaker and Bedrock in one measurement: pages of a hundred resources."""


@cache
def settings() -> CoverageSettings:
    """Read the settings once per execution environment."""
    return CoverageSettings.from_environment()


@cache
def table() -> DynamoLineageTable:
    """Build the table once per execution environment."""
    return DynamoLineageTable(settings().lineage_table_name, client("dynamodb"))


@cache
def reports() -> CoverageReports:
    """Build the reports once per execution environment."""
    return CoverageReports(settings().lineage_bucket_name, client("s3"))


def measured(question: CoverageQuestion, context: Any) -> CoverageReport:
    """Measure anew; the graph, and numpy with it, is loaded for that alone: most who ask want the newest report."""
    from hallmark.aws.graph_snapshots import GraphSnapshots  # noqa: PLC0415
    from hallmark.lineage.coverage.unmatched import find_unmatched, runs_of  # noqa: PLC0415
    from hallmark.lineage.graph import LineageGraph  # noqa: PLC0415

    now = datetime.now(UTC)
    since = question.since or now - timedelta(seconds=settings().coverage_window_seconds)
    required = tuple(settings().coverage_required.split(","))
    rows = GraphSnapshots(settings().lineage_bucket_name, client("s3")).load()
    rows.add(table().since(rows.watermark))
    graph = LineageGraph(rows)
    end = now + timedelta(seconds=question.seconds) if question.seconds else None
    allowance = Allowance(
        lambda: (
            context.get_remaining_time_in_millis() > _RESERVE_MILLISECONDS and (end is None or datetime.now(UTC) < end)
        ),
        describes=1,
        requests=settings().coverage_request_budget,
    )
    record = Record(table(), lambda kind, begun: runs_of(graph, kind, begun))
    kinds = measure(question.kinds, since, AwsResources(), record, allowance, required)
    unmatched = find_unmatched(graph, table(), since, settings().known_sources.split())
    return CoverageReport(
        measured_at=now,
        since=since,
        required=required,
        kinds=tuple(kinds),
        unmatched=unmatched.total,
        unmatched_inputs=tuple(unmatched.inputs),
    )


def tell(report: CoverageReport) -> None:
    """Keep a measurement of the schedule, and publish its numbers."""
    place = reports().keep(report)
    if report.percent is not None:
        metrics.add_metric(name="CoveragePercent", unit=MetricUnit.Percent, value=report.percent)
    metrics.add_metric(name="ResourcesIncomplete", unit=MetricUnit.Count, value=report.judged - report.complete)
    metrics.add_metric(name="InputsUnmatched", unit=MetricUnit.Count, value=report.unmatched)
    metrics.add_metric(name="KindsNotListed", unit=MetricUnit.Count, value=sum(not kind.whole for kind in report.kinds))
    logger.info("coverage measured", percent=report.percent, unmatched=report.unmatched, whole=report.whole, kept=place)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer with the newest measurement, or with a new one; that of the schedule is kept."""
    question = read_coverage_question(event)
    report = reports().latest() if question.ask == "latest" else None
    if report is None:
        report = measured(question, context)
        if question.keep:
            tell(report)
    metrics.add_metric(name="CoverageAsked", unit=MetricUnit.Count, value=int(not question.keep))
    answer: dict[str, Any] = report.model_dump(mode="json")
    return answer
