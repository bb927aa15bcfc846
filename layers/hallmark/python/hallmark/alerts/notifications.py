"""What people are told: an alert, and the notification that carries the alerts of a group to one receiver.

Notifications reach a channel as JSON in the queue of its kind. A message may come more than once: ``id`` tells
a repeat.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from hallmark.errors import InvalidInputError
from hallmark.events.alerts import Severity

ChannelKind = Literal["email", "slack", "amazon_q", "pagerduty"]
CHANNEL_KINDS: tuple[ChannelKind, ...] = ("email", "slack", "amazon_q", "pagerduty")
Status = Literal["firing", "resolved"]

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error", "critical")
"""From the least to the most severe."""

SHOWN_ALERTS = 20
"""Alerts that a notification carries; ``truncated`` counts the rest."""


def is_at_least(severity: Severity, least: Severity) -> bool:
    """Tell whether a severity is as severe as another one, or more."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(least)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Reading(_Frozen):
    """One number that is not as it should be, with how sure it is."""

    metric: str
    """What was measured: ``accuracy``, ``latency_p95``, a feature's name …"""
    statistic: str = ""
    """By which statistic, where that is not the metric itself: ``jensen_shannon`` …"""
    value: float | None = None
    threshold: float | None = None
    comparison: str = ""
    """``at_least``, ``at_most``, ``not_worse_by`` …"""
    low: float | None = None
    high: float | None = None
    """Ends of the interval around ``value``."""
    confidence: float | None = None
    baseline: float | None = None
    """What it was before, or the champion's."""
    change_fraction: float | None = None
    """Of the baseline: -0.05 is five percent less."""
    cases: int | None = None
    unit: str = ""
    why: str = ""


class NamedNode(_Frozen):
    """A node of the lineage graph, as people know it."""

    node: str
    kind: str
    label: str


class UpstreamChange(_Frozen):
    """Something that changed upstream since all was well: a field of a node, or a node that was not there before."""

    what: str
    """In words: ``data train: sha256:1a2b… became sha256:3c4d…``."""
    node: str = ""
    at: AwareDatetime | None = None


class Link(_Frozen):
    """Where to go on: a command for a terminal, or an address."""

    title: str
    command: str = ""
    url: str = ""


class Alert(_Frozen):
    """One condition that does not hold, from its start to its end."""

    fingerprint: str
    """From name and labels: the same condition has the same one, whenever it fails."""
    id: str
    """Of the node in lineage: ``hallmark:alert/<fingerprint>@<start>``; of this time only."""
    name: str
    severity: Severity
    status: Status = "firing"
    labels: dict[str, str]
    summary: str
    """One sentence: what broke."""
    subject: str = ""
    """Id of the node that it is about: an ARN, or ``hallmark:<kind>/…``."""
    subject_name: str = ""
    readings: tuple[Reading, ...] = ()
    """The worst first."""
    affected: tuple[NamedNode, ...] = ()
    """Model versions and endpoints downstream of the subject."""
    affected_count: int = 0
    changes: tuple[UpstreamChange, ...] = ()
    """The newest first."""
    remediation: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    owners: tuple[str, ...] = ()
    starts_at: AwareDatetime
    ends_at: AwareDatetime | None = None
    acknowledged_by: str = ""
    flapping: bool = False
    """It came and went too often to tell of each time: it counts as firing until it stays away."""

    @property
    def first(self) -> Reading | None:
        """Return the number that stands for the alert; None where it is about no number."""
        return self.readings[0] if self.readings else None


class Notification(_Frozen):
    """What one receiver is told of one group of alerts, once."""

    id: str
    """From group, receiver and sequence: a repeat has the same one."""
    receiver: str
    channel: ChannelKind
    group: str
    """Id that ``hallmark alerts ack`` takes."""
    group_labels: dict[str, str]
    """What the alerts have in common."""
    thread_key: str = Field(max_length=255)
    """The same for all that is told of a group until it is resolved: a thread, or PagerDuty's deduplication key."""
    status: Status
    reason: Literal["first", "new_alerts", "resolved", "repeat", "escalation", "digest", "acknowledged"]
    """Why it is sent now; ``acknowledged`` calls nobody: it tells a pager that somebody has it."""
    severity: Severity
    """The most severe of its firing alerts; of all, where none fires."""
    alerts: tuple[Alert, ...]
    """Firing ones first, the most severe first; at most ``SHOWN_ALERTS``."""
    truncated: int = 0
    """So many more alerts belong to it."""
    firing: int
    resolved: int
    sequence: int
    created_at: AwareDatetime
    escalated_from: str = ""
    """Receiver that did not acknowledge in time."""
    ack_url: str = ""
    """Filled in by the channel, which signs it."""

    @property
    def title(self) -> str:
        """Return one line for a subject or heading."""
        leading = self.alerts[0] if self.alerts else None
        head = f"[{self.status.upper()}:{self.firing}]" if self.status == "firing" else "[RESOLVED]"
        more = self.firing + self.resolved - 1
        rest = f" (and {more} more)" if more > 0 else ""
        return f"{head} {leading.summary if leading else self.group}{rest}"


def fingerprint_of(name: str, labels: Mapping[str, str]) -> str:
    """Return the fingerprint of a condition: 16 hex digits of SHA-256 over its name and labels."""
    return _digest([name, sorted(labels.items())])[:16]


def notification_id(group: str, receiver: str, opened_at: datetime, sequence: int) -> str:
    """Return the id of a notification: the same for the same group, receiver and place in the sequence.

    Args:
        group: Id of the group.
        receiver: Name of the receiver.
        opened_at: When the group began to be told of; it tells one round from the next.
        sequence: Which one of the group's notifications.
    """
    return _digest([group, receiver, opened_at.isoformat(), sequence])[:32]


def read_notification(body: str) -> Notification:
    """Read what lies in a channel's queue.

    Raises:
        InvalidInputError: It is no notification; names the field, the value and the remedy.
    """
    try:
        return Notification.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(step) for step in fault["loc"]) or "the notification"
        raise InvalidInputError(field, fault["input"], f"{fault['msg']}; see docs/alerts.md") from None


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()
