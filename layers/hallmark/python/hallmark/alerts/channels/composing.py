"""What a notification says: its alerts in the words and numbers that people act on."""

from __future__ import annotations

from hallmark.alerts.channels.messages import Actions, Fact, Item, Link, Message, time_of
from hallmark.alerts.notifications import Alert, Notification, Reading

_NOTES = {
    "first": "",
    "new_alerts": "New alerts joined this group.",
    "resolved": "",
    "repeat": "It still fires, and nobody has resolved it.",
    "digest": "A digest: nothing here asks for a person at once.",
}
_COMPARISONS = {"at_least": "at least", "at_most": "at most", "not_worse_by": "not worse by more than"}
_DIGITS = 4


def compose(notification: Notification, actions: Actions) -> Message:
    """Return what a channel is to say.

    Args:
        notification: Which alerts it is about.
        actions: Links by which a person acts on the group.
    """
    leading = notification.alerts[0] if notification.alerts else None
    more = notification.firing + notification.resolved - 1
    title = leading.summary if leading else notification.group
    return Message(
        id=notification.id,
        group=notification.thread_key,
        status=notification.status,
        severity=notification.severity,
        title=f"{title} (and {more} more)" if more > 0 else title,
        note=_note(notification),
        labels=tuple(Fact(name=name, value=value) for name, value in sorted(notification.group_labels.items())),
        items=tuple(_item(alert) for alert in notification.alerts),
        firing=notification.firing,
        resolved=notification.resolved,
        said_at=notification.created_at,
        is_acknowledged=notification.reason == "acknowledged",
        actions=actions,
        owners=tuple(dict.fromkeys(owner for alert in notification.alerts for owner in alert.owners)),
    )


def _note(notification: Notification) -> str:
    if notification.reason == "escalation":
        return f"Escalated: {notification.escalated_from or 'the tier before'} did not acknowledge in time."
    if notification.reason == "acknowledged":
        names = dict.fromkeys(alert.acknowledged_by for alert in notification.alerts if alert.acknowledged_by)
        return f"Taken by {', '.join(names)}."
    return _NOTES[notification.reason]


def _item(alert: Alert) -> Item:
    facts = [Fact(name=_name(reading), value=describe_reading(reading)) for reading in alert.readings]
    if alert.acknowledged_by:
        facts.append(Fact(name="acknowledged by", value=alert.acknowledged_by))
    if alert.flapping:
        facts.append(Fact(name="flapping", value="it comes and goes; it counts as firing until it stays away"))
    affected = [f"{node.label or node.node} ({node.kind})" for node in alert.affected]
    if alert.affected_count > len(affected):
        affected.append(f"{alert.affected_count - len(affected)} more versions and endpoints")
    return Item(
        title=f"{alert.name}: {alert.subject_name or alert.subject or alert.fingerprint}",
        status=alert.status,
        severity=alert.severity,
        since=alert.starts_at,
        until=alert.ends_at,
        summary=alert.summary,
        facts=tuple(facts),
        affected=tuple(affected),
        upstream=tuple(f"{change.what}{f' ({time_of(change.at)})' if change.at else ''}" for change in alert.changes),
        # What is over asks for nothing.
        remedies=alert.remediation if alert.status == "firing" else (),
        commands=tuple(Fact(name=link.title, value=link.command) for link in alert.links if link.command),
        links=tuple(Link(text=link.title, url=link.url) for link in alert.links if link.url),
    )


def describe_reading(reading: Reading) -> str:
    """Return a number in a sentence: value, interval, threshold, change, and what it rests on."""
    unit = f" {reading.unit}" if reading.unit else ""
    parts = [f"{_number(reading.value)}{unit}" if reading.value is not None else "no value"]
    if reading.low is not None and reading.high is not None:
        sure = f"{reading.confidence:.0%} interval " if reading.confidence is not None else "interval "
        parts.append(f"({sure}{_number(reading.low)} to {_number(reading.high)})")
    told = " ".join(parts)
    more = []
    if reading.threshold is not None:
        comparison = _COMPARISONS.get(reading.comparison, reading.comparison.replace("_", " "))
        rule = f"must be {comparison}" if comparison else "threshold"
        more.append(f"{rule} {_number(reading.threshold)}{unit}")
    if reading.baseline is not None:
        more.append(f"was {_number(reading.baseline)}{unit}")
    if reading.change_fraction is not None:
        more.append(f"change {reading.change_fraction:+.1%}")
    if reading.cases is not None:
        more.append(f"{reading.cases:,} cases")
    if reading.why:
        more.append(reading.why)
    return ", ".join([told, *more])


def _name(reading: Reading) -> str:
    if not reading.statistic or reading.statistic == reading.metric:
        return reading.metric
    return f"{reading.metric} ({reading.statistic.replace('_', ' ')})"


def _number(value: float) -> str:
    return f"{value:,.{_DIGITS}g}" if abs(value) < 10**_DIGITS else f"{value:,.0f}"
