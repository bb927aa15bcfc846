"""Answers: from a question and the graph to one of the shapes of ``questions``."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import singledispatchmethod
from typing import Any

import numpy as np

from hallmark.errors import InvalidInputError
from hallmark.lineage.difference import compare
from hallmark.lineage.folding import FoldedNode, changes, fold
from hallmark.lineage.graph import FOREVER, LineageGraph
from hallmark.lineage.model import NodeKind
from hallmark.lineage.naming import Names
from hallmark.lineage.ports import NodeReader, RecordedState
from hallmark.lineage.questions import (
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
from hallmark.lineage.rows import NEVER, TYPES, GraphRows, Integers, from_micros, to_micros

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
)
_NEIGHBOURS_SHOWN = 200
_VIEWS_KEPT = 2


class Answerer:
    """Answers questions from rows that may grow between them."""

    def __init__(self, rows: GraphRows, reader: NodeReader, clock: Callable[[], datetime]) -> None:
        self._rows = rows
        self._reader = reader
        self._clock = clock
        self._views: dict[tuple[int, datetime | None], tuple[LineageGraph, Names]] = {}

    def answer(self, question: Question) -> Answer:
        """Answer a question.

        Raises:
            InvalidInputError: A resume token that no answer gave.
        """
        result: Answer = self._answer(question)
        return result

    @singledispatchmethod
    def _answer(self, question: object) -> Any:
        raise InvalidInputError("ask", question, "ask trace, show, path, impact, diff or list")

    @_answer.register
    def _trace(self, question: TraceQuestion) -> Answer:
        offset, pinned = _read_token(question.resume)
        known_at = pinned or question.known_at
        graph, names = self._view(known_at)
        found = self._resolve(graph, names, question.node)
        if isinstance(found, Candidates):
            return found
        as_of = None if question.history else self._as_of(question.as_of)
        start = [found]
        if question.direction is Direction.UP:
            # Where a dataset came from is where its content came from: the newest, or with its history all of them.
            start += graph.versions_of(found) if question.history else graph.versions_of(found)[-1:]
        walk = graph.walk(
            np.array(start),
            question.direction,
            depth=question.depth,
            as_of=as_of,
            seconds=question.time_budget_seconds,
        )
        ordered = graph.in_key_order(walk)
        page = ordered[offset : offset + question.node_budget]
        rows = np.array([row for row, _ in page], dtype=np.int64)
        # An edge belongs to the page of the node that it was followed from or to, whichever comes later.
        shown_before = np.array([row for row, _ in ordered[: offset + len(page)]], dtype=np.int64)
        edges = graph.edges_among(shown_before, question.direction, as_of)
        if offset:
            fresh = np.isin(graph.edge_source[edges], rows) | np.isin(graph.edge_target[edges], rows)
            edges = edges[fresh]
        complete = walk.finished and offset + len(page) >= len(ordered)
        token = None
        if not complete:
            token = _write_token(offset + len(page), known_at or self._rows.watermark or self._clock())
        return TraceAnswer(
            start=self._summary(graph, names, found, question.as_of),
            direction=question.direction,
            nodes=tuple(self._traced(graph, names, row, depth, question.as_of) for row, depth in page),
            edges=tuple(self._edge(graph, edge) for edge in _in_order(graph, edges)),
            complete=complete,
            resume=token,
        )

    @_answer.register
    def _show(self, question: ShowQuestion) -> Answer:
        graph, names = self._view(question.known_at)
        found = self._resolve(graph, names, question.node)
        if isinstance(found, Candidates):
            return found
        as_of = self._as_of(question.as_of)
        states = self._states(graph, found, question.as_of, question.known_at)
        folded = fold(states)
        upstream = graph.holding(graph.edges_of(found, Direction.UP), as_of)[:_NEIGHBOURS_SHOWN]
        downstream = graph.holding(graph.edges_of(found, Direction.DOWN), as_of)[:_NEIGHBOURS_SHOWN]
        rows = {*graph.edge_source[upstream].tolist(), *graph.edge_target[downstream].tolist()}
        others = [row for row in names.containing(graph.ids[found], None) if graph.ids[row] == graph.ids[found]]
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
            history += self._replacements(graph, names, found, history)
        return ShowAnswer(
            node=self._summary(graph, names, found, question.as_of),
            attributes=folded.attributes,
            history=tuple(sorted(history, key=lambda entry: (entry.at, entry.field))),
            upstream=tuple(self._edge(graph, edge) for edge in _in_order(graph, upstream)),
            downstream=tuple(self._edge(graph, edge) for edge in _in_order(graph, downstream)),
            neighbours=tuple(
                self._summary(graph, names, row, question.as_of) for row in sorted(rows, key=graph.keys.__getitem__)
            ),
            incarnations=tuple(
                self._summary(graph, names, row, question.as_of) for row in sorted(others, key=graph.keys.__getitem__)
            )
            if len(others) > 1
            else (),
        )

    @_answer.register
    def _path(self, question: PathQuestion) -> Answer:
        graph, names = self._view(question.known_at)
        source = self._resolve(graph, names, question.source)
        if isinstance(source, Candidates):
            return source
        target = self._resolve(graph, names, question.target)
        if isinstance(target, Candidates):
            return target
        as_of = self._as_of(question.as_of)
        way = graph.shortest_path(source, target, as_of)
        start = source
        if way is None:
            way, start = graph.shortest_path(target, source, as_of), target
        if way is None:
            return PathAnswer(nodes=(), edges=())
        rows = [start, *(int(graph.edge_target[edge]) for edge in way)]
        return PathAnswer(
            nodes=tuple(self._summary(graph, names, row, question.as_of) for row in rows),
            edges=tuple(self._edge(graph, edge) for edge in way),
        )

    @_answer.register
    def _impact(self, question: ImpactQuestion) -> Answer:
        graph, names = self._view(question.known_at)
        found = self._resolve(graph, names, question.node)
        if isinstance(found, Candidates):
            return found
        as_of = None if question.history else self._as_of(question.as_of)
        walk = graph.walk(np.array([found]), Direction.DOWN, as_of=as_of, seconds=question.time_budget_seconds)
        complete = walk.finished and len(walk.nodes) <= question.node_budget
        nodes, depths = walk.nodes[: question.node_budget], walk.depths[: question.node_budget]
        affected = []
        for code in np.unique(graph.kinds[nodes[1:]]).tolist():
            of_kind = graph.kinds[nodes] == code
            of_kind[0] = False
            rows = zip(nodes[of_kind].tolist(), depths[of_kind].tolist(), strict=True)
            ranked = sorted(rows, key=lambda item: (graph.deleted_at[item[0]] != FOREVER, item[1], graph.keys[item[0]]))
            affected.append(
                AffectedKind(
                    kind=graph.kind(ranked[0][0]),
                    count=len(ranked),
                    nodes=tuple(
                        self._traced(graph, names, row, depth, question.as_of) for row, depth in ranked[:SHOWN_PER_KIND]
                    ),
                )
            )
        order = {kind: rank for rank, kind in enumerate(IMPACT_ORDER)}
        affected.sort(key=lambda item: (order.get(item.kind, len(order)), item.kind.value))
        return ImpactAnswer(
            start=self._summary(graph, names, found, question.as_of), affected=tuple(affected), complete=complete
        )

    @_answer.register
    def _diff(self, question: DiffQuestion) -> Answer:
        graph, names = self._view(question.known_at)
        sides = []
        for asked in (question.left, question.right):
            found = self._resolve(graph, names, asked)
            if isinstance(found, Candidates):
                return found
            sides.append(found)

        def folded(row: int) -> FoldedNode:
            return fold(self._states(graph, row, question.as_of, question.known_at))

        left, right = (self._origin(graph, row, self._as_of(question.as_of)) for row in sides)
        differences, equal = compare(graph, folded, left, right)
        return DiffAnswer(
            left=self._summary(graph, names, sides[0], question.as_of),
            right=self._summary(graph, names, sides[1], question.as_of),
            differences=tuple(differences),
            equal=equal,
        )

    @_answer.register
    def _list(self, question: ListQuestion) -> Answer:
        offset, pinned = _read_token(question.resume)
        graph, names = self._view(pinned or question.known_at)
        rows = names.containing(question.contains, question.kind)

        def newest_first(row: int) -> tuple[int, str]:
            return -self._last_at(graph, row), graph.keys[row]

        rows.sort(key=newest_first)
        page = rows[offset : offset + question.limit]
        complete = offset + len(page) >= len(rows)
        known_at = pinned or question.known_at or self._rows.watermark or self._clock()
        return ListAnswer(
            nodes=tuple(self._summary(graph, names, row, question.as_of) for row in page),
            complete=complete,
            resume=None if complete else _write_token(offset + len(page), known_at),
        )

    # --- pieces ---

    def _view(self, known_at: datetime | None) -> tuple[LineageGraph, Names]:
        if known_at is not None and self._rows.watermark is not None and known_at >= self._rows.watermark:
            known_at = None
        key = (self._rows.facts, known_at)
        if key not in self._views:
            graph = LineageGraph(self._rows, known_at)
            kept = [view for view in self._views if view[0] == self._rows.facts][-(_VIEWS_KEPT - 1) :]
            self._views = {view: self._views[view] for view in kept}
            self._views[key] = (graph, Names(graph))
        return self._views[key]

    def _as_of(self, asked: datetime | None) -> int:
        return to_micros(asked or self._clock())

    def _resolve(self, graph: LineageGraph, names: Names, asked: str) -> int | Candidates:
        found = names.resolve(asked)
        if found.row is not None:
            return found.row
        return Candidates(
            asked=asked,
            reason="ambiguous" if found.ambiguous else "unknown",
            candidates=tuple(self._summary(graph, names, row, None) for row in found.candidates),
        )

    def _states(
        self, graph: LineageGraph, row: int, as_of: datetime | None, known_at: datetime | None
    ) -> list[RecordedState]:
        """Return the states of one incarnation that held, and were known, by a time."""
        return [
            recorded
            for recorded in self._reader.states(graph.ids[row])
            if (recorded.state.node.key == graph.keys[row] or recorded.state.node.born is None)
            and (as_of is None or recorded.state.at is None or recorded.state.at <= as_of)
            and (known_at is None or recorded.recorded_at <= known_at)
        ]

    def _summary(self, graph: LineageGraph, names: Names, row: int, as_of: datetime | None) -> NodeSummary:
        return NodeSummary(**self._described(graph, names, row, as_of))

    def _traced(self, graph: LineageGraph, names: Names, row: int, depth: int, as_of: datetime | None) -> TracedNode:
        return TracedNode(**self._described(graph, names, row, as_of), depth=depth)

    def _described(self, graph: LineageGraph, names: Names, row: int, as_of: datetime | None) -> dict[str, Any]:
        until = FOREVER if as_of is None else to_micros(as_of)
        status, at = graph.status_at(row, until)
        return {
            "key": graph.keys[row],
            "kind": graph.kind(row),
            "label": names.label(row),
            "status": status,
            "at": from_micros(at),
            "deleted": bool(graph.deleted_at[row] <= until) and graph.deleted_at[row] != FOREVER,
        }

    @staticmethod
    def _last_at(graph: LineageGraph, row: int) -> int:
        states = graph.states_of(row)
        at = int(graph.state_at[states[-1]]) if len(states) else int(NEVER)
        first = int(graph.first_seen[row])
        return max(at, first if first != FOREVER else int(NEVER) + 1)

    @staticmethod
    def _edge(graph: LineageGraph, edge: int) -> TracedEdge:
        end = int(graph.edge_to[edge])
        return TracedEdge(
            source=graph.keys[int(graph.edge_source[edge])],
            target=graph.keys[int(graph.edge_target[edge])],
            type=TYPES[int(graph.edge_type[edge])],
            role=graph.texts[int(graph.edge_role[edge])],
            valid_from=from_micros(int(graph.edge_from[edge])) or datetime.min.replace(tzinfo=UTC),
            valid_to=None if end == FOREVER else from_micros(end),
            recorded_at=from_micros(int(graph.edge_recorded[edge])) or datetime.min.replace(tzinfo=UTC),
        )

    def _replacements(
        self, graph: LineageGraph, names: Names, endpoint: int, history: Iterable[HistoryEntry]
    ) -> list[HistoryEntry]:
        """Return which models and packages followed which: what each config of an endpoint was made from."""
        found = []
        before: dict[str, Any] = {}
        for change in history:
            if change.field != "config":
                continue
            config = self._config(graph, endpoint, str(change.after))
            walk = graph.walk(np.array([config]), Direction.UP, depth=2) if config is not None else None
            rows = [] if walk is None else [row for row, _ in graph.in_key_order(walk)]
            for field, kind in (("model", NodeKind.MODEL), ("model_package", NodeKind.MODEL_PACKAGE)):
                labels = ", ".join(names.label(row) for row in rows if graph.kind(row) is kind)
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

    @staticmethod
    def _config(graph: LineageGraph, endpoint: int, name: str) -> int | None:
        prefix = graph.ids[endpoint].rpartition(":")[0]
        wanted = resource_ref(f"{prefix}:endpoint-config/{name}", NodeKind.ENDPOINT_CONFIG).id
        edges = graph.edges_of(endpoint, Direction.UP)
        rows = [row for row in graph.edge_source[edges].tolist() if graph.ids[row] == wanted]
        return int(rows[-1]) if rows else None

    @staticmethod
    def _origin(graph: LineageGraph, row: int, as_of: int) -> dict[NodeKind, list[int]]:
        """Return the ancestors of a node (and itself) by kind, the nearest first."""
        walk = graph.walk(np.array([row]), Direction.UP, as_of=as_of)
        found: dict[NodeKind, list[int]] = {}
        for reached, _ in graph.in_key_order(walk):
            found.setdefault(graph.kind(reached), []).append(reached)
        return found


def _in_order(graph: LineageGraph, edges: Integers) -> list[int]:
    return sorted(
        edges.tolist(),
        key=lambda edge: (
            graph.keys[int(graph.edge_source[edge])],
            graph.keys[int(graph.edge_target[edge])],
            graph.texts[int(graph.edge_role[edge])],
            int(graph.edge_from[edge]),
        ),
    )


def _write_token(offset: int, known_at: datetime) -> str:
    return base64.urlsafe_b64encode(json.dumps([offset, to_micros(known_at)]).encode()).decode().rstrip("=")


def _read_token(token: str | None) -> tuple[int, datetime | None]:
    if token is None:
        return 0, None
    try:
        offset, known_at = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(offset), from_micros(int(known_at))
    except (ValueError, TypeError):
        raise InvalidInputError("resume", token, "take the token from the answer that was cut") from None
