"""Reconciliation: what the account has is compared with what is recorded; the rest is described and recorded.

The first sweep over an account is its backfill: the same code, with nothing recorded yet. A sweep goes kind by kind and
page by page, stops when its allowance is spent, and is continued by a message that says how far it has come. What was
looked at twice is recorded once, so a sweep may be stopped, repeated or begun anew at any point.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hallmark.errors import HallmarkError, InvalidInputError, NotFoundError, UnavailableError
from hallmark.lineage.folding import fold, is_of_this_life
from hallmark.lineage.listing import SWEPT, Allowance, Listed, ListingRefusedError, ResourceLister
from hallmark.lineage.model import FINAL_STATUSES, RUN_KINDS, Fact, Instant, NodeKind, NodeState, Origin
from hallmark.lineage.ports import NodeReader, RecordedState
from hallmark.lineage.recording import Surroundings, record_description, record_fact
from hallmark.lineage.references import resource_ref

OVERLAP = timedelta(hours=1)
"""A sweep looks back this far beyond the start of the last finished one: listings are eventually consistent."""

WATCHED_FOR_ABSENCE = frozenset({"endpoint"})
"""Kinds of which every one is listed each time: one that was there and no longer is has been deleted."""

FAILURES_IN_A_ROW = 10
"""So many resources of a kind that AWS does not answer for, one after the other: the kind is left for later."""
INTERRUPTIONS = 5
"""A kind that was interrupted more often than this is given up; the next sweep takes it up where the last one ended."""
RESTARTS = 3
"""How often the listing of a kind is begun again because its token was no longer valid."""
UNSETTLED_LIMIT = 500
"""Resources of a kind that are tried again by the next sweep: with their ARNs they fit a message and an item."""
PRESENT_LIMIT = 1_000
"""Resources of a kind that are watched for absence, at most, for the same reason."""
REASONS_LIMIT = 20
_REASON_LENGTH = 300
_FIRST_PAUSE_SECONDS = 60
_LONGEST_PAUSE_SECONDS = 900
"""SQS delays a message for 15 minutes at most (SQS API reference, SendMessage)."""


class KindCursor(NamedTuple):
    """What the last finished sweep over a kind left: its start, what it could not settle, what it saw.

    ``present`` is None for a kind that is not watched for absence, and where there were too many to remember.
    """

    started_at: datetime | None = None
    unsettled: tuple[str, ...] = ()
    present: tuple[str, ...] | None = None


class SweepCursors(Protocol):
    """Where finished sweeps are remembered, kind by kind."""

    def read(self, resource: str) -> KindCursor:
        """Return what the last finished sweep over a kind left; nothing, for a kind never swept."""
        ...

    def write(self, resource: str, cursor: KindCursor) -> None:
        """Remember a finished sweep over a kind, unless a later one is remembered already."""
        ...


class Counts(BaseModel):
    """What became of the resources of one kind."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    listed: int = 0
    skipped: int = 0
    recorded: int = 0
    failed: int = 0


class Position(BaseModel):
    """How far a sweep has come with one kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    since: Instant | None = None
    left: tuple[str, ...] = ()
    """Resources to look at one by one: before the listing what an earlier sweep left, after it what is absent."""
    token: str | None = None
    seen: tuple[str, ...] = ()
    """Resources of the current page that have been looked at."""
    is_listed: bool = False
    unsettled: tuple[str, ...] = ()
    present: tuple[str, ...] | None = None
    interruptions: int = 0
    restarts: int = 0


class Sweep(BaseModel):
    """A sweep and how far it has come: the body of the message that starts or continues it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    since: Instant | None = None
    """Look at what changed since then; None: since the last finished sweep, kind by kind."""
    full: bool = False
    """Look at everything, whatever was swept before."""
    kinds: tuple[str, ...] = SWEPT
    """Kinds that are left; the first one is being worked on."""
    started_at: Instant | None = None
    positions: dict[str, Position] = Field(default_factory=dict)
    counts: dict[str, Counts] = Field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    """Why resources or kinds failed: the first of them."""
    wait_seconds: int = 0
    """How long to wait before going on, where AWS did not answer."""

    @property
    def is_routine(self) -> bool:
        """Tell whether this is the sweep of the schedule, which needs not run twice at a time."""
        return not self.full and self.since is None and self.kinds == SWEPT

    @property
    def moves_cursors(self) -> bool:
        """Tell whether the next sweep may begin where this one did: not after one that left out what was before."""
        return self.since is None


