"""Who else is told while nobody acknowledges."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hallmark.alerts.deduplication import Told
from hallmark.alerts.notifications import Alert
from hallmark.alerts.settings import Escalation


def is_open(alert: Alert) -> bool:
    """Tell whether an alert fires and nobody has it."""
    return alert.status == "firing" and not alert.acknowledged_by


def due_for(step: Escalation, alerts: Iterable[Alert], told: Told | None, now: datetime) -> set[str]:
    """Return the alerts that were told so long ago that the next receiver must hear of them."""
    if told is None:
        return set()
    return {
        alert.fingerprint
        for alert in alerts
        if is_open(alert) and alert.fingerprint in told.firing and told.firing[alert.fingerprint] + step.after <= now
    }


def next_step(
    steps: Iterable[Escalation], alerts: Iterable[Alert], told: dict[str, Told], first: str, now: datetime
) -> datetime | None:
    """Return when the next escalation is due that no interval brings about; None where none is.

    Args:
        steps: Of the route.
        alerts: Those that people may be told of.
        told: By receiver.
        first: The route's own receiver.
        now: The time.
    """
    base = told.get(first)
    if base is None:
        return None
    times = [base.firing[alert.fingerprint] for alert in alerts if is_open(alert) and alert.fingerprint in base.firing]
    if not times:
        return None
    pending = [step for step in steps if step.receiver not in told or not told[step.receiver].firing]
    return min((due for step in pending if (due := min(times) + step.after) > now), default=None)
