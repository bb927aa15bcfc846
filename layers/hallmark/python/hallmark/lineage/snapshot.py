"""The content of a dataset at a time: one digest for what lies under a URI, and for each of its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Literal, NamedTuple

from hallmark.lineage.model import canonical_digest
from hallmark.lineage.ports import Listing, StoredObject

MAXIMUM_PARTS = 32
"""Parts of one dataset that get a digest of their own: directories first, then single objects."""


REMEMBERED = 4096
"""Objects and parts, of the data that jobs have in common, which are not looked at anew for each job."""


class Part(NamedTuple):
    """A directory or an object within a dataset; ``path`` is relative to the dataset."""

    path: str
    digest: str
    objects: int
    size: int


class Snapshot(NamedTuple):
    """What lay under a URI.

    ``digest`` is ``sha256:…``; None for nothing at all and for what could not be read. ``changed_after`` counts the
    objects that changed after the time that was asked for, in a bucket that keeps no versions: then nobody can say what
    the content was.
    """

    objects: Sequence[StoredObject]
    digest: str | None
    size: int
    complete: bool
    identity: Literal["checksum", "etag", "mixed"] | None
    changed_after: int
    parts: Sequence[Part]
    parts_complete: bool
    refused: str | None


def content_digest(objects: Sequence[StoredObject], prefix: str = "") -> str:
    """Return ``sha256:`` and the SHA-256 of the canonical JSON of ``[[relative key, identity, size], …]`` by key.

    Bucket, prefix and version ids do not count: the same bytes under two URIs have the same digest.
    """
    rows = sorted([item.key.removeprefix(prefix), item.identity, item.size] for item in objects)
    return f"sha256:{canonical_digest(rows)}"


def take_snapshot(listing: Listing, as_of: datetime | None) -> Snapshot:
    """Return the snapshot of a listing."""
    objects = sorted(listing.objects)
    changed = sum(1 for item in objects if as_of is not None and item.modified_at > as_of)
    kinds = {"etag" if item.identity.startswith("etag:") else "checksum" for item in objects}
    parts = list(islice(_parts(objects), MAXIMUM_PARTS + 1))
    return Snapshot(
        objects=objects,
        digest=content_digest(objects) if objects and listing.refused is None else None,
        size=sum(item.size for item in objects),
        complete=listing.complete,
        identity=None if not kinds else "mixed" if len(kinds) > 1 else "etag" if "etag" in kinds else "checksum",
        changed_after=changed,
        parts=parts[:MAXIMUM_PARTS] if listing.complete else (),
        parts_complete=listing.complete and len(parts) <= MAXIMUM_PARTS,
        refused=listing.refused,
    )


def _parts(objects: Sequence[StoredObject]) -> Iterator[Part]:
    """Yield directories, the shallow ones first, then single objects; nothing for a single object that is the URI."""
    directories: dict[str, list[StoredObject]] = {}
    for item in objects:
        steps = item.key.split("/")[:-1]
        for depth in range(len(steps)):
            directories.setdefault("/".join(steps[: depth + 1]), []).append(item)
    for path in sorted(directories, key=lambda path: (path.count("/"), path)):
        inside = directories[path]
        yield Part(path, content_digest(inside, f"{path}/"), len(inside), sum(item.size for item in inside))
    for item in objects:
        if item.key and not item.key.endswith("/"):  # "train/" is the mark of a directory, told above
            yield Part(item.key, _object_digest(item.identity, item.size), 1, item.size)


@lru_cache(maxsize=REMEMBERED)
def _object_digest(identity: str, size: int) -> str:
    """Return the content digest of a single object."""
    return f"sha256:{canonical_digest([['', identity, size]])}"
