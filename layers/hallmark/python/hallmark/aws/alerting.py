"""What the alert engine needs of AWS: queues that wake it, queues of channels, the bus, lineage."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hallmark.alerts.engine import Engine
from hallmark.alerts.notifications import CHANNEL_KINDS, ChannelKind, Notification
from hallmark.alerts.ports import Lineage
from hallmark.alerts.settings import AlertsPolicy
from hallmark.aws.alert_table import DynamoAlerts
from hallmark.aws.clients import client
from hallmark.aws.eventbridge import EventPublisher
from hallmark.aws.failures import calling
from hallmark.runtime.observability import logger
from hallmark.runtime.settings import Settings

_LONGEST_DELAY = timedelta(minutes=15)
"""SQS delays a message for so long at most (SQS API reference, SendMessage)."""
_MESSAGE_BYTES = 250_000
"""SQS takes 256 KiB at least (SQS API reference, SendMessage; queues of today take more)."""


class AlertingSettings(Settings):
    """What each function of alerts is told by its deployment."""

    alerts_table_name: str
    event_bus_name: str
    look_queue_url: str
    query_lineage_function_name: str = ""
    email_queue_url: str = ""
    slack_queue_url: str = ""
    amazon_q_queue_url: str = ""
    pagerduty_queue_url: str = ""

    def queue_url(self, kind: ChannelKind) -> str:
        """Return the queue of a channel; empty where the function sends nothing."""
        return str(getattr(self, f"{kind}_queue_url"))


class QueueClock:
    """Delayed messages, to the second; what is further away, or whose message got lost, is found by the sweep."""

    def __init__(self, queue_url: str, client: Any) -> None:
        self._queue_url = queue_url
        self._client = client

    def wake(self, group: str, at: datetime) -> None:
        """See to it that a group is looked at."""
        delay = at - datetime.now(UTC)
        if delay > _LONGEST_DELAY:
            return
        with calling("waking the look at a group"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=json.dumps({"group": group}),
                DelaySeconds=max(0, math.ceil(delay.total_seconds())),
            )


class ChannelQueues:
    """The queues of the channels; of what is too long for a message, fewer alerts are told, and the rest is counted."""

    def __init__(self, urls: Mapping[ChannelKind, str], client: Any) -> None:
        self._urls = urls
        self._client = client

    def send(self, notification: Notification) -> None:
        """Hand a notification to its channel."""
        with calling(f"handing a notification to {notification.channel}"):
            self._client.send_message(QueueUrl=self._urls[notification.channel], MessageBody=_fitting(notification))


def _fitting(notification: Notification) -> str:
    """Return a notification as JSON in one message, with as many of its alerts as there is room for."""
    told = notification
    while len((body := told.model_dump_json()).encode()) > _MESSAGE_BYTES and len(told.alerts) > 1:
        kept = told.alerts[: len(told.alerts) // 2]
        left_out = len(told.alerts) - len(kept)
        told = told.model_copy(update={"alerts": kept, "truncated": told.truncated + left_out})
    return body


def make_engine(settings: AlertingSettings, policy: AlertsPolicy) -> Engine:
    """Return the engine with AWS behind it."""
    return Engine(
        policy=policy,
        store=DynamoAlerts(settings.alerts_table_name, client("dynamodb")),
        clock=QueueClock(settings.look_queue_url, client("sqs")),
        outlet=ChannelQueues({kind: settings.queue_url(kind) for kind in CHANNEL_KINDS}, client("sqs")),
        announcer=EventPublisher(client("events")),
        bus_name=settings.event_bus_name,
        lineage=_lineage(settings.query_lineage_function_name),
        warn=logger.warning,
    )


def _lineage(function: str) -> Lineage | None:
    """Return lineage for the functions that ask it; the others need not load its answers."""
    if not function:
        return None
    from hallmark.aws.alert_context import AskedLineage  # noqa: PLC0415

    return AskedLineage(function, client("lambda"))
