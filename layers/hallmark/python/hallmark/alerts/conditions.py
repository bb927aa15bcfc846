"""A condition over time: what was observed of it, whether it fires now, and since when.

All is a function of the set of observations and of the clock, so that order and number of deliveries do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict

from hallmark.alerts.notifications import Alert, Link, NamedNode, Reading, Status, UpstreamChange, fingerprint_of
from hallmark.events.alerts import Severity
from hallmark.events.records import LineageNode

KEPT_LOOKS = 64
"""Observations of a condition that are remembered, the newest."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Observation(_Frozen):
    """An event said how a condition stands."""

    id: str
    """From the event's content: tells a repeat."""
    name: str
    labels: dict[str, str]
    at: AwareDatetime
    bad: bool
    severity: Severity = "warning"
    summary: str = ""
    subject: str = ""
    subject_name: str = ""
    cause: LineageNode | None = None
    """The node that made it so: a verdict, a drift report, a job."""
    readings: tuple[Reading, ...] = ()
    owners: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    acted: bool = False
    """What is good is so because something was done about what was bad: people hear of it, however soon that was."""

    @property
    def fingerprint(self) -> str:
        """Return the condition's fingerprint."""
        return fingerprint_of(self.name, self.labels)


class Look(NamedTuple):
    """What is remembered of every observation."""

    at: AwareDatetime
    id: str
    bad: bool


class Acknowledgement(_Frozen):
    """Somebody has it."""

    by: str
    at: AwareDatetime
    reason: str = ""


class Context(_Frozen):
    """What lineage knows about an alert's subject."""

    affected: tuple[NamedNode, ...] = ()
    affected_count: int = 0
    changes: tuple[UpstreamChange, ...] = ()
    owners: tuple[str, ...] = ()


class Tuning(NamedTuple):
    """How observations become an alert."""

    times: int = 1
    of: int = 1
    clears_after: int = 1
    expires: timedelta | None = None
    flap_changes: int = 4
    flap_within: timedelta = timedelta(hours=1)
    flap_hold: timedelta = timedelta(minutes=30)


class Standing(NamedTuple):
    """How a condition stands at a time."""

    status: Status
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    flapping: bool = False


class AlertRecord(_Frozen):
    """All that is kept of a condition."""

    fingerprint: str
    name: str
    labels: dict[str, str]
    looks: tuple[Look, ...] = ()
    bad: Observation | None = None
    """The newest one that was bad."""
    good: Observation | None = None
    told: Literal["firing", "resolved"] = "resolved"
    """What the bus was told last."""
    started_at: AwareDatetime | None = None
    """Start of the present round, or the last one, as its node in lineage names it."""
    acknowledged: Acknowledgement | None = None
    context: Context | None = None

    @property
    def id(self) -> str:
        """Return the id of the alert's node in lineage."""
        start = f"{self.started_at:%Y%m%dT%H%M%SZ}" if self.started_at else "never"
        return f"hallmark:alert/{self.fingerprint}@{start}"

    @property
    def owners(self) -> tuple[str, ...]:
        """Return who owns its subject, as events and lineage say."""
        own = self.bad.owners if self.bad else ()
        return tuple(dict.fromkeys((*own, *(self.context.owners if self.context else ()))))

    def matched(self) -> dict[str, str]:
        """Return the labels that matchers see."""
        severity = self.bad.severity if self.bad else "info"
        return {**self.labels, "name": self.name, "severity": severity}


def record_of(observation: Observation) -> AlertRecord:
    """Return the empty record of an observation's condition."""
    return AlertRecord(fingerprint=observation.fingerprint, name=observation.name, labels=observation.labels)


def observe(record: AlertRecord, observations: Iterable[Observation]) -> AlertRecord:
    """Add observations; those that are known, or older than all that is remembered, change nothing."""
    looks = {(look.at, look.id): look for look in record.looks}
    bad, good = record.bad, record.good
    for seen in observations:
        looks.setdefault((seen.at, seen.id), Look(seen.at, seen.id, seen.bad))
        if seen.bad:
            bad = seen if bad is None or (seen.at, seen.id) > (bad.at, bad.id) else bad
        else:
            good = seen if good is None or (seen.at, seen.id) > (good.at, good.id) else good
    kept = tuple(looks[key] for key in sorted(looks)[-KEPT_LOOKS:])
    return record.model_copy(update={"looks": kept, "bad": bad, "good": good})