def read_sweep(body: str) -> Sweep:
    """Read the message that starts or continues a sweep.

    ``{}`` is the sweep of the schedule, ``{"full": true}`` and ``{"since": null}`` look at everything; ``{"since": …}``
    looks at what changed since then, ``{"kinds": […]}`` at some kinds only.

    Raises:
        InvalidInputError: It is none.
    """
    try:
        sweep = Sweep.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(step) for step in fault["loc"]) or "the message"
        raise InvalidInputError(field, fault["input"], fault["msg"]) from None
    unknown = [kind for kind in sweep.kinds if kind not in SWEPT]
    if unknown:
        raise InvalidInputError("kinds", unknown[0], f"choose from {', '.join(SWEPT)}")
    if sweep.started_at is None and sweep.since is None and "since" in sweep.model_fields_set:
        return sweep.model_copy(update={"full": True})
    return sweep


class Account(NamedTuple):
    """What a sweep compares: the account's resources and the record of them."""

    lister: ResourceLister
    reader: NodeReader
    surroundings: Surroundings
    cursors: SweepCursors


class _End(StrEnum):
    FINISHED = "finished"
    SPENT = "spent"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"


def continue_sweep(sweep: Sweep, account: Account, allowance: Allowance) -> Sweep:
    """Work off a begun sweep until it ends or its allowance is spent; return it as far as it has come.

    ``kinds`` of the returned sweep is empty once everything has been seen. A resource that fails is counted and does
    not stop the sweep; the next one tries it again. A kind that AWS does not answer for is put behind the others, and
    given up after some interruptions, one that may not be listed at once: then its cursor stays where it was, and the
    next sweep looks at it from there.

    Raises:
        UnavailableError: The cursors could not be read or written; the same message may be worked off again.
    """
    left = list(sweep.kinds)
    positions = dict(sweep.positions)
    counts = {kind: found.model_copy() for kind, found in sweep.counts.items()}
    reasons = list(sweep.reasons)
    interrupted: set[str] = set()
    while left and left[0] not in interrupted and not allowance.is_spent:
        kind = left.pop(0)
        work = _KindSweep(kind, account, allowance, counts, reasons)
        end = work.run(positions.pop(kind) if kind in positions else _opening(kind, sweep, account.cursors))
        if end is _End.FINISHED and sweep.moves_cursors:
            account.cursors.write(kind, KindCursor(sweep.started_at, work.position.unsettled, work.position.present))
        elif end is _End.SPENT:
            left.insert(0, kind)
            positions[kind] = work.position
        elif end is _End.INTERRUPTED:
            left.append(kind)
            positions[kind] = work.position
            interrupted.add(kind)
    waits = bool(left) and left[0] in interrupted
    return sweep.model_copy(
        update={
            "kinds": tuple(left),
            "positions": positions,
            "counts": counts,
            "reasons": tuple(reasons),
            "wait_seconds": _pause(positions[left[0]].interruptions) if waits else 0,
        }
    )


def _opening(kind: str, sweep: Sweep, cursors: SweepCursors) -> Position:
    """Return where a kind begins: behind what the last finished sweep has seen, with what that one left."""
    cursor = cursors.read(kind)
    if sweep.full or kind in WATCHED_FOR_ABSENCE:
        since = None
    else:
        since = sweep.since or (cursor.started_at - OVERLAP if cursor.started_at else None)
    return Position(
        since=since,
        left=cursor.unsettled if sweep.moves_cursors else (),
        present=() if kind in WATCHED_FOR_ABSENCE else None,
    )


