"""The graph in memory: a compact graph with what was added since, and the walks on them.

A walk costs what its answer costs: nothing is cleared or scanned per query but what is reached.
"""

from __future__ import annotations

import time
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hallmark.lineage.columns import (
    FOREVER,
    IS_RUN,
    KINDS,
    NAME_OF_ID,
    NEVER,
    NO_NAME,
    STATE_TYPES,
    Integers,
    identifier_of,
    is_among,
    ranges,
    status_weights,
    to_micros,
)
from hallmark.lineage.labels import label_of, short_name
from hallmark.lineage.model import NodeKind
from hallmark.lineage.overlay import MAXIMUM_ADDED_NODES, Edges, Overlay, Ranks, lay_over
from hallmark.lineage.questions import Direction
from hallmark.lineage.rows import AddedNode, GraphRows
from hallmark.lineage.telling import Telling

_CHUNK = 512


class Walk(NamedTuple):
    """Reached nodes in order of depth (the start first) and then of their keys, and whether that is all of them."""

    nodes: Integers
    depths: Integers
    finished: bool


class Status(NamedTuple):
    """What a node's status was, and since when it had been told (``NEVER`` if it was not)."""

    status: str | None
    at: int


class LineageGraph:
    """A view of rows: all of them, or those recorded by a time. It does not change when more rows are added.

    Nodes are rows: first those of the compact graph, then the added ones. Edges are numbers, in the same way.
    """

    def __init__(self, rows: GraphRows, known_at: datetime | None = None) -> None:
        until = None if known_at is None or to_micros(known_at) >= rows.newest else to_micros(known_at)
        if (until is not None and until < rows.compact.newest) or not _fits_over(rows):
            # What was learned later has changed the compact graph: only a new one tells what was known then.
            rows = GraphRows(rows.compacted(until))
            until = None
        self.compact = compact = rows.compact
        self.words = rows.words[:]
        self.added: list[AddedNode] = rows.added_nodes[:]
        self.count = compact.count + len(self.added)
        self.kinds = np.concatenate(
            (compact.column("node_kind"), np.array([node.kind for node in self.added], dtype=np.int8))
        )
        self.ranks = Ranks(compact, self.added)
        self._codes = {word: code for code, word in enumerate(self.words)}
        self._marks = np.zeros(self.count, dtype=np.int32)
        self._mark = 0
        overlay = lay_over(rows, until, self.kinds, self.ranks) if rows.has_added else None
        self._overlay = overlay if overlay is not None and len(overlay.edges.source) else None
        self._take_over(overlay)
        self._numbers: dict[str, dict[int, int]] = {}
        self.telling = Telling(self)

    def _take_over(self, overlay: Overlay | None) -> None:
        compact = self.compact
        hidden = compact.hidden
        if overlay is None:
            self.first_seen, self.deleted_at = compact.column("first_seen"), compact.deleted_at
            self._replaced_states = np.empty(0, dtype=np.int64)
            self._states: dict[str, Integers] | None = None
        else:
            self.first_seen, self.deleted_at = overlay.first_seen, overlay.deleted_at
            self._replaced_states, self._states = overlay.replaced_states, overlay.states
            if len(overlay.replaced_edges):
                hidden = hidden.copy()
                hidden[overlay.replaced_edges] = True
        self._hidden = hidden if hidden.any() else None

    # --- nodes ---

    def key(self, row: int) -> str:
        """Return a node's key."""
        place = row - self.compact.count
        return self.compact.key(row) if place < 0 else self.added[place].key

    def key_lengths(self, rows: Integers) -> Integers:
        """Return how many bytes the keys of some nodes have."""
        return self._key_lengths[rows]

    @cached_property
    def _key_lengths(self) -> Integers:
        ends = self.compact.column("key_end")
        added = np.array([len(node.key.encode()) for node in self.added], dtype=np.int64)
        return np.concatenate((np.diff(ends, prepend=0) - 1, added))

    def identifier(self, row: int) -> str:
        """Return a node's id: its key without the birth."""
        place = row - self.compact.count
        born = self.compact.born(row) if place < 0 else self.added[place].born
        return identifier_of(self.key(row), born)

    def kind(self, row: int) -> NodeKind:
        """Return a node's kind."""
        return KINDS[int(self.kinds[row])]

    def find(self, key: str) -> int | None:
        """Return the row of a key; None for an unknown one."""
        row = self._added_rows.get(key)
        if row is None:
            place, known = self.compact.find(key)
            row = place if known else None
        return row if row is not None and self.is_known(np.array([row]))[0] else None

    @cached_property
    def _added_rows(self) -> dict[str, int]:
        return {node.key: row for row, node in enumerate(self.added, start=self.compact.count)}

    @cached_property
    def _added_by_id(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for row, node in enumerate(self.added, start=self.compact.count):
            found.setdefault(identifier_of(node.key, node.born), []).append(row)
        return found

    @cached_property
    def fresh_nodes(self) -> list[int]:
        """Return the nodes that the compact graph does not have, and those whose states it does not have."""
        told = [] if self._states is None else np.unique(self._states["state_node"]).tolist()
        return sorted({*told, *range(self.compact.count, self.count)})

    def incarnations(self, identifier: str) -> list[int]:
        """Return the nodes of an id: all that were born under it, the first one first."""
        place, known = self.compact.find(identifier)
        rows = [place] if known else []
        rows += [
            row for row in self.compact.rows_beginning(f"{identifier}@") if self.identifier(row) == identifier
        ] + self._added_by_id.get(identifier, [])
        known_rows = np.array(rows, dtype=np.int64)
        return sorted(known_rows[self.is_known(known_rows)].tolist(), key=self.key)

    def is_known(self, rows: Integers) -> Integers:
        """Tell which nodes something is told of, parts that join nothing left out."""
        told = self.is_told(rows)
        told[told] = ~self.telling.is_idle(rows[told])
        return told

    def is_told(self, rows: Integers) -> Integers:
        """Tell which nodes have states or edges in this view."""
        told = self._state_counts(rows) > 0
        for direction in Direction:
            left = np.flatnonzero(~told)
            if len(left):
                _, owners = self.around(rows[left], direction)
                told[left[owners]] = True
        return told

    # --- states ---

    def _state_rows(self, rows: Integers) -> tuple[Integers, Integers, Integers]:
        """Return rows of states in the compact graph, rows in the overlay, and whose they are (a place in ``rows``)."""
        inside = np.flatnonzero(rows < self.compact.count)
        starts = self.compact.state_start[rows[inside]]
        ends = self.compact.state_start[rows[inside] + 1]
        compact, owners = ranges(starts, ends), np.repeat(inside, ends - starts)
        if len(self._replaced_states):
            kept = ~is_among(compact, self._replaced_states)
            compact, owners = compact[kept], owners[kept]
        if self._states is None:
            return compact, np.empty(0, dtype=np.int64), owners
        node = self._states["state_node"]
        starts, ends = np.searchsorted(node, rows, side="left"), np.searchsorted(node, rows, side="right")
        return compact, ranges(starts, ends), np.concatenate((owners, np.repeat(np.arange(len(rows)), ends - starts)))

    def _state_counts(self, rows: Integers) -> Integers:
        _, _, owners = self._state_rows(rows)
        return np.bincount(owners, minlength=len(rows))

    def _states_of(self, rows: Integers) -> tuple[dict[str, Integers], Integers]:
        compact, overlay, owners = self._state_rows(rows)
        found = {name: self.compact.column(name)[compact] for name in STATE_TYPES}
        if self._states is not None and len(overlay):
            found = {name: np.concatenate((column, self._states[name][overlay])) for name, column in found.items()}
        return found, owners

    def _newest_states(
        self, rows: Integers, until: int, telling: str, nothing: int
    ) -> tuple[Integers, dict[str, Integers]]:
        """Return, of the states that tell something, the one that wins for each node, and whose it is."""
        states, owners = self._states_of(rows)
        kept = (states[telling] != nothing) & (states["state_at"] <= until)
        states, owners = {name: column[kept] for name, column in states.items()}, owners[kept]
        of_runs, of_others = self._status_weights
        status = states["state_status"]
        weight = np.where(IS_RUN[self.kinds[rows[owners]]], of_runs[status], of_others[status])
        order = np.lexsort((states["state_order"], states["state_at"], weight, owners))
        owners = owners[order]
        last = np.ones(len(order), dtype=bool)
        last[:-1] = owners[1:] != owners[:-1]
        return owners[last], {name: column[order[last]] for name, column in states.items()}

    @cached_property
    def _status_weights(self) -> tuple[Integers, Integers]:
        return status_weights(self.words)

    def statuses(self, rows: Integers, until: int = FOREVER) -> list[Status]:
        """Return what the status of each node was at a time."""
        owners, states = self._newest_states(rows, until, "state_status", self.code_of(""))
        found = [Status(None, NEVER)] * len(rows)
        for owner, status, at in zip(
            owners.tolist(), states["state_status"].tolist(), states["state_at"].tolist(), strict=True
        ):
            found[owner] = Status(self.words[status], at)
        return found

    def names(self, rows: Integers) -> list[str]:
        """Return the name that each node's states give it, else the end of its id."""
        found = [short_name(self.identifier(row)) for row in rows.tolist()]
        owners, states = self._newest_states(rows, FOREVER, "state_name", NO_NAME)
        for owner, name in zip(owners.tolist(), states["state_name"].tolist(), strict=True):
            if name != NAME_OF_ID:
                found[owner] = self.words[name]
        return found

    def labels(self, rows: Integers) -> list[str]:
        """Return each node's short name for people."""
        return [
            label_of(self.kind(row), self.identifier(row), name, self.version_number(row))
            for row, name in zip(rows.tolist(), self.names(rows), strict=True)
        ]

    def last_at(self, rows: Integers) -> Integers:
        """Return when something was last told of each node: its newest state, else its first edge."""
        states, owners = self._states_of(rows)
        found = np.where(self.first_seen[rows] == FOREVER, NEVER, self.first_seen[rows])
        np.maximum.at(found, owners, states["state_at"])
        return found

    # --- versions of datasets ---

    def versions_of(self, row: int, until: int = FOREVER) -> list[int]:
        """Return the versions of a dataset that were seen by a time, the first one first; none for any other node."""
        edges, _ = self.around(np.array([row]), Direction.DOWN)
        edges = edges[self.telling.is_version(edges)]
        rows = np.unique(self.target_of(edges[self.begin_of(edges) <= until])).tolist()
        return sorted(rows, key=self.version_number)

    def version_number(self, row: int) -> int:
        """Return the number of a dataset version among those of its dataset, by the time when each was first seen."""
        if self.kind(row) is not NodeKind.DATASET_VERSION:
            return 0
        place = self.key(row).rpartition("#")[0]
        if place not in self._numbers:
            self._numbers[place] = self._number(place)
        return self._numbers[place].get(row, 0)

    def _number(self, place: str) -> dict[int, int]:
        rows = [*self.compact.rows_beginning(f"{place}#"), *self._added_by_place.get(place, [])]
        versions = np.array([row for row in rows if self.kind(row) is NodeKind.DATASET_VERSION], dtype=np.int64)
        versions = versions[self.is_told(versions)]
        order = np.lexsort((self.ranks.of(versions), self.first_seen[versions]))
        return {row: number for number, row in enumerate(versions[order].tolist(), start=1)}

    @cached_property
    def _added_by_place(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for row, node in enumerate(self.added, start=self.compact.count):
            found.setdefault(node.key.rpartition("#")[0], []).append(row)
        return found

    # --- edges ---

    def code_of(self, word: str) -> int:
        """Return the code of a word; -1 for one that no fact has used."""
        return self._codes.get(word, -1)

    def _of(self, edges: Integers, column: Integers, name: str) -> Integers:
        if self._overlay is None:
            return column[edges]
        laid = getattr(self._overlay.edges, name)
        later = edges >= self.compact.edge_count
        if not later.any():
            return column[edges]
        found = np.empty(len(edges), dtype=column.dtype)
        found[later] = laid[edges[later] - self.compact.edge_count]
        found[~later] = column[edges[~later]]
        return found

    def source_of(self, edges: Integers) -> Integers:
        """Return the nodes that edges come from."""
        return self._of(edges, self.compact.edge_source, "source")

    def target_of(self, edges: Integers) -> Integers:
        """Return the nodes that edges lead to."""
        return self._of(edges, self.compact.column("edge_target"), "target")

    def type_of(self, edges: Integers) -> Integers:
        """Return the codes of the edges' types."""
        return self._of(edges, self.compact.column("edge_type"), "type")

    def role_of(self, edges: Integers) -> Integers:
        """Return the codes of the edges' roles."""
        return self._of(edges, self.compact.column("edge_role"), "role")

    def begin_of(self, edges: Integers) -> Integers:
        """Return since when edges hold, in microseconds."""
        return self._of(edges, self.compact.column("edge_from"), "begin")

    def end_of(self, edges: Integers) -> Integers:
        """Return when edges end; ``FOREVER`` for those that hold."""
        return self._of(edges, self.compact.edge_to, "end")

    def columns_of(self, edges: Integers) -> Edges:
        """Return all columns of some edges."""
        recorded = self._of(edges, self.compact.column("edge_recorded"), "recorded")
        return Edges(
            self.source_of(edges),
            self.target_of(edges),
            self.type_of(edges),
            self.role_of(edges),
            self.begin_of(edges),
            self.end_of(edges),
            recorded,
        )

    def around(self, nodes: Integers, direction: Direction, limit: int | None = None) -> tuple[Integers, Integers]:
        """Return the edges that reach (up) or leave (down) some nodes, and whose they are (a place in ``nodes``).

        Args:
            nodes: Rows of nodes, shape ``(nodes,)``.
            direction: Up or down.
            limit: Of each node at most so many edges are looked at.
        """
        up = direction is Direction.UP
        own, owners = nodes, np.arange(len(nodes))
        if self.added:
            owners = np.flatnonzero(nodes < self.compact.count)
            own = nodes[owners]
        start = self.compact.in_start if up else self.compact.out_start
        begins, ends = start[own], start[own + 1]
        if limit is not None:
            ends = np.minimum(ends, begins + limit)
        edges = ranges(begins, ends)
        owners = np.repeat(owners, ends - begins)
        if up:
            edges = self.compact.column("in_edges")[edges].astype(np.int64)
        if self._hidden is not None and len(edges):
            seen = ~self._hidden[edges]
            edges, owners = edges[seen], owners[seen]
        if self._overlay is None:
            return edges, owners
        laid = self._laid_targets if up else self._overlay.edges.source
        begins, ends = np.searchsorted(laid, nodes, side="left"), np.searchsorted(laid, nodes, side="right")
        if limit is not None:
            ends = np.minimum(ends, begins + limit)
        found = ranges(begins, ends)
        if not len(found):
            return edges, owners
        later = self._overlay.by_target[found] if up else found
        return (
            np.concatenate((edges, later + self.compact.edge_count)),
            np.concatenate((owners, np.repeat(np.arange(len(nodes)), ends - begins))),
        )

    @cached_property
    def _laid_targets(self) -> Integers:
        return np.empty(0) if self._overlay is None else self._overlay.edges.target[self._overlay.by_target]

    def degree_of(self, nodes: Integers, direction: Direction) -> Integers:
        """Return how many edges each of some nodes has at most in one direction."""
        up = direction is Direction.UP
        start = self.compact.in_start if up else self.compact.out_start
        found = np.zeros(len(nodes), dtype=np.int64)
        inside = nodes < self.compact.count
        found[inside] = start[nodes[inside] + 1] - start[nodes[inside]]
        if self._overlay is not None:
            laid = self._laid_targets if up else self._overlay.edges.source
            found += np.searchsorted(laid, nodes, side="right") - np.searchsorted(laid, nodes, side="left")
        return found

    def edges_of(self, nodes: Integers, direction: Direction, as_of: int | None) -> Integers:
        """Return the edges that say something around some nodes and held at a time; None takes every time."""
        edges = self._holding(nodes, direction, as_of)
        return edges[self.telling.tells(edges)]

    def _holding(self, nodes: Integers, direction: Direction, as_of: int | None) -> Integers:
        edges, _ = self.around(nodes, direction)
        if as_of is not None and len(edges):
            edges = edges[(self.begin_of(edges) <= as_of) & (as_of < self.end_of(edges))]
        return edges

    # --- walks ---

    def walk(
        self,
        start: Integers,
        direction: Direction,
        *,
        depth: int | None = None,
        as_of: int | None = None,
        deadline: float = float("inf"),
        at_least: int = 0,
    ) -> Walk:
        """Reach everything up or down from some nodes, level by level, each node once at its least depth.

        Args:
            start: Rows of the nodes to start from.
            direction: Up or down.
            depth: How many edges at most; None has no limit.
            as_of: Only edges that held then (microseconds since the epoch); None takes every time.
            deadline: On ``time.monotonic``'s clock; then the walk ends with ``finished`` False.
            at_least: The walk goes on beyond its deadline until it has reached more nodes than that.
        """
        self._mark += 1
        frontier = self._in_order(np.asarray(start, dtype=np.int64))
        levels = [frontier]
        reached = len(frontier)
        while len(frontier) and (depth is None or len(levels) <= depth):
            if reached > at_least and time.monotonic() > deadline:
                return _walk_of(levels, finished=False)
            frontier = self._in_order(self._neighbours(self._followed(frontier, direction, as_of), direction))
            reached += len(frontier)
            if len(frontier):
                levels.append(frontier)
        return _walk_of(levels, finished=True)

    def _followed(self, nodes: Integers, direction: Direction, as_of: int | None) -> Integers:
        return self.telling.followed(self._holding(nodes, direction, as_of), direction)

    def _neighbours(self, edges: Integers, direction: Direction) -> Integers:
        return self.source_of(edges) if direction is Direction.UP else self.target_of(edges)

    def _in_order(self, nodes: Integers) -> Integers:
        """Mark the nodes that are not marked yet, and return each once, by its key."""
        fresh = nodes[self._marks[nodes] != self._mark].astype(np.int64)
        self._marks[fresh] = self._mark
        # Of those that are there more than once the last one stays: faster than hashing or sorting them all.
        order = np.arange(len(fresh))
        self._places[fresh] = order
        fresh = np.sort(fresh[self._places[fresh] == order])
        if len(fresh) and fresh[-1] >= self.compact.count:
            fresh = fresh[np.argsort(self.ranks.of(fresh))]
        return fresh

    def edges_within(
        self, walk: Walk, direction: Direction, *, depth: int | None = None, as_of: int | None = None
    ) -> tuple[Integers, Integers]:
        """Return the edges that a walk follows among its nodes, and the place of the later one of the two of each.

        They are sorted by that place, then by source, target, role and begin.
        """
        nodes = walk.nodes if depth is None else walk.nodes[walk.depths < depth]
        edges = self._followed(nodes, direction, as_of)
        self._places[walk.nodes] = np.arange(len(walk.nodes))
        self._mark += 1
        self._marks[walk.nodes] = self._mark
        edges = edges[self._marks[self._neighbours(edges, direction)] == self._mark]
        later = np.maximum(self._places[self.source_of(edges)], self._places[self.target_of(edges)])
        order = self._edge_order(edges, later)
        return edges[order], later[order]

    @cached_property
    def _places(self) -> Integers:
        return np.zeros(self.count, dtype=np.int64)

    def in_key_order(self, edges: Integers) -> Integers:
        """Return edges by the keys of their sources, of their targets, then by role and begin."""
        return edges[self._edge_order(edges, np.zeros(len(edges), dtype=np.int8))]

    def _edge_order(self, edges: Integers, first: Integers) -> Integers:
        source, target = self.ranks.of(self.source_of(edges)), self.ranks.of(self.target_of(edges))
        role, kind = self._word_ranks[self.role_of(edges)], self.type_of(edges)
        return np.lexsort((self.begin_of(edges), kind, role, target, source, first))

    @cached_property
    def _word_ranks(self) -> Integers:
        found = np.empty(len(self.words), dtype=np.int64)
        found[sorted(range(len(self.words)), key=self.words.__getitem__)] = np.arange(len(self.words))
        return found

    def shortest_path(self, source: int, target: int, as_of: int | None) -> list[int] | None:
        """Return the edges of a shortest way down from one node to another; None where there is none.

        A dataset is reached where any of its versions is. The search goes from both ends at once, from the one with
        the fewer nodes to look at first.
        """
        if source == target:
            return []
        self._mark += 1
        ends = np.array([target, *self.versions_of(target)], dtype=np.int64)
        search = {
            Direction.DOWN: _Search(self, np.array([source]), Direction.DOWN, as_of),
            Direction.UP: _Search(self, ends, Direction.UP, as_of),
        }
        down, up = search[Direction.DOWN], search[Direction.UP]
        if source in up.seen:
            return []
        while len(down.frontier) and len(up.frontier):
            nearer, other = (down, up) if len(down.frontier) <= len(up.frontier) else (up, down)
            met = [row for row in nearer.step() if row in other.seen]
            if met:
                middle = min(met, key=lambda row: (other.seen[row][0], self.key(row)))
                return [*reversed(down.way(middle)), *up.way(middle)]
        return None


class _Search:
    """One end of a search for a shortest path: what was reached, at which depth, and by which edge."""

    def __init__(self, graph: LineageGraph, start: Integers, direction: Direction, as_of: int | None) -> None:
        self._graph, self._direction, self._as_of = graph, direction, as_of
        self.frontier = np.unique(start)
        self.seen: dict[int, tuple[int, int]] = dict.fromkeys(self.frontier.tolist(), (0, -1))
        self._depth = 0

    def step(self) -> list[int]:
        """Go one edge further; return what was reached newly."""
        graph, up = self._graph, self._direction is Direction.UP
        self._depth += 1
        edges = graph.in_key_order(graph.edges_of(self.frontier, self._direction, self._as_of))
        ends = graph.source_of(edges) if up else graph.target_of(edges)
        reached = []
        for row, edge in zip(ends.tolist(), edges.tolist(), strict=True):
            if row not in self.seen:
                self.seen[row] = (self._depth, edge)
                reached.append(row)
        self.frontier = np.array(reached, dtype=np.int64)
        return reached

    def way(self, row: int) -> list[int]:
        """Return the edges from a node back to the start of this search."""
        found = []
        while (edge := self.seen[row][1]) >= 0:
            found.append(edge)
            ends = self._graph.target_of if self._direction is Direction.UP else self._graph.source_of
            row = int(ends(np.array([edge]))[0])
        return found


def _walk_of(levels: list[Integers], *, finished: bool) -> Walk:
    depths = np.repeat(np.arange(len(levels)), [len(level) for level in levels])
    return Walk(np.concatenate(levels), depths, finished)


def _fits_over(rows: GraphRows) -> bool:
    return not rows.other_kinds and len(rows.added_nodes) < MAXIMUM_ADDED_NODES
