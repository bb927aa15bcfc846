"""Looks at groups that are due: tells their receivers what they do not know, and the next tier what nobody took."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.alerts.engine import Engine
from hallmark.alerts.settings import AlertsPolicy
from hallmark.aws.alerting import AlertingSettings, make_engine
from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.errors import InvalidInputError
from hallmark.events.envelope import read_event_text
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section

SWEPT = 500
"""Groups that one sweep wakes, the longest overdue first; the next one comes a minute later."""


class TickSettings(AlertingSettings):
    """What the function is told by its deployment."""

    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> TickSettings:
    """Read the settings once per execution environment."""
    return TickSettings.from_environment()


@cache
def engine() -> Engine:
    """Build the engine once per execution environment."""
    return make_engine(settings(), AlertsPolicy.model_validate_json(read_policy_section("alerts")))


def look(body: str) -> int:
    """Look at one group, or wake the looks at all that are due; return how many notifications were sent."""
    now, message = datetime.now(UTC), read_event_text(body)
    if not isinstance(message, dict):
        raise InvalidInputError("the message", message, 'send {"group": ID}, or {} to look for what is due')
    if "group" in message:
        return engine().look(str(message["group"]), now)
    due = engine().store.due_groups(now, SWEPT)
    for group in due:
        engine().clock.wake(group, now)
    logger.info("swept", due=len(due))
    return 0


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "tick_alerts").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle each message of a batch."""
    outcome = work_off(event["Records"], look, refuse, maximum_receives=settings().maximum_receives)
    metrics.add_metric(name="NotificationsSent", unit=MetricUnit.Count, value=sum(outcome.results))
    metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
    return outcome.response
