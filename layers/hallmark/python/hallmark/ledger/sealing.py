"""Sealing: what was recorded gets its place in the log, once, and a signed checkpoint over it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple, Protocol

from hallmark.errors import NotFoundError
from hallmark.ledger.entries import content_path, read_entry, write_entry
from hallmark.ledger.ports import LogStore
from hallmark.ledger.sequencing import Sequencer
from hallmark.ledger.tiles import TILE_WIDTH, read_entries, tile_width

MAXIMUM_BATCH = 2_000
"""Entries that are announced together: a few megabytes."""


class Recorded(NamedTuple):
    """Something that was recorded elsewhere and is to be sealed."""

    id: str
    recorded_at: datetime
    body: bytes
    """JSON."""


class Places(Protocol):
    """Where each entry stands."""

    @property
    def indexed(self) -> int:
        """How many entries are indexed without a gap."""
        ...

    def places(self, identifiers: Sequence[str]) -> dict[str, int]:
        """Return where these entries stand; what is in no log is left out."""
        ...

    def add(self, places: Iterable[tuple[str, int]], size: int) -> None:
        """Add entries, and then that the first ``size`` are indexed."""
        ...


class Sealed(NamedTuple):
    """What came of it."""

    new: int
    size: int
    """Of the log afterwards."""


class Ledger:
    """A log and its index.

    Args:
        store: The log's files.
        sequencer: Appends to it.
        index: Knows what is in it.
    """

    def __init__(self, store: LogStore, sequencer: Sequencer, index: Places) -> None:
        self._store = store
        self._sequencer = sequencer
        self._index = index

    def seal(self, recorded: Iterable[Recorded], now: int) -> Sealed:
        """Append what is not in the log yet, oldest first.

        Args:
            recorded: What is to be sealed; repeats are left out.
            now: Seconds since 1970.

        Raises:
            LogDamagedError: The log was changed: nothing more is signed.
            UnavailableError: A service did not answer; the same may be sealed later.
        """
        size = self._catch_up(now)
        wanted = {each.id: each for each in sorted(recorded, key=lambda each: (each.recorded_at, each.id))}
        known = self._index.places(list(wanted))
        left = iter([each for each in wanted.values() if each.id not in known])
        new = 0
        while batch := list(islice(left, MAXIMUM_BATCH)):
            contents = []
            for each in batch:
                sealed = write_entry(each.id, each.recorded_at, each.body)
                digest = read_entry(sealed.content, each.id).body_sha256
                if sealed.body is not None and digest is not None:
                    self._store.create(content_path(digest), sealed.body)
                contents.append(sealed.content)
            places = self._sequencer.append(contents, now)
            size = places.stop
            self._index_from(size)
            new += len(batch)
        return Sealed(new, size)

    def _catch_up(self, now: int) -> int:
        """Finish what a crash left, so that the index tells what is in the log; return its size."""
        size = self._sequencer.recover(now).size
        self._index_from(size)
        return size

    def _index_from(self, size: int) -> None:
        start = self._index.indexed
        for index in range(start // TILE_WIDTH, -(-size // TILE_WIDTH)):
            first = index * TILE_WIDTH
            entries = read_entries(self._store.read, index, tile_width(0, index, size))
            places = [
                (read_entry(content, f"entry {place}").id, place)
                for place, content in enumerate(entries, first)
                if place >= start
            ]
            self._index.add(places, first + len(entries))


def entry_at(store: LogStore, place: int, size: int) -> bytes:
    """Return the entry at a place.

    Raises:
        NotFoundError: The log is not so long.
        LogDamagedError: Its bundle is missing or damaged.
    """
    if not 0 <= place < size:
        raise NotFoundError(f"there is no entry {place}: the log has {size}")
    index = place // TILE_WIDTH
    return read_entries(store.read, index, tile_width(0, index, size))[place % TILE_WIDTH]
