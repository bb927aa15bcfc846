"""Judges runs that were started to reproduce other ones, once lineage has them, and tells what they came to."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.aws.eventbridge import EventPublisher
from hallmark.errors import InvalidInputError
from hallmark.events.envelope import read_event_text
from hallmark.events.reproductions import REPRODUCTION_JUDGED, ReproductionJudged
from hallmark.lineage.reproduction.announcing import judge_recorded
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings


class JudgementSettings(Settings):
    """What the function is told by its deployment."""

    lineage_table_name: str
    event_bus_name: str
    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> JudgementSettings:
    """Read the settings once per execution environment."""
    return JudgementSettings.from_environment()


@cache
def table() -> DynamoLineageTable:
    """Build the table once per execution environment."""
    return DynamoLineageTable(settings().lineage_table_name, client("dynamodb"))


def judge(body: str) -> ReproductionJudged | None:
    """Judge the run that one ``LineageRecorded`` tells of, where it reproduces another one; a repeat says the same."""
    event = read_event_text(body)
    detail = event.get("detail") if isinstance(event, dict) else None
    if not isinstance(detail, dict):
        raise InvalidInputError("detail", detail, "send the event as EventBridge delivers it")
    judged = judge_recorded(detail, table())
    if judged is not None:
        EventPublisher(client("events")).publish([judged.to_entry(settings().event_bus_name, REPRODUCTION_JUDGED)])
        logger.info("reproduction judged", run=judged.run, outcome=judged.outcome, summary=judged.summary)
    return judged


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "judge_reproduction").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Judge each message of a batch."""
    outcome = work_off(event["Records"], judge, refuse, maximum_receives=settings().maximum_receives)
    found = sum(judged is not None for judged in outcome.results)
    metrics.add_metric(name="ReproductionsJudged", unit=MetricUnit.Count, value=found)
    metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
    return outcome.response
