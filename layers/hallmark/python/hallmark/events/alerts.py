"""What alerts publish: an alert's life as others may follow it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from hallmark.events.published import Published
from hallmark.events.records import RecordedEvent

ALERT_FIRED = "AlertFired"
ALERT_RESOLVED = "AlertResolved"
ALERT_ACKNOWLEDGED = "AlertAcknowledged"
ALERT_ESCALATED = "AlertEscalated"
DELIVERY_FAILED = "AlertDeliveryFailed"

Severity = Literal["info", "warning", "error", "critical"]


class AlertTold(RecordedEvent):
    """An alert fired, was resolved or was acknowledged."""

    alert: str
    """Id of the alert's node: ``hallmark:alert/<fingerprint>@<start>``."""
    fingerprint: str
    name: str
    severity: Severity
    labels: dict[str, str]
    summary: str
    starts_at: datetime
    told_at: datetime
    by: str = ""


class AlertEscalated(Published):
    """Nobody acknowledged a notification in time; the next tier was told."""

    group: str
    from_tier: str
    to_tier: str
    alerts: list[str]
    escalated_at: datetime


class DeliveryFailed(Published):
    """A channel did not take a notification; it is retried, then kept as a dead letter."""

    channel: str
    group: str
    attempts: int
    reason: str
    failed_at: datetime
