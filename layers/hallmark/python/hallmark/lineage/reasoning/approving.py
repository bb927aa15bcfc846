"""Whose word an approval was: proven by CloudTrail's calls and by Hallmark's own decisions, wherever it was given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hallmark.lineage.accountable import Act, Approved, Finding
from hallmark.lineage.columns import FOREVER, KIND_CODES, Integers, to_micros
from hallmark.lineage.folding import FoldedNode
from hallmark.lineage.graph import LineageGraph
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import Direction, NodeSummary
from hallmark.lineage.reasoning.acts import Acts
from hallmark.people import Actor, Person
from hallmark.pseudonyms import TOKEN

_APPROVED = "Approved"
_MEMBER_ROLE, _GENERATED_ROLE = "member", "generated-by"
_WORD_ROLES = ("approval", "override")
_ACTS_READ = 500
_FOLLOWS_WITHIN = timedelta(minutes=10)
"""A promotion of Hallmark's and its call of the registry are told within this time of each other."""
_RECORDED_WITHIN = timedelta(hours=1)
"""Acts get their tokens when they are recorded: mostly minutes later."""
_LACKS_FIRST: Sequence[Finding] = ("author", "machine", "unproven", "unknown", "author unknown", "person")


class _Word(NamedTuple):
    """Somebody's approval, and the nodes that tell of it."""

    act: Act
    evidence: tuple[str, ...]


