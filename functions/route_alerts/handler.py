"""Keeps what events say of conditions, and opens the groups in which people are told."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.alerts.conditions import Observation
from hallmark.alerts.engine import Engine
from hallmark.alerts.rules import observe_event
from hallmark.alerts.settings import AlertsPolicy
from hallmark.aws.alerting import AlertingSettings, make_engine
from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.errors import HallmarkError, InvalidInputError
from hallmark.events.envelope import read_event_text
from hallmark.runtime.batches import Outcome, work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section


class RoutingSettings(AlertingSettings):
    """What the function is told by its deployment."""

    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> RoutingSettings:
    """Read the settings once per execution environment."""
    return RoutingSettings.from_environment()


@cache
def engine() -> Engine:
    """Build the engine once per execution environment."""
    return make_engine(settings(), AlertsPolicy.model_validate_json(read_policy_section("alerts")))


def observe(body: str) -> list[Observation]:
    """Read what one event says."""
    event = read_event_text(body)
    if not isinstance(event, dict):
        raise InvalidInputError("the message", event, "send the event as EventBridge delivers it")
    return observe_event(event, engine().policy)


def receive(body: str) -> int:
    """Keep what one event says."""
    return engine().receive(observe(body), datetime.now(UTC))


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "route_alerts").send(body, error)


def receive_together(records: list[dict[str, Any]]) -> Outcome[int]:
    """Keep what a batch says, each condition written once; one by one where that does not go."""
    try:
        observed = [seen for record in records for seen in observe(record["body"])]
        return Outcome([engine().receive(observed, datetime.now(UTC))], 0, [])
    except HallmarkError as error:
        logger.info("batch is taken one by one", reason=str(error))
        return work_off(records, receive, refuse, maximum_receives=settings().maximum_receives)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle a batch of events."""
    outcome = receive_together(event["Records"])
    metrics.add_metric(name="ConditionsObserved", unit=MetricUnit.Count, value=sum(outcome.results))
    metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
    return outcome.response
