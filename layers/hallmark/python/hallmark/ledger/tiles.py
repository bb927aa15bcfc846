"""Tiles and entry bundles as files (C2SP tlog-tiles): 256 hashes or entries in each, the last ones shorter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from hallmark.errors import HallmarkError
from hallmark.ledger.merkle import HASH_BYTES, fold_right, perfect_root

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
MAXIMUM_ENTRY_BYTES = 65_535
"""An entry's length is written in two bytes (tlog-tiles, entry bundles)."""
_GROUP = 1_000
_LENGTH_BYTES = 2

Read = Callable[[str], bytes | None]
"""Returns the content of a file of the log; None where there is none."""


class LogDamagedError(HallmarkError):
    """A file of the log is missing, or is not what the log needs there; the message names it."""


class Tile(NamedTuple):
    """A tile of hashes: ``width`` hashes of perfect subtrees of height ``8 * level``."""

    level: int
    place: int
    width: int

    @property
    def path(self) -> str:
        """Path below the log's prefix."""
        return f"tile/{self.level}/{_numbered(self.place, self.width)}"


def entries_path(index: int, width: int) -> str:
    """Return the path of the bundle of entries ``[256 * index, 256 * index + width)``."""
    return f"tile/entries/{_numbered(index, width)}"


def _numbered(index: int, width: int) -> str:
    parts = [f"{index % _GROUP:03}"]
    while index >= _GROUP:
        index //= _GROUP
        parts.append(f"x{index % _GROUP:03}")
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return "/".join(reversed(parts)) + partial


def tiles_of(size: int) -> Iterator[Tile]:
    """Yield the tiles that a log of this size consists of, level by level, from left to right."""
    level = 0
    while size:
        for index in range(size >> TILE_HEIGHT):
            yield Tile(level, index, TILE_WIDTH)
        if size % TILE_WIDTH:
            yield Tile(level, size >> TILE_HEIGHT, size % TILE_WIDTH)
        size >>= TILE_HEIGHT
        level += 1


def last_widths(size: int) -> list[int]:
    """Return how many hashes the last tile of each level has; 0 where it is full."""
    widths = []
    while size:
        widths.append(size % TILE_WIDTH)
        size >>= TILE_HEIGHT
    return widths


def tile_width(level: int, index: int, size: int) -> int:
    """Return the width of a tile in a log of this size; 0 where it does not exist."""
    hashes = size >> (TILE_HEIGHT * level)
    return max(0, min(TILE_WIDTH, hashes - index * TILE_WIDTH))


def split_hashes(content: bytes, width: int, path: str) -> list[bytes]:
    """Return the hashes of a tile.

    Raises:
        LogDamagedError: It has not so many.
    """
    if len(content) != width * HASH_BYTES:
        raise LogDamagedError(f"{path} has {len(content):,} bytes, {width * HASH_BYTES:,} are needed")
    return [content[start : start + HASH_BYTES] for start in range(0, len(content), HASH_BYTES)]


def bundle(entries: Sequence[bytes]) -> bytes:
    """Return entries as a bundle: each with its length before it, in two bytes, the higher one first."""
    return b"".join(len(entry).to_bytes(_LENGTH_BYTES, "big") + entry for entry in entries)


def unbundle(content: bytes, width: int, path: str) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        LogDamagedError: It is cut, or has not so many.
    """
    entries: list[bytes] = []
    place = 0
    while place < len(content):
        length = int.from_bytes(content[place : place + _LENGTH_BYTES], "big")
        place += _LENGTH_BYTES
        entry = content[place : place + length]
        if len(entry) != length:
            raise LogDamagedError(f"{path} ends within its entry {len(entries)}")
        entries.append(entry)
        place += length
    if len(entries) != width:
        raise LogDamagedError(f"{path} has {len(entries)} entries, {width} are needed")
    return entries


class HashReader:
    """Hashes of subtrees of a log, from its tiles; each tile is read once.

    Args:
        read: Reads a file of the log.
        size: Of the log.
    """

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._size = size
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def tile(self, level: int, index: int) -> list[bytes]:
        """Return the hashes of a tile.

        Raises:
            LogDamagedError: It is missing or has another length.
        """
        found = self._tiles.get((level, index))
        if found is None:
            found = self._tiles[level, index] = self._load(level, index)
        return found

    def _load(self, level: int, index: int) -> list[bytes]:
        tile = Tile(level, index, tile_width(level, index, self._size))
        content = self._read(tile.path)
        if content is not None:
            return split_hashes(content, tile.width, tile.path)
        # A partial tile may be gone once the full one is there (tlog-tiles, partial tiles).
        full = self._read(tile._replace(width=TILE_WIDTH).path)
        if full is None:
            raise LogDamagedError(f"{tile.path} is missing")
        return split_hashes(full, TILE_WIDTH, tile.path)[: tile.width]

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of the perfect subtree at ``(level, index)``."""
        tile_level, height = divmod(level, TILE_HEIGHT)
        first = index << height
        row = self.tile(tile_level, first >> TILE_HEIGHT)
        start = first % TILE_WIDTH
        return perfect_root(row[start : start + (1 << height)])


def read_entries(read: Read, index: int, width: int) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        LogDamagedError: It is missing or damaged.
    """
    path = entries_path(index, width)
    content = read(path)
    if content is None and width < TILE_WIDTH:
        full = read(entries_path(index, TILE_WIDTH))
        if full is not None:
            return unbundle(full, TILE_WIDTH, path)[:width]
    if content is None:
        raise LogDamagedError(f"{path} is missing")
    return unbundle(content, width, path)


def edge_root(rows: Sequence[Sequence[bytes]]) -> bytes:
    """Return the root of a log from the last tile of each level (empty where it is full)."""
    hashes: list[bytes] = []
    for row in rows:
        level: list[bytes] = []
        start = 0
        for bit in reversed(range(TILE_HEIGHT)):
            if len(row) & (1 << bit):
                level.append(perfect_root(row[start : start + (1 << bit)]))
                start += 1 << bit
        hashes[:0] = level
    return fold_right(hashes)
