"""Writes what a job of AWS reads, and starts it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.evaluation_files import RunFiles
from hallmark.aws.managed_jobs import JobRefusedError, start_job
from hallmark.evaluation.jobs.orders import JobOrder
from hallmark.evaluation.jobs.preparing import JobSurroundings, prepare_job
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.policy_files import policy_folder
from hallmark.runtime.settings import Settings


class JobSettings(Settings):
    """What the function is told by its deployment."""

    evaluation_bucket_name: str
    jobs_role_arn: str
    processing_role_arn: str
    key_arn: str
    wheel_uri: str


@cache
def settings() -> JobSettings:
    """Read the settings once per execution environment."""
    return JobSettings.from_environment()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Start a job; a repeat finds the one that was started."""
    order = JobOrder.model_validate(event)
    told = settings()
    files = RunFiles(told.evaluation_bucket_name, client("s3"), order.suite, order.run)
    plan = files.read_plan()
    job = plan.jobs[order.job]
    name = job.name(plan.run)
    if datetime.now(UTC) >= plan.deadline:
        raise JobRefusedError(f"{name} was not started: the run's time is over")
    batches = {number: files.read_batch(number) for number in job.batches}
    surroundings = JobSurroundings(
        folder_uri=files.job_uri(name),
        run_uri=files.uri,
        role_arn=told.jobs_role_arn,
        processing_role_arn=told.processing_role_arn,
        key_arn=told.key_arn,
        wheel_uri=told.wheel_uri,
        rubrics=policy_folder() / "rubrics",
    )
    prepared = prepare_job(plan, job, batches, surroundings)
    for file, content in prepared.files.items():
        files.write_job_input(name, file, content)
    arn = start_job(job.kind, name, prepared.request)
    logger.info("job started", run=plan.run, job=name, arn=arn, batches=len(batches))
    return {"suite": order.suite, "run": order.run, "job": order.job, "kind": job.kind.value, "name": name, "arn": arn}
