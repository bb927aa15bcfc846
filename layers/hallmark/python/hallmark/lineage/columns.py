"""The graph as columns of numbers: codes, times, and the rows that facts assert."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hallmark.lineage.model import FINAL_STATUSES, RUN_KINDS, EdgeType, NodeKind
from hallmark.lineage.references import REUSABLE_KINDS

Integers = npt.NDArray[Any]
"""An array of integers or of truth values, one-dimensional."""

KINDS = tuple(NodeKind)
TYPES = tuple(EdgeType)
KIND_CODES = {kind: code for code, kind in enumerate(KINDS)}
TYPE_CODES = {kind: code for code, kind in enumerate(TYPES)}
DATASET_KIND = KIND_CODES[NodeKind.DATASET]
VERSION_KIND = KIND_CODES[NodeKind.DATASET_VERSION]

NEVER = int(np.iinfo(np.int64).min)
"""A time that is not known."""
FOREVER = int(np.iinfo(np.int64).max)
"""The end of what still holds; the beginning of what never began."""

NO_NAME = -1
"""In ``state_name``: the state tells no name."""
NAME_OF_ID = -2
"""In ``state_name``: the name is the end of the node's id."""

DELETED = "Deleted"
SAME_CONTENT_ROLE = "same content"
PART_ROLE = "part"
GATHERED_ROLE = "gathered"
VERSION_ROLE = "version"

IS_RUN = np.array([kind in RUN_KINDS for kind in KINDS])
IS_REUSABLE = np.array([kind in REUSABLE_KINDS for kind in KINDS])

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class RawRows(NamedTuple):
    """What facts assert, a column each; references are as they were told, not resolved.

    ``words`` are roles, statuses and names; ``state_order`` breaks the tie of two states of one time as ``folding``
    does: those that come from an event alone first, then by their digest.
    """

    keys: Sequence[str]
    words: Sequence[str]
    node_kind: Integers
    node_born: Integers
    state_node: Integers
    state_at: Integers
    state_recorded: Integers
    state_order: Integers
    state_status: Integers
    state_name: Integers
    edge_source: Integers
    edge_target: Integers
    edge_type: Integers
    edge_role: Integers
    edge_from: Integers
    edge_recorded: Integers
    edge_exclusive: Integers


STATE_TYPES = {
    "state_node": "i",
    "state_at": "q",
    "state_recorded": "q",
    "state_order": "q",
    "state_status": "i",
    "state_name": "i",
}
EDGE_TYPES = {
    "edge_source": "i",
    "edge_target": "i",
    "edge_type": "b",
    "edge_role": "i",
    "edge_from": "q",
    "edge_recorded": "q",
    "edge_exclusive": "b",
}
DTYPES = {"b": np.int8, "i": np.int32, "q": np.int64}


def to_micros(time: datetime | None) -> int:
    """Return microseconds since the epoch; ``NEVER`` for None."""
    return NEVER if time is None else (time - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime | None:
    """Return the time of microseconds since the epoch; None for ``NEVER`` and ``FOREVER``."""
    return None if micros in {NEVER, FOREVER} else _EPOCH + timedelta(microseconds=micros)


def identifier_of(key: str, born: int) -> str:
    """Return a node's id: its key without the birth."""
    return key if born == NEVER else key.rpartition("@")[0]


def status_weights(words: Sequence[str]) -> tuple[Integers, Integers]:
    """Return how strongly each word holds as the status of a run, and of anything else (``folding.status_rank``)."""
    of_others = np.array([2 * (word == DELETED) for word in words], dtype=np.int8)
    of_runs = np.array([2 if word == DELETED else int(word in FINAL_STATUSES) for word in words], dtype=np.int8)
    return of_runs, of_others


def starts_of(sorted_rows: Integers, count: int) -> Integers:
    """Return where each of ``count`` rows begins in a sorted column, and where the last one ends."""
    found = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(sorted_rows, minlength=count), out=found[1:])
    return found


def ranges(starts: Integers, ends: Integers) -> Integers:
    """Return the concatenation of ``arange(start, end)`` for each pair."""
    lengths = ends - starts
    if len(starts) == 1:
        return np.arange(int(starts[0]), int(ends[0]))
    stops = np.cumsum(lengths)
    total = int(stops[-1]) if len(stops) else 0
    if not total:
        return np.empty(0, dtype=np.int64)
    found: Integers = np.arange(total) + np.repeat(starts - stops + lengths, lengths)
    return found


def pairs_of(source: Integers, target: Integers) -> Integers:
    """Return one number for each pair of rows, in their order."""
    found: Integers = (source.astype(np.int64) << 32) | target.astype(np.int64)
    return found


def first_of_runs(order: Integers, columns: Sequence[Integers]) -> Integers:
    """Tell, along an order, where a row differs from the one before in any column."""
    first = np.zeros(len(order), dtype=bool)
    if len(order):
        first[0] = True
        for column in columns:
            ordered = column[order]
            first[1:] |= ordered[1:] != ordered[:-1]
    return first


def is_among(values: Integers, sorted_values: Integers) -> Integers:
    """Tell which values stand in a sorted column, which may be empty."""
    if not len(sorted_values):
        return np.zeros(len(values), dtype=bool)
    place = np.minimum(np.searchsorted(sorted_values, values), len(sorted_values) - 1)
    found: Integers = sorted_values[place] == values
    return found
