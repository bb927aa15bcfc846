"""Who did what to a node: calls that CloudTrail tells of, decisions that Hallmark took, and who made a resource."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np

from hallmark.lineage.accountable import Act
from hallmark.lineage.columns import KIND_CODES, Integers, from_micros, to_micros
from hallmark.lineage.folding import FoldedNode
from hallmark.lineage.graph import LineageGraph
from hallmark.lineage.model import ATTEMPTED_ROLE, CALLED_ROLE, DONE_ROLE, NodeKind
from hallmark.lineage.questions import Direction
from hallmark.people import HUMAN_ACTORS, Actor, Person

CALL_PREFIX = "hallmark:action/cloudtrail-"
"""Ids of actions that are calls."""
EXPLAINED_WITHIN = timedelta(hours=1)
"""A tag ``hallmark:reason`` explains what the same caller does to the resource within this time."""

_CREATED_ROLE, _NOTED_ROLE = "created-by", "noted"
_DECISIONS = frozenset({NodeKind.APPROVAL, NodeKind.OVERRIDE, NodeKind.ACTION})
_DETAILS = ("approval_status", "stage", "stage_status", "config", "card_status")
_EARLIEST = datetime.min.replace(tzinfo=UTC)


class _Lead(NamedTuple):
    """An edge that leads to an act."""

    begin: int
    row: int
    way: _Way


class _Way(StrEnum):
    """How an act and the node that was asked for belong together."""

    CALL = "call"
    MADE_BY = "made by"
    """The lead is the user who made the node."""
    MADE = "made"
    """The lead is what the user made."""
    DECISION = "decision"


class Acts:
    """Reads acts from a graph.

    Args:
        graph: The graph.
        fold: Returns what is known of a node.
        machines: Patterns of ARNs and names that the team says are machines.
    """

    def __init__(self, graph: LineageGraph, fold: Callable[[int], FoldedNode], machines: Sequence[str] = ()) -> None:
        self._graph = graph
        self._fold = fold
        self._machines = tuple(machines)

    def of(self, row: int, limit: int, as_of: datetime | None = None) -> tuple[list[Act], bool]:
        """Return the newest acts on a node (of a user: theirs), and whether those are all."""
        leads = self._leads(row)
        until = None if as_of is None else to_micros(as_of)
        held = sorted((lead for lead in set(leads) if until is None or lead.begin <= until), reverse=True)
        acts = [self._act(lead, row) for lead in held[:limit]]
        return self._explained(_without_repeats(acts)), len(held) <= limit

    def calls(self, since: datetime | None, as_of: datetime | None, limit: int) -> tuple[list[Act], bool]:
        """Return the newest calls of the whole graph, and whether those are all."""
        graph = self._graph
        rows = np.flatnonzero(graph.kinds == KIND_CODES[NodeKind.ACTION])
        at = graph.last_at(rows)
        kept = np.ones(len(rows), dtype=bool)
        if since is not None:
            kept &= at >= to_micros(since)
        if as_of is not None:
            kept &= at <= to_micros(as_of)
        rows, at = rows[kept], at[kept]
        order = np.lexsort((graph.ranks.of(rows), -at))
        calls = [int(row) for row in rows[order].tolist() if graph.identifier(row).startswith(CALL_PREFIX)]
        told = np.array(calls, dtype=np.int64)
        calls = told[graph.is_told(told)].tolist() if len(told) else []
        acts = [self.explained(row, self._act(_Lead(0, row, _Way.CALL), row)) for row in calls[:limit]]
        return acts, len(calls) <= limit

    def explained(self, row: int, act: Act) -> Act:
        """Return a call with its reason, looked for beside it too: on its resource before, in a note afterwards."""
        if act.why or not is_human(act):
            return act
        targets = self._around([row], Direction.DOWN, (DONE_ROLE, ATTEMPTED_ROLE))
        earliest = to_micros(act.at - EXPLAINED_WITHIN)
        for target in self._graph.target_of(targets).tolist():
            leads = [lead for lead in self._leads(target) if earliest <= lead.begin <= to_micros(act.at)]
            around = [act, *(self._act(lead, target) for lead in leads if lead.row != row)]
            found = next(each for each in self._explained(around) if each.key == act.key)
            if found.why:
                return found
        return act

    # --- where acts are ---

    def _leads(self, row: int) -> list[_Lead]:
        graph = self._graph
        if graph.kind(row) is NodeKind.USER:
            called = self._around([row], Direction.DOWN, (CALLED_ROLE,))
            made = self._around([row], Direction.DOWN, (_CREATED_ROLE,))
            return [
                *self._lead(called, graph.target_of(called), _Way.CALL),
                *self._lead(made, graph.target_of(made), _Way.MADE),
            ]
        rows = [row, *self._bucket(row)]
        calls = self._around(rows, Direction.UP, (DONE_ROLE, ATTEMPTED_ROLE))
        makers = self._around(rows, Direction.UP, (_CREATED_ROLE,))
        down, _ = graph.around(np.array(rows, dtype=np.int64), Direction.DOWN)
        decided = down[np.isin(graph.kinds[graph.target_of(down)], [KIND_CODES[kind] for kind in _DECISIONS])]
        return [
            *self._lead(calls, graph.source_of(calls), _Way.CALL),
            *self._lead(makers, graph.source_of(makers), _Way.MADE_BY),
            *self._lead(decided, graph.target_of(decided), _Way.DECISION),
        ]

    def _lead(self, edges: Integers, rows: Integers, way: _Way) -> list[_Lead]:
        begins = self._graph.begin_of(edges).tolist()
        return [_Lead(begin, row, way) for begin, row in zip(begins, rows.tolist(), strict=True)]

    def _around(self, rows: Sequence[int], direction: Direction, roles: Iterable[str]) -> Integers:
        edges, _ = self._graph.around(np.array(rows, dtype=np.int64), direction)
        codes = [self._graph.code_of(role) for role in roles]
        return edges[np.isin(self._graph.role_of(edges), codes)]

    def _bucket(self, row: int) -> list[int]:
        """Return the node of the bucket that a dataset lies in: what happens to it happens to the dataset."""
        if self._graph.kind(row) not in {NodeKind.DATASET, NodeKind.DATASET_VERSION}:
            return []
        scheme, separator, rest = self._graph.identifier(row).partition("://")
        bucket = self._graph.find(f"{scheme}{separator}{rest.partition('/')[0]}") if scheme == "s3" else None
        return [] if bucket is None or bucket == row else [bucket]

    # --- what they say ---

    def _act(self, lead: _Lead, about: int) -> Act:
        graph = self._graph
        if lead.way in {_Way.MADE, _Way.MADE_BY}:
            user, made = (about, lead.row) if lead.way is _Way.MADE else (lead.row, about)
            return self._made(graph.identifier(user), made, lead.begin)
        folded = self._fold(lead.row)
        told = folded.attributes
        key = graph.key(lead.row)
        by = _text(told, "by")
        common = {
            "key": key,
            "at": folded.at or from_micros(lead.begin) or _EARLIEST,
            "by": by,
            "why": _text(told, "reason"),
        }
        if key.startswith(CALL_PREFIX):
            return Act(
                **common,
                what=_text(told, "action"),
                outcome="attempted" if folded.status == "Attempted" else "done",
                details={name: str(told[name]) for name in _DETAILS if told.get(name)},
                target=_text(told, "target"),
                actor=self._actor(_text(told, "actor"), by, _text(told, "by_name")),
                name=_text(told, "by_name"),
                principal=_text(told, "principal"),
                session=_text(told, "session"),
                claimed=_text(told, "source_identity"),
                via=_text(told, "via"),
                source_ip=_text(told, "source_ip"),
                user_agent=_text(told, "user_agent"),
                region=_text(told, "region"),
                why_from=_text(told, "reason_from"),
                error=_text(told, "error"),
            )
        name = Person(arn=by).name
        known = "" if not by else Actor.PERSON.value if name else _unnamed(by)
        return Act(
            **common,
            what=_text(told, "name") or str(folded.status or graph.kind(lead.row).value),
            actor=self._actor(known, by, name),
            name=name,
            why_from="decision" if common["why"] else "",
            target=graph.key(about),
            told_by="Hallmark",
        )

    def _made(self, user: str, resource: int, begin: int) -> Act:
        name = Person(arn=user).name or _profile(user)
        return Act(
            key=self._graph.key(resource),
            at=from_micros(begin) or _EARLIEST,
            what="created",
            by=user,
            name=name,
            actor=self._actor(Actor.PERSON.value if name else _unnamed(user), user, name),
            target=self._graph.key(resource),
            told_by="SageMaker",
        )

    def _actor(self, actor: str, by: str, name: str) -> str:
        if any(fnmatchcase(by, pattern) or (name and fnmatchcase(name, pattern)) for pattern in self._machines):
            return Actor.MACHINE.value
        return actor or Actor.UNKNOWN.value

    def _explained(self, acts: Sequence[Act]) -> list[Act]:
        return [self._with_reason(act, acts) for act in acts]

    def _with_reason(self, act: Act, others: Sequence[Act]) -> Act:
        if act.why or act.told_by != "CloudTrail" or not is_human(act):
            return act
        said = [
            each
            for each in others
            if each.what in {"AddTags", "TagResource"}
            and each.why
            and each.outcome == "done"
            and each.by == act.by
            and act.at - EXPLAINED_WITHIN <= each.at <= act.at
        ]
        if said:
            last = max(said, key=lambda each: (each.at, each.key))
            return act.model_copy(update={"why": last.why, "why_from": "tag before it"})
        note = self._note(act)
        return act.model_copy(update={"why": note, "why_from": "note"}) if note else act

    def _note(self, act: Act) -> str:
        """Return what somebody wrote beside a call, the first note by its key."""
        row = self._graph.find(act.key)
        if row is None:
            return ""
        edges = self._around([row], Direction.DOWN, (_NOTED_ROLE,))
        notes = sorted(self._graph.target_of(edges).tolist(), key=self._graph.key)
        return next((text for note in notes if (text := _text(self._fold(note).attributes, "text"))), "")


def is_human(act: Act) -> bool:
    """Tell whether a person did it, or may have."""
    return act.actor in HUMAN_ACTORS


def _without_repeats(acts: Sequence[Act]) -> list[Act]:
    """Leave out who made a resource, as SageMaker tells it, where CloudTrail tells of the call."""
    called = {act.by for act in acts if act.told_by == "CloudTrail" and act.what.startswith(("Create", "Start"))}
    return [act for act in acts if act.told_by != "SageMaker" or act.by not in called]


def _unnamed(arn: str) -> str:
    resource = arn.rpartition(":")[2]
    if resource.startswith("assumed-role/"):
        return Actor.SESSION.value
    return Actor.ROOT.value if resource == "root" else Actor.MACHINE.value


def _profile(arn: str) -> str:
    """Return the name of a Studio user profile: SageMaker itself tells who worked in it."""
    resource = arn.rpartition(":")[2]
    return resource.rpartition("/")[2] if resource.startswith("user-profile/") else ""


def _text(attributes: dict[str, Any], name: str) -> str:
    value = attributes.get(name)
    return value if isinstance(value, str) else ""
