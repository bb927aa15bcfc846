"""Keeps the scores of people and of feedback, for the monitors that watch them."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.drift_memory import DynamoScores
from hallmark.drift.scores import scores_of
from hallmark.errors import InvalidInputError
from hallmark.events.envelope import read_event_text
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings


class ScoreSettings(Settings):
    """What the function is told by its deployment."""

    drift_table_name: str
    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> ScoreSettings:
    """Read the settings once per execution environment."""
    return ScoreSettings.from_environment()


def keep(body: str) -> int:
    """Keep what one event says; return how many scores are new."""
    event = read_event_text(body)
    if not isinstance(event, dict):
        raise InvalidInputError("the message", event, "send the event as EventBridge delivers it")
    table = DynamoScores(settings().drift_table_name, client("dynamodb"))
    return sum(table.add(score.subject, score.identifier, score.at, score.value) for score in scores_of(event))


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "keep_score").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle each message of a batch."""
    outcome = work_off(event["Records"], keep, refuse, maximum_receives=settings().maximum_receives)
    metrics.add_metric(name="ScoresKept", unit=MetricUnit.Count, value=sum(outcome.results))
    metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
    return outcome.response
