"""Leaves word who waits for a job of AWS; looks whether it has ended, and stops it when the run's time is over."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.evaluation_files import RunFiles
from hallmark.aws.job_records import JobRecords
from hallmark.aws.managed_jobs import look_at_job, stop_job
from hallmark.aws.workflows import tell_task
from hallmark.evaluation.jobs.orders import WaitingOrder
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.settings import Settings


class AwaitingSettings(Settings):
    """What the function is told by its deployment."""

    evaluation_table_name: str
    evaluation_bucket_name: str


@cache
def settings() -> AwaitingSettings:
    """Read the settings once per execution environment."""
    return AwaitingSettings.from_environment()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> None:
    """Wait for a job: an event wakes the workflow, or the next look at it does."""
    order = WaitingOrder.model_validate(event)
    JobRecords(settings().evaluation_table_name, client("dynamodb")).wait(order.name, order.token)
    # Looked at after the token is kept: an end between the two is seen by this look, or by the event.
    state = look_at_job(order.kind, order.arn)
    if state.has_ended:
        tell_task(client("stepfunctions"), order.token, {"status": state.status})
        return
    files = RunFiles(settings().evaluation_bucket_name, client("s3"), order.suite, order.run)
    if datetime.now(UTC) >= files.read_plan().deadline:
        stop_job(order.kind, order.arn)
        logger.warning("job stopped: the run's time is over", run=order.run, job=order.name)
