"""Wakes the workflow that waits for a job of AWS, when an event says that something came of the job."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.job_records import JobRecords
from hallmark.aws.workflows import tell_task
from hallmark.errors import InvalidInputError
from hallmark.evaluation.jobs.events import job_of
from hallmark.events.envelope import read_event_text
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings


class WakingSettings(Settings):
    """What the function is told by its deployment."""

    evaluation_table_name: str
    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> WakingSettings:
    """Read the settings once per execution environment."""
    return WakingSettings.from_environment()


def wake(body: str) -> bool:
    """Wake who waits for the job of an event; tell whether somebody did."""
    event = read_event_text(body)
    if not isinstance(event, dict):
        raise InvalidInputError("the message", event, "send the event as EventBridge delivers it")
    job = job_of(event)
    token = JobRecords(settings().evaluation_table_name, client("dynamodb")).find_token(job) if job else None
    woken = token is not None and tell_task(client("stepfunctions"), token, {"job": job})
    logger.info("job heard of", job=job, woken=woken)
    return woken


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "wake_job").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle each message of a batch."""
    outcome = work_off(event["Records"], wake, refuse, maximum_receives=settings().maximum_receives)
    metrics.add_metric(name="JobsWoken", unit=MetricUnit.Count, value=sum(outcome.results))
    metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
    return outcome.response
