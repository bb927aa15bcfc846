"""All facts as rows of numbers: what the compact graph is made from, and what is kept of it.

Rows are only added. A snapshot is the rows in canonical order, so the same facts give the same bytes, in whatever order
and however often they were told.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from array import array
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hallmark.errors import HallmarkError
from hallmark.lineage.model import EdgeType, NodeKind, NodeRef, RecordedFact

Integers = npt.NDArray[Any]

KINDS = tuple(NodeKind)
TYPES = tuple(EdgeType)
KIND_CODES = {kind: code for code, kind in enumerate(KINDS)}
TYPE_CODES = {kind: code for code, kind in enumerate(TYPES)}
NEVER = np.iinfo(np.int64).min
"""A time that is not known."""

REMEMBERED = timedelta(minutes=5)
"""Facts recorded this long before the newest one are remembered by id: the log may tell them again."""

_MAGIC = b"HALLMARKGRAPH2\n"


class GraphSnapshotError(HallmarkError):
    """A snapshot cannot be read: it is damaged, or of another version."""


def to_micros(time: datetime | None) -> int:
    """Return microseconds since the epoch; ``NEVER`` for None."""
    return int(NEVER) if time is None else (time - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime | None:
    """Return the time of microseconds since the epoch; None for ``NEVER``."""
    return None if micros == NEVER else _EPOCH + timedelta(microseconds=int(micros))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Table(NamedTuple):
    """The rows as arrays."""

    node_kind: Integers
    node_born: Integers
    state_node: Integers
    state_at: Integers
    state_recorded: Integers
    state_status: Integers
    state_name: Integers
    edge_source: Integers
    edge_target: Integers
    edge_type: Integers
    edge_role: Integers
    edge_from: Integers
    edge_recorded: Integers
    edge_exclusive: Integers


_COLUMNS: dict[str, str] = {
    "node_kind": "b",
    "node_born": "q",
    "state_node": "i",
    "state_at": "q",
    "state_recorded": "q",
    "state_status": "i",
    "state_name": "i",
    "edge_source": "i",
    "edge_target": "i",
    "edge_type": "b",
    "edge_role": "i",
    "edge_from": "q",
    "edge_recorded": "q",
    "edge_exclusive": "b",
}
_DTYPES = {"b": np.int8, "i": np.int32, "q": np.int64}


class GraphRows:
    """Nodes, states and edges as told by facts."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.ids: list[str] = []
        self.texts: list[str] = [""]
        self._columns: dict[str, array[int]] = {name: array(code) for name, code in _COLUMNS.items()}
        self._node_rows: dict[str, int] = {}
        self._text_rows: dict[str, int] = {"": 0}
        self._recent: dict[str, int] = {}
        self.newest: int = int(NEVER)
        self.facts = 0

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self.keys)

    @property
    def watermark(self) -> datetime | None:
        """Return when the newest fact was recorded."""
        return from_micros(self.newest)

    def add(self, facts: Iterable[RecordedFact]) -> int:
        """Add facts; return how many were new."""
        before = self.facts
        for recorded in facts:
            if recorded.fact.id not in self._recent:
                self._add(recorded)
        if self.facts != before:
            horizon = self.newest - REMEMBERED // timedelta(microseconds=1)
            self._recent = {fact_id: when for fact_id, when in self._recent.items() if when >= horizon}
        return self.facts - before

    def _add(self, recorded: RecordedFact) -> None:
        fact, when = recorded.fact, to_micros(recorded.recorded_at)
        columns = self._columns
        for state in fact.states:
            columns["state_node"].append(self.node(state.node))
            columns["state_at"].append(to_micros(state.at))
            columns["state_recorded"].append(when)
            columns["state_status"].append(self._text(state.status or ""))
            columns["state_name"].append(self._text(_shown_name(state.attributes)))
        for edge in fact.edges:
            columns["edge_source"].append(self.node(edge.source))
            columns["edge_target"].append(self.node(edge.target))
            columns["edge_type"].append(TYPE_CODES[edge.type])
            columns["edge_role"].append(self._text(edge.role))
            columns["edge_from"].append(to_micros(edge.valid_from))
            columns["edge_recorded"].append(when)
            columns["edge_exclusive"].append(int(edge.exclusive))
        self._recent[fact.id] = when
        self.newest = max(self.newest, when)
        self.facts += 1

    def node(self, ref: NodeRef) -> int:
        """Return the row of a node, which is added if it is new."""
        key = ref.key
        row = self._node_rows.get(key)
        if row is None:
            row = self._node_rows[key] = len(self.keys)
            self.keys.append(key)
            self.ids.append(ref.id)
            self._columns["node_kind"].append(KIND_CODES[ref.kind])
            self._columns["node_born"].append(to_micros(ref.born))
        return row

    def _text(self, text: str) -> int:
        row = self._text_rows.get(text)
        if row is None:
            row = self._text_rows[text] = len(self.texts)
            self.texts.append(text)
        return row

    def table(self) -> Table:
        """Return copies of all columns as arrays."""
        return Table(**{name: np.array(self._columns[name], dtype=_DTYPES[code]) for name, code in _COLUMNS.items()})

    def to_bytes(self) -> bytes:
        """Return the snapshot: canonical, compressed, with a checksum."""
        arrays, keys, ids, texts = self._canonical()
        recent = sorted(self._recent.items())
        texts_part = json.dumps(
            {"keys": keys, "ids": ids, "texts": texts, "recent": recent, "newest": self.newest, "facts": self.facts},
            separators=(",", ":"),
            ensure_ascii=False,
        ).encode()
        header = json.dumps(
            {
                "columns": [[name, str(column.dtype), len(column)] for name, column in arrays.items()],
                "texts": len(texts_part),
            }
        ).encode()
        body = b"".join([texts_part, *(column.tobytes() for column in arrays.values())])
        packed = zlib.compress(header + b"\n" + body, level=1)
        return _MAGIC + hashlib.sha256(packed).digest() + packed

    @classmethod
    def from_bytes(cls, snapshot: bytes) -> GraphRows:
        """Read a snapshot.

        Raises:
            GraphSnapshotError: It is damaged, or of another version.
        """
        start = len(_MAGIC)
        digest, packed = snapshot[start : start + 32], snapshot[start + 32 :]
        if not snapshot.startswith(_MAGIC):
            raise GraphSnapshotError("the graph's snapshot is of another version: delete it, it is written again")
        if hashlib.sha256(packed).digest() != digest:
            raise GraphSnapshotError("the graph's snapshot is damaged: delete it, it is written again from the table")
        raw = zlib.decompress(packed)
        head, _, _ = raw.partition(b"\n")
        header = json.loads(head)
        offset = len(head) + 1
        texts = json.loads(raw[offset : offset + header["texts"]])
        offset += header["texts"]
        rows = cls()
        rows.keys, rows.ids, rows.texts = texts["keys"], texts["ids"], texts["texts"]
        rows._node_rows = {key: row for row, key in enumerate(rows.keys)}
        rows._text_rows = {text: row for row, text in enumerate(rows.texts)}
        rows._recent = dict(texts["recent"])
        rows.newest, rows.facts = texts["newest"], texts["facts"]
        for name, dtype, length in header["columns"]:
            size = np.dtype(dtype).itemsize * length
            rows._columns[name].frombytes(raw[offset : offset + size])
            offset += size
        return rows

    def _canonical(self) -> tuple[dict[str, Integers], list[str], list[str], list[str]]:
        """Return the rows with nodes and texts by name, and states and edges sorted, each once."""
        node_order = sorted(range(len(self.keys)), key=self.keys.__getitem__)
        text_order = sorted(range(len(self.texts)), key=self.texts.__getitem__)
        new_node = _inverse(node_order)
        new_text = _inverse(text_order)
        found = {name: np.array(self._columns[name], dtype=_DTYPES[code]) for name, code in _COLUMNS.items()}
        nodes = np.array(node_order, dtype=np.int64)
        for name in ("node_kind", "node_born"):
            found[name] = found[name][nodes]
        for name in ("state_node", "edge_source", "edge_target"):
            found[name] = new_node[found[name]]
        for name in ("state_status", "state_name", "edge_role"):
            found[name] = new_text[found[name]]
        _sort_rows(found, "state_", "state_recorded")
        _sort_rows(found, "edge_", "edge_recorded")
        return (
            found,
            [self.keys[row] for row in node_order],
            [self.ids[row] for row in node_order],
            [self.texts[row] for row in text_order],
        )


def _shown_name(attributes: Any) -> str:
    name = attributes.get("name")
    return name if isinstance(name, str) else ""


def _inverse(order: list[int]) -> Integers:
    inverse = np.empty(len(order), dtype=np.int32)
    inverse[np.array(order, dtype=np.int64)] = np.arange(len(order), dtype=np.int32)
    return inverse


def _sort_rows(columns: dict[str, Integers], prefix: str, recorded: str) -> None:
    """Sort the columns of a prefix, and of equal rows keep the one that was recorded first."""
    names = [name for name in columns if name.startswith(prefix) and name != recorded]
    order = np.lexsort([columns[recorded], *(columns[name] for name in reversed(names))])
    kept = np.zeros(len(order), dtype=bool)
    if len(order):
        kept[0] = True
        for name in names:
            ordered = columns[name][order]
            kept[1:] |= ordered[1:] != ordered[:-1]
    chosen = order[kept]
    for name in (*names, recorded):
        columns[name] = columns[name][chosen]
