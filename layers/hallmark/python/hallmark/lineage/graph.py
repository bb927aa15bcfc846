"""The graph in memory: rows derived into arrays of neighbours in both directions, and the walks on them.

Deriving resolves references by time, closes exclusive edges, and links equal content (``docs/graph.md``, last
paragraph). A walk costs what its answer costs: nothing is cleared or scanned per query but what is reached.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import NamedTuple

import numpy as np

from hallmark.lineage.folding import status_rank
from hallmark.lineage.model import EdgeType, NodeKind
from hallmark.lineage.questions import Direction
from hallmark.lineage.references import REUSABLE_KINDS
from hallmark.lineage.rows import KIND_CODES, KINDS, NEVER, TYPE_CODES, GraphRows, Integers, Table, to_micros

FOREVER = np.iinfo(np.int64).max
SAME_CONTENT_ROLE = "same content"
PART_ROLE = "part"
GATHERED_ROLE = "gathered"
VERSION_ROLE = "version"

_SECOND = 1_000_000
_EQUAL_SOURCES = 8
"""Of the versions with the same content that runs produced, this many (the first seen) are linked to a copy."""


class Walk(NamedTuple):
    """Reached nodes in order of depth (the start first) and then of their keys, and whether that is all of them."""

    nodes: Integers
    depths: Integers
    finished: bool


class LineageGraph:
    """A view of rows: all of them, or those recorded by a time."""

    def __init__(self, rows: GraphRows, known_at: datetime | None = None) -> None:
        table = rows.table()
        if known_at is not None:
            table = _known(table, to_micros(known_at))
        self.keys = rows.keys
        self.ids = rows.ids
        self.texts = rows.texts
        self.kinds = table.node_kind
        self.count = len(self.keys)
        self._marks = np.zeros(self.count, dtype=np.int32)
        self._mark = 0
        incarnations = _Incarnations(table, rows.ids)
        self._derive_states(table, incarnations)
        self._derive_edges(table, incarnations)
        self._number_versions()

    # --- deriving ---

    def _derive_states(self, table: Table, incarnations: _Incarnations) -> None:
        node = incarnations.resolve(table.state_node, table.state_at)
        order = np.lexsort((table.state_recorded, table.state_at, node))
        self.state_at = table.state_at[order]
        self.state_recorded = table.state_recorded[order]
        self.state_status = table.state_status[order]
        self.state_name = table.state_name[order]
        self._state_start = _starts(node[order], self.count)
        self.known = np.zeros(self.count, dtype=bool)
        self.known[node] = True
        deleted_text = self.texts.index("Deleted") if "Deleted" in self.texts else -1
        gone = self.state_status == deleted_text
        self.deleted_at = np.full(self.count, FOREVER, dtype=np.int64)
        np.minimum.at(self.deleted_at, node[order][gone], self.state_at[gone])

    def _derive_edges(self, table: Table, incarnations: _Incarnations) -> None:
        source = incarnations.resolve(table.edge_source, table.edge_from)
        target = incarnations.resolve(table.edge_target, table.edge_from)
        kind, role = table.edge_type, table.edge_role
        start, recorded = table.edge_from, table.edge_recorded
        exclusive = table.edge_exclusive.astype(bool)
        order = np.lexsort((recorded, start, role, kind, target, source))
        columns = [column[order] for column in (source, target, kind, role, start)]
        fresh = np.ones(len(order), dtype=bool)
        if len(order):
            same = np.ones(len(order) - 1, dtype=bool)
            for column in columns:
                same &= column[1:] == column[:-1]
            fresh[1:] = ~same
        chosen = order[fresh]
        source, target, kind, role = source[chosen], target[chosen], kind[chosen], role[chosen]
        start, recorded, exclusive = start[chosen], recorded[chosen], exclusive[chosen]
        end = np.full(len(chosen), FOREVER, dtype=np.int64)
        kept = self._close_exclusive(source, target, role, start, end, exclusive)
        source, target, kind, role = source[kept], target[kept], kind[kept], role[kept]
        start, end, recorded = start[kept], end[kept], recorded[kept]
        arrays = [source, target, kind, role, start, end, recorded]
        same_content = self._same_content(source, target, self._making(kind, role), start, recorded)
        columns = [np.concatenate(pair) for pair in zip(arrays, same_content, strict=True)]
        telling = self._telling(columns[0], columns[1], columns[2], columns[3])
        columns = [column[telling] for column in columns]
        self.edge_source, self.edge_target = columns[0].astype(np.int32), columns[1].astype(np.int32)
        self.edge_type, self.edge_role = columns[2], columns[3]
        self.edge_from, self.edge_to, self.edge_recorded = columns[4:]
        self._out_edges = np.argsort(self.edge_source, kind="stable").astype(np.int32)
        self._in_edges = np.argsort(self.edge_target, kind="stable").astype(np.int32)
        self._out_start = _starts(self.edge_source[self._out_edges], self.count)
        self._in_start = _starts(self.edge_target[self._in_edges], self.count)
        self.known &= ~self._dropped
        self.known[self.edge_source] = True
        self.known[self.edge_target] = True
        self._version_edge = (self.edge_type == TYPE_CODES[EdgeType.ASSOCIATED_WITH]) & (
            self.edge_role == self._text(VERSION_ROLE)
        )
        # A place tells nothing of its content's origin, unless a run wrote there and nobody saw what.
        written = self._in_start[1:] > self._in_start[:-1]
        self._silent_upwards = self._version_edge & ~written[self.edge_source]

    def _close_exclusive(
        self, source: Integers, target: Integers, role: Integers, start: Integers, end: Integers, exclusive: Integers
    ) -> Integers:
        """End each exclusive edge where the next begins or its target is deleted; repeats of one in a row are one."""
        kept = np.ones(len(source), dtype=bool)
        rows = np.flatnonzero(exclusive)
        if not len(rows):
            return np.flatnonzero(kept)
        rows = rows[np.lexsort((source[rows], start[rows], role[rows], target[rows]))]
        same_group = np.zeros(len(rows), dtype=bool)
        same_group[1:] = (target[rows][1:] == target[rows][:-1]) & (role[rows][1:] == role[rows][:-1])
        repeated = np.zeros(len(rows), dtype=bool)
        repeated[1:] = same_group[1:] & (source[rows][1:] == source[rows][:-1])
        kept[rows[repeated]] = False
        rows, same_group = rows[~repeated], same_group[~repeated]
        end[rows[:-1][same_group[1:]]] = start[rows[1:][same_group[1:]]]
        end[rows] = np.minimum(end[rows], np.maximum(self.deleted_at[target[rows]], start[rows]))
        return np.flatnonzero(kept)

    def _telling(self, source: Integers, target: Integers, kind: Integers, role: Integers) -> Integers:
        """Tell which edges say something: parts of datasets matter only where they join a maker and a reader.

        Every whole dataset has parts, each a directory or an object. Kept are those that a run read by themselves,
        or that were gathered into a dataset which no run wrote as a whole.
        """
        derived = kind == TYPE_CODES[EdgeType.DERIVED_FROM]
        part = derived & (role == self._text(PART_ROLE))
        gathered = derived & (role == self._text(GATHERED_ROLE))
        same = kind == TYPE_CODES[EdgeType.SAME_AS]
        association = kind == TYPE_CODES[EdgeType.ASSOCIATED_WITH]
        linked = np.zeros(self.count, dtype=bool)
        linked[target[(kind == TYPE_CODES[EdgeType.PRODUCED]) | part | same]] = True
        is_part = np.zeros(self.count, dtype=bool)
        is_part[target[part]] = True
        is_part[source[gathered]] = True
        telling: Integers = ~(part | gathered | same | association)
        telling |= gathered & linked[source] & ~linked[target]
        for edges in (same, part):
            leads_on = np.zeros(self.count, dtype=bool)
            leads_on[source[telling]] = True
            telling |= edges & (leads_on[target] | (same & ~is_part[target] if edges is same else False))
        used = np.zeros(self.count, dtype=bool)
        used[source[telling]] = True
        used[target[telling]] = True
        self._dropped = is_part & ~used
        telling |= association & ~self._dropped[target]
        places = np.zeros(self.count, dtype=bool)
        places[source[association & self._dropped[target]]] = True
        seen = np.zeros(self.count, dtype=bool)
        seen[source[telling]] = True
        seen[target[telling]] = True
        self._dropped |= places & ~seen
        return telling

    def _text(self, text: str) -> int:
        return self.texts.index(text) if text in self.texts else -1

    def _making(self, kind: Integers, role: Integers) -> Integers:
        """Tell which edges reach something that a run made: its outputs, and their parts."""
        derived = (kind == TYPE_CODES[EdgeType.DERIVED_FROM]) & (role == self._text(PART_ROLE))
        found: Integers = (kind == TYPE_CODES[EdgeType.PRODUCED]) | derived
        return found

    def _same_content(
        self, source: Integers, target: Integers, making: Integers, start: Integers, recorded: Integers
    ) -> list[Integers]:
        """Return edges from produced (else first seen) dataset versions to others with the same content."""
        versions = np.flatnonzero(self.kinds == KIND_CODES[NodeKind.DATASET_VERSION])
        first_seen = np.full(self.count, FOREVER, dtype=np.int64)
        told = np.full(self.count, FOREVER, dtype=np.int64)
        for end in (source, target):
            np.minimum.at(first_seen, end, start)
            np.minimum.at(told, end, recorded)
        made = np.zeros(self.count, dtype=bool)
        made[target[making]] = True
        self.first_seen = first_seen
        groups: dict[str, list[int]] = {}
        for row in versions.tolist():
            if first_seen[row] != FOREVER:
                groups.setdefault(self.ids[row].rpartition("#")[2], []).append(row)
        pairs: list[tuple[int, int]] = []
        for rows in groups.values():
            if len(rows) == 1:
                continue
            rows.sort(key=lambda row: (int(first_seen[row]), self.keys[row]))
            sources = [row for row in rows if made[row]][:_EQUAL_SOURCES] or rows[:1]
            origin = set(sources)
            pairs += [(upper, row) for row in rows if row not in origin and not made[row] for upper in sources]
        upper = np.array([pair[0] for pair in pairs], dtype=np.int64)
        lower = np.array([pair[1] for pair in pairs], dtype=np.int64)
        role = self.texts.index(SAME_CONTENT_ROLE) if SAME_CONTENT_ROLE in self.texts else len(self.texts)
        if role == len(self.texts):
            self.texts = [*self.texts, SAME_CONTENT_ROLE]
        return [
            upper,
            lower,
            np.full(len(pairs), TYPE_CODES[EdgeType.SAME_AS], dtype=np.int8),
            np.full(len(pairs), role, dtype=np.int32),
            first_seen[lower] if len(pairs) else np.empty(0, dtype=np.int64),
            np.full(len(pairs), FOREVER, dtype=np.int64),
            np.maximum(told[lower], told[upper]) if len(pairs) else np.empty(0, dtype=np.int64),
        ]

    def _number_versions(self) -> None:
        """Number the versions of each dataset by the time when each was first seen."""
        self.version_numbers: dict[int, int] = {}
        versions = np.flatnonzero((self.kinds == KIND_CODES[NodeKind.DATASET_VERSION]) & self.known).tolist()
        places: dict[str, list[int]] = {}
        for row in versions:
            places.setdefault(self.ids[row].rpartition("#")[0], []).append(row)
        for rows in places.values():
            rows.sort(key=lambda row: (int(self.first_seen[row]), self.keys[row]))
            self.version_numbers.update((row, number) for number, row in enumerate(rows, start=1))

    # --- nodes ---

    def kind(self, row: int) -> NodeKind:
        """Return a node's kind."""
        return KINDS[int(self.kinds[row])]

    def states_of(self, row: int) -> range:
        """Return the rows of a node's states, by time."""
        return range(int(self._state_start[row]), int(self._state_start[row + 1]))

    def status_at(self, row: int, until: int) -> tuple[str | None, int]:
        """Return a node's status as it was at a time, and since when it had been told (``NEVER`` if it was not)."""
        kind, status, at = self.kind(row), "", int(NEVER)
        rank = -1
        for state in self.states_of(row):
            when = int(self.state_at[state])
            told = self.texts[int(self.state_status[state])]
            if when > until or (not told and at != NEVER):
                continue
            weight = status_rank(kind, told)
            if weight >= rank or not status:
                status, at, rank = told or status, when, weight
        return status or None, at

    def versions_of(self, row: int) -> list[int]:
        """Return the versions of a dataset, the first one first; none for any other node."""
        edges = self.edges_of(row, Direction.DOWN)
        rows = {int(version) for version in self.edge_target[edges[self._version_edge[edges]]]}
        return sorted(rows, key=lambda version: self.version_numbers.get(version, 0))

    # --- edges ---

    def edges_of(self, row: int, direction: Direction) -> Integers:
        """Return the edges that reach (up) or leave (down) a node."""
        starts, edges = self._neighbours(direction)
        found: Integers = edges[starts[row] : starts[row + 1]]
        return found

    def holding(self, edges: Integers, as_of: int | None) -> Integers:
        """Return those of some edges that held at a time; None takes every time."""
        if as_of is None:
            return edges
        found: Integers = edges[(self.edge_from[edges] <= as_of) & (as_of < self.edge_to[edges])]
        return found

    def _neighbours(self, direction: Direction) -> tuple[Integers, Integers]:
        up = direction is Direction.UP
        return (self._in_start, self._in_edges) if up else (self._out_start, self._out_edges)

    # --- walks ---

    def walk(
        self,
        start: Integers,
        direction: Direction,
        *,
        depth: int | None = None,
        as_of: int | None = None,
        seconds: float = float("inf"),
    ) -> Walk:
        """Reach everything up or down from some nodes, level by level, each node once at its least depth.

        Args:
            start: Rows of the nodes to start from.
            direction: Up or down.
            depth: How many edges at most; None has no limit.
            as_of: Only edges that held then (microseconds since the epoch); None takes every time.
            seconds: The walk ends after this time with ``finished`` False.
        """
        starts, edges = self._neighbours(direction)
        ends = self.edge_source if direction is Direction.UP else self.edge_target
        self._mark += 1
        frontier = np.unique(np.asarray(start, dtype=np.int64))
        self._marks[frontier] = self._mark
        levels = [frontier]
        deadline = time.monotonic() + seconds
        while len(frontier) and (depth is None or len(levels) <= depth):
            if time.monotonic() > deadline:
                return self._ordered(levels, finished=False)
            found = self.holding(edges[_ranges(starts[frontier], starts[frontier + 1])], as_of)
            if direction is Direction.UP:
                found = found[~self._silent_upwards[found]]
            reached = ends[found]
            frontier = np.unique(reached[self._marks[reached] != self._mark]).astype(np.int64)
            self._marks[frontier] = self._mark
            if len(frontier):
                levels.append(frontier)
        return self._ordered(levels, finished=True)

    def _ordered(self, levels: list[Integers], *, finished: bool) -> Walk:
        nodes = np.concatenate(levels) if levels else np.empty(0, dtype=np.int64)
        depths = np.repeat(np.arange(len(levels)), [len(level) for level in levels])
        return Walk(nodes, depths, finished)

    def in_key_order(self, walk: Walk) -> list[tuple[int, int]]:
        """Return the nodes of a walk with their depths, by depth and then by key."""
        found = zip(walk.depths.tolist(), walk.nodes.tolist(), strict=True)
        return [(row, depth) for depth, _, row in sorted((depth, self.keys[row], row) for depth, row in found)]

    def edges_among(self, nodes: Integers, direction: Direction, as_of: int | None) -> Integers:
        """Return the edges of a walk's direction that join some nodes, in the order of the table."""
        self._mark += 1
        self._marks[nodes] = self._mark
        starts, edges = self._neighbours(direction)
        found = self.holding(edges[_ranges(starts[nodes], starts[nodes + 1])], as_of)
        if direction is Direction.UP:
            found = found[~self._silent_upwards[found]]
        other = self.edge_source if direction is Direction.UP else self.edge_target
        kept: Integers = found[self._marks[other[found]] == self._mark]
        return kept

    def shortest_path(self, source: int, target: int, as_of: int | None) -> list[int] | None:
        """Return the edges of a shortest way down from one node to another; None where there is none.

        A dataset is reached where any of its versions is.
        """
        if source == target:
            return []
        targets = {target, *self.versions_of(target)}
        parents: dict[int, int] = {source: -1}
        frontier = np.array([source], dtype=np.int64)
        while len(frontier):
            found = self.holding(
                self._out_edges[_ranges(self._out_start[frontier], self._out_start[frontier + 1])], as_of
            )
            following = []
            for edge in found.tolist():
                row = int(self.edge_target[edge])
                if row not in parents:
                    parents[row] = edge
                    following.append(row)
            reached = sorted(targets & parents.keys())
            if reached:
                return self._way_to(reached[0], parents)
            frontier = np.array(following, dtype=np.int64)
        return None

    def _way_to(self, target: int, parents: dict[int, int]) -> list[int]:
        way: list[int] = []
        row = target
        while (edge := parents[row]) >= 0:
            way.append(edge)
            row = int(self.edge_source[edge])
        return way[::-1]


