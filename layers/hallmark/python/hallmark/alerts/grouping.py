"""A group of alerts and its life: when it is told, what, to whom, and when it ends.

``flush`` is a function of the group, its alerts and the clock. Whoever calls it writes the new state together with the
notifications, and only then sends them; a notification has the same id whenever it is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict

from hallmark.alerts.deduplication import Told, need_of_telling
from hallmark.alerts.escalation import due_for, is_open, next_step
from hallmark.alerts.notifications import (
    SEVERITIES,
    SHOWN_ALERTS,
    Alert,
    ChannelKind,
    Notification,
    Status,
    is_at_least,
    notification_id,
)
from hallmark.alerts.routing import GroupKey, is_quiet
from hallmark.alerts.settings import AlertsPolicy, ResolvedRoute

TellingReason = Literal["first", "new_alerts", "resolved", "repeat", "escalation", "digest", "acknowledged"]


CALLING: frozenset[ChannelKind] = frozenset({"pagerduty"})
"""Channels that escalate by themselves until they are told that somebody has it."""


class Escalated(BaseModel):
    """The next tier was told."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    to: str
    alerts: tuple[str, ...]
    at: AwareDatetime


class GroupState(BaseModel):
    """What is kept of a group; its alerts are kept beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    key: GroupKey
    opened_at: AwareDatetime
    flush_at: AwareDatetime
    """When people may be told next."""
    due_at: AwareDatetime | None
    """When to look next; None for a group that has ended."""
    sequence: int = 0
    told: dict[str, Told] = {}
    """By receiver."""
    outbox: tuple[Notification, ...] = ()
    """Decided, and perhaps not sent yet."""
    escalated: tuple[Escalated, ...] = ()
    """Decided, and perhaps not published yet."""

    @property
    def id(self) -> str:
        """Return the group's name."""
        return self.key.id


def open_group(key: GroupKey, route: ResolvedRoute, now: datetime) -> GroupState:
    """Return a group whose first alert has just come: it waits for more before it is told."""
    first = route.digest.after(now) if route.digest else now + route.group_wait
    return GroupState(key=key, opened_at=now, flush_at=first, due_at=first)


def reopen(ended: GroupState, route: ResolvedRoute, now: datetime) -> GroupState:
    """Return the next round of a group that has ended; what was not sent of the last one still is."""
    fresh = open_group(ended.key, route, now)
    return fresh.model_copy(update={"outbox": ended.outbox, "escalated": ended.escalated})


class Flush(NamedTuple):
    """What a look at a group brings about."""

    group: GroupState
    removed: frozenset[str]
    """Alerts that belong to it no more: they have ended, and whoever was told of them knows."""


def flush(
    group: GroupState,
    route: ResolvedRoute,
    policy: AlertsPolicy,
    alerts: Sequence[Alert],
    muted: Collection[str],
    now: datetime,
    acted: Collection[str] = (),
) -> Flush:
    """Decide what a group's receivers are told now.

    Args:
        group: As it was kept.
        route: Its route.
        policy: The team's.
        alerts: All alerts of the group, ended ones included.
        muted: Fingerprints of those that a silence or an inhibition mutes.
        now: The time.
        acted: Fingerprints of those that are over because something was done about them. They are told as firing
            first, if nobody was told yet, and their end at the next interval: people hear of what was stopped.
    """
    known, least = group.told.get(group.key.receiver), policy.receivers[group.key.receiver].min_severity
    owed = set(acted) - set(muted) - set(known.firing if known else ())
    if route.digest is None:  # which tells what is over, too
        alerts = [
            _as_firing(alert) if alert.fingerprint in owed and is_at_least(alert.severity, least) else alert
            for alert in alerts
        ]
    look = _Look(group, route, policy, alerts, muted, now)
    if look.is_due:
        look.tell(group.key.receiver)
    for step in route.escalate:
        look.escalate(step.receiver, due_for(step, look.visible, group.told.get(group.key.receiver), now))
    for name in pagers_of(group, policy):
        look.say_who_has_it(name)
    return look.result()


def pagers_of(group: GroupState, policy: AlertsPolicy) -> list[str]:
    """Return the receivers that were told of a group and call people until they hear that somebody has it."""
    told = [name for name, known in group.told.items() if known.firing and name in policy.receivers]
    return [name for name in told if policy.receivers[name].channel in CALLING]


def _as_firing(alert: Alert) -> Alert:
    return alert.model_copy(update={"status": "firing", "ends_at": None})


