"""Compares the models of a run, writes its report, and says so on the hallmark bus."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.evaluation_files import RunFiles
from hallmark.aws.evaluation_runs import DynamoRuns, LastRun
from hallmark.aws.eventbridge import EventPublisher
from hallmark.aws.managed_jobs import remove_deployments
from hallmark.evaluation.case_table import write_case_table
from hallmark.evaluation.judging import ANCHORS
from hallmark.evaluation.plans import Plan
from hallmark.evaluation.results import CaseResult
from hallmark.events.published import EVALUATION_COMPLETED
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import policy_folder
from hallmark.runtime.settings import Settings

_SHOWN_BATCHES = 20
"""Batches whose questions are read, to be shown beside answers."""


class CompletionSettings(Settings):
    """What the function is told by its deployment."""

    evaluation_table_name: str
    evaluation_bucket_name: str
    event_bus_name: str


@cache
def settings() -> CompletionSettings:
    """Read the settings once per execution environment."""
    return CompletionSettings.from_environment()


def anchors_before(plan: Plan, run: str | None) -> tuple[CaseResult, ...]:
    """Return what the judges said of the anchors in the run before; a repeated completion finds itself there."""
    if run is None or run == plan.run:
        return ()
    files = RunFiles(settings().evaluation_bucket_name, client("s3"), plan.suite, run)
    return files.find_results(ANCHORS, 0, "judged") or ()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Complete a run; a repeat writes the same again."""
    from hallmark.evaluation.completing import (  # noqa: PLC0415 - numpy comes with it, after the start
        anchors_of,
        complete,
        completed_event,
        coverage_of,
        estimates_of,
        output_tokens_of,
        spreads_of,
        status_of,
        verdict_of,
    )
    from hallmark.evaluation.reports.renderings import render_all  # noqa: PLC0415

    now = datetime.now(UTC)
    runs = DynamoRuns(settings().evaluation_table_name, client("dynamodb"))
    files = RunFiles(settings().evaluation_bucket_name, client("s3"), event["suite"], event["run"])
    plan = files.read_plan()
    asked = sum(plan.rounds[: int(event["rounds"])])
    results = tuple(files.all_results(plan.asked, range(asked)))
    shown = [files.read_batch(number) for number in range(min(asked, _SHOWN_BATCHES))]
    last = runs.last(plan.suite)
    anchors = anchors_of(
        plan,
        files.read_anchors(),
        files.find_results(ANCHORS, 0, "judged") or (),
        anchors_before(plan, last.run),
        last.run,
        policy_folder() / "rubrics",
    )
    report = complete(
        plan,
        results,
        shown,
        asked_batches=asked,
        completed_at=now,
        rubrics=policy_folder() / "rubrics",
        anchors=anchors,
        spent_usd=runs.find(plan.run).spent_usd,
    )
    files.write_table(write_case_table(results))
    for name, (content, content_type) in render_all(report).items():
        files.write_report(name, content, content_type)
    learned = LastRun(output_tokens_of(results), spreads_of(plan, report))
    runs.remember(plan.suite, plan.run, learned, json.dumps(estimates_of(report)))
    verdict = verdict_of(report)
    answered = sum(result.answer is not None for result in results)
    runs.end(
        plan.run,
        status_of(report),
        now,
        reason=report.stopped,
        report=files.uri,
        verdict=verdict,
        answered=answered,
        failed=len(results) - answered,
    )
    told = completed_event(plan, report, runs.find(plan.run).execution, files.uri)
    EventPublisher(client("events")).publish([told.to_entry(settings().event_bus_name, EVALUATION_COMPLETED)])
    remove_deployments(files)
    metrics.add_metric(name="EvaluationsCompleted", unit=MetricUnit.Count, value=1)
    logger.info("run completed", run=plan.run, suite=plan.suite, coverage=coverage_of(report), cost_usd=report.cost_usd)
    return {"run": plan.run, "report": files.uri, "coverage": coverage_of(report), "verdict": verdict}
