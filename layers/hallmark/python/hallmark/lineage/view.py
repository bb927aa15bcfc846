"""What a question looks through: the graph with its names, at one time, and the attributes of its nodes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel

from hallmark.lineage.columns import FOREVER, KINDS, TYPES, Integers, from_micros, to_micros
from hallmark.lineage.folding import FoldedNode, fold
from hallmark.lineage.graph import LineageGraph, Walk
from hallmark.lineage.model import EdgeType, NodeKind
from hallmark.lineage.naming import Names
from hallmark.lineage.ports import ManifestReader, NodeReader, RecordedState
from hallmark.lineage.questions import (
    Candidates,
    Direction,
    HistoryEntry,
    NodeSummary,
    TracedEdge,
    TracedNode,
    VersionStep,
)
from hallmark.lineage.references import resource_ref
from hallmark.people import NO_RULES, HumanRules

_EDGE_BYTES = 200
"""What an edge needs as JSON beside its keys and its role."""
_BUILT_AT_ONCE = 2_000
_JUDGED_KINDS = (NodeKind.MODEL_PACKAGE, NodeKind.CUSTOM_MODEL, NodeKind.MODEL_VERSION)
_DECIDING_KINDS = frozenset({NodeKind.VERDICT, NodeKind.APPROVAL, NodeKind.OVERRIDE})
_REASON_KINDS = frozenset({NodeKind.ACTION, NodeKind.DRIFT_REPORT, NodeKind.ALERT, *_DECIDING_KINDS})
_Model = TypeVar("_Model", bound=BaseModel)
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _made(model: type[_Model], fields: dict[str, Any]) -> _Model:
    """Return a model of all of its fields, in their order and of the right types already.

    ``model_construct`` goes through the fields of each model again, which took half of the time of a long answer.
    """
    made = model.__new__(model)
    object.__setattr__(made, "__dict__", fields)
    object.__setattr__(made, "__pydantic_fields_set__", set(fields))
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made


class View:
    """A graph, the names in it, and how its nodes and edges are told."""

    def __init__(self, graph: LineageGraph) -> None:
        self.graph = graph
        self.names = Names(graph)

    def resolve(self, asked: str) -> int | Candidates:
        """Return the node that is meant, or what may have been meant."""
        found = self.names.resolve(asked)
        if found.row is not None:
            return found.row
        return Candidates(
            asked=asked,
            reason="ambiguous" if found.ambiguous else "unknown",
            candidates=tuple(self.summaries(found.candidates, None)),
            complete=found.complete,
        )

    def origins(self, row: int, direction: Direction, held: int | None) -> Integers:
        """Return where a trace starts: upwards, a dataset came from where its content came from.

        That is its newest version, or with its history all of them.
        """
        versions = []
        if direction is Direction.UP and self.graph.kind(row) is NodeKind.DATASET:
            versions = self.graph.versions_of(row, FOREVER if held is None else held)
        return np.array([row, *(versions if held is None else versions[-1:])], dtype=np.int64)

    def compared(self, row: int, held: int) -> dict[NodeKind, list[int]]:
        """Return what a comparison looks at: what a node was made of, and what gates and people said of its model.

        What was the reason to train it (drift of what an earlier model served) is no part of what it was made of.
        """
        found: dict[NodeKind, list[int]] = {}
        frontier, met = np.array([row], dtype=np.int64), {row}
        while len(frontier):
            for reached in frontier.tolist():
                found.setdefault(self.graph.kind(reached), []).append(reached)
            going = [reached for reached in frontier.tolist() if self.graph.kind(reached) not in _REASON_KINDS]
            level = self.graph.walk(np.array(going, dtype=np.int64), Direction.UP, depth=1, as_of=held)
            fresh = [reached for reached in level.nodes.tolist() if reached not in met]
            met.update(fresh)
            frontier = np.array(fresh, dtype=np.int64)
        judged = [row, *(near for kind in _JUDGED_KINDS for near in found.get(kind, [])[:1])]
        edges = self.graph.edges_of(np.unique(np.array(judged)), Direction.DOWN, held)
        for other in np.unique(self.graph.target_of(edges)).tolist():
            kind = self.graph.kind(other)
            if kind in _DECIDING_KINDS and other not in found.get(kind, ()):
                found.setdefault(kind, []).append(other)
        return found

    # --- nodes ---

    def summaries(self, rows: Sequence[int], as_of: datetime | None) -> list[NodeSummary]:
        """Return nodes, a line each, with the statuses that they had at a time."""
        return [NodeSummary(**fields) for fields in self._fields(np.array(rows, dtype=np.int64), as_of)]

    def traced(
        self, walk: Walk, start: int, end: int, as_of: datetime | None, deadline: float = float("inf")
    ) -> list[TracedNode]:
        """Return the nodes of a part of a walk, as many as can be built by a deadline, but some."""
        found: list[TracedNode] = []
        for first in range(start, end, _BUILT_AT_ONCE):
            if found and time.monotonic() > deadline:
                break
            last = min(first + _BUILT_AT_ONCE, end)
            fields = self._fields(walk.nodes[first:last], as_of)
            depths = walk.depths[first:last].tolist()
            found += [_made(TracedNode, {**node, "depth": depth}) for node, depth in zip(fields, depths, strict=True)]
        return found

    def _fields(self, rows: Integers, as_of: datetime | None) -> list[dict[str, Any]]:
        graph, until = self.graph, FOREVER if as_of is None else to_micros(as_of)
        statuses = graph.statuses(rows, until)
        deleted = (graph.deleted_at[rows] != FOREVER) & (graph.deleted_at[rows] <= until)
        return [
            {
                "key": graph.key(row),
                "kind": graph.kind(row),
                "label": label,
                "status": status.status,
                "at": from_micros(status.at),
                "deleted": gone,
                "version": None,
            }
            for row, label, status, gone in zip(
                rows.tolist(), graph.labels(rows), statuses, deleted.tolist(), strict=True
            )
        ]

    # --- edges ---

    def edge_bytes(self, edges: Integers) -> Integers:
        """Return about how long each edge is as JSON."""
        graph = self.graph
        keys = graph.key_lengths(graph.source_of(edges)) + graph.key_lengths(graph.target_of(edges))
        lengths = np.array([len(word.encode()) for word in graph.words], dtype=np.int64)
        found: Integers = keys + lengths[graph.role_of(edges)] + _EDGE_BYTES
        return found

    def edges(self, edges: Integers) -> list[TracedEdge]:
        """Return edges as they are told."""
        graph = self.graph
        sources, targets, kinds, roles, begins, ends, learned = (column.tolist() for column in graph.columns_of(edges))
        # Most nodes have several edges, and most edges share their times: each is read once.
        keys = {row: graph.key(row) for row in {*sources, *targets}}
        times = {micros: from_micros(micros) for micros in {*begins, *ends, *learned}}
        return [
            _made(
                TracedEdge,
                {
                    "source": keys[source],
                    "target": keys[target],
                    "type": TYPES[kind],
                    "role": graph.words[role],
                    "valid_from": times[begin] or _EARLIEST,
                    "valid_to": times[end],
                    "recorded_at": times[recorded] or _EARLIEST,
                },
            )
            for source, target, kind, role, begin, end, recorded in zip(
                sources, targets, kinds, roles, begins, ends, learned, strict=True
            )
        ]

    # --- endpoints ---

    def replacements(self, endpoint: int, history: Sequence[HistoryEntry]) -> list[HistoryEntry]:
        """Return which models and packages followed which: what each config of an endpoint was made from."""
        graph = self.graph
        found = []
        before: dict[str, Any] = {}
        for change in history:
            if change.field != "config":
                continue
            config = self._config(endpoint, str(change.after))
            rows = graph.walk(np.array(config, dtype=np.int64), Direction.UP, depth=2).nodes
            for field, kind in (("model", NodeKind.MODEL), ("model_package", NodeKind.MODEL_PACKAGE)):
                labels = ", ".join(graph.labels(rows[graph.kinds[rows] == KINDS.index(kind)]))
                if labels and labels != before.get(field):
                    found.append(
                        HistoryEntry(
                            at=change.at,
                            recorded_at=change.recorded_at,
                            field=field,
                            before=before.get(field),
                            after=labels,
                        )
                    )
                    before[field] = labels
        return found

    def _config(self, endpoint: int, name: str) -> list[int]:
        """Return the newest config of a name that an endpoint has had; none, where no edge tells of it."""
        graph = self.graph
        prefix = graph.identifier(endpoint).rpartition(":")[0]
        wanted = resource_ref(f"{prefix}:endpoint-config/{name}", NodeKind.ENDPOINT_CONFIG).id
        edges, _ = graph.around(np.array([endpoint]), Direction.UP)
        rows = {row for row in graph.source_of(edges).tolist() if graph.identifier(row) == wanted}
        return sorted(rows, key=graph.key)[-1:]


class Link(NamedTuple):
    """An edge at a node: the one at its other end, what it was to the node, and since when."""

    row: int
    kind: NodeKind
    role: str
    type: EdgeType
    since: datetime | None


class Moment:
    """The graph as it held at one time, as far as it was known at another, with what its nodes were like then.

    The states of a node are read once.

    Args:
        view: The graph, as far as it was known.
        reader: Where the attributes of nodes are read.
        as_of: The time at which it holds; None for now.
        known_at: The time by which it had to be known; None for now.
        now: What time it is.
        people: What the policy says of people.
        manifests: Where the listings of large datasets are read; None where nobody keeps them.
    """

    def __init__(
        self,
        view: View,
        reader: NodeReader,
        as_of: datetime | None,
        known_at: datetime | None,
        now: datetime,
        people: HumanRules = NO_RULES,
        manifests: ManifestReader | None = None,
    ) -> None:
        self.people = people
        self.view = view
        self.graph = view.graph
        self.as_of = as_of
        self.known_at = known_at
        self.time = as_of or now
        self.held = to_micros(self.time)
        self._reader = reader
        self._manifests = manifests
        self.numbered: dict[int, list[VersionStep] | None] = {}
        """The semantic versions of each group and place that were worked out (``numbering``)."""
        self._listings: dict[int, Sequence[Sequence[Any]] | None] = {}
        self._states: dict[int, list[RecordedState]] = {}
        self._folded: dict[int, FoldedNode] = {}

    @property
    def reads(self) -> int:
        """Return how many nodes were read."""
        return len(self._states)

    def at(self, time: datetime, *, just_before: bool = False) -> Moment:
        """Return another time of what was known by the same time; ``just_before``: the microsecond before it."""
        when = time - _MICROSECOND if just_before else time
        return Moment(self.view, self._reader, when, self.known_at, when, self.people, self._manifests)

    def states(self, row: int) -> list[RecordedState]:
        """Return the states of one incarnation that held, and were known, by the two times."""
        if row not in self._states:
            key, known_at = self.graph.key(row), self.known_at
            self._states[row] = [
                recorded
                for recorded in self._reader.states(self.graph.identifier(row))
                if (recorded.state.node.key == key or recorded.state.node.born is None)
                and (self.as_of is None or recorded.state.at is None or recorded.state.at <= self.as_of)
                and (known_at is None or recorded.recorded_at <= known_at)
            ]
        return self._states[row]

    def node(self, row: int) -> FoldedNode:
        """Return what a node was like."""
        if row not in self._folded:
            self._folded[row] = fold(self.states(row))
        return self._folded[row]

    def attributes(self, row: int) -> Mapping[str, Any]:
        """Return the attributes of a node."""
        return self.node(row).attributes

    def listing(self, row: int) -> Sequence[Sequence[Any]] | None:
        """Return ``[key, version id, identity, size]`` of each object of a content; None where that is not known."""
        if row not in self._listings:
            told = self.attributes(row)
            found = told.get("manifest")
            if found is None and told.get("manifest_uri") and self._manifests is not None:
                found = self._manifests.listing(str(told["manifest_uri"]))
            self._listings[row] = found
        return self._listings[row]

    def summary(self, row: int) -> NodeSummary:
        """Return a node in one line."""
        return self.summaries([row])[0]

    def summaries(self, rows: Sequence[int]) -> list[NodeSummary]:
        """Return nodes, a line each."""
        return self.view.summaries(rows, self.as_of)

    def links(self, row: int, direction: Direction, *kinds: NodeKind) -> list[Link]:
        """Return what reached (up) or left (down) a node, of some kinds (all, where none is given), by key and role."""
        graph = self.graph
        edges = graph.in_key_order(graph.edges_of(np.array([row]), direction, self.held))
        found = []
        columns = [column.tolist() for column in graph.columns_of(edges)]
        for source, target, code, role, begin, _, _ in zip(*columns, strict=True):
            other = source if direction is Direction.UP else target
            kind = graph.kind(other)
            if not kinds or kind in kinds:
                found.append(Link(other, kind, graph.words[role], TYPES[code], from_micros(begin)))
        return found

    def into(self, row: int, *kinds: NodeKind) -> list[Link]:
        """Return what reached a node."""
        return self.links(row, Direction.UP, *kinds)

    def out_of(self, row: int, *kinds: NodeKind) -> list[Link]:
        """Return what left a node."""
        return self.links(row, Direction.DOWN, *kinds)

    def edges_among(self, rows: Iterable[int]) -> list[TracedEdge]:
        """Return the edges that say something and lead from one of some nodes to another one."""
        nodes = np.unique(np.array(list(rows), dtype=np.int64))
        edges = self.graph.edges_of(nodes, Direction.UP, self.held)
        edges = edges[np.isin(self.graph.source_of(edges), nodes)]
        return self.view.edges(self.graph.in_key_order(edges))

    def of_kind(self, kind: NodeKind) -> Integers:
        """Return the nodes of a kind of which something is told."""
        rows = np.flatnonzero(self.graph.kinds == KINDS.index(kind))
        return rows[self.graph.is_told(rows)]
