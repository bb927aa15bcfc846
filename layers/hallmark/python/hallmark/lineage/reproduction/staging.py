"""Which versions are copied where, before a run starts that reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hallmark.errors import NotFoundError
from hallmark.lineage.reproduction.checking import LISTED_VERSIONS, Located, World, locate, rows_of
from hallmark.lineage.reproduction.manifest import Manifest, PinnedData


class Copy(NamedTuple):
    """One version and its place: ``folder`` is the beginning of all keys of the same content."""

    role: str
    source_bucket: str
    source_key: str
    version_id: str
    bucket: str
    folder: str
    target: str
    size: int

    @property
    def source(self) -> str:
        """Return the source in words."""
        version = f" (version {self.version_id})" if self.version_id else ""
        return f"s3://{self.source_bucket}/{self.source_key}{version}"


def plan_copies(manifest: Manifest, world: World) -> Iterator[Copy]:
    """Yield the copies that a manifest's request reads.

    Raises:
        NotFoundError: The content is not all there as it was: a copy of anything else would be a lie.
    """
    for pinned in manifest.places:
        yield from _copies(pinned, world)


def _copies(pinned: PinnedData, world: World) -> Iterator[Copy]:
    rows = rows_of(pinned, world)
    if isinstance(rows, str):
        raise NotFoundError(f"data {pinned.role}: {pinned.uri}: {rows}")
    place = world.place(pinned.uri, LISTED_VERSIONS)
    if place.refused is not None:
        raise NotFoundError(f"data {pinned.role}: {pinned.uri}: {place.refused}")
    bucket, _, base = pinned.uri.removeprefix("s3://").partition("/")
    target_bucket, _, target = str(pinned.staged_uri).removeprefix("s3://").partition("/")
    folder = f"{target.rpartition('/')[0]}/"
    for found in locate(pinned, rows, place, world):
        key = _key(pinned, found)
        # What follows the place's own key follows the copy's, too: "/a.csv" in a folder, "-1.csv" behind a prefix.
        ending = key[len(base) :] if base else f"/{key}"
        yield Copy(pinned.role, bucket, key, found.row[1], target_bucket, folder, f"{target}{ending}", found.row[3])


def _key(pinned: PinnedData, found: Located) -> str:
    if found.version is None:
        raise NotFoundError(f"data {pinned.role}: {found.row[0] or pinned.uri} is gone: see --check")
    if found.is_same is not True:
        raise NotFoundError(f"data {pinned.role}: {found.version.key} is not known to be the same: see --check")
    return found.version.key
