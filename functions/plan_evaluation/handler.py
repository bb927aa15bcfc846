"""Reads the datasets of a suite, samples them, forecasts the cost, and writes the batches of a run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.evaluation_files import RunFiles, read_objects
from hallmark.aws.evaluation_runs import DynamoRuns
from hallmark.evaluation.planning import PlanRequest, plan_run, round_lines
from hallmark.evaluation.plans import Job, JobKind
from hallmark.evaluation.suites import EvaluationPolicy
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class PlanningSettings(Settings):
    """What the function is told by its deployment."""

    evaluation_table_name: str
    evaluation_bucket_name: str
    account_id: str
    aws_region: str


@cache
def settings() -> PlanningSettings:
    """Read the settings once per execution environment."""
    return PlanningSettings.from_environment()


@cache
def policy() -> EvaluationPolicy:
    """Read the policy once per execution environment; its datasets lie in this account and Region."""
    text = read_policy_section("evaluation").replace("{account}", settings().account_id)
    return EvaluationPolicy.model_validate_json(text.replace("{region}", settings().aws_region))


def _write_jobs(files: RunFiles, name: str, jobs: Sequence[Job]) -> str:
    return files.write_jobs(name, [job.number for job in jobs]) if jobs else ""


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Plan a run; a repeat writes the same plan again."""
    request = PlanRequest.model_validate(event)
    runs = DynamoRuns(settings().evaluation_table_name, client("dynamodb"))
    runs.begin(request.run, request.suite, request.trigger, request.execution, request.started_at)
    last = runs.last(request.suite)
    planned = plan_run(
        request,
        policy(),
        read=partial(read_objects, client("s3")),
        output_tokens=last.output_tokens,
        spreads=last.spreads,
    )
    plan, files = planned.plan, RunFiles(settings().evaluation_bucket_name, client("s3"), request.suite, request.run)
    files.write_plan(plan)
    files.write_data(planned.data)
    for batch in planned.batches:
        files.write_batch(batch)
    if planned.anchors:
        files.write_anchors(planned.anchors)
    keys = [files.write_round(number, lines) for number, lines in enumerate(round_lines(plan))]
    runs.plan(plan)
    logger.info("run planned", run=plan.run, suite=plan.suite, calls=plan.forecast.calls, rounds=len(keys))
    return {
        "run": plan.run,
        "suite": plan.suite,
        "rounds": keys,
        "jobs": _write_jobs(files, "jobs", [job for job in plan.jobs if job.kind is not JobKind.SCORING]),
        "scoring": _write_jobs(files, "scoring", [job for job in plan.jobs if job.kind is JobKind.SCORING]),
        "parallelExecutions": plan.settings.parallel_executions,
        "judged": plan.settings.judge is not None,
        "forecast": plan.forecast.model_dump(),
    }
