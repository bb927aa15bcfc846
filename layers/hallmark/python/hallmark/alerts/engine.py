"""The engine: what comes in is kept, what is due is told, what people say is heeded.

Every write replaces what was read or is tried again; every step may be repeated. What is to be told is written with the
state that it follows from, and sent after that: who dies in between leaves it to the next look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import compress, groupby
from operator import attrgetter
from typing import NamedTuple

from hallmark.alerts.announcing import escalations, told
from hallmark.alerts.conditions import (
    Acknowledgement,
    AlertRecord,
    Context,
    Observation,
    Standing,
    alert_of,
    observe,
    record_of,
    stand,
    was_acted_on,
    was_missed,
)
from hallmark.alerts.grouping import GroupState, flush, open_group, pagers_of, reopen
from hallmark.alerts.inhibition import can_inhibit, is_inhibited
from hallmark.alerts.kinds import tuning_of
from hallmark.alerts.notifications import SHOWN_ALERTS, Alert, Status
from hallmark.alerts.ports import AlertStore, Announcer, Clock, Lineage, Outlet, RecordWrite, Versioned
from hallmark.alerts.remediation import advised
from hallmark.alerts.routing import GroupKey, Routes, folded
from hallmark.alerts.settings import AlertsPolicy, Budget
from hallmark.alerts.silences import silencing
from hallmark.errors import HallmarkError, NotFoundError, UnavailableError
from hallmark.events.alerts import ALERT_ACKNOWLEDGED, ALERT_ESCALATED, ALERT_FIRED, ALERT_RESOLVED

ATTEMPTS = 8
"""How often a write is tried that others are in the way of; then the message comes again."""

ASKED_SUBJECTS = 5
"""Of so many subjects lineage is asked in one look: each takes three questions."""

GRACE = timedelta(minutes=1)
"""What was decided and not sent within this time is sent by the next look."""


class ConflictError(UnavailableError):
    """Others wrote the same thing each time; the same call may succeed later."""


class _Change(NamedTuple):
    """A record as it is to be, and as it was read."""

    record: AlertRecord
    old: Versioned[AlertRecord]


class _Written(NamedTuple):
    """A record as it was written, and at which revision it stands."""

    record: AlertRecord
    revision: int
    standing: Standing
    status: Status
    """What the bus is to be told."""


@dataclass(frozen=True)
class Engine:
    """All that alerts do.

    Args:
        policy: The team's.
        store: Where alerts and groups are kept.
        clock: Wakes who looks at groups.
        outlet: The queues of the channels.
        announcer: The hallmark bus.
        bus_name: Its name.
        lineage: What lineage knows; None tells alerts without it.
        warn: Is told what went wrong and does not keep an alert from being told.
    """

    policy: AlertsPolicy
    store: AlertStore
    clock: Clock
    outlet: Outlet
    announcer: Announcer
    bus_name: str
    lineage: Lineage | None = None
    warn: Callable[[str], None] = lambda _message: None

    # --- what comes in ---

    def receive(self, observations: Iterable[Observation], now: datetime) -> int:
        """Keep observations, and open the groups that tell of what fires; return how many conditions they are of.

        Raises:
            UnavailableError: Some could not be kept; all of them may be sent again.
        """
        ordered = sorted(observations, key=attrgetter("fingerprint"))
        news = {fingerprint: list(seen) for fingerprint, seen in groupby(ordered, key=attrgetter("fingerprint"))}
        records = self._keep(news, now)
        # Of what something was done about before anybody saw it begin, the beginning was told just now.
        firing = [record for record in records if "firing" in (self._stand(record, now).status, record.told)]
        self._join(firing, now)
        return len(records)

    def _keep(self, news: Mapping[str, Sequence[Observation]], now: datetime) -> list[AlertRecord]:
        left, done = dict(news), []
        for _ in range(ATTEMPTS):
            known = self.store.records(list(left))
            changes = []
            for fingerprint, seen in left.items():
                old = known.get(fingerprint) or Versioned(record_of(seen[0]), 0)
                changes.append(_Change(observe(old.value, seen), old))
            settled = self._settle(changes, now)
            done += settled
            for record in settled:
                del left[record.fingerprint]
            if not left:
                return done
        raise ConflictError(f"keeping {len(left)} alerts: others wrote them each time")

    def _settle(self, changes: Sequence[_Change], now: datetime) -> list[AlertRecord]:
        """Write records and tell the bus what changed; return those that no other one wrote meanwhile."""
        written = self._write(changes, now)
        news = [each for each in written if each.status != each.record.told]
        settled = [each.record for each in written if each.status == each.record.told]
        # Told before it is noted: who dies in between tells it again, and the same event makes the same fact.
        if news:
            self.announcer.publish([self._entry(each, now) for each in news])
            noted = [each.record.model_copy(update={"told": each.status}) for each in news]
            done = self.store.save_records(
                [self._to_save(record, each.revision, each.standing) for record, each in zip(noted, news, strict=True)]
            )
            settled += compress(noted, done)
        return settled

    def _write(self, changes: Sequence[_Change], now: datetime) -> list[_Written]:
        """Write the records that changed; return all but those that another one wrote meanwhile."""
        wanted = [self._changed(change, now) for change in changes]
        new = [each for change, each in zip(changes, wanted, strict=True) if each.record != change.old.value]
        done = self.store.save_records([self._to_save(each.record, each.revision, each.standing) for each in new])
        saved = dict(zip((each.record.fingerprint for each in new), done, strict=True))
        return [
            each._replace(revision=each.revision + saved.get(each.record.fingerprint, False))
            for each in map(_with_its_beginning, wanted)
            if saved.get(each.record.fingerprint, True)
        ]

    def _changed(self, change: _Change, now: datetime) -> _Written:
        """Return a record as it is to be written, and at which revision it was read."""
        record, old = change
        standing = self._stand(record, now)
        if standing.status == "firing" and old.value.told == "resolved":
            record = _begun(record, standing)
        return _Written(record, old.revision, standing, standing.status)

    def _entry(self, written: _Written, now: datetime) -> Mapping[str, object]:
        standing = written.standing
        if written.status == "firing":
            detail_type, at = ALERT_FIRED, standing.starts_at
        else:
            detail_type, at = ALERT_RESOLVED, standing.ends_at
        return told(written.record, detail_type, at or now).to_entry(self.bus_name, detail_type)

    def _save(self, record: AlertRecord, revision: int, standing: Standing) -> bool:
        return all(self.store.save_records([self._to_save(record, revision, standing)]))

    def _to_save(self, record: AlertRecord, revision: int, standing: Standing) -> RecordWrite:
        fires = standing.status == "firing"
        return RecordWrite(
            record,
            revision,
            open_since=standing.starts_at if fires else None,
            inhibits=fires and can_inhibit(record.matched(), self.policy.inhibition),
        )

    def _stand(self, record: AlertRecord, now: datetime) -> Standing:
        return stand(record, tuning_of(record.name, self.policy), now)

    def _join(self, records: Sequence[AlertRecord], now: datetime) -> None:
        routes = Routes(self.policy)
        folding = _Folding(self.store, routes, now)
        keys: dict[str, GroupKey] = {}
        pairs = []
        for record in records:
            for wanted in routes.groups_of(record.matched(), record.owners):
                key = folding.key_of(wanted, record.fingerprint)
                keys[key.id] = key
                pairs.append((key.id, record.fingerprint))
        # The alert first, then the group: a look that ends a group looks for new alerts after that, so one of the two
        # sees the other.
        self.store.join(pairs)
        for key in keys.values():
            self._open(key, routes, now)

    def _open(self, key: GroupKey, routes: Routes, now: datetime) -> None:
        route = routes.find(key.route, key.receiver)
        if route is None:
            raise NotFoundError(f"the route {key.route} to {key.receiver} is not in the policy")
        for _ in range(ATTEMPTS):
            found = self.store.group(key.id)
            if found is not None and found.value.due_at is not None:
                return
            state = open_group(key, route, now) if found is None else reopen(found.value, route, now)
            if self.store.save_group(state, found.revision if found else 0):
                self.clock.wake(state.id, state.flush_at)
                return
        raise ConflictError(f"opening the group {key.id}: others wrote it each time")

    # --- what is due ---

    def look(self, group: str, now: datetime) -> int:
        """Look at a group: tell what is due, send what was decided; return how many notifications were sent.

        Raises:
            UnavailableError: It could not be written or sent; the same call may succeed later.
        """
        for _ in range(ATTEMPTS):
            found = self.store.group(group)
            if found is None:
                return 0
            state = found.value
            if state.due_at is None or (now < state.due_at and not state.outbox and not state.escalated):
                return self._send(found)
            decided = self._decide(found, now) if now >= state.due_at else found
            if decided is not None:
                return self._send(decided)
        raise ConflictError(f"looking at the group {group}: others wrote it each time")

    def _decide(self, found: Versioned[GroupState], now: datetime) -> Versioned[GroupState] | None:
        """Write what a group's receivers are told now; None where another look was faster."""
        state, routes = found.value, Routes(self.policy)
        route = routes.find(state.key.route, state.key.receiver)
        records = self._members(state.id, now)
        if route is None:
            return self._move(found, records, now)
        standings = {record.fingerprint: self._stand(record, now) for record in records}
        alerts = [
            alert_of(record, standing)
            for record in records
            if (standing := standings[record.fingerprint]).starts_at is not None
        ]
        lost = {record.fingerprint for record in records} - {alert.fingerprint for alert in alerts}
        muted = self._muted(records, now)
        acted = {record.fingerprint for record in records if was_acted_on(record, standings[record.fingerprint])}
        planned = flush(state, route, self.policy, alerts, muted, now, acted)
        if len(planned.group.outbox) > len(state.outbox):
            shown = self._explain(records, alerts, now)
            planned = flush(state, route, self.policy, shown, muted, now, acted)
        if not self.store.save_group(planned.group, found.revision):
            return None
        self.store.leave(state.id, planned.removed | lost)
        if planned.group.due_at is not None:
            self.clock.wake(state.id, planned.group.due_at)
        elif self.store.members(state.id):
            self._join(self._members(state.id, now), now)
            # Which may have begun its next round; what is to be sent of the last one is still in it.
            return self.store.group(state.id)
        return Versioned(planned.group, found.revision + 1)

    def _members(self, group: str, now: datetime) -> list[AlertRecord]:
        """Return a group's alerts; of those whose time has run out, the bus is told."""
        known = self.store.records(list(self.store.members(group)))
        records = []
        for fingerprint in sorted(known):
            old = known[fingerprint]
            records.append(old.value)
            if self._stand(old.value, now).status != old.value.told:
                settled = self._settle([_Change(old.value, old)], now)
                records[-1] = settled[0] if settled else old.value
        return records

    def _move(
        self, found: Versioned[GroupState], records: Sequence[AlertRecord], now: datetime
    ) -> Versioned[GroupState] | None:
        """End a group whose route is gone; what fires is told by the routes that there are."""
        ended = found.value.model_copy(update={"due_at": None})
        if not self.store.save_group(ended, found.revision):
            return None
        self._join([record for record in records if self._stand(record, now).status == "firing"], now)
        self.store.leave(found.value.id, [record.fingerprint for record in records])
        return Versioned(ended, found.revision + 1)

    def _muted(self, records: Sequence[AlertRecord], now: datetime) -> set[str]:
        silences = [silence for silence in self.store.silences() if silence.is_active(now)]
        firing = self.store.inhibitors() if self.policy.inhibition else ()
        muted = set()
        for record in records:
            labels = record.matched()
            if silencing(labels, silences, now) or is_inhibited(labels, firing, self.policy.inhibition):
                muted.add(record.fingerprint)
        return muted

    def _explain(self, records: Sequence[AlertRecord], alerts: Sequence[Alert], now: datetime) -> list[Alert]:
        """Add what lineage knows and what to do; owners that only lineage knows are told, too."""
        by_fingerprint = {record.fingerprint: record for record in records}
        asked: dict[str, Context] = {}
        explained, found = [], []
        for place, alert in enumerate(sorted(alerts, key=lambda each: (each.status != "firing", each.starts_at))):
            record = by_fingerprint[alert.fingerprint]
            context = record.context
            # Told once a round, and of as many as a notification shows.
            if context is None and place < SHOWN_ALERTS and alert.status == "firing" and len(asked) < ASKED_SUBJECTS:
                context = self._context(alert, record, asked)
                if context is not None:
                    found.append(record.model_copy(update={"context": context}))
            explained.append(advised(_with_context(alert, context), self.policy))
        self._remember(found, now)
        return explained

    def _context(self, alert: Alert, record: AlertRecord, asked: dict[str, Context]) -> Context | None:
        if self.lineage is None or not alert.subject:
            return None
        if alert.subject not in asked:
            good_at = record.good.at if record.good and record.good.at < alert.starts_at else None
            try:
                asked[alert.subject] = self.lineage.context_of(alert.subject, alert.starts_at, good_at)
            except HallmarkError as error:
                self.warn(f"{alert.id} is told without its lineage: {error}")
                asked[alert.subject] = Context()
        return asked[alert.subject]

    def _remember(self, records: Sequence[AlertRecord], now: datetime) -> None:
        known = self.store.records([record.fingerprint for record in records])
        owned = []
        for record in records:
            old = known.get(record.fingerprint)
            if old is None:
                continue
            noted = old.value.model_copy(update={"context": record.context})
            # Where another one wrote it meanwhile, lineage is asked again the next time.
            if self._save(noted, old.revision, self._stand(noted, now)) and set(noted.owners) - set(old.value.owners):
                owned.append(noted)
        if owned and self.policy.owners:
            self._join(owned, now)

    def _send(self, found: Versioned[GroupState]) -> int:
        """Send what was decided, then forget that it was to be sent."""
        state = found.value
        if not state.outbox and not state.escalated:
            return 0
        for notification in state.outbox:
            self.outlet.send(notification)
        entries = [event.to_entry(self.bus_name, ALERT_ESCALATED) for event in escalations(state)]
        if entries:
            self.announcer.publish(entries)
        # Where another look wrote the group meanwhile it has sent the same, or will: the ids tell the repeat.
        self.store.save_group(state.model_copy(update={"outbox": (), "escalated": ()}), found.revision)
        return len(state.outbox)

    # --- what people say ---

    def acknowledge(self, target: str, by: str, reason: str, now: datetime) -> list[AlertRecord]:
        """Note that somebody has an alert, or all that fire in a group: nobody else is told because of them.

        Args:
            target: An alert's id or fingerprint, or a group's id.
            by: Who has it.
            reason: Why nobody else needs to look.
            now: The time.

        Raises:
            NotFoundError: Nothing that fires has this name.
            UnavailableError: It could not be written.
        """
        fingerprint = target.removeprefix("hallmark:alert/").partition("@")[0]
        members = list(self.store.members(target)) or [fingerprint]
        noted = [record for each in members if (record := self._acknowledge(each, by, reason, now)) is not None]
        if not noted:
            raise NotFoundError(f"no alert or group {target} fires: `hallmark alerts` lists what does")
        self._hasten(target, noted, now)
        return noted

    def _hasten(self, target: str, records: Sequence[AlertRecord], now: datetime) -> None:
        """Let groups be looked at now whose pagers are to hear that somebody has it."""
        routes = Routes(self.policy)
        keys = [key for record in records for key in routes.groups_of(record.matched(), record.owners)]
        for group in {target, *(key.id for key in keys), *(folded(key).id for key in keys)}:
            self._make_due(group, now)

    def _make_due(self, group: str, now: datetime) -> None:
        for _ in range(ATTEMPTS):
            found = self.store.group(group)
            if found is None or found.value.due_at is None or not pagers_of(found.value, self.policy):
                return
            due = found.value.model_copy(update={"due_at": min(found.value.due_at, now)})
            if self.store.save_group(due, found.revision):
                self.clock.wake(group, now)
                return
        raise ConflictError(f"waking the group {group}: others wrote it each time")

    def _acknowledge(self, fingerprint: str, by: str, reason: str, now: datetime) -> AlertRecord | None:
        for _ in range(ATTEMPTS):
            old = self.store.records([fingerprint]).get(fingerprint)
            if old is None:
                return None
            standing = self._stand(old.value, now)
            if standing.status != "firing":
                return None
            has = old.value.acknowledged or Acknowledgement(by=by, at=now, reason=reason)
            record = old.value.model_copy(update={"acknowledged": has})
            # Told before it is noted, as above; whoever was first stays the one who has it.
            event = told(record, ALERT_ACKNOWLEDGED, has.at, has)
            self.announcer.publish([event.to_entry(self.bus_name, ALERT_ACKNOWLEDGED)])
            if record == old.value or self._save(record, old.revision, standing):
                return record
        raise ConflictError(f"acknowledging {fingerprint}: others wrote it each time")


