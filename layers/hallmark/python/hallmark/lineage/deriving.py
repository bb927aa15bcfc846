"""The rules by which rows become a graph (``docs/graph.md``, last paragraph), each on columns, in any order of rows."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from hallmark.lineage.columns import FOREVER, Integers, first_of_runs, is_among

_SECOND = 1_000_000
_SECONDS_BITS = 36
"""Seconds until the year 4147."""
_LATEST_SECOND = (1 << _SECONDS_BITS) - 1
_EQUAL_SOURCES = 8
"""Of the versions with the same content that runs produced, this many (the first seen) are linked to a copy."""
_PRINT_DIGITS = 16


class Incarnations:
    """Finds, for a reference that does not tell when its resource was born, the one that lived at a time.

    Args:
        unborn: Rows of such references, each with its id.
        born: Rows of nodes with a birth, each with its id and its birth (microseconds since the epoch).
    """

    def __init__(self, unborn: Iterable[tuple[int, str]], born: Iterable[tuple[int, str, int]]) -> None:
        by_row = sorted(unborn)
        codes = {identifier: code for code, (_, identifier) in enumerate(by_row)}
        self._unborn = np.array([row for row, _ in by_row], dtype=np.int64)
        found = sorted((codes[identifier], birth, row) for row, identifier, birth in born if identifier in codes)
        self._codes = np.array([code for code, _, _ in found], dtype=np.int64)
        self._rows = np.array([row for _, _, row in found], dtype=np.int64)
        self._moments = _moment(self._codes, np.array([birth for _, birth, _ in found], dtype=np.int64))

    def resolve(self, nodes: Integers, times: Integers) -> Integers:
        """Return the nodes, each such reference replaced: the newest incarnation born by its time, else the first one.

        A birth counts as one second earlier than it was told: creation times come in whole seconds, rounded up or down.
        """
        if not len(self._unborn) or not len(self._rows):
            return nodes
        asked = np.flatnonzero(is_among(nodes, self._unborn))
        if not len(asked):
            return nodes
        codes = np.searchsorted(self._unborn, nodes[asked])
        when = np.maximum(times[asked], 0) + _SECOND
        place = np.searchsorted(self._moments, _moment(codes, when), side="right") - 1
        earlier = (place >= 0) & (self._codes[np.maximum(place, 0)] == codes)
        following = np.minimum(place + 1, len(self._rows) - 1)
        first = ~earlier & (self._codes[following] == codes)
        resolved = nodes.copy()
        resolved[asked[earlier]] = self._rows[place[earlier]]
        resolved[asked[first]] = self._rows[following[first]]
        return resolved


def _moment(codes: Integers, micros: Integers) -> Integers:
    found: Integers = (codes << _SECONDS_BITS) | np.clip(micros // _SECOND, 0, _LATEST_SECOND)
    return found


class Closed(NamedTuple):
    """When each exclusive edge ends (``FOREVER`` if it holds), and which ones are not shown.

    Not shown are those that only repeat the one before, and those from a target to itself, which say that nothing has
    the role any more.
    """

    end: Integers
    hidden: Integers


def close_exclusive(
    source: Integers, target: Integers, role: Integers, start: Integers, deleted_at: Integers, rank: Integers
) -> Closed:
    """End each exclusive edge where the next one of its target and role begins, or where its target is deleted.

    Args:
        source: Where the edges come from, shape ``(edges,)``.
        target: Where they lead.
        role: What they are to their target.
        start: Since when they hold, in microseconds.
        deleted_at: When the target of each was deleted (``FOREVER`` if it was not).
        rank: The order of the sources; of two edges that begin together the later source wins.
    """
    end = np.full(len(source), FOREVER, dtype=np.int64)
    repeated = np.zeros(len(source), dtype=bool)
    order = np.lexsort((rank, start, role, target))
    group = first_of_runs(order, (target, role))
    again = ~first_of_runs(order, (target, role, source))
    repeated[order[again]] = True
    kept, opens = order[~again], group[~again]
    before_next = kept[:-1][~opens[1:]]
    end[before_next] = start[kept[1:][~opens[1:]]]
    end[kept] = np.minimum(end[kept], np.maximum(deleted_at[kept], start[kept]))
    return Closed(end, repeated | (source == target))


class Copies(NamedTuple):
    """Versions from which others with the same content descend, and those others."""

    origins: Integers
    copies: Integers


def copies_among(members: Integers, first_seen: Integers, made: Integers, rank: Integers) -> Copies:
    """Tell, of versions with the same content, which descend from which.

    A version that no run produced descends from the produced ones (else from the one that was seen first).

    Args:
        members: Rows of the versions, shape ``(versions,)``.
        first_seen: When each was first seen (``FOREVER``: no edge tells of it, so it takes no part).
        made: Whether a run made it.
        rank: Breaks ties.
    """
    seen = first_seen != FOREVER
    order = np.lexsort((rank[seen], first_seen[seen]))
    members, made = members[seen][order], made[seen][order]
    origins = members[made][:_EQUAL_SOURCES] if made.any() else members[:1]
    copies = members[~made]
    if not made.any():
        copies = copies[1:]
    return Copies(origins, copies)


def content_print(text: str) -> int:
    """Return the first 64 bits of a digest or of a commit as a number, so that equal content sorts together."""
    digits = text.rpartition(":")[2]
    if len(digits) >= _PRINT_DIGITS:
        try:
            return int(digits[:_PRINT_DIGITS], 16)
        except ValueError:
            pass
    return int.from_bytes(blake2b(digits.encode(), digest_size=8).digest(), "big")


def earliest(rows: Integers, values: Integers, count: int) -> Integers:
    """Return the least value of each of ``count`` rows; ``FOREVER`` where there is none."""
    found = np.full(count, FOREVER, dtype=np.int64)
    np.minimum.at(found, rows, values)
    return found
