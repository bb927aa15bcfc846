"""Publishes ``LineageRecorded`` on the hallmark bus for each new fact of the table's stream."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.dynamodb import recorded_fact
from hallmark.aws.eventbridge import EventPublisher
from hallmark.errors import UnavailableError
from hallmark.events.published import LINEAGE_RECORDED, LineageRecorded
from hallmark.lineage.model import RecordedFact
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings


class AnnouncementSettings(Settings):
    """What the function is told by its deployment."""

    event_bus_name: str
    dead_letter_queue_url: str


@cache
def settings() -> AnnouncementSettings:
    """Read the settings once per execution environment."""
    return AnnouncementSettings.from_environment()


def announcement(recorded: RecordedFact) -> LineageRecorded:
    """Return what is told of a fact."""
    fact, subject = recorded.fact, recorded.fact.states[0]
    return LineageRecorded(
        fact_id=fact.id,
        node=fact.subject.key,
        kind=fact.subject.kind.value,
        arn=str(subject.attributes.get("arn") or fact.subject.id),
        status=subject.status,
        origin=fact.origin.value,
        recorded_at=recorded.recorded_at,
        occurred_at=subject.at,
        approval_status=subject.attributes.get("approval_status"),
        stage=subject.attributes.get("stage"),
        edges=len(fact.edges),
    )


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Publish a batch; a record that is no fact is kept as a dead letter and does not hold up those behind it."""
    entries = []
    for record in event["Records"]:
        try:
            recorded = recorded_fact(record["dynamodb"]["NewImage"])
        except (KeyError, ValueError) as error:
            DeadLetters(settings().dead_letter_queue_url, client("sqs"), "announce_lineage").send(
                json.dumps(record, default=str), error
            )
        else:
            entries.append(announcement(recorded).to_entry(settings().event_bus_name, LINEAGE_RECORDED))
    try:
        EventPublisher(client("events")).publish(entries)
    except UnavailableError as error:
        logger.warning("the batch will come again", reason=str(error))
        return {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["dynamodb"]["SequenceNumber"]}]}
    metrics.add_metric(name="FactsAnnounced", unit=MetricUnit.Count, value=len(entries))
    return {"batchItemFailures": []}
