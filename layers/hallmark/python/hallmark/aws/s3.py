"""What lies in S3: listings with versions and checksums, and the manifests of large datasets."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import chain, groupby, islice
from typing import Any, NamedTuple

from botocore.exceptions import ClientError, ParamValidationError

from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.errors import UnavailableError
from hallmark.lineage.model import canonical_json
from hallmark.lineage.ports import Listing, StoredObject

_THREADS = 8
_PAGES = 200
"""Pages of a thousand versions that one listing reads: where each version is kept, there are many more than objects."""
_CHECKSUMS = ("SHA256", "CRC64NVME")
"""Checksums that tell contents apart, the better one first; the others have 32 bits, or are rarely stored."""
_ATTEMPTS = 3
_UPLOAD_GRACE = timedelta(seconds=2)
"""S3 keeps modification times in whole seconds, SageMaker's times have fractions."""
_CLOCK_SKEW = timedelta(seconds=3)
"""How far S3's clock, SageMaker's and ours are apart at most."""
_REMEMBERED_ENTRIES = 20_000

Entry = dict[str, Any]


def _now() -> datetime:
    return datetime.now(UTC)


class S3Contents:
    """ContentReader over ListObjectVersions: keys, versions, ETags and sizes in one call per thousand.

    What lay somewhere at a time does not change any more: an instance remembers what it has listed, for all questions
    about times before it did so, and the checksums of versions. The jobs of a tuning job, or of an account whose
    history is read, have the same data in common.
    """

    def __init__(self, client: Any, *, checksum_limit: int = 100, clock: Callable[[], datetime] = _now) -> None:
        self._client = client
        self._checksum_limit = checksum_limit
        self._pages = _Pages(client, clock)
        self._checksums: dict[tuple[object, ...], str] = {}

    def listing(self, uri: str, as_of: datetime | None, limit: int) -> Listing:
        """List what a URI means: the object of that key, else what lies under the key as a folder, else as a prefix.

        SageMaker's ``S3Prefix`` matches ``train2/`` for ``train`` as well; a folder is meant where there is one.

        Raises:
            UnavailableError: S3 did not answer.
        """
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        latest = as_of + _UPLOAD_GRACE if as_of is not None else None
        search = _Search(self._pages, bucket, latest)
        try:
            prefix, objects = search.meant_by(key)
            found = list(islice(objects, limit + 1))
        except ClientError as error:
            return Listing((), complete=True, refused=describe_error(error))
        except ParamValidationError as error:
            return Listing((), complete=True, refused=str(error))
        complete = len(found) <= limit and search.pages_left > 0
        return Listing(self._identified(bucket, prefix, found[:limit]), complete=complete)

    def _identified(self, bucket: str, prefix: str, entries: Sequence[Entry]) -> list[StoredObject]:
        """Give each object its identity: the stored checksum of the whole object, where there is one, else the ETag."""
        checked = [entry for entry in entries if _has_checksum(entry)]
        checksums: dict[str, str] = {}
        if checked and len(checked) <= self._checksum_limit:
            known = {entry["Key"]: self._checksums.get(_identity(bucket, entry)) for entry in checked}
            unknown = [entry for entry in checked if known[entry["Key"]] is None]
            if unknown:
                with ThreadPoolExecutor(min(_THREADS, len(unknown))) as pool:
                    found = pool.map(lambda entry: self._checksum(bucket, entry), unknown)
                    known |= {entry["Key"]: checksum for entry, checksum in zip(unknown, found, strict=True)}
            checksums = {key: checksum for key, checksum in known.items() if checksum}
        return [
            StoredObject(
                key=str(entry["Key"]).removeprefix(prefix),
                version_id="" if _is_unversioned(entry) else str(entry["VersionId"]),
                identity=checksums.get(entry["Key"]) or f"etag:{entry['ETag'].strip(chr(34))}",
                size=int(entry["Size"]),
                modified_at=entry["LastModified"],
            )
            for entry in entries
        ]

    def _checksum(self, bucket: str, entry: Entry) -> str | None:
        request = {"Bucket": bucket, "Key": entry["Key"], "ChecksumMode": "ENABLED"}
        if not _is_unversioned(entry):
            request["VersionId"] = entry["VersionId"]
        try:
            with calling(f"reading the checksum of s3://{bucket}/{entry['Key']}"):
                head = self._client.head_object(**request)
        except ClientError:
            return None  # the ETag stands in
        if head.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
            return None
        stored = (f"{name.lower()}:{head[f'Checksum{name}']}" for name in _CHECKSUMS if head.get(f"Checksum{name}"))
        checksum = next(stored, None)
        if checksum is not None and head.get("ETag") == entry["ETag"]:
            if len(self._checksums) >= _REMEMBERED_ENTRIES:
                self._checksums.clear()
            self._checksums[_identity(bucket, entry)] = checksum
        return checksum