def _pause(interruptions: int) -> int:
    doublings: int = 2 ** (interruptions - 1)
    return min(_FIRST_PAUSE_SECONDS * doublings, _LONGEST_PAUSE_SECONDS)


class _KindSweep:
    """The sweep over one kind, in one invocation."""

    def __init__(
        self, resource: str, account: Account, allowance: Allowance, counts: dict[str, Counts], reasons: list[str]
    ) -> None:
        self._resource = resource
        self._kind = NodeKind(resource)
        self._account = account
        self._allowance = allowance
        self._counts = counts
        self._tally = counts.setdefault(resource, Counts())
        self._reasons = reasons
        self._in_a_row = 0
        self.position = Position()

    def run(self, position: Position) -> _End:
        """Go on from a position; ``position`` says afterwards how far it came."""
        self.position = position
        try:
            while True:
                if self._allowance.is_spent:
                    return _End.SPENT
                if self.position.left:
                    arn, *others = self.position.left
                    self._look(Listed(arn), describe=True)
                    self._move(left=tuple(others))
                elif self.position.is_listed:
                    return _End.FINISHED
                elif not self._page():
                    return _End.SPENT
        except InvalidInputError as error:
            return self._restart(error)
        except ListingRefusedError as error:
            return self._give_up(error)
        except UnavailableError as error:
            return self._interrupt(error)

    def _page(self) -> bool:
        """Look at what a page lists; tell whether it was looked at whole."""
        self._allowance.take(requests=1)
        page = self._account.lister.page(self._resource, self.position.since, self.position.token)
        if self.position.present is not None:
            present = dict.fromkeys([*self.position.present, *(listed.arn for listed in page.resources)])
            self._move(present=tuple(present) if len(present) <= PRESENT_LIMIT else None)
        for listed in page.resources:
            if listed.arn in self.position.seen:
                continue
            if self._allowance.is_spent:
                return False
            self._look(listed)
            self._move(seen=(*self.position.seen, listed.arn))
        self._move(token=page.following, seen=())
        if page.following is None:
            self._move(is_listed=True, left=self._absent())
        return True

    def _absent(self) -> tuple[str, ...]:
        """Return what the last finished sweep saw and this one did not."""
        before = self._account.cursors.read(self._resource).present
        if before is None or self.position.present is None:
            return ()
        now = set(self.position.present)
        return tuple(arn for arn in before if arn not in now)

    def _look(self, listed: Listed, *, describe: bool = False) -> None:
        """Record a resource unless it is recorded; a failure is counted, and remembered where it may pass."""
        self._tally.listed += 1
        try:
            self._reconcile(listed, describe=describe)
        except (NotFoundError, InvalidInputError) as error:
            self._fail(f"{listed.arn}: {error}")
        except UnavailableError as error:
            self._fail(str(error))
            self._move(unsettled=tuple(dict.fromkeys((*self.position.unsettled, listed.arn))))
            self._in_a_row += 1
            if self._in_a_row >= FAILURES_IN_A_ROW or len(self.position.unsettled) >= UNSETTLED_LIMIT:
                self._move(seen=(*self.position.seen, listed.arn), left=self._left_without(listed.arn))
                raise
        else:
            self._in_a_row = 0

    def _left_without(self, arn: str) -> tuple[str, ...]:
        return tuple(other for other in self.position.left if other != arn)

    def _reconcile(self, listed: Listed, *, describe: bool) -> None:
        states = self._account.reader.states(resource_ref(listed.arn, self._kind).id)
        known = not describe and is_recorded(self._kind, listed, states)
        if known:
            self._tally.skipped += 1
        else:
            self._describe(listed.arn, states)
        if self._kind is NodeKind.PIPELINE_EXECUTION and (not known or self._has_just_ended(states)):
            self._reconcile_steps(listed.arn)

    def _describe(self, arn: str, states: Sequence[RecordedState]) -> None:
        surroundings = self._account.surroundings
        self._allowance.take(requests=2, describes=1)
        description = surroundings.describer.describe(self._kind, arn)
        if description is None:
            if self._resource not in WATCHED_FOR_ABSENCE:
                raise NotFoundError("it was deleted between the listing and its description")
            new = _record_absence(self._kind, arn, states, surroundings)
        else:
            tags = surroundings.describer.tags(arn)
            new = record_description(self._resource, arn, description, surroundings, tags=tags).new
        self._tally.recorded += new
        self._tally.skipped += not new

    def _has_just_ended(self, states: Sequence[RecordedState]) -> bool:
        # Steps are compared once, by the sweep whose time the execution ended in: no listing tells when they changed.
        view = fold(states)
        since = self.position.since
        return since is None or view.status not in FINAL_STATUSES or (view.at is not None and view.at >= since)

    def _reconcile_steps(self, arn: str) -> None:
        """Record the steps of a pipeline execution that no event told of."""
        tally = self._counts.setdefault("pipeline-step", Counts())
        node = resource_ref(arn, self._kind)
        known = fold(self._account.reader.states(node.id)).attributes.get("steps") or {}
        self._allowance.take(requests=1)
        for step in self._account.lister.steps(arn):
            tally.listed += 1
            same = (known.get(step["stepName"]) or {}).get("status") == step["currentStepStatus"]
            if same or step["stepStartTime"] is None:
                tally.skipped += 1
                continue
            new = record_description("pipeline-step", arn, step, self._account.surroundings).new
            tally.recorded += new
            tally.skipped += not new

    def _restart(self, error: InvalidInputError) -> _End:
        self._move(token=None, seen=(), restarts=self.position.restarts + 1)
        if self.position.restarts <= RESTARTS:
            return self.run(self.position)
        return self._give_up(error)

    def _interrupt(self, error: UnavailableError) -> _End:
        self._move(interruptions=self.position.interruptions + 1)
        if self.position.interruptions <= INTERRUPTIONS and len(self.position.unsettled) < UNSETTLED_LIMIT:
            return _End.INTERRUPTED
        return self._give_up(error)

    def _give_up(self, error: HallmarkError) -> _End:
        self._fail(f"{self._resource} was given up: {error}")
        return _End.REFUSED

    def _fail(self, reason: str) -> None:
        self._tally.failed += 1
        if len(self._reasons) < REASONS_LIMIT:
            self._reasons.append(reason[:_REASON_LENGTH])

    def _move(self, **changes: object) -> None:
        self.position = self.position.model_copy(update=changes)


