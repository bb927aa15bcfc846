"""Answers: from a question and the graph to one of the shapes of ``questions``."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import singledispatchmethod
from typing import Any

import numpy as np

from hallmark.errors import InvalidInputError
from hallmark.lineage.columns import FOREVER, KINDS, TYPES, Integers, from_micros, to_micros
from hallmark.lineage.difference import compare
from hallmark.lineage.folding import changes, fold
from hallmark.lineage.graph import LineageGraph, Walk
from hallmark.lineage.model import NodeKind
from hallmark.lineage.naming import Names
from hallmark.lineage.paging import Position, checksum, cut_page, read_position
from hallmark.lineage.ports import NodeReader, RecordedState
from hallmark.lineage.questions import (
    MAXIMUM_ANSWER_BYTES,
    AffectedKind,
    Answer,
    Candidates,
    DiffAnswer,
    DiffQuestion,
    Direction,
    HistoryEntry,
    ImpactAnswer,
    ImpactQuestion,
    ListAnswer,
    ListQuestion,
    NodeSummary,
    PathAnswer,
    PathQuestion,
    Question,
    ShowAnswer,
    ShowQuestion,
    TraceAnswer,
    TracedEdge,
    TracedNode,
    TraceQuestion,
)
from hallmark.lineage.references import resource_ref
from hallmark.lineage.rows import GraphRows

SHOWN_PER_KIND = 50
"""Nodes of each kind that an impact lists; the count tells of the rest."""

IMPACT_ORDER = (
    NodeKind.ENDPOINT,
    NodeKind.MODEL_PACKAGE,
    NodeKind.MODEL,
    NodeKind.CUSTOM_MODEL,
    NodeKind.ENDPOINT_CONFIG,
    NodeKind.MODEL_PACKAGE_GROUP,
    NodeKind.MODEL_CARD,
    NodeKind.FEATURE_GROUP,
    NodeKind.TRAINING_JOB,
    NodeKind.TUNING_JOB,
    NodeKind.TRANSFORM_JOB,
    NodeKind.PROCESSING_JOB,
    NodeKind.EVALUATION,
    NodeKind.VERDICT,
    NodeKind.DRIFT_REPORT,
    NodeKind.ACTION,
    NodeKind.ALERT,
)
_NEIGHBOURS_SHOWN = 200
_VIEWS_KEPT = 3
_NODE_BYTES, _EDGE_BYTES = 180, 200
"""What a node and an edge need as JSON beside their keys and labels."""
_PAGE_BYTES = MAXIMUM_ANSWER_BYTES * 9 // 10
_BUILT_AT_ONCE = 2_000
_LISTED_AT_ONCE = 4_096
_EARLIEST = datetime.min.replace(tzinfo=UTC)


class Answerer:
    """Answers questions from rows that may grow between them.

    Args:
        rows: The graph.
        reader: Where the attributes of nodes are read.
        clock: What time it is.
    """

    def __init__(self, rows: GraphRows, reader: NodeReader, clock: Callable[[], datetime]) -> None:
        self._rows = rows
        self._reader = reader
        self._clock = clock
        self._views: dict[tuple[int, datetime | None], _View] = {}

    def answer(self, question: Question) -> Answer:
        """Answer a question.

        Raises:
            InvalidInputError: A resume token that no answer gave, or whose answer has changed since.
        """
        result: Answer = self._answer(question)
        return result

    @singledispatchmethod
    def _answer(self, question: object) -> Any:
        raise InvalidInputError("ask", question, "ask trace, show, path, impact, diff or list")

    @_answer.register
    def _trace(self, question: TraceQuestion) -> Answer:
        deadline = time.monotonic() + question.time_budget_seconds
        begun = read_position(question.resume)
        known_at = begun.known_at or question.known_at
        view = self._view(known_at)
        graph, found = view.graph, view.resolve(question.node)
        if isinstance(found, Candidates):
            return found
        moment = begun.as_of or question.as_of or self._clock()
        held = None if question.history else to_micros(moment)
        walk = graph.walk(
            view.origins(found, question.direction, held),
            question.direction,
            depth=question.depth,
            as_of=held,
            deadline=deadline,
            at_least=begun.nodes,
        )
        given = min(begun.nodes, len(walk.nodes))
        begun.expect(graph.key(int(walk.nodes[given - 1])) if begun.nodes == given > 0 else None, question.resume)
        edges, edge_node = graph.edges_within(walk, question.direction, depth=question.depth, as_of=held)
        page = cut_page(
            begun,
            graph.key_lengths(walk.nodes) * 2 + _NODE_BYTES,
            view.edge_bytes(edges),
            edge_node,
            node_budget=question.node_budget,
            byte_budget=_PAGE_BYTES,
        )
        nodes = view.traced(walk, page.first_node, page.end_node, question.as_of, deadline)
        end_node = page.first_node + len(nodes)
        end_edge = min(page.end_edge, int(np.searchsorted(edge_node, end_node, side="left")))
        complete = walk.finished and end_node == len(walk.nodes) and end_edge == len(edges)
        position = Position(
            end_node,
            end_edge,
            known_at or self._rows.watermark or self._clock(),
            moment,
            checksum(graph.key(int(walk.nodes[end_node - 1]))) if end_node else 0,
        )
        return TraceAnswer(
            start=view.summaries([found], question.as_of)[0],
            direction=question.direction,
            nodes=tuple(nodes),
            edges=tuple(view.edges(edges[page.first_edge : end_edge])),
            complete=complete,
            resume=None if complete else position.token(),
        )

    @_answer.register
    def _show(self, question: ShowQuestion) -> Answer:
        view = self._view(question.known_at)
        graph, found = view.graph, view.resolve(question.node)
        if isinstance(found, Candidates):
            return found
        held = to_micros(question.as_of or self._clock())
        states = self._states(graph, found, question.as_of, question.known_at)
        around = {
            direction: graph.in_key_order(graph.edges_of(np.array([found]), direction, held)) for direction in Direction
        }
        upstream, downstream = (around[direction][:_NEIGHBOURS_SHOWN] for direction in (Direction.UP, Direction.DOWN))
        rows = {*graph.source_of(upstream).tolist(), *graph.target_of(downstream).tolist()}
        others = graph.incarnations(graph.identifier(found))
        history = [
            HistoryEntry(
                at=change.at,
                recorded_at=change.recorded_at,
                field=change.field,
                before=change.before,
                after=change.after,
            )
            for change in changes(states)
        ]
        if graph.kind(found) is NodeKind.ENDPOINT:
            history += view.replacements(found, history)
        return ShowAnswer(
            node=view.summaries([found], question.as_of)[0],
            attributes=fold(states).attributes,
            history=tuple(sorted(history, key=lambda entry: (entry.at, entry.field))),
            upstream=tuple(view.edges(upstream)),
            downstream=tuple(view.edges(downstream)),
            neighbours=tuple(view.summaries(sorted(rows, key=graph.key), question.as_of)),
            incarnations=tuple(view.summaries(others, question.as_of)) if len(others) > 1 else (),
            complete=all(len(edges) <= _NEIGHBOURS_SHOWN for edges in around.values()),
        )

    @_answer.register
    def _path(self, question: PathQuestion) -> Answer:
        view = self._view(question.known_at)
        graph = view.graph
        ends = []
        for asked in (question.source, question.target):
            found = view.resolve(asked)
            if isinstance(found, Candidates):
                return found
            ends.append(found)
        held = to_micros(question.as_of or self._clock())
        for source, target in (ends, reversed(ends)):
            way = graph.shortest_path(source, target, held)
            if way is not None:
                edges = np.array(way, dtype=np.int64)
                rows = [source, *graph.target_of(edges).tolist()]
                return PathAnswer(
                    nodes=tuple(view.summaries(rows, question.as_of)),
                    edges=tuple(view.edges(edges)),
                )
        return PathAnswer(nodes=(), edges=())

    @_answer.register
    def _impact(self, question: ImpactQuestion) -> Answer:
        deadline = time.monotonic() + question.time_budget_seconds
        view = self._view(question.known_at)
        graph, found = view.graph, view.resolve(question.node)
        if isinstance(found, Candidates):
            return found
        held = None if question.history else to_micros(question.as_of or self._clock())
        walk = graph.walk(np.array([found]), Direction.DOWN, as_of=held, deadline=deadline)
        nodes, depths = walk.nodes[1 : question.node_budget], walk.depths[1 : question.node_budget]
        order = {kind: rank for rank, kind in enumerate(IMPACT_ORDER)}
        affected = []
        for kind in sorted(
            (KINDS[code] for code in np.unique(graph.kinds[nodes]).tolist()),
            key=lambda kind: (order.get(kind, len(order)), kind.value),
        ):
            of_kind = np.flatnonzero(graph.kinds[nodes] == KINDS.index(kind))
            rows, levels = nodes[of_kind], depths[of_kind]
            # Nodes come by depth and key already; the live ones go before the deleted ones.
            first = np.argsort(graph.deleted_at[rows] != FOREVER, kind="stable")[:SHOWN_PER_KIND]
            shown = view.traced(Walk(rows[first], levels[first], finished=True), 0, len(first), question.as_of)
            affected.append(AffectedKind(kind=kind, count=len(rows), nodes=tuple(shown)))
        return ImpactAnswer(
            start=view.summaries([found], question.as_of)[0],
            affected=tuple(affected),
            complete=walk.finished and len(walk.nodes) <= question.node_budget,
        )

    @_answer.register
    def _diff(self, question: DiffQuestion) -> Answer:
        view = self._view(question.known_at)
        graph = view.graph
        sides = []
        for asked in (question.left, question.right):
            found = view.resolve(asked)
            if isinstance(found, Candidates):
                return found
            sides.append(found)
        held = to_micros(question.as_of or self._clock())
        compared = compare(
            graph,
            lambda row: fold(self._states(graph, row, question.as_of, question.known_at)),
            *(view.ancestors(row, held) for row in sides),
        )
        left, right = view.summaries(sides, question.as_of)
        return DiffAnswer(
            left=left,
            right=right,
            differences=tuple(compared.differences),
            equal=compared.equal,
            complete=compared.complete,
        )

    @_answer.register
    def _list(self, question: ListQuestion) -> Answer:
        begun = read_position(question.resume)
        known_at = begun.known_at or question.known_at
        view = self._view(known_at)
        graph = view.graph
        rows = view.names.containing(question.contains, question.kind)
        rows = rows[np.lexsort((graph.ranks.of(rows), -graph.last_at(rows)))]
        last = int(rows[begun.nodes - 1]) if 0 < begun.nodes <= len(rows) else None
        begun.expect(None if last is None else graph.key(last), question.resume)
        page: list[int] = []
        place = begun.nodes
        while place < len(rows) and len(page) < question.limit:
            following = rows[place : place + _LISTED_AT_ONCE]
            known = np.flatnonzero(graph.is_known(following))[: question.limit - len(page)]
            page += following[known].tolist()
            full = len(page) == question.limit
            place += int(known[-1]) + 1 if full else len(following)
        complete = not any(
            graph.is_known(rows[start : start + _LISTED_AT_ONCE]).any()
            for start in range(place, len(rows), _LISTED_AT_ONCE)
        )
        position = Position(
            place,
            0,
            known_at or self._rows.watermark or self._clock(),
            None,
            checksum(graph.key(int(rows[place - 1]))) if place else 0,
        )
        return ListAnswer(
            nodes=tuple(view.summaries(page, question.as_of)),
            complete=complete,
            resume=None if complete else position.token(),
        )

    def _view(self, known_at: datetime | None) -> _View:
        if known_at is not None and self._rows.watermark is not None and known_at >= self._rows.watermark:
            known_at = None
        key = (self._rows.revision, known_at)
        if key not in self._views:
            kept = [view for view in self._views if view[0] == self._rows.revision][-(_VIEWS_KEPT - 1) :]
            self._views = {view: self._views[view] for view in kept}
            self._views[key] = _View(LineageGraph(self._rows, known_at))
        return self._views[key]

    def _states(
        self, graph: LineageGraph, row: int, as_of: datetime | None, known_at: datetime | None
    ) -> list[RecordedState]:
        """Return the states of one incarnation that held, and were known, by a time."""
        key = graph.key(row)
        return [
            recorded
            for recorded in self._reader.states(graph.identifier(row))
            if (recorded.state.node.key == key or recorded.state.node.born is None)
            and (as_of is None or recorded.state.at is None or recorded.state.at <= as_of)
            and (known_at is None or recorded.recorded_at <= known_at)
        ]


class _View:
    """A graph, the names in it, and how its nodes and edges are told."""

    def __init__(self, graph: LineageGraph) -> None:
        self.graph = graph
        self.names = Names(graph)

    def resolve(self, asked: str) -> int | Candidates:
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

    def ancestors(self, row: int, held: int) -> dict[NodeKind, list[int]]:
        """Return the ancestors of a node (and itself) by kind, the nearest first."""
        found: dict[NodeKind, list[int]] = {}
        for reached in self.graph.walk(np.array([row]), Direction.UP, as_of=held).nodes.tolist():
            found.setdefault(self.graph.kind(reached), []).append(reached)
        return found

    # --- nodes ---

    def summaries(self, rows: Sequence[int], as_of: datetime | None) -> list[NodeSummary]:
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
            # The fields are of the right types already; checking each again would take most of the time.
            found += [
                TracedNode.model_construct(**node, depth=depth) for node, depth in zip(fields, depths, strict=True)
            ]
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
            }
            for row, label, status, gone in zip(
                rows.tolist(), graph.labels(rows), statuses, deleted.tolist(), strict=True
            )
        ]

    # --- edges ---

    def edge_bytes(self, edges: Integers) -> Integers:
        graph = self.graph
        keys = graph.key_lengths(graph.source_of(edges)) + graph.key_lengths(graph.target_of(edges))
        lengths = np.array([len(word.encode()) for word in graph.words], dtype=np.int64)
        found: Integers = keys + lengths[graph.role_of(edges)] + _EDGE_BYTES
        return found

    def edges(self, edges: Integers) -> list[TracedEdge]:
        graph = self.graph
        columns = [column.tolist() for column in graph.columns_of(edges)]
        return [
            TracedEdge.model_construct(
                source=graph.key(source),
                target=graph.key(target),
                type=TYPES[kind],
                role=graph.words[role],
                valid_from=from_micros(begin) or _EARLIEST,
                valid_to=from_micros(end),
                recorded_at=from_micros(recorded) or _EARLIEST,
            )
            for source, target, kind, role, begin, end, recorded in zip(*columns, strict=True)
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
