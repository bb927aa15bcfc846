"""Records that a run was stopped from outside of its workflow, or goes on after that."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.evaluation_runs import DynamoRuns
from hallmark.aws.eventbridge import EventPublisher
from hallmark.errors import InvalidInputError
from hallmark.evaluation.executions import ExecutionChange, change_of
from hallmark.evaluation.runs import RunStatus
from hallmark.events.envelope import read_event_text
from hallmark.events.published import EVALUATION_FAILED, EvaluationFailed
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings


class FollowingSettings(Settings):
    """What the function is told by its deployment."""

    evaluation_table_name: str
    event_bus_name: str
    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> FollowingSettings:
    """Read the settings once per execution environment."""
    return FollowingSettings.from_environment()


def follow(body: str) -> bool:
    """Record what one event says; tell whether it changed how a run stands."""
    event = read_event_text(body)
    if not isinstance(event, dict):
        raise InvalidInputError("the message", event, "send the event as EventBridge delivers it")
    change = change_of(event)
    if change is None:
        return False
    runs = DynamoRuns(settings().evaluation_table_name, client("dynamodb"))
    changed = runs.resume(change.run, change.at) if change.status is RunStatus.RUNNING else _end(runs, change)
    logger.info("execution followed", run=change.run, status=change.status, changed=changed)
    return changed


def _end(runs: DynamoRuns, change: ExecutionChange) -> bool:
    runs.begin(change.run, change.suite, change.trigger, change.execution, change.started_at)
    if not runs.interrupt(change.run, change.status, change.at, change.reason):
        return False
    told = EvaluationFailed(run=change.run, suite=change.suite, failed_at=change.at, reason=change.reason)
    EventPublisher(client("events")).publish([told.to_entry(settings().event_bus_name, EVALUATION_FAILED)])
    return True


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "follow_execution").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle each message of a batch."""
    outcome = work_off(event["Records"], follow, refuse, maximum_receives=settings().maximum_receives)
    metrics.add_metric(name="RunsFollowed", unit=MetricUnit.Count, value=sum(outcome.results))
    metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
    return outcome.response
