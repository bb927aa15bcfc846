"""What the bus is told of an alert's life, with what lineage is to hold of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hallmark.alerts.conditions import Acknowledgement, AlertRecord
from hallmark.alerts.grouping import Escalated, GroupState
from hallmark.events.alerts import ALERT_ACKNOWLEDGED, ALERT_FIRED, ALERT_RESOLVED, AlertEscalated, AlertTold
from hallmark.events.records import FlowType, LineageFlow, LineageNode, LineageSection

_STATUSES = {ALERT_FIRED: "Firing", ALERT_RESOLVED: "Resolved", ALERT_ACKNOWLEDGED: "Acknowledged"}
_FLOW: FlowType = "ContributedTo"


def told(record: AlertRecord, detail_type: str, at: datetime, by: Acknowledgement | None = None) -> AlertTold:
    """Return the event that says that an alert fired, was resolved or was acknowledged.

    Args:
        record: The alert; it was bad once.
        detail_type: Which of the three.
        at: When it was so.
        by: Who acknowledged it, and why.
    """
    bad = record.bad
    if bad is None or record.started_at is None:
        raise ValueError(f"{record.fingerprint} was never bad: there is nothing to tell")
    cause = [LineageFlow(node=bad.cause, type=_FLOW, role="cause")] if bad.cause else []
    attributes: dict[str, object] = {
        "name": record.name,
        "severity": bad.severity,
        "labels": record.labels,
        "summary": bad.summary[:1000],
        "started_at": record.started_at.isoformat(),
    }
    if by is not None:
        attributes |= {"acknowledged_by": by.by, "reason": by.reason}
    return AlertTold(
        lineage=LineageSection(
            node=LineageNode(kind="alert", id=record.id),
            at=at,
            status=_STATUSES[detail_type],
            attributes=attributes,
            flows=cause,
        ),
        alert=record.id,
        fingerprint=record.fingerprint,
        name=record.name,
        severity=bad.severity,
        labels=record.labels,
        summary=bad.summary,
        starts_at=record.started_at,
        told_at=at,
        by=by.by if by else "",
    )


def escalations(group: GroupState) -> Sequence[AlertEscalated]:
    """Return the events that say that the next tier was told."""
    return [_escalation(group, each) for each in group.escalated]


def _escalation(group: GroupState, each: Escalated) -> AlertEscalated:
    return AlertEscalated(
        group=group.id,
        from_tier=group.key.receiver,
        to_tier=each.to,
        alerts=list(each.alerts),
        escalated_at=each.at,
    )