class Approvals:
    """Finds whose word each approval was.

    Args:
        graph: The graph.
        acts: Who did what.
        fold: Returns what is known of a node.
        summarise: Returns a node in one line.
        authors_may_approve: Patterns of groups whose authors may approve.
        revealed: Returns a text with names where tokens of people stood.
        as_of: As of when; None for now.
    """

    def __init__(
        self,
        graph: LineageGraph,
        acts: Acts,
        fold: Callable[[int], FoldedNode],
        summarise: Callable[[int], NodeSummary],
        authors_may_approve: Sequence[str],
        revealed: Callable[[str], str] = str,
        as_of: datetime | None = None,
    ) -> None:
        self._graph = graph
        self._acts = acts
        self._fold = fold
        self._summarise = summarise
        self._authors_may_approve = tuple(pattern.lower() for pattern in authors_may_approve)
        self._revealed = revealed
        self._as_of = as_of

    def groups(self) -> list[tuple[int, ...]]:
        """Return the packages of each group, the newest version first; one of no group stands alone."""
        graph = self._graph
        rows = np.flatnonzero(graph.kinds == KIND_CODES[NodeKind.MODEL_PACKAGE])
        rows = rows[graph.is_told(rows)] if len(rows) else rows
        until = FOREVER if self._as_of is None else to_micros(self._as_of)
        living = rows[(graph.deleted_at[rows] > until) | (graph.deleted_at[rows] == FOREVER)]
        found: dict[str, list[int]] = {}
        for row in living.tolist():
            found.setdefault(self._group(row) or graph.key(row), []).append(row)
        return [tuple(sorted(found[name], key=self._version, reverse=True)) for name in sorted(found)]

    def members(self, row: int) -> list[tuple[int, ...]]:
        """Return the packages of one group, or one package."""
        wanted = self._graph.key(row)
        return [members for members in self.groups() if row in members or self._group(members[0]) == wanted]

    def of(self, members: Sequence[int], *, everything: bool) -> list[Approved]:
        """Return the newest approved version of a group, or every one."""
        found = []
        for row in members:
            if self._fold(row).attributes.get("approval_status") != _APPROVED:
                continue
            found.append(self._judge(row))
            if not everything:
                break
        return found

    def _judge(self, row: int) -> Approved:
        acts, _ = self._acts.of(row, _ACTS_READ, self._as_of)
        word = self._word(row, acts)
        authors = self._authors(row, acts)
        group = self._group(row)
        name = self._group_name(group)
        may = any(fnmatchcase(name, pattern) for pattern in self._authors_may_approve)
        finding = self._finding(word.act if word else None, authors)
        accepted = finding == "person" or (may and finding in {"author", "author unknown"})
        act = word.act if word else None
        return Approved(
            package=self._summarise(row),
            group=group,
            finding=finding,
            accepted=accepted,
            at=act.at if act else None,
            by=act.by if act else "",
            name=act.name if act else "",
            actor=act.actor if act else Actor.UNKNOWN.value,
            authors=tuple(sorted({author.by for author in authors})),
            author_may_approve=may,
            why=act.why if act else "",
            evidence=word.evidence if word else (),
        )

    def _word(self, row: int, acts: Sequence[Act]) -> _Word | None:
        """Return who approved: the last call that did so, or, where Hallmark made it, the person on whose word."""
        calls = [
            act
            for act in acts
            if act.told_by == "CloudTrail" and act.outcome == "done" and act.details.get("approval_status") == _APPROVED
        ]
        last = max(calls, key=lambda act: (act.at, act.key), default=None)
        if last is not None and last.actor != Actor.MACHINE.value:
            return _Word(last, (last.key,))
        promotions = [act for act in acts if act.told_by == "Hallmark" and act.what.startswith("promoted")]
        if last is not None:
            promotions = [act for act in promotions if abs(act.at - last.at) <= _FOLLOWS_WITHIN]
        for promotion in sorted(promotions, key=lambda act: (act.at, act.key), reverse=True):
            word = self._rests_on(row, promotion, acts)
            if word is not None:
                return _Word(word, tuple(key for key in (last and last.key, promotion.key, word.key) if key))
        if last is not None:
            return _Word(last, (last.key,))
        # No call is known: a word given to Hallmark still proves a person, a promotion without one a machine.
        words = [act for act in acts if _is_word(act)]
        if words:
            given = max(words, key=lambda act: (act.at, act.key))
            return _Word(given, (given.key,))
        if promotions:
            return _Word(promotions[0].model_copy(update={"actor": Actor.MACHINE.value}), (promotions[0].key,))
        return None

    def _rests_on(self, row: int, promotion: Act, acts: Sequence[Act]) -> Act | None:
        """Return the approval or override that a promotion rests on."""
        graph = self._graph
        action = graph.find(promotion.key)
        if action is None:
            return None
        edges, _ = graph.around(np.array([action]), Direction.UP)
        codes = [graph.code_of(role) for role in _WORD_ROLES]
        keys = {graph.key(source) for source in graph.source_of(edges[np.isin(graph.role_of(edges), codes)]).tolist()}
        return next((act for act in acts if act.key in keys and act.key != graph.key(row)), None)

    def _authors(self, row: int, acts: Sequence[Act]) -> list[Act]:
        """Return who registered a package, and who started the pipeline that did."""
        made = [act for act in acts if act.what in {"created", "CreateModelPackage"} and act.outcome == "done"]
        graph = self._graph
        edges, _ = graph.around(np.array([row]), Direction.UP)
        generators = graph.source_of(edges[graph.role_of(edges) == graph.code_of(_GENERATED_ROLE)])
        for source in generators[graph.kinds[generators] == KIND_CODES[NodeKind.PIPELINE_EXECUTION]].tolist():
            started, _ = self._acts.of(source, _ACTS_READ, self._as_of)
            made += [act for act in started if act.what in {"created", "StartPipelineExecution"}]
        return [act for act in made if act.by]

    def _finding(self, word: Act | None, authors: Sequence[Act]) -> Finding:
        if word is None:
            return "unknown"
        if word.actor == Actor.MACHINE.value:
            return "machine"
        same = [self._is_same(word, author) for author in authors] if word.by else []
        if True in same:
            return "author"
        if word.actor == Actor.PERSON.value:
            return "person" if authors and None not in same else "author unknown"
        return "unproven" if word.by else "unknown"

    def _is_same(self, word: Act, author: Act) -> bool | None:
        """Tell whether who approved is the author; None where that cannot be told any more.

        Who was forgotten between the two has a token of before and one of after; and facts from before people were kept
        apart have names.
        """
        if _person(word).is_same_as(_person(author)):
            return True
        tokens = [TOKEN.search(act.by) is not None for act in (word, author)]
        if not any(tokens) or (all(tokens) and not self._is_forgetting_between(author.at, word.at)):
            return False
        approver, made = (Person(arn=self._revealed(act.by)) for act in (word, author))
        if approver.is_same_as(made):
            return True
        return None if TOKEN.search(made.arn) or (TOKEN.search(approver.arn) and not tokens[1]) else False

    def _is_forgetting_between(self, start: datetime, end: datetime) -> bool:
        at = self._forgettings
        return bool(np.any((at >= to_micros(start)) & (at <= to_micros(end + _RECORDED_WITHIN))))

    @cached_property
    def _forgettings(self) -> Integers:
        graph = self._graph
        return graph.last_at(np.flatnonzero(graph.kinds == KIND_CODES[NodeKind.FORGETTING]))

    def _group(self, row: int) -> str:
        graph = self._graph
        edges, _ = graph.around(np.array([row]), Direction.DOWN)
        groups = graph.target_of(edges[graph.role_of(edges) == graph.code_of(_MEMBER_ROLE)]).tolist()
        return min((graph.key(group) for group in groups), default="")

    def _group_name(self, group: str) -> str:
        row = self._graph.find(group) if group else None
        return "" if row is None else self._graph.identifier(row).rpartition("/")[2].lower()

    def _version(self, row: int) -> tuple[int, str]:
        last = self._graph.identifier(row).rpartition("/")[2]
        return (int(last) if last.isdecimal() else 0, self._graph.key(row))


def _is_word(act: Act) -> bool:
    """Tell whether a person decided with Hallmark that a model may move on."""
    approves = act.key.startswith("hallmark:approval/") and act.what.startswith("approved")
    return act.told_by == "Hallmark" and (approves or act.key.startswith("hallmark:override/"))


def in_order(found: Sequence[Approved]) -> list[Approved]:
    """Return what lacks a person's word first."""
    return sorted(found, key=lambda each: (each.accepted, _LACKS_FIRST.index(each.finding), each.package.key))


def _person(act: Act) -> Person:
    return Person(arn=act.by, principal=act.principal)
