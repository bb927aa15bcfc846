"""Tells PagerDuty what changed in production: it pages nobody, and stands beside the incidents that may come of it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from hallmark.alerts.channels.changes import change_of
from hallmark.alerts.channels.posting import post_change, read_target
from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.http_posts import HttpPosts
from hallmark.aws.secrets import Secrets
from hallmark.errors import InvalidInputError
from hallmark.events.envelope import read_event_text
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings


class ChangeSettings(Settings):
    """What the function is told by its deployment."""

    routing_key_secrets: str
    """Names of the secrets, as JSON."""
    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> ChangeSettings:
    """Read the settings once per execution environment."""
    return ChangeSettings.from_environment()


@cache
def secrets() -> Secrets:
    """Build what reads secrets once per execution environment."""
    return Secrets(client("secretsmanager"))


@cache
def poster() -> HttpPosts:
    """Build the client once per execution environment."""
    return HttpPosts()


def announce(body: str) -> None:
    """Tell every PagerDuty service of the policy of one event; a repeat is shown twice there, and calls nobody."""
    event = read_event_text(body)
    if not isinstance(event, dict):
        raise InvalidInputError("the message", event, "send the event as EventBridge delivers it")
    change = change_of(event)
    for name in json.loads(settings().routing_key_secrets):
        post_change(poster(), read_target("pagerduty", name, secrets().read(name)), change)
    logger.info("change announced", source=change.source)


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "announce_change").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Announce each change of a batch."""
    outcome = work_off(event["Records"], announce, refuse, maximum_receives=settings().maximum_receives)
    metrics.add_metric(name="ChangesAnnounced", unit=MetricUnit.Count, value=len(outcome.results))
    metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
    return outcome.response
