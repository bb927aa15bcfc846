"""Answers: from a question and the graph to one of the shapes of ``questions``."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import singledispatchmethod

import numpy as np

from hallmark.lineage.columns import FOREVER, KINDS, to_micros
from hallmark.lineage.folding import changes
from hallmark.lineage.graph import LineageGraph, Walk
from hallmark.lineage.model import NodeKind
from hallmark.lineage.paging import Position, checksum, cut_page, read_position
from hallmark.lineage.ports import ManifestReader, NodeReader
from hallmark.lineage.questions import (
    MAXIMUM_ANSWER_BYTES,
    Answer,
    Candidates,
    Direction,
    HistoryEntry,
    Question,
    ShowAnswer,
    ShowQuestion,
    TraceAnswer,
    TraceQuestion,
)
from hallmark.lineage.rows import GraphRows
from hallmark.lineage.surveyed import (
    AffectedKind,
    DiffAnswer,
    DiffQuestion,
    ImpactAnswer,
    ImpactQuestion,
    ListAnswer,
    ListQuestion,
    PathAnswer,
    PathQuestion,
)
from hallmark.lineage.view import Moment, View
from hallmark.people import NO_RULES, HumanRules

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
_NODE_BYTES = 180
"""What a node needs as JSON beside its key and its label."""
_PAGE_BYTES = MAXIMUM_ANSWER_BYTES * 9 // 10
_LISTED_AT_ONCE = 4_096


_NOTHING = Walk(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), finished=True)


class Answerer:
    """Answers questions from rows that may grow between them.

    Args:
        rows: The graph.
        reader: Where the attributes of nodes are read.
        clock: What time it is.
        people: What the policy says of people.
        manifests: Where the listings of large datasets are read; None where nobody keeps them.
    """

    def __init__(
        self,
        rows: GraphRows,
        reader: NodeReader,
        clock: Callable[[], datetime],
        people: HumanRules = NO_RULES,
        manifests: ManifestReader | None = None,
    ) -> None:
        self._rows = rows
        self._reader = reader
        self._clock = clock
        self._people = people
        self._manifests = manifests
        self._views: dict[tuple[int, datetime | None], View] = {}

    def answer(self, question: Question) -> Answer:
        """Answer a question.

        Raises:
            InvalidInputError: A resume token that no answer gave, or whose answer has changed since.
        """
        result: Answer = self._answer(question)
        known_at = result.known_at or question.known_at or self._rows.watermark or self._clock()
        return result.model_copy(update={"as_of": result.as_of or question.as_of, "known_at": known_at})

    @singledispatchmethod
    def _answer(self, question: Question) -> Answer:
        # What reasons is loaded once one of its questions is asked: most are not.
        from hallmark.lineage.reasoning import answer_reasoned  # noqa: PLC0415

        begun = read_position(getattr(question, "resume", None))
        return answer_reasoned(question, self._moment(question, begun), begun, self._rows.watermark or self._clock())

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
            known_at=position.known_at,
        )

    @_answer.register
    def _show(self, question: ShowQuestion) -> Answer:
        from hallmark.lineage.numbering import shown_versions, with_versions  # noqa: PLC0415 - loaded once asked for

        view = self._view(question.known_at)
        graph, found = view.graph, view.resolve(question.node)
        if isinstance(found, Candidates):
            return found
        held = to_micros(question.as_of or self._clock())
        moment = self._moment(question)
        states = moment.states(found)
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
        versions = shown_versions(moment, found) if question.versions else ()
        return ShowAnswer(
            node=with_versions(moment, [found], versions)[0],
            attributes=dict(moment.attributes(found)),
            history=tuple(sorted(history, key=lambda entry: (entry.at, entry.field))),
            upstream=tuple(view.edges(upstream)),
            downstream=tuple(view.edges(downstream)),
            neighbours=tuple(view.summaries(sorted(rows, key=graph.key), question.as_of)),
            incarnations=tuple(view.summaries(others, question.as_of)) if len(others) > 1 else (),
            versions=versions,
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
        begun = read_position(question.resume)
        known_at = begun.known_at or question.known_at
        view = self._view(known_at)
        graph, found = view.graph, view.resolve(question.node)
        if isinstance(found, Candidates):
            return found
        moment = begun.as_of or question.as_of or self._clock()
        held = None if question.history else to_micros(moment)
        page, first = begun.nodes, max(begun.edges, 1)
        walk = graph.walk(np.array([found]), Direction.DOWN, as_of=held, deadline=deadline, at_least=first)
        end = min(first + question.node_budget, len(walk.nodes))
        stretch = _by_kind(graph, walk, first, end)
        counts = _by_kind(graph, walk, 1, end)

        def keys_of(number: int) -> str:
            return " ".join(
                graph.key(row) for rows in stretch.values() for row in _page_of(rows, number).nodes.tolist()
            )

        before = walk.nodes[min(first, len(walk.nodes)) - 1]
        begun.expect(keys_of(page - 1) if page else graph.key(int(before)), question.resume)
        affected = []
        for kind in counts:
            shown = _page_of(stretch[kind], page) if kind in stretch else _NOTHING
            nodes = view.traced(shown, 0, len(shown.nodes), question.as_of)
            affected.append(AffectedKind(kind=kind, count=len(counts[kind].nodes), nodes=tuple(nodes)))
        times = (known_at or self._rows.watermark or self._clock(), moment)
        complete, resume = walk.finished and end == len(walk.nodes), None
        if any(len(rows.nodes) > (page + 1) * SHOWN_PER_KIND for rows in stretch.values()):
            resume = Position(page + 1, begun.edges, *times, checksum(keys_of(page))).token()
        elif not complete:
            resume = Position(0, end, *times, checksum(graph.key(int(walk.nodes[end - 1])))).token()
        return ImpactAnswer(
            start=view.summaries([found], question.as_of)[0],
            affected=tuple(affected),
            complete=complete,
            resume=resume,
            known_at=times[0],
        )

    @_answer.register
    def _diff(self, question: DiffQuestion) -> Answer:
        # Loaded once they are asked for.
        from hallmark.lineage.difference import compare  # noqa: PLC0415
        from hallmark.lineage.numbering import steps_between, version_of, with_versions  # noqa: PLC0415

        view = self._view(question.known_at)
        sides = []
        for asked in (question.left, question.right):
            found = view.resolve(asked)
            if isinstance(found, Candidates):
                return found
            sides.append(found)
        held = to_micros(question.as_of or self._clock())
        moment = self._moment(question)
        compared = compare(moment, *(view.compared(row, held) for row in sides))
        steps = steps_between(moment, *sides)
        left, right = with_versions(
            moment, sides, steps or [step for row in sides if (step := version_of(moment, row))]
        )
        return DiffAnswer(
            left=left,
            right=right,
            differences=tuple(compared.differences),
            equal=compared.equal,
            versions=tuple(steps[1:]),
            complete=compared.complete,
        )

    @_answer.register
    def _list(self, question: ListQuestion) -> Answer:
        from hallmark.lineage.numbering import numbered  # noqa: PLC0415 - loaded once asked for

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
            nodes=tuple(
                numbered(self._moment(question, begun), page)
                if question.versions
                else view.summaries(page, question.as_of)
            ),
            complete=complete,
            resume=None if complete else position.token(),
            known_at=position.known_at,
        )

    def _view(self, known_at: datetime | None) -> View:
        if known_at is not None and self._rows.watermark is not None and known_at >= self._rows.watermark:
            known_at = None
        key = (self._rows.revision, known_at)
        if key not in self._views:
            kept = [view for view in self._views if view[0] == self._rows.revision][-(_VIEWS_KEPT - 1) :]
            self._views = {view: self._views[view] for view in kept}
            self._views[key] = View(LineageGraph(self._rows, known_at))
        return self._views[key]

    def _moment(self, question: Question, begun: Position | None = None) -> Moment:
        """Return what a question looks through; one that goes on looks through what it began with."""
        known_at = (begun.known_at if begun else None) or question.known_at
        as_of = (begun.as_of if begun else None) or question.as_of
        return Moment(self._view(known_at), self._reader, as_of, known_at, self._clock(), self._people, self._manifests)


def _by_kind(graph: LineageGraph, walk: Walk, start: int, end: int) -> dict[NodeKind, Walk]:
    """Return a stretch of a walk by kind, in the order of an impact; the live nodes of each before the deleted ones."""
    nodes, depths = walk.nodes[start:end], walk.depths[start:end]
    order = {kind: rank for rank, kind in enumerate(IMPACT_ORDER)}
    found = {}
    for kind in sorted(
        (KINDS[code] for code in np.unique(graph.kinds[nodes]).tolist()),
        key=lambda kind: (order.get(kind, len(order)), kind.value),
    ):
        of_kind = np.flatnonzero(graph.kinds[nodes] == KINDS.index(kind))
        # Nodes come by depth and key already.
        placed = of_kind[np.argsort(graph.deleted_at[nodes[of_kind]] != FOREVER, kind="stable")]
        found[kind] = Walk(nodes[placed], depths[placed], finished=True)
    return found


def _page_of(rows: Walk, page: int) -> Walk:
    place = slice(page * SHOWN_PER_KIND, (page + 1) * SHOWN_PER_KIND)
    return Walk(rows.nodes[place], rows.depths[place], finished=True)