class _Look:
    def __init__(
        self,
        group: GroupState,
        route: ResolvedRoute,
        policy: AlertsPolicy,
        alerts: Sequence[Alert],
        muted: Collection[str],
        now: datetime,
    ) -> None:
        self.group, self.route, self.policy, self.alerts, self.now = group, route, policy, alerts, now
        self.muted = muted
        self.is_due = now >= group.flush_at
        self.quiet = is_quiet(route, policy, now)
        self.visible = [
            alert
            for alert in alerts
            # Whoever was told of an alert is told of its end, whatever has been silenced since.
            if (alert.fingerprint not in muted or alert.status == "resolved")
            and (alert.severity == "critical" or not self.quiet)
        ]
        self.told: dict[str, Told] = dict(group.told)
        self.made: list[Notification] = []
        self.escalated: list[Escalated] = []

    def tell(self, name: str) -> None:
        """Tell the route's own receiver what it does not know."""
        alerts = self._for(name)
        if self.route.digest is None:
            self._tell(name, [alert for alert in alerts if alert.status == "firing"], alerts)
            return
        known = self.told.get(name)
        news = [
            alert
            for alert in alerts
            if alert.status == "resolved" or known is None or alert.fingerprint not in known.firing
        ]
        if news or any(is_open(alert) for alert in alerts):
            self._make(name, "digest", alerts)
        self._remember(name, alerts)

    def escalate(self, name: str, due: set[str]) -> None:
        """Tell the next receiver, once alerts are due; from then on it is told like the first."""
        known = self.told.get(name)
        engaged = known is not None and bool(known.firing)
        if not (engaged and self.is_due) and (engaged or not due):
            return
        alerts = self._for(name)
        heard = due | set(known.firing if known else ())
        firing = [alert for alert in alerts if alert.status == "firing" and alert.fingerprint in heard]
        if not engaged and firing:
            self.escalated.append(Escalated(to=name, alerts=tuple(alert.id for alert in firing), at=self.now))
        self._tell(name, firing, alerts, engaged=engaged, first="escalation")

    def say_who_has_it(self, name: str) -> None:
        """Tell a receiver at once, and once, that somebody has all that it was told of."""
        known = self.told[name]
        heard = [
            alert
            for alert in self.alerts
            if alert.status == "firing" and alert.fingerprint in known.firing and alert.fingerprint not in self.muted
        ]
        if not heard or known.acknowledged or any(is_open(alert) for alert in heard):
            return
        self._make(name, "acknowledged", heard)
        self.told[name] = known.model_copy(update={"acknowledged": True})

    def _for(self, name: str) -> list[Alert]:
        least = self.policy.receivers[name].min_severity
        return [alert for alert in self.visible if is_at_least(alert.severity, least)]

    def _tell(
        self,
        name: str,
        firing: list[Alert],
        alerts: list[Alert],
        *,
        engaged: bool = True,
        first: TellingReason = "first",
    ) -> None:
        known = self.told.get(name)
        # What was never told as firing is not told as resolved.
        resolved = [
            alert for alert in alerts if alert.status == "resolved" and known and alert.fingerprint in known.firing
        ]
        if not firing and not resolved:
            return
        receiver = self.policy.receivers[name]
        reason: TellingReason | None = need_of_telling(
            known,
            {alert.fingerprint for alert in firing},
            {alert.fingerprint for alert in resolved},
            send_resolved=receiver.send_resolved,
            repeat_interval=self.route.repeat_interval,
            now=self.now,
        )
        # Somebody has all of it: there is no need to say it again.
        if reason is None or (reason == "repeat" and not any(is_open(alert) for alert in firing)):
            return
        told = [*firing, *(resolved if receiver.send_resolved else ())]
        if told:
            self._make(name, first if reason == "first" else reason, told, escalated=not engaged)
        self._remember(name, [*firing, *resolved])

    def _remember(self, name: str, alerts: list[Alert]) -> None:
        known = self.told.get(name)
        since = known.firing if known else {}
        self.told[name] = Told(
            at=self.now,
            firing={
                alert.fingerprint: since.get(alert.fingerprint, self.now)
                for alert in alerts
                if alert.status == "firing"
            },
            resolved=frozenset(alert.fingerprint for alert in alerts if alert.status == "resolved"),
            acknowledged=bool(known and known.acknowledged) and not any(is_open(alert) for alert in alerts),
        )

    def _make(self, name: str, reason: TellingReason, alerts: list[Alert], *, escalated: bool = False) -> None:
        firing = [alert for alert in alerts if alert.status == "firing"]
        ordered = sorted(alerts, key=_importance)
        sequence = self.group.sequence + len(self.made) + 1
        status: Status = "firing" if firing else "resolved"
        self.made.append(
            Notification(
                id=notification_id(self.group.id, name, self.group.opened_at, sequence),
                receiver=name,
                channel=self.policy.receivers[name].channel,
                group=self.group.id,
                group_labels={label: value for label, value in self.group.key.labels if value},
                thread_key=f"hallmark/{self.group.id}/{self.group.opened_at:%Y%m%dT%H%M%S}",
                status=status,
                reason=reason,
                severity=max((alert.severity for alert in firing or alerts), key=SEVERITIES.index),
                alerts=tuple(ordered[:SHOWN_ALERTS]),
                truncated=max(0, len(alerts) - SHOWN_ALERTS),
                firing=len(firing),
                resolved=len(alerts) - len(firing),
                sequence=sequence,
                created_at=self.now,
                escalated_from=self.group.key.receiver if escalated else "",
            )
        )

    def result(self) -> Flush:
        held = self.quiet or not self.is_due
        removed = frozenset(
            alert.fingerprint
            for alert in self.alerts
            if alert.status == "resolved" and (not held or (self.is_due and alert.severity == "critical"))
        )
        flush_at = self._next_flush() if self.is_due else self.group.flush_at
        ended = len(removed) == len(self.alerts)
        due_at: datetime | None = None
        if not ended:
            step = next_step(self.route.escalate, self.visible, self.told, self.group.key.receiver, self.now)
            due_at = min(flush_at, step) if step else flush_at
        group = self.group.model_copy(
            update={
                "flush_at": flush_at,
                "due_at": due_at,
                "sequence": self.group.sequence + len(self.made),
                "told": self.told,
                "outbox": (*self.group.outbox, *self.made),
                "escalated": (*self.group.escalated, *self.escalated),
            }
        )
        return Flush(group, removed)

    def _next_flush(self) -> datetime:
        """Return the next time of the group's own rhythm, however late this look is."""
        if self.route.digest is not None:
            return self.route.digest.after(self.now)
        interval: timedelta = self.route.group_interval
        passed = (self.now - self.group.flush_at) // interval
        return self.group.flush_at + (passed + 1) * interval


def _importance(alert: Alert) -> tuple[bool, int, datetime, str]:
    return (alert.status != "firing", -SEVERITIES.index(alert.severity), alert.starts_at, alert.fingerprint)
