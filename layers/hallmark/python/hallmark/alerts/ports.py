"""What alerts need of the world: where they are kept, what lineage knows, who is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Generic, NamedTuple, Protocol, TypeVar

from hallmark.alerts.conditions import AlertRecord, Context
from hallmark.alerts.grouping import GroupState
from hallmark.alerts.matching import Labels
from hallmark.alerts.notifications import Notification
from hallmark.alerts.silences import Silence

Kept = TypeVar("Kept")


class Versioned(NamedTuple, Generic[Kept]):
    """What was read, and the revision at which it stood: 0 for what is not there."""

    value: Kept
    revision: int


class RecordWrite(NamedTuple):
    """A record that is to replace what was read."""

    record: AlertRecord
    revision: int
    """At which it was read."""
    open_since: datetime | None
    """Since when it fires; None for one that does not."""
    inhibits: bool
    """Whether it mutes others while it fires."""


class AlertStore(Protocol):
    """Where alerts, groups and silences are kept. Every write says which revision it replaces."""

    def records(self, fingerprints: Sequence[str]) -> Mapping[str, Versioned[AlertRecord]]:
        """Return the records that are there."""
        ...

    def save_records(self, writes: Sequence[RecordWrite]) -> Sequence[bool]:
        """Write records, each for itself; tell of each whether it still stood at its revision."""
        ...

    def inhibitors(self) -> Sequence[Labels]:
        """Return the labels of the alerts that fire and may mute others."""
        ...

    def open_records(self, limit: int) -> Sequence[AlertRecord]:
        """Return alerts that fire, those that began last first."""
        ...

    def group(self, group: str) -> Versioned[GroupState] | None:
        """Return a group; None for one that never was."""
        ...

    def save_group(self, state: GroupState, revision: int) -> bool:
        """Write a group; tell whether it still stood at the revision."""
        ...

    def beginnings(self, name: str) -> Versioned[tuple[datetime, ...]]:
        """Return when groups of a route's began to be told lately, as its budget counts them."""
        ...

    def save_beginnings(self, name: str, times: tuple[datetime, ...], revision: int) -> bool:
        """Write them; tell whether they still stood at the revision."""
        ...

    def members(self, group: str) -> Sequence[str]:
        """Return the fingerprints of a group's alerts, as they are at this moment."""
        ...

    def join(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Add alerts to groups: pairs of group and fingerprint."""
        ...

    def leave(self, group: str, fingerprints: Iterable[str]) -> None:
        """Remove alerts from a group."""
        ...

    def due_groups(self, now: datetime, limit: int) -> Sequence[str]:
        """Return groups that are to be looked at, the longest overdue first."""
        ...

    def silences(self) -> Sequence[Silence]:
        """Return all silences that have not ended long ago."""
        ...

    def save_silence(self, silence: Silence) -> None:
        """Keep a silence; one with the same id is replaced."""
        ...


class Clock(Protocol):
    """Wakes who looks at groups."""

    def wake(self, group: str, at: datetime) -> None:
        """See to it that a group is looked at, at a time or soon after it."""
        ...


class Outlet(Protocol):
    """The queues of the channels."""

    def send(self, notification: Notification) -> None:
        """Hand a notification to its channel."""
        ...


class Lineage(Protocol):
    """What lineage knows."""

    def context_of(self, subject: str, since: datetime, good_at: datetime | None) -> Context:
        """Return what depends on a subject, what changed upstream since it was last good, and who made it.

        Args:
            subject: A node.
            since: When it became bad.
            good_at: When it was seen to be good before that; None where nobody saw it.

        Raises:
            UnavailableError: Lineage cannot be asked now.
        """
        ...


class Announcer(Protocol):
    """The hallmark bus."""

    def publish(self, entries: Sequence[Mapping[str, object]]) -> None:
        """Publish entries, as ``Published.to_entry`` makes them."""
        ...
