"""What recent facts change in a compact graph, without making it anew.

The result is exact: graph and overlay together are the graph that all facts make (a test compares them). So where a new
fact changes what old rows mean - a new incarnation takes references over, a config ends another one's time, a producer
of known content appears - the old edges are replaced.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from hallmark.lineage.columns import (
    DELETED,
    FOREVER,
    IS_REUSABLE,
    NEVER,
    PART_ROLE,
    SAME_CONTENT_ROLE,
    STATE_TYPES,
    VERSION_KIND,
    Integers,
    first_of_runs,
    identifier_of,
    is_among,
    pairs_of,
    ranges,
)
from hallmark.lineage.deriving import Incarnations, close_exclusive, content_print, copies_among
from hallmark.lineage.index import DERIVED, EXCLUSIVE, CompactGraph, content_of, copy_edges, is_making
from hallmark.lineage.rows import AddedNode, GraphRows

_ORDER_BITS = 20
_BEHIND = (1 << _ORDER_BITS) - 1
MAXIMUM_ADDED_NODES = _BEHIND
"""More nodes than that have no place among the rows of a compact graph: make it anew."""

_EDGE_COLUMNS = ("source", "target", "type", "role", "from", "recorded", "exclusive")


class Edges(NamedTuple):
    """Edges, a column each: ``begin`` and ``end`` of what they hold, ``recorded``: when we learned of them."""

    source: Integers
    target: Integers
    type: Integers
    role: Integers
    begin: Integers
    end: Integers
    recorded: Integers


class Overlay(NamedTuple):
    """Edges and states that are to be added, and those of the compact graph that they replace.

    ``edges`` are sorted by source, ``by_target`` lists them by target; ``states`` are sorted by node. ``first_seen``,
    ``first_told``, ``made`` and ``deleted_at`` are columns over all nodes.
    """

    edges: Edges
    by_target: Integers
    replaced_edges: Integers
    states: dict[str, Integers]
    replaced_states: Integers
    first_seen: Integers
    first_told: Integers
    made: Integers
    deleted_at: Integers


class Ranks:
    """The order of all nodes by their keys, as numbers."""

    def __init__(self, compact: CompactGraph, added: list[AddedNode]) -> None:
        self._count = compact.count
        self._added = np.zeros(len(added), dtype=np.int64)
        for order, row in enumerate(sorted(range(len(added)), key=lambda row: (added[row].place, added[row].key))):
            self._added[row] = (added[row].place << _ORDER_BITS) | order

    def of(self, rows: Integers) -> Integers:
        """Return numbers that sort as the keys of some rows do."""
        found: Integers = (rows.astype(np.int64) << _ORDER_BITS) | _BEHIND
        if len(self._added):
            later = rows >= self._count
            found[later] = self._added[rows[later] - self._count]
        return found


def lay_over(rows: GraphRows, until: int | None, kinds: Integers, ranks: Ranks) -> Overlay:
    """Return what the facts since the compact graph, recorded up to a time, change in it.

    Args:
        rows: The compact graph and what was added since.
        until: Microseconds; None for everything.
        kinds: The code of each node's kind.
        ranks: The order of the nodes.
    """
    return _Laying(rows, until, kinds, ranks).overlay()


class _Laying:
    def __init__(self, rows: GraphRows, until: int | None, kinds: Integers, ranks: Ranks) -> None:
        self._compact = compact = rows.compact
        self._nodes = rows.added_nodes
        self._added = added = rows.added(until)
        self._kinds = kinds
        self._ranks = ranks
        self._count = len(kinds)
        self._codes = {word: rows.words.index(word) for word in (DELETED, PART_ROLE, SAME_CONTENT_ROLE)}
        self._mentioned = np.unique(np.concatenate((added["state_node"], added["edge_source"], added["edge_target"])))
        self._disturbed = self._find_disturbed()
        self._pulled_edges = self._disturbed_edges()
        self._pulled_states = self._disturbed_states()
        self._incarnations = self._find_incarnations()
        self.first_seen = self._extended(compact.column("first_seen"), FOREVER)
        self.first_told = self._extended(compact.column("first_told"), FOREVER)
        self.made = self._extended(compact.column("made"), 0)
        self.deleted_at = self._extended(compact.deleted_at, FOREVER)

    def _extended(self, column: Integers, missing: int) -> Integers:
        return np.concatenate((column, np.full(self._count - self._compact.count, missing, dtype=column.dtype)))

    def _born(self, row: int) -> int:
        place = row - self._compact.count
        return self._compact.born(row) if place < 0 else self._nodes[place].born

    def _key(self, row: int) -> str:
        place = row - self._compact.count
        return self._compact.key(row) if place < 0 else self._nodes[place].key

    def _reusable(self, rows: Integers) -> list[int]:
        found: list[int] = rows[IS_REUSABLE[self._kinds[rows]]].tolist()
        return found

    def _find_disturbed(self) -> Integers:
        """Return the references without a birth in the compact graph of whose id a new incarnation has come."""
        found = set()
        for row in self._reusable(self._mentioned[self._mentioned >= self._compact.count]):
            born = self._born(row)
            if born != NEVER:
                place, known = self._compact.find(identifier_of(self._key(row), born))
                if known and IS_REUSABLE[self._kinds[place]]:
                    found.add(place)
        return np.array(sorted(found), dtype=np.int64)

    def _find_incarnations(self) -> Incarnations:
        """Gather the references without a birth in what is laid over, and all that they may mean."""
        compact = self._compact
        nodes = self._told_nodes[self._pulled_states] if len(self._pulled_states) else self._pulled_states
        told = (nodes, *compact.raw_ends(self._pulled_edges), self._mentioned)
        rows = self._reusable(np.unique(np.concatenate(told)))
        unborn = {row: self._key(row) for row in rows if self._born(row) == NEVER}
        born = []
        for row in rows:
            birth = self._born(row)
            if row >= compact.count and birth != NEVER:
                born.append((row, identifier_of(self._key(row), birth), birth))
        for identifier in set(unborn.values()):
            for row in compact.rows_beginning(f"{identifier}@"):
                birth = compact.born(row)
                if birth != NEVER and IS_REUSABLE[self._kinds[row]]:
                    born.append((row, identifier_of(compact.key(row), birth), birth))
        return Incarnations(unborn.items(), born)

    def overlay(self) -> Overlay:
        states, replaced_states = self._states()
        edges, replaced_edges = self._edges()
        return Overlay(
            edges,
            np.argsort(edges.target, kind="stable"),
            replaced_edges,
            states,
            replaced_states,
            self.first_seen,
            self.first_told,
            self.made,
            self.deleted_at,
        )

    # --- states ---

    @cached_property
    def _told_nodes(self) -> Integers:
        """Return the node of each state of the compact graph as it was told."""
        found = self._compact.column("state_node").copy()
        found[self._compact.column("told_state")] = self._compact.column("told_node")
        return found

    def _disturbed_states(self) -> Integers:
        if not len(self._disturbed):
            return np.empty(0, dtype=np.int64)
        compact, disturbed = self._compact, self._disturbed
        told = is_among(compact.column("told_node"), disturbed)
        unresolved = ranges(compact.state_start[disturbed], compact.state_start[disturbed + 1])
        return np.union1d(compact.column("told_state")[told], unresolved).astype(np.int64)

    def _states(self) -> tuple[dict[str, Integers], Integers]:
        compact, pulled = self._compact, self._pulled_states
        columns = {name: np.concatenate((compact.column(name)[pulled], self._added[name])) for name in STATE_TYPES}
        if len(pulled):
            columns["state_node"][: len(pulled)] = self._told_nodes[pulled]
        node = self._incarnations.resolve(columns["state_node"], columns["state_at"])
        order = np.lexsort((columns["state_order"], columns["state_at"], node))
        columns = {name: column[order] for name, column in columns.items()} | {"state_node": node[order]}
        self._delete(columns, pulled)
        return columns, pulled

    def _delete(self, states: dict[str, Integers], pulled: Integers) -> None:
        compact, deleted = self._compact, self._codes[DELETED]
        for row in np.unique(compact.column("state_node")[pulled]).tolist():
            own = np.arange(compact.state_start[row], compact.state_start[row + 1])
            own = own[~is_among(own, pulled) & (compact.column("state_status")[own] == deleted)]
            times = compact.column("state_at")[own]
            self.deleted_at[row] = min(times[times != NEVER].tolist(), default=FOREVER)
        gone = (states["state_status"] == deleted) & (states["state_at"] != NEVER)
        np.minimum.at(self.deleted_at, states["state_node"][gone], states["state_at"][gone])

    # --- edges ---

    def _edges(self) -> tuple[Edges, Integers]:
        compact, pulled = self._compact, self._pulled_edges
        told_source, told_target = compact.raw_ends(pulled)
        columns = {
            name: np.concatenate((self._of_compact(name, pulled), self._added[f"edge_{name}"]))
            for name in _EDGE_COLUMNS
        }
        columns["source"][: len(pulled)], columns["target"][: len(pulled)] = told_source, told_target
        for name in ("source", "target"):
            columns[name] = self._incarnations.resolve(columns[name], columns["from"])
        self._see(columns, pulled)
        # Exclusive edges are closed by each other: whoever gets a new one is looked at as a whole.
        exclusive = columns["exclusive"] != 0
        former = compact.column("edge_target")[pulled][self._of_compact("exclusive", pulled) != 0]
        gone = np.flatnonzero(self.deleted_at[: compact.count] != compact.deleted_at)
        targets = np.unique(np.concatenate((columns["target"][exclusive], former, gone)).astype(np.int64))
        rivals = self._incoming(targets[targets < compact.count])
        rivals = np.setdiff1d(rivals[self._of_compact("exclusive", rivals) != 0], pulled)
        columns = {
            name: np.concatenate((column, self._of_compact(name, rivals).astype(column.dtype)))
            for name, column in columns.items()
        }
        kept, outdone = self._each_once(columns, np.union1d(pulled, rivals))
        columns = {name: column[kept] for name, column in columns.items()}
        end, kept = self._close(columns)
        copies, replaced_copies = self._copies()
        columns = {name: column[kept] for name, column in columns.items()}
        told = Edges(
            source=columns["source"],
            target=columns["target"],
            type=columns["type"],
            role=columns["role"],
            begin=columns["from"],
            end=end[kept],
            recorded=columns["recorded"],
        )
        found = Edges(*(np.concatenate(pair) for pair in zip(told, copies, strict=True)))
        order = np.lexsort((found.begin, found.role, found.type, found.target, found.source))
        replaced = np.concatenate((pulled, rivals, outdone, replaced_copies)).astype(np.int64)
        return Edges(*(column[order] for column in found)), np.unique(replaced)

    def _of_compact(self, name: str, edges: Integers) -> Integers:
        if name == "exclusive":
            return (self._compact.column("edge_flags")[edges] & EXCLUSIVE).astype(np.int8)
        return self._compact.column(f"edge_{name}")[edges]

    def _outgoing(self, nodes: Integers) -> Integers:
        return ranges(self._compact.out_start[nodes], self._compact.out_start[nodes + 1])

    def _incoming(self, nodes: Integers) -> Integers:
        found = ranges(self._compact.in_start[nodes], self._compact.in_start[nodes + 1])
        return self._compact.column("in_edges")[found].astype(np.int64)

    def _disturbed_edges(self) -> Integers:
        """Return the edges that a reference with a new meaning was told in, and those that looked equal to them."""
        if not len(self._disturbed):
            return np.empty(0, dtype=np.int64)
        compact, disturbed = self._compact, self._disturbed
        told = is_among(compact.column("told_source"), disturbed) | is_among(compact.column("told_target"), disturbed)
        pulled = np.unique(
            np.concatenate((compact.column("told_edge")[told], self._outgoing(disturbed), self._incoming(disturbed)))
        )
        pairs = np.unique(compact.edge_pair[pulled])
        starts = np.searchsorted(compact.edge_pair, pairs, side="left")
        ends = np.searchsorted(compact.edge_pair, pairs, side="right")
        return ranges(starts, ends)

    def _see(self, columns: dict[str, Integers], pulled: Integers) -> None:
        """Bring up to date when nodes were first seen, and which ones a run made."""
        compact = self._compact
        former = np.unique(np.concatenate((compact.edge_source[pulled], compact.column("edge_target")[pulled])))
        for row in former.astype(np.int64).tolist():
            node = np.array([row])
            own = np.setdiff1d(np.concatenate((self._outgoing(node), self._incoming(node))), pulled)
            own = own[(compact.column("edge_flags")[own] & DERIVED) == 0]
            self.first_seen[row] = min(compact.column("edge_from")[own].tolist(), default=FOREVER)
            self.first_told[row] = min(compact.column("edge_recorded")[own].tolist(), default=FOREVER)
        for name in ("source", "target"):
            np.minimum.at(self.first_seen, columns[name], columns["from"])
            np.minimum.at(self.first_told, columns[name], columns["recorded"])
        self.made[columns["target"][is_making(columns["type"], columns["role"], self._codes[PART_ROLE])]] = 1

    def _each_once(self, columns: dict[str, Integers], replaced: Integers) -> tuple[Integers, Integers]:
        """Return the rows to keep of edges told several times, and the compact graph's edges that were told later."""
        names = ("source", "target", "type", "role", "from", "exclusive")
        order = np.lexsort((columns["recorded"], *(columns[name] for name in names)))
        kept = order[first_of_runs(order, [columns[name] for name in names])]
        compact = self._compact
        old = np.flatnonzero((columns["source"][kept] < compact.count) & (columns["target"][kept] < compact.count))
        pair = pairs_of(columns["source"][kept[old]], columns["target"][kept[old]])
        starts = np.searchsorted(compact.edge_pair, pair, side="left")
        ends = np.searchsorted(compact.edge_pair, pair, side="right")
        edges, asked = ranges(starts, ends), kept[np.repeat(old, ends - starts)]
        equal = ~is_among(edges, replaced) & ~compact.hidden[edges]
        for name in ("type", "role", "from", "exclusive"):
            equal &= self._of_compact(name, edges) == columns[name][asked]
        edges, asked = edges[equal], asked[equal]
        later = compact.column("edge_recorded")[edges] > columns["recorded"][asked]
        return np.setdiff1d(kept, asked[~later]), edges[later]

    def _close(self, columns: dict[str, Integers]) -> tuple[Integers, Integers]:
        end = np.full(len(columns["source"]), FOREVER, dtype=np.int64)
        kept = np.ones(len(end), dtype=bool)
        exclusive = np.flatnonzero(columns["exclusive"])
        source, target = columns["source"][exclusive], columns["target"][exclusive]
        closed = close_exclusive(
            source,
            target,
            columns["role"][exclusive],
            columns["from"][exclusive],
            self.deleted_at[target],
            self._ranks.of(source),
        )
        end[exclusive] = closed.end
        kept[exclusive[closed.hidden]] = False
        return end, kept

    # --- equal content ---

    def _copies(self) -> tuple[Edges, Integers]:
        """Return the new edges of equal content, and those of the compact graph that no longer hold."""
        ends = np.concatenate((self._added["edge_source"], self._added["edge_target"]))
        touched = np.unique(ends[self._kinds[ends] == VERSION_KIND]).astype(np.int64)
        added = self._mentioned[(self._mentioned >= self._compact.count)]
        newcomers: dict[int, list[int]] = {}
        for row in added[self._kinds[added] == VERSION_KIND].tolist():
            newcomers.setdefault(content_print(content_of(self._key(row))), []).append(row)
        groups: dict[int, list[int]] = {}
        for row in touched.tolist():
            groups.setdefault(content_print(content_of(self._key(row))), []).append(row)
        sources, targets, replaced = [], [], []
        for number, rows in groups.items():
            known = self._with_print(number)
            members = np.concatenate((known, newcomers.get(number, []))).astype(np.int64)
            if len(members) > 1:
                upper, lower, changed = self._copies_in(members, known, np.array(rows, dtype=np.int64))
                sources.append(upper)
                targets.append(lower)
                replaced.append(self._copies_to(changed[changed < self._compact.count]))
        nothing = np.empty(0, dtype=np.int64)
        source, target = np.concatenate([nothing, *sources]), np.concatenate([nothing, *targets])
        source, target, kind, role, begin, recorded = copy_edges(
            source, target, self.first_seen, self.first_told, self._codes[SAME_CONTENT_ROLE]
        )
        end = np.full(len(source), FOREVER, dtype=np.int64)
        return Edges(source, target, kind, role, begin, end, recorded), np.concatenate([nothing, *replaced])

    def _with_print(self, number: int) -> Integers:
        prints, rows = self._compact.column("print"), self._compact.column("print_row")
        wanted = np.uint64(number)
        found = rows[np.searchsorted(prints, wanted, "left") : np.searchsorted(prints, wanted, "right")]
        versions: Integers = found[self._kinds[found] == VERSION_KIND]
        return versions

    def _copies_in(self, members: Integers, known: Integers, touched: Integers) -> tuple[Integers, Integers, Integers]:
        """Return sources and targets of new edges among versions with equal content, and whose old edges go."""
        first_seen, told, made = (self._compact.column(name) for name in ("first_seen", "first_told", "made"))
        before = copies_among(known, first_seen[known], made[known] != 0, self._ranks.of(known))
        now = copies_among(members, self.first_seen[members], self.made[members] != 0, self._ranks.of(members))
        origins = now.origins
        same = np.array_equal(np.sort(before.origins), np.sort(origins)) and np.array_equal(
            told[origins], self.first_told[origins]
        )
        changed = touched if same else members
        copies = now.copies[is_among(now.copies, np.sort(changed))]
        return np.repeat(origins, len(copies)), np.tile(copies, len(origins)), changed

    def _copies_to(self, nodes: Integers) -> Integers:
        edges = self._incoming(nodes)
        copies: Integers = edges[(self._compact.column("edge_flags")[edges] & DERIVED) != 0]
        return copies
