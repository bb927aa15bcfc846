"""Takes lineage from other tools: over HTTP, from a queue, or in a call; the same again changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.foreign_lineage import KnownPlaces, ReportsOnBus
from hallmark.lineage.intake.naming import Names
from hallmark.lineage.intake.receiving import Intake, Received, answer_request, describe, read_document
from hallmark.lineage.intake.settings import ForeignLineagePolicy
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class IntakeSettings(Settings):
    """What the function is told by its deployment."""

    lineage_table_name: str
    event_bus_name: str
    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> IntakeSettings:
    """Read the settings once per execution environment."""
    return IntakeSettings.from_environment()


@cache
def intake() -> Intake:
    """Build the intake once per execution environment."""
    policy = ForeignLineagePolicy.model_validate_json(read_policy_section("lineage"))
    return Intake(
        names=Names(policy.aliases, keep_partitions=policy.intake.keep_partitions),
        bus=ReportsOnBus(settings().event_bus_name, client("events")),
        known=KnownPlaces(settings().lineage_table_name, client("dynamodb")),
        clock=lambda: datetime.now(UTC),
        sources=policy.intake.known_sources,
    )


def receive(document: Any, by: str | None = None) -> Received:
    """Take one request's events."""
    taken = intake().receive(document, by)
    metrics.add_metric(name="ForeignEventsReceived", unit=MetricUnit.Count, value=taken.events)
    metrics.add_metric(name="InputsUnmatched", unit=MetricUnit.Count, value=len(taken.unmatched))
    logger.info("lineage received", events=taken.events, nodes=len(taken.nodes), unmatched=taken.unmatched[:20])
    return taken


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "receive_lineage").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Take what comes: messages of a queue, a request of the HTTP API, or ``{"events": […], "by"?: …}``."""
    if "Records" in event:
        outcome = work_off(
            event["Records"],
            lambda body: receive(read_document(body)),
            refuse,
            maximum_receives=settings().maximum_receives,
        )
        return outcome.response
    if "requestContext" in event:
        return answer_request(event, receive)
    return describe(receive(event.get("events"), event.get("by")))
