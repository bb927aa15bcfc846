"""Turns what a job of AWS left into results of cases, accounts for it, and cleans it away."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.evaluation_files import ANSWERS, RunFiles
from hallmark.aws.job_records import JobRecords
from hallmark.aws.managed_jobs import JobState, clean_up_job, look_at_job
from hallmark.errors import HallmarkError, NotFoundError
from hallmark.evaluation.jobs.collecting import (
    DEPLOYED,
    Collected,
    JobEnd,
    collect,
    output_suffix,
    progress_of,
    unscored,
)
from hallmark.evaluation.jobs.orders import CollectingOrder
from hallmark.evaluation.plans import JobKind, Plan
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import policy_folder
from hallmark.runtime.settings import Settings


class JobRunningError(HallmarkError):
    """The job has not ended yet: its output came before its status."""


class CollectingSettings(Settings):
    """What the function is told by its deployment."""

    evaluation_table_name: str
    evaluation_bucket_name: str


@cache
def settings() -> CollectingSettings:
    """Read the settings once per execution environment."""
    return CollectingSettings.from_environment()


def state_of(kind: JobKind, order: CollectingOrder) -> JobState:
    """Return where a job stands; one that was collected and cleaned away before has ended."""
    if order.arn is None:
        return JobState("Failed", order.failure)
    try:
        return look_at_job(kind, order.arn)
    except NotFoundError:
        return JobState("Deleting", "")


def missing_scores(files: RunFiles, plan: Plan, end: JobEnd, collected: Collected) -> Collected:
    """Return the results of which a scoring job said nothing, with failed scores."""
    wanted = {(model, number) for model in plan.asked for number in range(plan.batches)} - collected.keys()
    return {place: unscored(plan, files.find_results(*place) or (), end) for place in sorted(wanted)}


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Collect a job; a repeat writes the same again and accounts for nothing twice."""
    order = CollectingOrder.model_validate(event)
    files = RunFiles(settings().evaluation_bucket_name, client("s3"), order.suite, order.run)
    plan = files.read_plan()
    job = plan.jobs[order.job]
    name = job.name(plan.run)
    state = state_of(job.kind, order)
    if not state.has_ended:
        raise JobRunningError(f"{name} is {state.status}: collect it when it has ended")
    batches = {number: files.read_batch(number) for number in job.batches}
    outputs = dict(files.read_job_output(name, output_suffix(job.kind)))
    end = JobEnd(state.status, state.reason, state.ended_at or datetime.now(UTC))
    collected = collect(plan, job, batches, outputs, end, policy_folder() / "rubrics")
    stage = ANSWERS
    if job.kind is JobKind.SCORING:
        stage = "results"
        collected = {**missing_scores(files, plan, end, collected), **collected}
    if job.kind is JobKind.DEPLOYMENT and order.arn is not None and state.status == DEPLOYED:
        files.write_deployment(job.model, order.arn)
    for (model, number), results in collected.items():
        files.write_results(model, number, results, stage)
    progress = progress_of(collected)
    if job.kind in {JobKind.EVALUATION, JobKind.BATCH_INFERENCE}:
        JobRecords(settings().evaluation_table_name, client("dynamodb")).account(name, plan.run, progress)
    if order.arn is not None:
        clean_up_job(job.kind, order.arn)
    metrics.add_metric(name="JobsCollected", unit=MetricUnit.Count, value=1)
    logger.info("job collected", run=plan.run, job=name, status=state.status, reason=state.reason)
    return {"job": order.job, "status": state.status, "answered": progress.answered, "failed": progress.failed}
