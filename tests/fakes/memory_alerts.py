"""The world of the alert engine in memory: a store that conflicts as DynamoDB does, queues and a bus that remember."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from hallmark.alerts.conditions import AlertRecord, Context
from hallmark.alerts.engine import Engine
from hallmark.alerts.grouping import GroupState
from hallmark.alerts.matching import Labels
from hallmark.alerts.notifications import Notification
from hallmark.alerts.ports import RecordWrite, Versioned
from hallmark.alerts.settings import AlertsPolicy
from hallmark.alerts.silences import Silence
from hallmark.errors import UnavailableError


class MemoryAlerts:
    """An ``AlertStore``."""

    def __init__(self) -> None:
        self.kept: dict[str, Versioned[AlertRecord]] = {}
        self.open: dict[str, datetime] = {}
        self.muting: set[str] = set()
        self.groups: dict[str, Versioned[GroupState]] = {}
        self.begun: dict[str, Versioned[tuple[datetime, ...]]] = {}
        self.belonging: dict[str, set[str]] = {}
        self.silenced: dict[str, Silence] = {}
        self.writes = 0

    def records(self, fingerprints: Sequence[str]) -> Mapping[str, Versioned[AlertRecord]]:
        return {each: self.kept[each] for each in fingerprints if each in self.kept}

    def save_records(self, writes: Sequence[RecordWrite]) -> Sequence[bool]:
        return [self._save(write) for write in writes]

    def _save(self, write: RecordWrite) -> bool:
        name = write.record.fingerprint
        if write.revision != (self.kept[name].revision if name in self.kept else 0):
            return False
        self.writes += 1
        self.kept[name] = Versioned(write.record, write.revision + 1)
        self.open.pop(name, None)
        self.muting.discard(name)
        if write.open_since is not None:
            self.open[name] = write.open_since
        if write.inhibits:
            self.muting.add(name)
        return True

    def inhibitors(self) -> Sequence[Labels]:
        return [self.kept[each].value.matched() for each in sorted(self.muting)]

    def open_records(self, limit: int) -> Sequence[AlertRecord]:
        names = sorted(self.open, key=lambda each: (self.open[each], each), reverse=True)
        return [self.kept[each].value for each in names[:limit]]

    def group(self, group: str) -> Versioned[GroupState] | None:
        return self.groups.get(group)

    def save_group(self, state: GroupState, revision: int) -> bool:
        if revision != (self.groups[state.id].revision if state.id in self.groups else 0):
            return False
        self.writes += 1
        self.groups[state.id] = Versioned(state, revision + 1)
        return True

    def beginnings(self, name: str) -> Versioned[tuple[datetime, ...]]:
        return self.begun.get(name, Versioned((), 0))

    def save_beginnings(self, name: str, times: tuple[datetime, ...], revision: int) -> bool:
        if revision != self.beginnings(name).revision:
            return False
        self.begun[name] = Versioned(times, revision + 1)
        return True

    def members(self, group: str) -> Sequence[str]:
        return sorted(self.belonging.get(group, ()))

    def join(self, pairs: Iterable[tuple[str, str]]) -> None:
        for group, fingerprint in pairs:
            self.belonging.setdefault(group, set()).add(fingerprint)

    def leave(self, group: str, fingerprints: Iterable[str]) -> None:
        self.belonging.get(group, set()).difference_update(fingerprints)

    def due_groups(self, now: datetime, limit: int) -> Sequence[str]:
        due = [
            (state.due_at or state.opened_at, name)
            for name, (state, _) in self.groups.items()
            if state.outbox or state.escalated or (state.due_at is not None and state.due_at <= now)
        ]
        return [name for _, name in sorted(due)[:limit]]

    def silences(self) -> Sequence[Silence]:
        return list(self.silenced.values())

    def save_silence(self, silence: Silence) -> None:
        self.silenced[silence.id] = silence


class World:
    """An engine, and all that it said."""

    def __init__(self, policy: AlertsPolicy, *, contexts: Mapping[str, Context] | None = None) -> None:
        self.store = MemoryAlerts()
        self.sent: list[Notification] = []
        self.published: list[Mapping[str, Any]] = []
        self.wakes: list[tuple[str, datetime]] = []
        self.warnings: list[str] = []
        self.contexts = contexts
        self.asked: list[tuple[str, datetime, datetime | None]] = []
        self.failing_sends = 0
        self.engine = Engine(
            policy=policy,
            store=self.store,
            clock=self,
            outlet=self,
            announcer=self,
            bus_name="bus",
            lineage=self if contexts is not None else None,
            warn=self.warnings.append,
        )

    def wake(self, group: str, at: datetime) -> None:
        self.wakes.append((group, at))

    def send(self, notification: Notification) -> None:
        if self.failing_sends:
            self.failing_sends -= 1
            raise UnavailableError("the queue did not answer")
        self.sent.append(notification)

    def publish(self, entries: Sequence[Mapping[str, object]]) -> None:
        self.published += entries

    def context_of(self, subject: str, since: datetime, good_at: datetime | None) -> Context:
        self.asked.append((subject, since, good_at))
        if self.contexts is None or subject not in self.contexts:
            raise UnavailableError("lineage does not answer")
        return self.contexts[subject]

    def tick(self, now: datetime) -> list[Notification]:
        """Look at all that is due; return what was sent."""
        before = len(self.sent)
        for group in self.store.due_groups(now, 100_000):
            self.engine.look(group, now)
        return self.sent[before:]