class S3Manifests:
    """ManifestStore: one gzip-compressed JSON object per digest, written once."""

    def __init__(self, bucket: str, client: Any) -> None:
        self._bucket = bucket
        self._client = client

    def put(self, digest: str, listing: Sequence[StoredObject]) -> str:
        """Keep a listing; return its URI.

        Raises:
            UnavailableError: S3 did not answer.
        """
        rows = [[item.key, item.version_id, item.identity, item.size] for item in listing]
        key = f"manifests/{digest.removeprefix('sha256:')}.json.gz"
        body = gzip.compress(canonical_json(rows), mtime=0)
        for _ in range(_ATTEMPTS):
            try:
                with calling("keeping a manifest"):
                    self._client.put_object(
                        Bucket=self._bucket,
                        Key=key,
                        Body=body,
                        ContentType="application/json",
                        ContentEncoding="gzip",
                        IfNoneMatch="*",
                    )
            except ClientError as error:
                # 412: it is there already. 409: another function is just writing it, and may yet fail.
                if error_code(error) == "ConditionalRequestConflict":
                    continue
                if error_code(error) != "PreconditionFailed":
                    raise
            return f"s3://{self._bucket}/{key}"
        raise UnavailableError(f"keeping s3://{self._bucket}/{key}: others were writing it each time")


class _Page(NamedTuple):
    """Versions and delete markers by key, those of a key from the newest on."""

    entries: Sequence[Entry]
    markers: dict[str, str] | None
    """Where the next page begins; None on the last page."""


class _Pages:
    """Pages of listings, and those remembered that are whole listings."""

    def __init__(self, client: Any, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[datetime, _Page]] = {}
        self._entries = 0

    def first(self, bucket: str, prefix: str, as_of: datetime | None) -> _Page:
        """Return the first page; what was listed after ``as_of`` tells as much of that time as a listing of now."""
        listed_at, page = self._known.get((bucket, prefix), (None, None))
        if page is not None and listed_at is not None and as_of is not None and as_of + _CLOCK_SKEW <= listed_at:
            return page
        now = self._clock()
        page = self.next(bucket, prefix, {})
        if page.markers is None:
            self._entries += len(page.entries) + 1
            if self._entries > _REMEMBERED_ENTRIES:
                self._known.clear()
                self._entries = len(page.entries) + 1
            self._known[bucket, prefix] = (now, page)
        return page

    def next(self, bucket: str, prefix: str, markers: dict[str, str]) -> _Page:
        """Return the page that begins at some markers."""
        with calling(f"listing s3://{bucket}/{prefix}"):
            answer = self._client.list_object_versions(Bucket=bucket, Prefix=prefix, **markers)
        entries = [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]
        entries.sort(key=lambda entry: (entry["Key"], not entry.get("IsLatest"), -entry["LastModified"].timestamp()))
        if not answer.get("IsTruncated"):
            return _Page(entries, None)
        told = {"KeyMarker": answer["NextKeyMarker"], "VersionIdMarker": answer.get("NextVersionIdMarker", "")}
        return _Page(entries, {name: value for name, value in told.items() if value})


class _Search:
    """Looks through a bucket as it was at a time, for so many pages at most."""

    def __init__(self, pages: _Pages, bucket: str, as_of: datetime | None) -> None:
        self._pages = pages
        self._bucket = bucket
        self._as_of = as_of
        self.pages_left = _PAGES

    def meant_by(self, key: str) -> tuple[str, Iterator[Entry]]:
        """Return the prefix that a key of a URI means, and its objects, by key."""
        folder = f"{key.rstrip('/')}/" if key else ""
        page = self._page(key)
        objects = self._objects(key, page)
        if page.markers is None:
            known = list(objects)
            exact = [entry for entry in known if entry["Key"] == key]
            inside = [entry for entry in known if entry["Key"].startswith(folder)]
            if exact:
                return key, iter(exact)
            return (folder, iter(inside)) if inside else (key, iter(known))
        first = next(objects, None)
        if first is None or first["Key"] == key:
            return key, iter([first] if first else [])
        if folder != key:
            inside_lazily = self._objects(folder, self._page(folder))
            first_inside = next(inside_lazily, None)
            if first_inside is not None:
                return folder, chain([first_inside], inside_lazily)
        return key, chain([first], objects)

    def _objects(self, prefix: str, page: _Page) -> Iterator[Entry]:
        """Yield the objects that existed at the time, each in the version that it then had."""
        for _, versions in groupby(self._entries(prefix, page), key=lambda entry: str(entry["Key"])):
            found = _version_at(versions, self._as_of)
            if found is not None and not (found["Key"].endswith("/") and found["Size"] == 0):
                yield found

    def _entries(self, prefix: str, page: _Page) -> Iterator[Entry]:
        yield from page.entries
        while page.markers is not None and self.pages_left > 0:
            page = self._page(prefix, page.markers)
            yield from page.entries

    def _page(self, prefix: str, markers: dict[str, str] | None = None) -> _Page:
        self.pages_left -= 1
        if markers:
            return self._pages.next(self._bucket, prefix, markers)
        return self._pages.first(self._bucket, prefix, self._as_of)


def _version_at(versions: Iterable[Entry], as_of: datetime | None) -> Entry | None:
    overwritten = None
    for entry in versions:
        is_object = "ETag" in entry
        if as_of is None or entry["LastModified"] <= as_of:
            return entry if is_object else None
        if is_object and _is_unversioned(entry):
            # Without versions nobody knows what was here before: the snapshot will say that it changed.
            overwritten = entry
    return overwritten


def _is_unversioned(entry: Entry) -> bool:
    return str(entry.get("VersionId", "null")) == "null"


def _identity(bucket: str, entry: Entry) -> tuple[object, ...]:
    return bucket, entry["Key"], entry.get("VersionId"), entry["ETag"], entry["LastModified"]


def _has_checksum(entry: Entry) -> bool:
    algorithms = entry.get("ChecksumAlgorithm", ())
    return entry.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT" and any(name in algorithms for name in _CHECKSUMS)
