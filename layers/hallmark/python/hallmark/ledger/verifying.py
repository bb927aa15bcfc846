"""Checking a whole log, or what was added to it: every byte is read, and what is wrong is named."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from hallmark.ledger.entries import content_path, read_entry
from hallmark.ledger.merkle import EMPTY_ROOT, hash_leaf, perfect_root, root_of
from hallmark.ledger.notes import Checkpoint, NoteError, Verifier, VerifierKey, signing_keys, verify_checkpoint
from hallmark.ledger.sequencing import CHECKPOINT, kept_checkpoint
from hallmark.ledger.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    HashReader,
    LogDamagedError,
    Read,
    Tile,
    edge_root,
    read_entries,
    split_hashes,
    tile_width,
)


class Damage(NamedTuple):
    """Something in a log is not as it was written."""

    path: str
    entry: int | None
    """Place of the first entry that it concerns; None where it is no entry."""
    what: str

    def __str__(self) -> str:
        """Return it in a sentence."""
        place = f"entry {self.entry}" if self.entry is not None else self.path
        return f"{place}: {self.what} ({self.path})" if self.entry is not None else f"{place}: {self.what}"


class Verification(NamedTuple):
    """What was checked, and what is wrong."""

    checkpoint: Checkpoint | None
    """None where nobody whom we trust has signed it."""
    entries: int
    """Read and hashed."""
    damages: tuple[Damage, ...]

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing is wrong."""
        return self.checkpoint is not None and not self.damages


Progress = Callable[[int, int], None]
"""Is told how many entries of how many have been checked."""

MAXIMUM_DAMAGES = 100


