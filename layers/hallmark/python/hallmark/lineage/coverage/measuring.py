"""Measuring: what AWS lists, against what is recorded; honest about what could not be listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple

from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.lineage.coverage.needs import ATTEMPTED, Subject, gaps_of
from hallmark.lineage.coverage.report import LISTED_INCOMPLETE, Gap, Incomplete, KindCoverage
from hallmark.lineage.folding import fold, is_of_this_life
from hallmark.lineage.listing import Allowance, Listed, ListingRefusedError, ResourceLister
from hallmark.lineage.model import FINAL_STATUSES, RUN_KINDS, NodeKind
from hallmark.lineage.ports import NodeReader, RecordedState
from hallmark.lineage.references import parse_arn, resource_ref

_THREADS = 8
_GONE_LIMIT = 2_000
"""Runs of a kind that are recorded and listed no more, which are read one by one."""

_USED_UP = "not all was listed: time or requests were used up"
_UNTOLD = "no event told of it, and no sweep has met it yet"


class RecordedRun(NamedTuple):
    """A run that is in the graph: its id and its birth."""

    id: str
    born: datetime | None


class Record(NamedTuple):
    """What is recorded: node by node, and the runs of a kind that were made since a time."""

    reader: NodeReader
    runs: Callable[[NodeKind, datetime | None], Sequence[RecordedRun]]


class _Standing(NamedTuple):
    arn: str
    name: str
    made_at: datetime | None
    is_recorded: bool
    is_running: bool
    gaps: tuple[Gap, ...]


class _Listing(NamedTuple):
    resources: list[Listed]
    whole: bool
    note: str


def measure(
    kinds: Iterable[str],
    since: datetime | None,
    lister: ResourceLister,
    record: Record,
    allowance: Allowance,
    required: Sequence[str],
) -> list[KindCoverage]:
    """Measure some kinds, each for itself: one that AWS does not list harms no other.

    Args:
        kinds: Words of kinds, of those that a sweep looks at.
        since: Only what was made since then; None for everything.
        lister: The account.
        record: What is recorded.
        allowance: Requests and time; what is beyond is said to be left out.
        required: Needs that the policy asks for.
    """
    return [_Measuring(kind, since, lister, record, allowance, required).coverage() for kind in kinds]


class _Measuring:
    def __init__(
        self,
        resource: str,
        since: datetime | None,
        lister: ResourceLister,
        record: Record,
        allowance: Allowance,
        required: Sequence[str],
    ) -> None:
        self._resource = resource
        self._kind = NodeKind(resource)
        self._since, self._lister, self._record = since, lister, record
        self._allowance, self._required = allowance, required

    def coverage(self) -> KindCoverage:
        listing = self._list()
        standings, looked = self._look_at(listing.resources)
        gone, all_gone = self._gone(listing) if listing.whole and looked else ([], True)
        judged = [each for each in [*standings, *gone] if not each.is_running]
        incomplete = [each for each in judged if any(gap.is_required for gap in each.gaps)]
        incomplete.sort(key=lambda each: (each.made_at is not None, str(each.made_at), each.arn), reverse=True)
        lacking: dict[str, int] = {}
        for each in judged:
            for gap in each.gaps:
                lacking[gap.need] = lacking.get(gap.need, 0) + 1
        notes = [listing.note] if listing.note else []
        if not looked:
            notes.append(f"{len(standings):,} of {len(listing.resources):,} were looked at: the time was over")
        if not all_gone:
            notes.append(f"of those that are listed no more, {_GONE_LIMIT:,} were looked at")
        return KindCoverage(
            kind=self._resource,
            in_account=len(listing.resources),
            gone=len(gone),
            recorded=sum(each.is_recorded for each in [*standings, *gone]),
            running=len(standings) + len(gone) - len(judged),
            judged=len(judged),
            complete=len(judged) - len(incomplete),
            lacking=dict(sorted(lacking.items())),
            incomplete=tuple(
                Incomplete(arn=each.arn, name=each.name, made_at=each.made_at, gaps=each.gaps)
                for each in incomplete[:LISTED_INCOMPLETE]
            ),
            incomplete_left_out=max(0, len(incomplete) - LISTED_INCOMPLETE),
            whole=not notes,
            note="; ".join(notes),
        )

    def _list(self) -> _Listing:
        found: dict[str, Listed] = {}
        token: str | None = None
        while True:
            if self._allowance.is_spent:
                return _Listing(
                    [*found.values()], whole=False, note="not all was listed: time or requests were used up"
                )
            self._allowance.take(requests=1)
            try:
                page = self._lister.page(self._resource, self._since, token)
            except ListingRefusedError as error:
                return _Listing([*found.values()], whole=False, note=f"it may not be listed: {error}")
            except InvalidInputError:
                return _Listing([*found.values()], whole=False, note="its listing changed meanwhile: measure again")
            except UnavailableError as error:
                return _Listing([*found.values()], whole=False, note=f"AWS did not list it all: {error}")
            for listed in page.resources:
                if self._since is None or listed.created_at is None or listed.created_at >= self._since:
                    found[listed.arn] = listed
            if page.following is None:
                return _Listing([*found.values()], whole=True, note="")
            token = page.following

    def _look_at(self, resources: Sequence[Listed]) -> tuple[list[_Standing], bool]:
        """Judge resources, as many as there is time for; tell whether those are all."""
        found: list[_Standing] = []
        with ThreadPoolExecutor(_THREADS) as pool:
            for start in range(0, len(resources), _THREADS * 8):
                if self._allowance.is_spent:
                    return found, False
                found += pool.map(self._judge, resources[start : start + _THREADS * 8])
        return found, True

    def _judge(self, listed: Listed) -> _Standing:
        node = resource_ref(listed.arn, self._kind)
        lived = [
            recorded
            for recorded in self._record.reader.states(node.id)
            if is_of_this_life(recorded.state, listed.created_at)
        ]
        if not lived:
            running = self._kind in RUN_KINDS and listed.status not in FINAL_STATUSES
            gap = Gap(
                need="record", because="no event told of it, and no sweep has met it yet", remedy="hallmark backfill"
            )
            return _Standing(listed.arn, _name(listed.arn), listed.created_at, False, running, (gap,))
        return self._judge_states(listed.arn, lived, listed.created_at)

    def _judge_states(self, arn: str, lived: Sequence[RecordedState], made_at: datetime | None) -> _Standing:
        view = fold(lived)
        name = str(view.attributes.get("name") or _name(arn))
        if self._kind in RUN_KINDS and view.status not in FINAL_STATUSES:
            return _Standing(arn, name, made_at, True, True, ())
        born = made_at.replace(microsecond=0) if made_at is not None else None
        node = resource_ref(arn, self._kind)
        edges = [
            recorded.edge
            for recorded in self._record.reader.edges_to(node.id)
            if recorded.edge.target.born in {None, born} or born is None
        ]
        parsed = parse_arn(arn)
        actions = [edge.source.id for edge in edges if edge.source.kind is NodeKind.ACTION and edge.role != ATTEMPTED]
        subject = Subject(
            self._kind,
            parsed.account if parsed else "",
            view.attributes,
            edges,
            lambda: any(fold(self._record.reader.states(action)).attributes.get("reason") for action in actions),
        )
        return _Standing(arn, name, made_at, True, False, tuple(gaps_of(subject, self._required)))

    def _gone(self, listing: _Listing) -> tuple[list[_Standing], bool]:
        """Judge the runs that are recorded and listed no more; tell whether those are all."""
        if self._kind not in RUN_KINDS:
            return [], True
        nodes = [resource_ref(each.arn, self._kind, each.created_at) for each in listing.resources]
        there = {(node.id, node.born) for node in nodes}
        born_unknown = {node.id for node in nodes if node.born is None}
        missing = [
            run
            for run in self._record.runs(self._kind, self._since)
            if (run.id, run.born) not in there and run.id not in born_unknown
        ]
        found = []
        for run in missing[:_GONE_LIMIT]:
            lived = [
                recorded for recorded in self._record.reader.states(run.id) if is_of_this_life(recorded.state, run.born)
            ]
            if lived:
                arn = str(fold(lived).attributes.get("arn") or run.id)
                found.append(self._judge_states(arn, lived, run.born))
        return found, len(missing) <= _GONE_LIMIT


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]
