"""Inputs that match nothing: data that runs read, which no run wrote and whose content nobody has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from hallmark.lineage.columns import (
    DATASET_KIND,
    IS_RUN,
    KIND_CODES,
    TYPE_CODES,
    VERSION_ROLE,
    Integers,
    from_micros,
    to_micros,
)
from hallmark.lineage.coverage.measuring import RecordedRun
from hallmark.lineage.coverage.report import LISTED_UNMATCHED, UnmatchedInput
from hallmark.lineage.folding import fold
from hallmark.lineage.graph import LineageGraph
from hallmark.lineage.model import EdgeType, NodeKind
from hallmark.lineage.ports import NodeReader
from hallmark.lineage.questions import Direction

_CONTRIBUTED = TYPE_CODES[EdgeType.CONTRIBUTED_TO]
_PRODUCED = TYPE_CODES[EdgeType.PRODUCED]
_SAME_AS = TYPE_CODES[EdgeType.SAME_AS]
_ASSOCIATED = TYPE_CODES[EdgeType.ASSOCIATED_WITH]


class Unmatched(NamedTuple):
    """How many datasets match nothing, and the first of them."""

    total: int
    inputs: list[UnmatchedInput]


def runs_of(graph: LineageGraph, kind: NodeKind, since: datetime | None) -> list[RecordedRun]:
    """Return the runs of a kind that were born since a time, or whose birth is not known and first seen since then."""
    rows = np.flatnonzero(graph.kinds == KIND_CODES[kind])
    found = []
    for row in rows[graph.is_told(rows)].tolist() if len(rows) else ():
        key, identifier = graph.key(row), graph.identifier(row)
        _, mark, text = key[len(identifier) :].partition("@")
        born = datetime.strptime(f"{text}+0000", "%Y%m%dT%H%M%SZ%z") if mark else None
        seen = int(graph.first_seen[row])
        begun = born if born is not None else (from_micros(seen) if seen >= 0 else None)
        if since is None or begun is None or begun >= since:
            found.append(RecordedRun(identifier, born))
    return found


def find_unmatched(
    graph: LineageGraph, reader: NodeReader, since: datetime | None, known_sources: Sequence[str]
) -> Unmatched:
    """Find the datasets that runs read and that match nothing.

    Args:
        graph: All that is recorded.
        reader: What is known of a run, for the reason.
        since: Only what was read since then.
        known_sources: Beginnings of names that never count.
    """
    places = np.flatnonzero(graph.kinds == DATASET_KIND)
    edges, owners = graph.around(places, Direction.DOWN)
    kinds, targets = graph.type_of(edges), graph.target_of(edges)
    reads = (kinds == _CONTRIBUTED) & IS_RUN[graph.kinds[targets]]
    if since is not None:
        reads &= graph.begin_of(edges) >= to_micros(since)
    is_version = (kinds == _ASSOCIATED) & (graph.role_of(edges) == graph.code_of(VERSION_ROLE))
    matched = _marked(owners, is_version | (kinds == _SAME_AS), len(places)) | _written(graph, places)
    candidates = np.flatnonzero(_marked(owners, reads, len(places)) & ~matched)
    found = []
    for place in candidates.tolist():
        name = graph.key(int(places[place]))
        if not name.startswith(tuple(known_sources) or ("\0",)) and not _lies_in_a_known_place(graph, name):
            found.append((name, targets[reads & (owners == place)]))
    shown = [_shown(graph, reader, name, readers) for name, readers in sorted(found)[:LISTED_UNMATCHED]]
    return Unmatched(len(found), shown)


def _marked(owners: Integers, chosen: Integers, count: int) -> Integers:
    marks = np.zeros(count, dtype=bool)
    marks[owners[chosen]] = True
    return marks


def _written(graph: LineageGraph, places: Integers) -> Integers:
    edges, owners = graph.around(places, Direction.UP)
    kinds = graph.type_of(edges)
    return _marked(owners, (kinds == _PRODUCED) | (kinds == _SAME_AS), len(places))


def _lies_in_a_known_place(graph: LineageGraph, name: str) -> bool:
    """Tell whether a run wrote to a place that holds this one, or its content has been seen."""
    scheme, mark, rest = name.partition("://")
    steps = rest.split("/")
    rows = [graph.find(f"{scheme}{mark}{'/'.join(steps[:end])}") for end in range(1, len(steps))]
    around = np.array([row for row in rows if row is not None], dtype=np.int64)
    if not len(around):
        return False
    edges, _ = graph.around(around, Direction.DOWN)
    seen = (graph.type_of(edges) == _ASSOCIATED) & (graph.role_of(edges) == graph.code_of(VERSION_ROLE))
    return bool(seen.any() or _written(graph, around).any())


def _shown(graph: LineageGraph, reader: NodeReader, name: str, readers: Integers) -> UnmatchedInput:
    first = int(readers[0])
    told: Mapping[str, Any] = fold(reader.states(graph.identifier(first))).attributes
    refused = next((use.get("refused") for use in told.get("inputs") or () if use.get("uri") == name), None)
    bucket = name.removeprefix("s3://").partition("/")[0]
    remedy = (
        f"add to hallmark.yaml, lineage.data_buckets: {bucket}"
        if name.startswith("s3://")
        else "give it an alias (lineage.aliases), or name it as a source (lineage.intake.known_sources)"
    )
    return UnmatchedInput(
        dataset=name,
        readers=len(set(readers.tolist())),
        first_reader=graph.labels(readers[:1])[0],
        because=str(refused or "no run wrote it, and its content has not been seen"),
        remedy=remedy,
    )
