"""Reading entries in their order."""

from __future__ import annotations

from typing import Any, NamedTuple

from hallmark.errors import NotFoundError
from hallmark.ledger.entries import Entry, body_of, content_path, read_entry
from hallmark.ledger.notes import read_checkpoint, read_note
from hallmark.ledger.ports import LogStore
from hallmark.ledger.sequencing import CHECKPOINT
from hallmark.ledger.tiles import TILE_WIDTH, read_entries, tile_width


class LoggedBody(NamedTuple):
    """An entry with its body, and its place."""

    place: int
    entry: Entry
    body: Any


class LoggedBodies(NamedTuple):
    """A stretch of a log, and the size of the whole."""

    found: tuple[LoggedBody, ...]
    size: int


def read_bodies(store: LogStore, start: int, count: int) -> LoggedBodies:
    """Return the entries ``[start, start + count)``, as far as there are any.

    Raises:
        NotFoundError: There is no log.
        LogDamagedError: A file of the log is missing or damaged.
    """
    note = store.read(CHECKPOINT)
    if note is None:
        raise NotFoundError("there is no ledger: its checkpoint is missing")
    size = read_checkpoint(read_note(note.decode()).text).size
    end = min(start + count, size)
    found = []
    for index in range(start // TILE_WIDTH, -(-end // TILE_WIDTH) if start < end else 0):
        entries = read_entries(store.read, index, tile_width(0, index, size))
        for place, content in enumerate(entries, index * TILE_WIDTH):
            if start <= place < end:
                entry = read_entry(content, f"entry {place}")
                long_body = store.read(content_path(entry.body_sha256)) if entry.body_sha256 else None
                found.append(LoggedBody(place, entry, body_of(entry, long_body)))
    return LoggedBodies(tuple(found), size)
