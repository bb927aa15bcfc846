"""Hands notifications to one kind of channel."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.alerts.channels.delivering import Delivery
from hallmark.alerts.channels.working import Worker
from hallmark.alerts.settings import AlertsPolicy
from hallmark.aws.channel_queues import ChannelQueue, SnsTopics
from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.delivery_table import DeliveryTable
from hallmark.aws.eventbridge import EventPublisher
from hallmark.aws.http_posts import HttpPosts
from hallmark.aws.mac_keys import MacKey
from hallmark.aws.secrets import Secrets
from hallmark.events.alerts import DELIVERY_FAILED, DeliveryFailed
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class DeliverySettings(Settings):
    """What the function is told by its deployment."""

    deliveries_table_name: str
    queue_url: str
    dead_letter_queue_url: str
    maximum_receives: int
    event_bus_name: str
    mac_key_id: str
    api_url: str
    topics: str = "{}"
    """ARN of each receiver's topic, as JSON."""


def tell(failed: DeliveryFailed) -> None:
    """Say on the bus that a channel failed."""
    bus = DeliverySettings.from_environment().event_bus_name
    EventPublisher(client("events")).publish([failed.to_entry(bus, DELIVERY_FAILED)])


@cache
def worker() -> Worker:
    """Build what delivers once per execution environment."""
    settings = DeliverySettings.from_environment()
    delivery = Delivery(
        receivers=AlertsPolicy.model_validate_json(read_policy_section("alerts")).receivers,
        topics=json.loads(settings.topics),
        deliveries=DeliveryTable(settings.deliveries_table_name, client("dynamodb")),
        secrets=Secrets(client("secretsmanager")),
        poster=HttpPosts(),
        publisher=SnsTopics(client("sns")),
        mac=MacKey(settings.mac_key_id, client("kms")),
        api_url=settings.api_url,
        pause=time.sleep,
        clock=lambda: datetime.now(UTC),
    )
    dead_letters = DeadLetters(settings.dead_letter_queue_url, client("sqs"), "deliver_notification")
    return Worker(
        delivery=delivery,
        queue=ChannelQueue(settings.queue_url, dead_letters, client("sqs")),
        tell=tell,
        note=logger.info,
        maximum_receives=settings.maximum_receives,
        clock=lambda: datetime.now(UTC),
    )


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Deliver each message; one that the channel does not take comes again, or goes to the dead letters."""
    left = worker().work_off(event["Records"])
    metrics.add_metric(name="NotificationsHandled", unit=MetricUnit.Count, value=len(event["Records"]) - len(left))
    metrics.add_metric(name="NotificationsPostponed", unit=MetricUnit.Count, value=len(left))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in left]}
