"""The compact graph: neighbours in both directions as columns of numbers (CSR), in one checked file of packed columns.

It is made from rows as a whole and never changes; what facts add later lies over it (``overlay``). The same facts give
the same bytes, in whatever order and however often they were told.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from hallmark.errors import HallmarkError
from hallmark.lineage.columns import (
    DELETED,
    DTYPES,
    EDGE_TYPES,
    FOREVER,
    GATHERED_ROLE,
    IS_REUSABLE,
    IS_RUN,
    KIND_CODES,
    NAME_OF_ID,
    NEVER,
    NO_NAME,
    PART_ROLE,
    SAME_CONTENT_ROLE,
    STATE_TYPES,
    TYPE_CODES,
    VERSION_KIND,
    VERSION_ROLE,
    Integers,
    RawRows,
    first_of_runs,
    identifier_of,
    pairs_of,
    ranges,
    starts_of,
    status_weights,
)
from hallmark.lineage.deriving import Incarnations, close_exclusive, content_print, copies_among, earliest
from hallmark.lineage.labels import short_name, spoken_names
from hallmark.lineage.model import EdgeType, NodeKind

EXCLUSIVE, HIDDEN, DERIVED = 1, 2, 4
"""Flags of an edge: one source at a time; a repeat of another edge; equal content, which no fact asserts."""

RESERVED_WORDS = ("", DELETED, SAME_CONTENT_ROLE, PART_ROLE, GATHERED_ROLE, VERSION_ROLE)
"""Words that the rules look for; they are in every graph."""

_MAGIC = b"HALLMARKGRAPH3\n"
_DIGEST_BYTES = 32
_LENGTH_BYTES = 8
_PRINTED_KINDS = [KIND_CODES[kind] for kind in (NodeKind.DATASET_VERSION, NodeKind.IMAGE, NodeKind.CODE)]


class GraphSnapshotError(HallmarkError):
    """A snapshot cannot be read: it is damaged, or of another version."""


class _Section(NamedTuple):
    """A column as it lies in the file."""

    packed: memoryview
    dtype: str
    length: int

    def __len__(self) -> int:
        return self.length

    def read(self) -> Integers:
        return np.frombuffer(zlib.decompress(self.packed), dtype=self.dtype)


class Names(NamedTuple):
    """Names in lower case, sorted, a line each; ``rows[starts[i]:starts[i + 1]]`` are the nodes that have the i-th."""

    text: bytes
    ends: Integers
    starts: Integers
    rows: Integers

    def name(self, number: int) -> bytes:
        """Return a name by its number."""
        return self.text[int(self.ends[number - 1]) if number else 0 : int(self.ends[number]) - 1]

    def place_of(self, name: bytes) -> int:
        """Return the number of the first name that is not less than a text."""
        return bisect_left(range(len(self.ends)), name, key=self.name)

    def nodes_of(self, numbers: Integers) -> Integers:
        """Return the nodes that have some of the names."""
        return self.rows[ranges(self.starts[numbers], self.starts[numbers + 1])]

    def numbers_containing(self, text: str) -> Integers:
        """Return the numbers of the names that contain a text."""
        return _lines_with(self.text, self.ends, text.lower().encode())


class CompactGraph:
    """The graph of all facts up to a time.

    Nodes are rows in the order of their keys. Edges are sorted by source, target, type, role and begin; ``in_edges``
    lists them by target. Every column is read, and unpacked, when it is first used.

    Args:
        columns: Columns by name, as ``build`` makes them.
        words: Roles, statuses and names, sorted.
        newest: When the newest row was recorded, in microseconds.
    """

    def __init__(self, columns: Mapping[str, Integers | _Section], words: Sequence[str], newest: int) -> None:
        self._columns = dict(columns)
        self.words = list(words)
        self.newest = newest
        self.count = self._length("node_kind")
        self.edge_count = self._length("edge_target")

    def _length(self, name: str) -> int:
        return len(self._columns[name])

    def column(self, name: str) -> Integers:
        """Return a column."""
        found = self._columns[name]
        if isinstance(found, _Section):
            found = self._columns[name] = found.read()
        return found

    # --- nodes ---

    @cached_property
    def _text(self) -> bytes:
        return self.column("key_text").tobytes()

    @cached_property
    def _ends(self) -> array[int]:
        found = array("q")
        found.frombytes(self.column("key_end").tobytes())
        return found

    def key(self, row: int) -> str:
        """Return the key of a row."""
        return self._key_bytes(row).decode()

    def _key_bytes(self, row: int) -> bytes:
        return self._text[self._ends[row - 1] if row else 0 : self._ends[row] - 1]

    def born(self, row: int) -> int:
        """Return when the resource of a row was born; ``NEVER`` where its key does not tell."""
        return int(self.column("node_born")[row])

    def place_of(self, key: bytes) -> int:
        """Return the row of the first key that is not less than a text."""
        return bisect_left(range(self.count), key, key=self._key_bytes)

    def find(self, key: str) -> tuple[int, bool]:
        """Return where a key stands, or would stand, and whether it is there."""
        wanted = key.encode()
        place = self.place_of(wanted)
        return place, place < self.count and self._key_bytes(place) == wanted

    def rows_beginning(self, prefix: str) -> range:
        """Return the rows whose keys begin with a text."""
        start = prefix.encode()
        # 0xff is in no text in UTF-8, so it stands behind everything that begins so.
        return range(self.place_of(start), self.place_of(start + b"\xff"))

    def rows_containing(self, text: str) -> Integers:
        """Return the rows whose keys contain a text, whatever its case, in order."""
        return _lines_with(self._lower_text, self.column("key_end"), text.encode().lower())

    @cached_property
    def _lower_text(self) -> bytes:
        return self._text.lower()

    # --- edges ---

    @cached_property
    def out_start(self) -> Integers:
        """Return where the edges of each source begin."""
        return starts_of(self.column("edge_source"), self.count)

    @cached_property
    def in_start(self) -> Integers:
        """Return where the edges of each target begin in ``in_edges``."""
        return starts_of(self.column("edge_target"), self.count)

    @cached_property
    def edge_source(self) -> Integers:
        """Return the source of each edge."""
        return self.column("edge_source")

    @cached_property
    def edge_to(self) -> Integers:
        """Return when each edge ends; ``FOREVER`` where it holds."""
        found = np.full(self.edge_count, FOREVER, dtype=np.int64)
        found[self.column("end_edge")] = self.column("end_time")
        return found

    @cached_property
    def hidden(self) -> Integers:
        """Tell which edges only repeat others."""
        found: Integers = (self.column("edge_flags") & HIDDEN).astype(bool)
        return found

    @cached_property
    def edge_pair(self) -> Integers:
        """Return source and target of each edge as one number, sorted."""
        return pairs_of(self.edge_source, self.column("edge_target"))

    @cached_property
    def deleted_at(self) -> Integers:
        """Return when each node was deleted; ``FOREVER`` where it was not."""
        found = np.full(self.count, FOREVER, dtype=np.int64)
        found[self.column("gone_node")] = self.column("gone_time")
        return found

    def raw_ends(self, edges: Integers) -> tuple[Integers, Integers]:
        """Return source and target of some edges as they were told."""
        source, target = self.edge_source[edges].copy(), self.column("edge_target")[edges].copy()
        told = self.column("told_edge")
        place = np.searchsorted(told, edges)
        inside = place < len(told)
        inside[inside] = told[place[inside]] == edges[inside]
        source[inside] = self.column("told_source")[place[inside]]
        target[inside] = self.column("told_target")[place[inside]]
        return source, target

    # --- states ---

    @cached_property
    def state_start(self) -> Integers:
        """Return where the states of each node begin."""
        return starts_of(self.column("state_node"), self.count)

    # --- names ---

    @cached_property
    def names(self) -> Names:
        """Return the names by which people ask for nodes."""
        if "name_text" not in self._columns:
            self._columns.update(self._name_columns())
        found = [self.column(name) for name in ("name_text", "name_end", "name_start", "name_row")]
        return Names(found[0].tobytes(), *found[1:])

    def _name_columns(self) -> dict[str, Integers]:
        titles = self._titles()
        rows: dict[str, list[int]] = {}
        born = self.column("node_born").tolist()
        for row in range(self.count):
            identifier = identifier_of(self.key(row), born[row])
            for name in spoken_names(identifier, titles.get(row) or short_name(identifier)):
                rows.setdefault(name.replace("\n", " "), []).append(row)
        names = sorted(rows)
        lines = [name.encode() + b"\n" for name in names]
        return {
            "name_text": np.frombuffer(b"".join(lines), dtype=np.uint8),
            "name_end": np.cumsum([len(line) for line in lines], dtype=np.int64),
            "name_start": np.cumsum([0, *(len(rows[name]) for name in names)], dtype=np.int64),
            "name_row": np.array([row for name in names for row in rows[name]], dtype=np.int32),
        }

    def _titles(self) -> dict[int, str]:
        """Return the names that differ from the ends of ids, the newest for each node."""
        name = self.column("state_name")
        named = np.flatnonzero(name != NO_NAME)
        of_runs, of_others = status_weights(self.words)
        node, status = self.column("state_node")[named], self.column("state_status")[named]
        weight = np.where(IS_RUN[self.column("node_kind")[node]], of_runs[status], of_others[status])
        order = np.lexsort((self.column("state_order")[named], self.column("state_at")[named], weight, node))
        newest = dict(zip(node[order].tolist(), name[named][order].tolist(), strict=True))
        return {row: self.words[code] for row, code in newest.items() if code != NAME_OF_ID}

    # --- making ---

    @classmethod
    def build(cls, raw: RawRows) -> CompactGraph:
        """Make the graph of some rows."""
        return cls(*_Building(_canonical(raw)).columns())

    @classmethod
    def empty(cls) -> CompactGraph:
        """Return the graph of no facts."""
        columns = {name: np.empty(0, dtype=DTYPES[code]) for name, code in (STATE_TYPES | EDGE_TYPES).items()}
        kinds, births = np.empty(0, dtype=np.int8), np.empty(0, dtype=np.int64)
        return cls.build(RawRows(keys=[], words=RESERVED_WORDS, node_kind=kinds, node_born=births, **columns))

    def raw(self) -> RawRows:
        """Return the rows that this graph was made from."""
        told = np.flatnonzero(~(self.column("edge_flags") & DERIVED).astype(bool))
        source, target = self.raw_ends(told)
        node = self.column("state_node").copy()
        node[self.column("told_state")] = self.column("told_node")
        states = {name: self.column(name) for name in STATE_TYPES} | {"state_node": node}
        edges = {name: self.column(name)[told] for name in ("edge_type", "edge_role", "edge_from", "edge_recorded")}
        return RawRows(
            keys=[self.key(row) for row in range(self.count)],
            words=self.words,
            node_kind=self.column("node_kind"),
            node_born=self.column("node_born"),
            edge_source=source,
            edge_target=target,
            edge_exclusive=(self.column("edge_flags")[told] & EXCLUSIVE).astype(np.int8),
            **states,
            **edges,
        )

    # --- keeping ---

    def to_bytes(self, recent: Mapping[str, int] | None = None) -> bytes:
        """Return the file: a checksum, a table of contents, and packed columns.

        Args:
            recent: Facts that the log may tell again, by id, and when they were recorded.
        """
        self.names  # noqa: B018 - makes the columns of names
        sections, packed = [], []
        for name in sorted(self._columns):
            column = self.column(name)
            packed.append(zlib.compress(column.tobytes(), level=1))
            sections.append([name, column.dtype.str, len(column), len(packed[-1])])
        contents = json.dumps(
            {
                "sections": sections,
                "words": self.words,
                "newest": self.newest,
                "recent": sorted((recent or {}).items()),
            },
            separators=(",", ":"),
            ensure_ascii=False,
        ).encode()
        head = zlib.compress(contents, level=1)
        body = b"".join([len(head).to_bytes(_LENGTH_BYTES, "big"), head, *packed])
        return _MAGIC + hashlib.sha256(body).digest() + body

    @classmethod
    def from_bytes(cls, snapshot: bytes) -> tuple[CompactGraph, dict[str, int]]:
        """Read a file; return the graph and the facts that the log may tell again.

        Raises:
            GraphSnapshotError: It is damaged, or of another version.
        """
        if not snapshot.startswith(_MAGIC):
            raise GraphSnapshotError("the graph's snapshot is of another version: delete it, it is written again")
        body = memoryview(snapshot)[len(_MAGIC) + _DIGEST_BYTES :]
        if hashlib.sha256(body).digest() != snapshot[len(_MAGIC) : len(_MAGIC) + _DIGEST_BYTES]:
            raise GraphSnapshotError("the graph's snapshot is damaged: delete it, it is written again from the table")
        offset = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES], "big")
        contents = json.loads(zlib.decompress(body[_LENGTH_BYTES:offset]))
        columns: dict[str, _Section] = {}
        for name, dtype, length, size in contents["sections"]:
            columns[name] = _Section(body[offset : offset + size], dtype, length)
            offset += size
        return cls(columns, contents["words"], contents["newest"]), dict(contents["recent"])


class _Building:
    """Makes the columns of a graph from rows in canonical order."""

    def __init__(self, raw: RawRows) -> None:
        self._raw = raw
        self._count = len(raw.keys)
        self._code = {word: code for code, word in enumerate(raw.words)}
        self._incarnations = Incarnations(*self._births())

    def columns(self) -> tuple[dict[str, Integers], Sequence[str], int]:
        raw = self._raw
        lines = [key.encode() + b"\n" for key in raw.keys]
        found: dict[str, Integers] = {
            "key_text": np.frombuffer(b"".join(lines), dtype=np.uint8),
            "key_end": np.cumsum([len(line) for line in lines], dtype=np.int64),
            "node_kind": raw.node_kind,
            "node_born": raw.node_born,
        }
        found |= self._states()
        found |= self._edges(found["gone_node"], found["gone_time"])
        told = (raw.state_recorded, raw.edge_recorded)
        return found, raw.words, max((int(column.max()) for column in told if len(column)), default=NEVER)

    def _births(self) -> tuple[Iterator[tuple[int, str]], Iterator[tuple[int, str, int]]]:
        raw = self._raw
        reusable = IS_REUSABLE[raw.node_kind]
        unborn = np.flatnonzero(reusable & (raw.node_born == NEVER)).tolist()
        born = np.flatnonzero(reusable & (raw.node_born != NEVER)).tolist() if unborn else []
        births = raw.node_born.tolist()
        return (
            ((row, raw.keys[row]) for row in unborn),
            ((row, identifier_of(raw.keys[row], births[row]), births[row]) for row in born),
        )

    def _states(self) -> dict[str, Integers]:
        raw = self._raw
        node = self._incarnations.resolve(raw.state_node, raw.state_at).astype(np.int32)
        order = np.lexsort(
            (
                raw.state_recorded,
                raw.state_name,
                raw.state_status,
                raw.state_order,
                raw.state_at,
                raw.state_node,
                node,
            )
        )
        found = {name: getattr(raw, name)[order] for name in STATE_TYPES}
        told = np.flatnonzero(found["state_node"] != node[order])
        found |= {"told_state": told.astype(np.int32), "told_node": found["state_node"][told]}
        found["state_node"] = node[order]
        gone = (found["state_status"] == self._code[DELETED]) & (found["state_at"] != NEVER)
        deleted_at = earliest(found["state_node"][gone], found["state_at"][gone], self._count)
        rows = np.flatnonzero(deleted_at != FOREVER)
        return found | {"gone_node": rows.astype(np.int32), "gone_time": deleted_at[rows]}

    def _edges(self, gone_node: Integers, gone_time: Integers) -> dict[str, Integers]:
        raw = self._raw
        told_source, told_target = raw.edge_source, raw.edge_target
        source = self._incarnations.resolve(told_source, raw.edge_from).astype(np.int32)
        target = self._incarnations.resolve(told_target, raw.edge_from).astype(np.int32)
        flags = np.where(raw.edge_exclusive != 0, EXCLUSIVE, 0).astype(np.uint8)
        columns = [source, target, raw.edge_type, raw.edge_role, raw.edge_from, raw.edge_recorded]
        first_seen, told, made = self._seen(source, target)
        copies, prints = self._copies(first_seen, told, made)
        columns = [np.concatenate(pair) for pair in zip(columns, copies, strict=True)]
        derived = len(copies[0])
        flags = np.concatenate((flags, np.full(derived, DERIVED, dtype=np.uint8)))
        told_source = np.concatenate((told_source, copies[0])).astype(np.int32)
        told_target = np.concatenate((told_target, copies[1])).astype(np.int32)
        source, target, kind, role, begin, recorded = columns
        pair = pairs_of(source, target)
        sort = role.astype(np.int64) << 16 | kind.astype(np.int64) << 8 | flags
        order = np.lexsort((told_target, told_source, recorded, begin, sort, pair))
        source, target, kind, role = source[order], target[order], kind[order], role[order]
        begin, recorded, flags = begin[order], recorded[order], flags[order]
        flags[~first_of_runs(order, (pair, sort, columns[4]))] |= HIDDEN
        deleted_at = np.full(self._count, FOREVER, dtype=np.int64)
        deleted_at[gone_node] = gone_time
        exclusive = np.flatnonzero((flags & (EXCLUSIVE | HIDDEN)) == EXCLUSIVE)
        closed = close_exclusive(
            source[exclusive],
            target[exclusive],
            role[exclusive],
            begin[exclusive],
            deleted_at[target[exclusive]],
            source[exclusive],
        )
        flags[exclusive[closed.hidden]] |= HIDDEN
        ended = closed.end != FOREVER
        elsewhere = np.flatnonzero((told_source[order] != source) | (told_target[order] != target))
        return {
            "edge_source": source,
            "edge_target": target,
            "edge_type": kind,
            "edge_role": role,
            "edge_from": begin,
            "edge_recorded": recorded,
            "edge_flags": flags,
            "in_edges": np.argsort(target, kind="stable").astype(np.int32),
            "end_edge": exclusive[ended].astype(np.int32),
            "end_time": closed.end[ended],
            "told_edge": elsewhere.astype(np.int32),
            "told_source": told_source[order][elsewhere],
            "told_target": told_target[order][elsewhere],
            "first_seen": first_seen,
            "first_told": told,
            "made": made,
            "print": prints[0],
            "print_row": prints[1],
        }

    def _seen(self, source: Integers, target: Integers) -> tuple[Integers, Integers, Integers]:
        """Return when each node was first seen in an edge, when that was first told, and whether a run made it."""
        raw = self._raw
        ends, times = np.concatenate((source, target)), np.concatenate((raw.edge_from, raw.edge_from))
        recorded = np.concatenate((raw.edge_recorded, raw.edge_recorded))
        made = np.zeros(self._count, dtype=np.int8)
        made[target[is_making(raw.edge_type, raw.edge_role, self._code[PART_ROLE])]] = 1
        return earliest(ends, times, self._count), earliest(ends, recorded, self._count), made

    def _copies(
        self, first_seen: Integers, told: Integers, made: Integers
    ) -> tuple[list[Integers], tuple[Integers, Integers]]:
        """Return the edges of equal content, and the content prints of nodes with their rows, sorted."""
        raw = self._raw
        rows = np.flatnonzero(np.isin(raw.node_kind, _PRINTED_KINDS))
        prints = np.array([content_print(content_of(raw.keys[row])) for row in rows.tolist()], dtype=np.uint64)
        order = np.lexsort((rows, prints))
        rows, prints = rows[order].astype(np.int32), prints[order]
        versions = raw.node_kind[rows] == VERSION_KIND
        members, groups = rows[versions], prints[versions]
        opens = np.flatnonzero(first_of_runs(np.arange(len(groups)), (groups,)))
        upper, lower = [np.empty(0, dtype=np.int32)], [np.empty(0, dtype=np.int32)]
        for start, end in itertools.pairwise([*opens.tolist(), len(groups)]):
            if end - start > 1:
                group = members[start:end]
                found = copies_among(group, first_seen[group], made[group].astype(bool), group)
                upper.append(np.repeat(found.origins, len(found.copies)))
                lower.append(np.tile(found.copies, len(found.origins)))
        source, target = np.concatenate(upper), np.concatenate(lower)
        return copy_edges(source, target, first_seen, told, self._code[SAME_CONTENT_ROLE]), (prints, rows)


def copy_edges(source: Integers, target: Integers, first_seen: Integers, told: Integers, role: int) -> list[Integers]:
    """Return source, target, type, role, begin and record of the edges of equal content."""
    return [
        source,
        target,
        np.full(len(source), TYPE_CODES[EdgeType.SAME_AS], dtype=np.int8),
        np.full(len(source), role, dtype=np.int32),
        first_seen[target],
        np.maximum(told[source], told[target]),
    ]


def is_making(kind: Integers, role: Integers, part: int) -> Integers:
    """Tell which edges reach something that a run made: its outputs, and their parts."""
    found: Integers = (kind == TYPE_CODES[EdgeType.PRODUCED]) | (
        (kind == TYPE_CODES[EdgeType.DERIVED_FROM]) & (role == part)
    )
    return found


def content_of(key: str) -> str:
    """Return the digest or commit in the key of a dataset version, an image or code."""
    _, mark, digest = key.rpartition("#")
    return digest if mark else key.rpartition("@")[2]


def _canonical(raw: RawRows) -> RawRows:
    """Return rows with nodes and words in order, without nodes that nothing tells of, and without repeats."""
    ends = np.concatenate((raw.state_node, raw.edge_source, raw.edge_target))
    told = np.zeros(len(raw.keys), dtype=bool)
    told[ends] = True
    nodes = sorted(np.flatnonzero(told).tolist(), key=raw.keys.__getitem__)
    used = {raw.words[code] for code in np.unique(np.concatenate((raw.state_status, raw.edge_role))).tolist()}
    used |= {raw.words[code] for code in np.unique(raw.state_name).tolist() if code >= 0}
    words = sorted(used | set(RESERVED_WORDS))
    code = {word: number for number, word in enumerate(words)}
    new_word = np.array([code.get(word, 0) for word in raw.words], dtype=np.int32)
    new_node = np.zeros(len(raw.keys), dtype=np.int32)
    new_node[nodes] = np.arange(len(nodes), dtype=np.int32)
    states = {name: getattr(raw, name) for name in STATE_TYPES}
    edges = {name: getattr(raw, name) for name in EDGE_TYPES}
    states["state_node"] = new_node[raw.state_node]
    states["state_status"] = new_word[raw.state_status]
    states["state_name"] = np.where(raw.state_name >= 0, new_word[raw.state_name], raw.state_name).astype(np.int32)
    edges["edge_source"], edges["edge_target"] = new_node[raw.edge_source], new_node[raw.edge_target]
    edges["edge_role"] = new_word[raw.edge_role]
    picked = np.array(nodes, dtype=np.int64)
    return RawRows(
        keys=[raw.keys[row] for row in nodes],
        words=words,
        node_kind=raw.node_kind[picked],
        node_born=raw.node_born[picked],
        **_each_once(states, "state_recorded"),
        **_each_once(edges, "edge_recorded"),
    )


def _each_once(columns: dict[str, Integers], recorded: str) -> dict[str, Integers]:
    """Sort rows; of equal ones keep that which was recorded first."""
    names = [name for name in columns if name != recorded]
    order = np.lexsort([columns[recorded], *(columns[name] for name in names)])
    kept = order[first_of_runs(order, [columns[name] for name in names])]
    return {name: column[kept] for name, column in columns.items()}


def _lines_with(text: bytes, ends: Integers, needle: bytes) -> Integers:
    """Return the numbers of the lines that contain a text, in order."""
    places = np.fromiter((match.start() for match in re.finditer(re.escape(needle), text)), dtype=np.int64)
    found: Integers = np.unique(np.searchsorted(ends, places, side="right"))
    return found