class _Folding:
    """Which group tells of an alert: its own, or the route's one for all that its budget leaves no room for.

    A turn is taken before the group is opened: who dies in between has spent it, and tells of no more than was allowed.
    """

    def __init__(self, store: AlertStore, routes: Routes, now: datetime) -> None:
        self._store, self._routes, self._now = store, routes, now
        self._chosen: dict[str, GroupKey] = {}
        self._folded: dict[str, frozenset[str]] = {}

    def key_of(self, key: GroupKey, fingerprint: str) -> GroupKey:
        route = self._routes.find(key.route, key.receiver)
        if route is None or route.budget is None or not key.labels:
            return key
        rest = folded(key)
        if key.id not in self._chosen:
            if self._is_open(key.id):
                self._chosen[key.id] = key
            elif fingerprint in self._members(rest.id):
                return rest
            else:
                may = self._take(f"{key.route}/{key.receiver}", route.budget)
                self._chosen[key.id] = key if may else rest
        return self._chosen[key.id]

    def _is_open(self, group: str) -> bool:
        found = self._store.group(group)
        return found is not None and found.value.due_at is not None

    def _members(self, group: str) -> frozenset[str]:
        if group not in self._folded:
            self._folded[group] = frozenset(self._store.members(group) if self._is_open(group) else ())
        return self._folded[group]

    def _take(self, name: str, budget: Budget) -> bool:
        for _ in range(ATTEMPTS):
            found = self._store.beginnings(name)
            recent = tuple(time for time in found.value if time > self._now - budget.per)
            if len(recent) >= budget.at_most:
                return False
            if self._store.save_beginnings(name, (*recent, self._now), found.revision):
                return True
        raise ConflictError(f"counting what {name} is told: others wrote it each time")


def _with_its_beginning(written: _Written) -> _Written:
    """Let the bus be told of a condition's beginning that was over before anybody saw it."""
    record, _, standing, _ = written
    if record.told == "resolved" and was_missed(record, standing):
        return written._replace(record=_begun(record, standing), status="firing")
    return written


def _begun(record: AlertRecord, standing: Standing) -> AlertRecord:
    return record.model_copy(update={"started_at": standing.starts_at, "acknowledged": None, "context": None})


def _with_context(alert: Alert, context: Context | None) -> Alert:
    if context is None:
        return alert
    return alert.model_copy(
        update={
            "affected": context.affected,
            "affected_count": context.affected_count,
            "changes": context.changes,
            "owners": tuple(dict.fromkeys((*alert.owners, *context.owners))),
        }
    )
