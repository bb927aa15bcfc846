"""Publishes ``LineageRecorded`` on the hallmark bus for each new fact of the table's stream."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.dynamodb import recorded_fact
from hallmark.aws.eventbridge import Entry, EventPublisher
from hallmark.errors import HallmarkError, InvalidInputError, UnavailableError
from hallmark.events.published import LINEAGE_RECORDED, LineageRecorded
from hallmark.lineage.model import RecordedFact
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings


class AnnouncementSettings(Settings):
    """What the function is told by its deployment."""

    event_bus_name: str
    dead_letter_queue_url: str


class NotAnnouncedError(HallmarkError):
    """EventBridge will never take what tells of a fact."""


TOLD = ("approval_status", "previous_approval_status", "stage", "updated_fields", "config", "pending_config")
"""Attributes of the subject that its announcement carries."""


@cache
def settings() -> AnnouncementSettings:
    """Read the settings once per execution environment."""
    return AnnouncementSettings.from_environment()


@cache
def dead_letters() -> DeadLetters:
    """Build the dead-letter queue once per execution environment."""
    return DeadLetters(settings().dead_letter_queue_url, client("sqs"), "announce_lineage")


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
        edges=len(fact.edges),
        **{name: subject.attributes[name] for name in TOLD if subject.attributes.get(name)},
    )


def entries_of(records: Sequence[Mapping[str, Any]]) -> tuple[dict[int, Entry], dict[int, Exception]]:
    """Return what is published of each record, by position, and why nothing can be published of the others."""
    entries: dict[int, Entry] = {}
    faulty: dict[int, Exception] = {}
    for position, record in enumerate(records):
        try:
            recorded = recorded_fact(record["dynamodb"]["NewImage"])
        except (KeyError, InvalidInputError) as error:
            faulty[position] = error
        else:
            entries[position] = announcement(recorded).to_entry(settings().event_bus_name, LINEAGE_RECORDED)
    return entries, faulty


def keep(records: Sequence[Mapping[str, Any]], faulty: Mapping[int, Exception], end: int) -> int:
    """Keep what stands before ``end`` and cannot be published as dead letters; return where the batch must go on."""
    for position in sorted(faulty):
        if position >= end:
            break
        try:
            dead_letters().send(json.dumps(records[position]), faulty[position])
        except UnavailableError as error:
            logger.error("dead letter not kept: the record comes again", reason=str(error))
            return position
    return end


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Publish a batch; what can never be published is kept as a dead letter and does not hold up what is behind it."""
    records = event["Records"]
    entries, faulty = entries_of(records)
    offer = EventPublisher(client("events")).offer(entries)
    faulty |= {position: NotAnnouncedError(reason) for position, reason in offer.refused.items()}
    end = keep(records, faulty, min(offer.left, default=len(records)))
    metrics.add_metric(
        name="FactsAnnounced", unit=MetricUnit.Count, value=len(entries) - len(offer.refused) - len(offer.left)
    )
    if end == len(records):
        return {"batchItemFailures": []}
    logger.warning("the batch will come again from here", position=end, reason=offer.left.get(end))
    return {"batchItemFailures": [{"itemIdentifier": records[end]["dynamodb"]["SequenceNumber"]}]}
