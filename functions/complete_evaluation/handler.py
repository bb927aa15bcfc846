"""Compares the models of a run, writes its report, and says so on the hallmark bus."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.evaluation_files import RunFiles
from hallmark.aws.evaluation_runs import DynamoRuns
from hallmark.aws.eventbridge import EventPublisher
from hallmark.evaluation.case_table import write_case_table
from hallmark.evaluation.completing import complete, completed_event, status_of, verdict_of
from hallmark.evaluation.reporting.markdown import render_markdown
from hallmark.evaluation.reporting.page import render_page
from hallmark.events.published import EVALUATION_COMPLETED
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings


class CompletionSettings(Settings):
    """What the function is told by its deployment."""

    evaluation_table_name: str
    evaluation_bucket_name: str
    event_bus_name: str


@cache
def settings() -> CompletionSettings:
    """Read the settings once per execution environment."""
    return CompletionSettings.from_environment()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Complete a run; a repeat writes the same again."""
    now = datetime.now(UTC)
    runs = DynamoRuns(settings().evaluation_table_name, client("dynamodb"))
    files = RunFiles(settings().evaluation_bucket_name, client("s3"), event["suite"], event["run"])
    plan = files.read_plan()
    asked = sum(plan.rounds[: int(event["rounds"])])
    results = tuple(files.all_results(plan.asked, range(asked)))
    report = complete(plan, results, asked_batches=asked, completed_at=now)
    files.write_table(write_case_table(results))
    files.write_report("report.json", report.model_dump_json().encode(), "application/json")
    files.write_report("report.md", render_markdown(report).encode(), "text/markdown; charset=utf-8")
    files.write_report("report.html", render_page(report).encode(), "text/html; charset=utf-8")
    tokens = {model.model: model.mean_output_tokens for model in report.models if model.mean_output_tokens is not None}
    told = completed_event(report, runs.find(plan.run).execution, files.uri)
    runs.remember(plan.suite, plan.run, tokens, json.dumps([model.metrics for model in told.models]))
    runs.end(plan.run, status_of(report), now, reason=report.stopped, report=files.uri, verdict=verdict_of(report))
    EventPublisher(client("events")).publish([told.to_entry(settings().event_bus_name, EVALUATION_COMPLETED)])
    metrics.add_metric(name="EvaluationsCompleted", unit=MetricUnit.Count, value=1)
    logger.info("run completed", run=plan.run, suite=plan.suite, coverage=report.coverage, cost_usd=report.cost_usd)
    return {"run": plan.run, "report": files.uri, "coverage": report.coverage, "verdict": verdict_of(report)}