class _Rounds:
    """The rounds of a condition, one after the other."""

    def __init__(self, tuning: Tuning) -> None:
        self.tuning = tuning
        self.recent: list[bool] = []
        self.starts_at: datetime | None = None
        self.ends_at: datetime | None = None
        self.bad_at: datetime | None = None
        self.starts: list[datetime] = []
        self.changes: list[datetime] = []

    @property
    def fires(self) -> bool:
        return self.starts_at is not None and self.ends_at is None

    def pass_time(self, now: datetime) -> None:
        expires = self.tuning.expires
        if self.fires and expires is not None and self.bad_at is not None and now >= self.bad_at + expires:
            self.ends_at = self.bad_at + expires
            self.recent.clear()
            self.changes.append(self.ends_at)

    def add(self, look: Look) -> None:
        self.pass_time(look.at)
        self.recent.append(look.bad)
        if look.bad:
            self.bad_at = look.at
        if not self.fires and look.bad and sum(self.recent[-self.tuning.of :]) >= self.tuning.times:
            self.starts_at, self.ends_at = look.at, None
            self.starts.append(look.at)
            self.changes.append(look.at)
        elif self.fires and self._is_clear():
            self.ends_at = look.at
            self.changes.append(look.at)

    def _is_clear(self) -> bool:
        last = self.recent[-self.tuning.clears_after :]
        return len(last) == self.tuning.clears_after and not any(last)


def stand(record: AlertRecord, tuning: Tuning, now: datetime) -> Standing:
    """Tell how a condition stands.

    It fires once ``times`` of the last ``of`` observations are bad, and ends after ``clears_after`` good ones in a row,
    or when nobody has told of it for ``expires``. One that changed ``flap_changes`` times within ``flap_within`` counts
    as firing until it has been good for ``flap_hold``.
    """
    rounds = _Rounds(tuning)
    bad_times = {look.at for look in record.looks if look.bad}
    for look in record.looks:
        # Of two events of one moment, the bad one counts: a review that is complete, and its score that is low.
        if look.bad or look.at not in bad_times:
            rounds.add(look)
    rounds.pass_time(now)
    if rounds.starts_at is None:
        return Standing("resolved")
    latest = rounds.changes[-1]
    recent = [change for change in rounds.changes if change > latest - tuning.flap_within]
    flaps = len(recent) >= tuning.flap_changes
    began = _beginning(record, rounds)
    starts_at = next(start for start in rounds.starts if start >= recent[0]) if flaps else began
    if rounds.ends_at is None:
        return Standing("firing", starts_at, None, flaps)
    if flaps and now < rounds.ends_at + tuning.flap_hold:
        return Standing("firing", starts_at, None, flapping=True)
    return Standing("resolved", starts_at, rounds.ends_at)


def _beginning(record: AlertRecord, rounds: _Rounds) -> datetime | None:
    """Return when the last round began: what lasts for long began before the oldest look that is kept of it."""
    starts_at, told_of = rounds.starts_at, record.started_at
    if starts_at is None or told_of is None or len(record.looks) < KEPT_LOOKS or len(rounds.starts) > 1:
        return starts_at
    is_known = record.told == "firing" or rounds.ends_at is not None
    if is_known and told_of < starts_at and all(look.bad for look in record.looks if look.at < starts_at):
        return told_of
    return starts_at


def was_acted_on(record: AlertRecord, standing: Standing) -> bool:
    """Tell whether a condition is over because something was done about it, instead of passing by itself."""
    return (
        standing.status == "resolved"
        and record.good is not None
        and record.good.acted
        and record.good.at == standing.ends_at
    )


def was_missed(record: AlertRecord, standing: Standing) -> bool:
    """Tell whether something was done about a condition before anybody saw it begin: the events came late."""
    begun, starts_at = record.started_at, standing.starts_at
    return was_acted_on(record, standing) and starts_at is not None and (begun is None or begun < starts_at)


def alert_of(record: AlertRecord, standing: Standing) -> Alert:
    """Return an alert as people are told of it; only of a condition that was bad once."""
    bad = record.bad
    if bad is None or standing.starts_at is None:
        raise ValueError(f"{record.fingerprint} was never bad: there is nothing to tell")
    context = record.context or Context()
    resolved = record.good if standing.status == "resolved" and record.good and record.good.at > bad.at else None
    return Alert(
        fingerprint=record.fingerprint,
        id=record.id,
        name=record.name,
        severity=bad.severity,
        status=standing.status,
        labels=record.labels,
        summary=(resolved.summary if resolved and resolved.summary else bad.summary) or record.name,
        subject=bad.subject,
        subject_name=bad.subject_name,
        readings=(resolved.readings if resolved and resolved.readings else bad.readings),
        affected=context.affected,
        affected_count=context.affected_count,
        changes=context.changes,
        links=bad.links,
        owners=record.owners,
        starts_at=standing.starts_at,
        ends_at=standing.ends_at,
        acknowledged_by=record.acknowledged.by if record.acknowledged else "",
        flapping=standing.flapping,
    )
