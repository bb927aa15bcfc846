"""All facts as rows: the compact graph of those up to a time, and the rows of those that came since.

Rows are only added. The same facts give the same bytes, in whatever order and however often they were told.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import numpy as np

from hallmark.lineage.columns import (
    DTYPES,
    EDGE_TYPES,
    KIND_CODES,
    NAME_OF_ID,
    NO_NAME,
    STATE_TYPES,
    TYPE_CODES,
    Integers,
    RawRows,
    from_micros,
    to_micros,
)
from hallmark.lineage.index import CompactGraph
from hallmark.lineage.labels import short_name
from hallmark.lineage.model import NodeRef, NodeState, RecordedFact

REMEMBERED = timedelta(minutes=5)
"""Facts recorded this long before the newest one are remembered by id: the log may tell them again."""

_LARGE_EDGES = 50_000
_LARGE_PART = 10
_DIGEST_DIGITS = 7
_DESCRIBED = 1 << (4 * _DIGEST_DIGITS)


class AddedNode:
    """A node that the compact graph does not have, and where its key would stand there."""

    __slots__ = ("born", "key", "kind", "place")

    def __init__(self, key: str, place: int, kind: int, born: int) -> None:
        self.key, self.place, self.kind, self.born = key, place, kind, born


class GraphRows:
    """Nodes, states and edges as told by facts.

    Rows of nodes count on from those of the compact graph; so do words.
    """

    def __init__(self, compact: CompactGraph | None = None, recent: Mapping[str, int] | None = None) -> None:
        self.compact = compact or CompactGraph.empty()
        self.revision = 0
        self.newest = self.compact.newest
        self._recent = dict(recent or {})
        self._begin()

    def _begin(self) -> None:
        self.added_nodes: list[AddedNode] = []
        self.words = list(self.compact.words)
        self.other_kinds: dict[int, int] = {}
        self._columns: dict[str, array[int]] = {name: array(code) for name, code in (STATE_TYPES | EDGE_TYPES).items()}
        self._node_rows: dict[str, int] = {}
        self._word_codes = {word: code for code, word in enumerate(self.words)}

    def __len__(self) -> int:
        """Return the number of nodes."""
        return self.compact.count + len(self.added_nodes)

    @property
    def watermark(self) -> datetime | None:
        """Return when the newest fact was recorded."""
        return from_micros(self.newest)

    @property
    def added_edges(self) -> int:
        """Return how many edges the compact graph lacks."""
        return len(self._columns["edge_source"])

    @property
    def has_added(self) -> bool:
        """Tell whether there is anything that the compact graph lacks."""
        return bool(self._columns["state_node"] or self._columns["edge_source"])

    @property
    def is_large(self) -> bool:
        """Tell whether so much was added that a new compact graph pays."""
        return self.added_edges > max(_LARGE_EDGES, self.compact.edge_count // _LARGE_PART)

    def add(self, facts: Iterable[RecordedFact]) -> int:
        """Add facts; return how many were new."""
        new = 0
        for recorded in facts:
            if recorded.fact.id not in self._recent:
                self._add(recorded)
                new += 1
        if new:
            self.revision += 1
            self._recent = self._remembered()
        return new

    def _remembered(self) -> dict[str, int]:
        horizon = self.newest - REMEMBERED // timedelta(microseconds=1)
        return {fact_id: when for fact_id, when in self._recent.items() if when >= horizon}

    def _add(self, recorded: RecordedFact) -> None:
        fact, when = recorded.fact, to_micros(recorded.recorded_at)
        columns = self._columns
        for state in fact.states:
            columns["state_node"].append(self._node(state.node))
            columns["state_at"].append(to_micros(state.at))
            columns["state_recorded"].append(when)
            columns["state_order"].append(_order(state))
            columns["state_status"].append(self._word(state.status or ""))
            columns["state_name"].append(self._name(state))
        for edge in fact.edges:
            columns["edge_source"].append(self._node(edge.source))
            columns["edge_target"].append(self._node(edge.target))
            columns["edge_type"].append(TYPE_CODES[edge.type])
            columns["edge_role"].append(self._word(edge.role))
            columns["edge_from"].append(to_micros(edge.valid_from))
            columns["edge_recorded"].append(when)
            columns["edge_exclusive"].append(int(edge.exclusive))
        self._recent[fact.id] = when
        self.newest = max(self.newest, when)

    def _node(self, ref: NodeRef) -> int:
        """Return the row of a node, which is added if it is new."""
        key, kind = ref.key, KIND_CODES[ref.kind]
        row = self._node_rows.get(key)
        if row is None:
            place, known = self.compact.find(key)
            row = place if known else len(self)
            self._node_rows[key] = row
            if not known:
                self.added_nodes.append(AddedNode(key, place, kind, to_micros(ref.born)))
        # One id of two kinds is a mistake; the order in which it was told must not matter all the same.
        if row >= self.compact.count:
            added = self.added_nodes[row - self.compact.count]
            added.kind = min(added.kind, kind)
        elif kind < self.other_kinds.get(row, int(self.compact.column("node_kind")[row])):
            self.other_kinds[row] = kind
        return row

    def _word(self, word: str) -> int:
        code = self._word_codes.get(word)
        if code is None:
            code = self._word_codes[word] = len(self.words)
            self.words.append(word)
        return code

    def _name(self, state: NodeState) -> int:
        name = state.attributes.get("name")
        if not isinstance(name, str) or not name:
            return NO_NAME
        return NAME_OF_ID if name == short_name(state.node.id) else self._word(name)

    def find(self, key: str) -> int | None:
        """Return the row of a key; None for an unknown one."""
        row = self._node_rows.get(key)
        if row is None:
            place, known = self.compact.find(key)
            row = place if known else None
        return row

    def added(self, until: int | None = None) -> dict[str, Integers]:
        """Return the columns of what the compact graph lacks, recorded up to a time (microseconds; None: all)."""
        found = {name: np.array(column, dtype=DTYPES[column.typecode]) for name, column in self._columns.items()}
        return found if until is None else _recorded_by(found, until)

    def compacted(self, until: int | None = None) -> CompactGraph:
        """Return one compact graph of everything recorded up to a time (microseconds; None: all)."""
        if until is None and not self.has_added:
            return self.compact
        raw = self.compact.raw()
        added = self.added()
        columns: dict[str, Integers] = {
            name: np.concatenate((getattr(raw, name), added[name])) for name in STATE_TYPES | EDGE_TYPES
        }
        kinds = np.concatenate((raw.node_kind, np.array([node.kind for node in self.added_nodes], dtype=np.int8)))
        for row, kind in self.other_kinds.items():
            kinds[row] = kind
        return CompactGraph.build(
            RawRows(
                keys=[*raw.keys, *(node.key for node in self.added_nodes)],
                words=self.words,
                node_kind=kinds,
                node_born=np.concatenate(
                    (raw.node_born, np.array([node.born for node in self.added_nodes], dtype=np.int64))
                ),
                **(columns if until is None else _recorded_by(columns, until)),
            )
        )

    def compact_all(self) -> None:
        """Make one compact graph of everything."""
        self.compact = self.compacted()
        self.revision += 1
        self._begin()

    def replace(self, newer: GraphRows) -> None:
        """Take another snapshot's place; what it lacks is to be added again."""
        self.compact, self.newest = newer.compact, newer.newest
        self._recent = dict(newer._recent)
        self.revision += 1
        self._begin()

    def to_bytes(self) -> bytes:
        """Return the snapshot: the compact graph of everything, and which facts the log may tell again."""
        return self.compacted().to_bytes(self._remembered())

    @classmethod
    def from_bytes(cls, snapshot: bytes) -> GraphRows:
        """Read a snapshot.

        Raises:
            GraphSnapshotError: It is damaged, or of another version.
        """
        return cls(*CompactGraph.from_bytes(snapshot))


def _recorded_by(columns: Mapping[str, Integers], until: int) -> dict[str, Integers]:
    kept = {prefix: columns[f"{prefix}_recorded"] <= until for prefix in ("state", "edge")}
    return {name: column[kept[name.partition("_")[0]]] for name, column in columns.items()}


def _order(state: NodeState) -> int:
    """Return a number that sorts states of one time as ``folding.in_order`` does."""
    described = 0 if state.attributes.get("event_only") else _DESCRIBED
    return described + int(state.digest[:_DIGEST_DIGITS], 16)