def is_recorded(kind: NodeKind, listed: Listed, states: Sequence[RecordedState]) -> bool:
    """Tell whether what a listing says of a resource is recorded already, and described as far as it can be."""
    lived = [recorded for recorded in states if is_of_this_life(recorded.state, listed.created_at)]
    if not lived:
        return False
    view = fold(lived)
    if view.status == "Deleted":
        return True
    if view.attributes.get("event_only") or (listed.status is not None and view.status != listed.status):
        return False
    if any(view.attributes.get(name) != value for name, value in listed.traits):
        return False
    if listed.changed_at is None or (kind in RUN_KINDS and view.status in FINAL_STATUSES):
        return True
    # Events tell milliseconds, the API may tell more.
    return view.at is not None and view.at > listed.changed_at - timedelta(milliseconds=1)


def _record_absence(kind: NodeKind, arn: str, states: Sequence[RecordedState], surroundings: Surroundings) -> bool:
    """Record that a resource that was known no longer exists; tell whether that was new."""
    births = [recorded.state.node.born for recorded in states if recorded.state.node.born is not None]
    born = max(births, default=None)
    view = fold([recorded for recorded in states if is_of_this_life(recorded.state, born)])
    if not states or view.status == "Deleted":
        return False
    now = surroundings.clock()
    subject = resource_ref(arn, kind, born)
    gone = NodeState(
        node=subject,
        at=now,
        status="Deleted",
        attributes={"arn": arn, "name": view.attributes.get("name", arn.rpartition("/")[2]), "event_only": True},
    )
    return record_fact(Fact(subject=subject, origin=Origin.RECONCILED, states=(gone,)), surroundings).new