def verify_log(
    read: Read,
    keys: Sequence[VerifierKey],
    verifier: Verifier,
    *,
    since: str | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Check a log against the checkpoint that its keys signed.

    Args:
        read: Reads its files.
        keys: Each of them must have signed.
        verifier: Checks signatures.
        since: A checkpoint (a signed note) that was trusted before: only what was added is read entry by entry.
        progress: Is told how far it is.
    """
    content = read(CHECKPOINT)
    if content is None:
        return Verification(None, 0, (Damage(CHECKPOINT, None, "is missing"),))
    try:
        checkpoint = verify_checkpoint(content.decode(errors="replace"), keys, verifier)
        old = None
        if since is not None:
            old = verify_checkpoint(since, signing_keys(since, keys), verifier)
    except NoteError as error:
        return Verification(None, 0, (Damage(CHECKPOINT, None, str(error)),))
    walk = _Walk(read, checkpoint, old, progress)
    damages = []
    for damage in walk.damages():
        damages.append(damage)
        if len(damages) == MAXIMUM_DAMAGES:
            break
    return Verification(checkpoint, walk.entries, tuple(damages))


class _Walk:
    def __init__(self, read: Read, checkpoint: Checkpoint, old: Checkpoint | None, progress: Progress | None) -> None:
        self._read = read
        self._checkpoint = checkpoint
        self._old = old
        self._progress = progress
        self.entries = 0

    def damages(self) -> Iterator[Damage]:
        size = self._checkpoint.size
        first = self._old.size // TILE_WIDTH if self._old is not None else 0
        if self._old is not None:
            yield from self._extends(self._old)
        for index in range(first, -(-size // TILE_WIDTH)):
            yield from self._bundle(index, tile_width(0, index, size))
        yield from self._upper_tiles(first)
        yield from self._root()
        yield from self._own_checkpoint()

    def _bundle(self, index: int, width: int) -> Iterator[Damage]:
        tile = Tile(0, index, width)
        start = index * TILE_WIDTH
        try:
            hashes = HashReader(self._read, self._checkpoint.size).tile(0, index)
        except LogDamagedError as error:
            yield Damage(tile.path, start, str(error))
            return
        try:
            entries = read_entries(self._read, index, width)
        except LogDamagedError as error:
            yield Damage(f"tile/entries/{tile.path.removeprefix('tile/0/')}", start, str(error))
            return
        for place, (entry, expected) in enumerate(zip(entries, hashes, strict=True), start):
            if hash_leaf(entry) != expected:
                path = f"tile/entries/{tile.path.removeprefix('tile/0/')}"
                yield Damage(path, place, "it does not fit its hash: it was changed, replaced or moved")
                continue
            yield from self._long_body(entry, place)
        self.entries += len(entries)
        if self._progress is not None:
            self._progress(self.entries, self._checkpoint.size)

    def _long_body(self, content: bytes, place: int) -> Iterator[Damage]:
        if b'"body_sha256":' not in content:
            return
        digest = read_entry(content, f"entry {place}").body_sha256
        if digest is None:
            return
        body = self._read(content_path(digest))
        if body is None:
            yield Damage(content_path(digest), place, "its body is missing")
        elif hashlib.sha256(body).hexdigest() != digest:
            yield Damage(content_path(digest), place, "its body was changed")

    def _upper_tiles(self, first: int) -> Iterator[Damage]:
        """Check each hash above the leaves against the tile that it stands for."""
        size, level = self._checkpoint.size, 1
        reader = HashReader(self._read, size)
        while size >> (TILE_HEIGHT * level):
            for place in range(first >> (TILE_HEIGHT * (level - 1)), size >> (TILE_HEIGHT * level)):
                tile = Tile(level, place // TILE_WIDTH, tile_width(level, place // TILE_WIDTH, size))
                try:
                    is_right = reader.tile(level, tile.place)[place % TILE_WIDTH] == perfect_root(
                        reader.tile(level - 1, place)
                    )
                except LogDamagedError as error:
                    yield Damage(tile.path, None, str(error))
                    break
                if not is_right:
                    entry = place << (TILE_HEIGHT * level)
                    below = Tile(level - 1, place, TILE_WIDTH).path
                    yield Damage(tile.path, entry, f"the hash over {below} does not fit: one of the two was changed")
            level += 1

    def _root(self) -> Iterator[Damage]:
        size = self._checkpoint.size
        rows = []
        level = 0
        while size >> (TILE_HEIGHT * level):
            index = size >> (TILE_HEIGHT * (level + 1))
            tile = Tile(level, index, tile_width(level, index, size))
            content = self._read(tile.path) if tile.width else b""
            try:
                rows.append(split_hashes(content or b"", tile.width, tile.path))
            except LogDamagedError as error:
                yield Damage(tile.path, None, str(error))
                return
            level += 1
        if (edge_root(rows) if size else EMPTY_ROOT) != self._checkpoint.root:
            yield Damage(CHECKPOINT, None, "the tiles lead to another root than the one that was signed")

    def _extends(self, old: Checkpoint) -> Iterator[Damage]:
        if old.origin != self._checkpoint.origin:
            yield Damage(CHECKPOINT, None, f"it is of the log {self._checkpoint.origin}, the older one of {old.origin}")
        elif old.size > self._checkpoint.size:
            yield Damage(
                CHECKPOINT, None, f"the log had {old.size} entries and has {self._checkpoint.size}: it was cut"
            )
        else:
            yield from self._begins_with(old)

    def _begins_with(self, old: Checkpoint) -> Iterator[Damage]:
        try:
            root = root_of(old.size, HashReader(self._read, self._checkpoint.size).node)
        except LogDamagedError as error:
            yield Damage(CHECKPOINT, None, str(error))
            return
        if root != old.root:
            yield Damage(CHECKPOINT, None, f"the first {old.size} entries are not those of the older checkpoint")

    def _own_checkpoint(self) -> Iterator[Damage]:
        path = kept_checkpoint(self._checkpoint.size)
        kept = self._read(path)
        if kept is not None and kept != self._read(CHECKPOINT):
            yield Damage(path, None, "it differs from the checkpoint of the same size")