class _Incarnations:
    """Finds, for a reference that does not tell when its resource was born, the one that lived at a time."""

    def __init__(self, table: Table, ids: list[str]) -> None:
        reusable = np.isin(table.node_kind, [KIND_CODES[kind] for kind in REUSABLE_KINDS])
        unborn = reusable & (table.node_born == NEVER)
        self._unborn = unborn
        self._needed = bool(unborn.any())
        if not self._needed:
            return
        wanted = {ids[row]: code for code, row in enumerate(np.flatnonzero(unborn).tolist())}
        self._codes = np.full(len(ids), -1, dtype=np.int64)
        for row in np.flatnonzero(reusable).tolist():
            self._codes[row] = wanted.get(ids[row], -1)
        born = np.flatnonzero(reusable & (table.node_born != NEVER) & (self._codes >= 0))
        order = np.lexsort((table.node_born[born], self._codes[born]))
        self._rows = born[order]
        self._row_codes = self._codes[self._rows]
        self._row_keys = _time_key(self._row_codes, table.node_born[self._rows])

    def resolve(self, nodes: Integers, times: Integers) -> Integers:
        """Return the nodes, each such reference replaced by the newest incarnation born by its time, else the first."""
        if not self._needed or not len(self._rows):
            return nodes
        asked = np.flatnonzero(self._unborn[nodes])
        if not len(asked):
            return nodes
        codes = self._codes[nodes[asked]]
        when = np.maximum(times[asked], 0) + _SECOND
        place = np.searchsorted(self._row_keys, _time_key(codes, when), side="right") - 1
        earlier = (place >= 0) & (self._row_codes[np.maximum(place, 0)] == codes)
        following = np.minimum(place + 1, len(self._rows) - 1)
        first = ~earlier & (self._row_codes[following] == codes)
        resolved = nodes.copy()
        resolved[asked[earlier]] = self._rows[place[earlier]]
        resolved[asked[first]] = self._rows[following[first]]
        return resolved


def _time_key(codes: Integers, micros: Integers) -> Integers:
    # 36 bits hold the seconds until the year 4147.
    found: Integers = (codes << 36) | np.clip(micros // _SECOND, 0, (1 << 36) - 1)
    return found


def _known(table: Table, known_at: int) -> Table:
    states = table.state_recorded <= known_at
    edges = table.edge_recorded <= known_at
    columns = {
        name: column[states if name.startswith("state_") else edges] if not name.startswith("node_") else column
        for name, column in table._asdict().items()
    }
    return Table(**columns)


def _starts(sorted_rows: Integers, count: int) -> Integers:
    found: Integers = np.searchsorted(sorted_rows, np.arange(count + 1)).astype(np.int64)
    return found


def _ranges(starts: Integers, ends: Integers) -> Integers:
    """Return the concatenation of ``arange(start, end)`` for each pair."""
    lengths = ends - starts
    total = int(lengths.sum())
    if not total:
        return np.empty(0, dtype=np.int64)
    offsets = np.repeat(starts - np.concatenate(([0], np.cumsum(lengths)[:-1])), lengths)
    found: Integers = np.arange(total) + offsets
    return found
