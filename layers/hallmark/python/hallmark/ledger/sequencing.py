"""Appending: one batch after the other, each announced before it is written, so that a crash leaves a valid log.

What is to follow the log of ``n`` entries is written once into ``sequencer/<n>``; whoever writes it first decides what
follows. Everything else (bundles, tiles, checkpoint) is computed from it: whoever finds it unfinished finishes it, and
two that do so at a time write the same bytes. No lock is held, and no clock is trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hallmark.errors import UnavailableError
from hallmark.ledger.merkle import EMPTY_ROOT, hash_leaf, perfect_root
from hallmark.ledger.notes import Checkpoint, Signer, read_checkpoint, read_note, sign_checkpoint
from hallmark.ledger.ports import LogStore
from hallmark.ledger.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    LogDamagedError,
    Tile,
    bundle,
    edge_root,
    entries_path,
    last_widths,
    read_entries,
    split_hashes,
    unbundle,
)

CHECKPOINT = "checkpoint"
_COUNT_BYTES = 4
_ATTEMPTS = 20


def kept_checkpoint(size: int) -> str:
    """Return the path under which the checkpoint of a size is kept for good."""
    return f"checkpoints/{size}"


def intent_path(size: int) -> str:
    """Return the path of what follows the log of a size."""
    return f"sequencer/{size}"


class _Edge(NamedTuple):
    """A log up to its last entry: enough to go on."""

    checkpoint: Checkpoint
    version: str | None
    rows: list[list[bytes]]
    """Hashes of the last tile of each level; none where it is full."""
    entries: list[bytes]
    """Of the last bundle, likewise."""


class Sequencer:
    """Appends to one log.

    Args:
        store: Its files.
        origin: Its name: the first line of its checkpoints.
        signers: Its key, and the keys that cosign.
    """

    def __init__(self, store: LogStore, origin: str, signers: Sequence[Signer]) -> None:
        self._store = store
        self._origin = origin
        self._signers = signers

    def recover(self, now: int) -> Checkpoint:
        """Finish what somebody began, if anybody did; return how the log stands.

        Args:
            now: Seconds since 1970, for cosignatures.

        Raises:
            LogDamagedError: A file that the log needs is missing or was changed.
        """
        while True:
            edge = self._edge()
            intent = self._store.read(intent_path(edge.checkpoint.size))
            if intent is None:
                return edge.checkpoint
            self._finish(edge, _read_intent(intent, edge.checkpoint.size), now)

    def append(self, entries: Sequence[bytes], now: int) -> range:
        """Append entries, together and in this order; return their places.

        A batch that was announced and not finished by an earlier call with the same entries is finished, not repeated.

        Args:
            entries: At least one; each of at most 65,535 bytes.
            now: Seconds since 1970, for cosignatures.

        Raises:
            LogDamagedError: A file that the log needs is missing or was changed.
            UnavailableError: Others appended each time.
        """
        wanted = list(entries)
        for _ in range(_ATTEMPTS):
            edge = self._edge()
            size = edge.checkpoint.size
            path = intent_path(size)
            if self._store.read(path) is None and self._store.create(path, _write_intent(wanted)):
                self._finish(edge, wanted, now)
                return range(size, size + len(wanted))
            content = self._store.read(path)
            if content is None:
                raise LogDamagedError(f"{path} is missing, and cannot be written")
            announced = _read_intent(content, size)
            self._finish(edge, announced, now)
            if announced == wanted:
                return range(size, size + len(wanted))
        raise UnavailableError(f"{_ATTEMPTS} other batches were appended first: try again")

    def _edge(self) -> _Edge:
        stored = self._store.read_version(CHECKPOINT)
        if stored is None:
            return _Edge(Checkpoint(self._origin, 0, EMPTY_ROOT), None, [], [])
        checkpoint = read_checkpoint(read_note(stored.content.decode()).text)
        if checkpoint.origin != self._origin:
            raise LogDamagedError(f"{CHECKPOINT} is of the log {checkpoint.origin}, not of {self._origin}")
        size = checkpoint.size
        rows = []
        for level, width in enumerate(last_widths(size)):
            tile = Tile(level, size >> (TILE_HEIGHT * (level + 1)), width)
            content = self._store.read(tile.path) if width else b""
            if content is None:
                raise LogDamagedError(f"{tile.path} is missing")
            rows.append(split_hashes(content, width, tile.path))
        # A key that signs what was changed under its eyes would be worth nothing.
        if edge_root(rows) != checkpoint.root:
            raise LogDamagedError("the last tiles do not lead to the root of the checkpoint: a tile was changed")
        width = size % TILE_WIDTH
        entries = read_entries(self._store.read, size // TILE_WIDTH, width) if width else []
        if [hash_leaf(entry) for entry in entries] != (rows[0] if rows else []):
            raise LogDamagedError(f"{entries_path(size // TILE_WIDTH, width)} does not fit its hashes: it was changed")
        return _Edge(checkpoint, stored.version, rows, entries)

    def _finish(self, edge: _Edge, entries: Sequence[bytes], now: int) -> None:
        rows = [list(row) for row in edge.rows]
        pending = list(edge.entries)
        size = edge.checkpoint.size
        for entry in entries:
            pending.append(entry)
            size += 1
            if len(pending) == TILE_WIDTH:
                self._write(entries_path(size // TILE_WIDTH - 1, TILE_WIDTH), bundle(pending))
                pending.clear()
            self._add(rows, 0, hash_leaf(entry), size)
        if pending:
            self._write(entries_path(size // TILE_WIDTH, len(pending)), bundle(pending))
        for level, row in enumerate(rows):
            if row:
                tile = Tile(level, size >> (TILE_HEIGHT * (level + 1)), len(row))
                self._write(tile.path, b"".join(row))
        checkpoint = Checkpoint(self._origin, size, edge_root(rows))
        kept = self._store.read(kept_checkpoint(size))
        if kept is None:
            kept = str(sign_checkpoint(checkpoint, self._signers, now)).encode()
            if not self._store.create(kept_checkpoint(size), kept):
                kept = self._store.read(kept_checkpoint(size)) or kept
        # Where it was replaced meanwhile, somebody else has come as far, or farther.
        self._store.replace(CHECKPOINT, kept, edge.version)

    def _add(self, rows: list[list[bytes]], level: int, value: bytes, size: int) -> None:
        if level == len(rows):
            rows.append([])
        row = rows[level]
        row.append(value)
        if len(row) < TILE_WIDTH:
            return
        index = (size >> (TILE_HEIGHT * (level + 1))) - 1
        self._write(Tile(level, index, TILE_WIDTH).path, b"".join(row))
        root = perfect_root(row)
        row.clear()
        self._add(rows, level + 1, root, size)

    def _write(self, path: str, content: bytes) -> None:
        if not self._store.create(path, content) and self._store.read(path) != content:
            raise LogDamagedError(f"{path} exists with another content: somebody else wrote into the log")


def _write_intent(entries: Sequence[bytes]) -> bytes:
    return len(entries).to_bytes(_COUNT_BYTES, "big") + bundle(entries)


def _read_intent(content: bytes, size: int) -> list[bytes]:
    count = int.from_bytes(content[:_COUNT_BYTES], "big")
    return unbundle(content[_COUNT_BYTES:], count, intent_path(size))
