"""What lies in S3: listings with versions and checksums, and the manifests of large datasets."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
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

Entry = dict[str, Any]


class S3Contents:
    """ContentReader over ListObjectVersions: keys, versions, ETags and sizes in one call per thousand."""

    def __init__(self, client: Any, *, checksum_limit: int = 100) -> None:
        self._client = client
        self._checksum_limit = checksum_limit

    def listing(self, uri: str, as_of: datetime | None, limit: int) -> Listing:
        """List what a URI means: the object of that key, else what lies under the key as a folder, else as a prefix.

        SageMaker's ``S3Prefix`` matches ``train2/`` for ``train`` as well; a folder is meant where there is one.

        Raises:
            UnavailableError: S3 did not answer.
        """
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        latest = as_of + _UPLOAD_GRACE if as_of is not None else None
        search = _Search(self._client, bucket, latest)
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
            with ThreadPoolExecutor(min(_THREADS, len(checked))) as pool:
                found = pool.map(lambda entry: self._checksum(bucket, entry), checked)
                checksums = {entry["Key"]: checksum for entry, checksum in zip(checked, found, strict=True) if checksum}
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
        for name in _CHECKSUMS:
            if head.get(f"Checksum{name}"):
                return f"{name.lower()}:{head[f'Checksum{name}']}"
        return None


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


class _Search:
    """Looks through a bucket as it was at a time, for so many pages at most."""

    def __init__(self, client: Any, bucket: str, as_of: datetime | None) -> None:
        self._client = client
        self._bucket = bucket
        self._as_of = as_of
        self.pages_left = _PAGES

    def meant_by(self, key: str) -> tuple[str, Iterator[Entry]]:
        """Return the prefix that a key of a URI means, and its objects, by key."""
        folder = f"{key.rstrip('/')}/" if key else ""
        page = self._page(key, {})
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
            inside_lazily = self._objects(folder, self._page(folder, {}))
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

    def _page(self, prefix: str, markers: dict[str, str]) -> _Page:
        with calling(f"listing s3://{self._bucket}/{prefix}"):
            answer = self._client.list_object_versions(Bucket=self._bucket, Prefix=prefix, **markers)
        self.pages_left -= 1
        entries = [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]
        entries.sort(key=lambda entry: (entry["Key"], not entry.get("IsLatest"), -entry["LastModified"].timestamp()))
        if not answer.get("IsTruncated"):
            return _Page(entries, None)
        told = {"KeyMarker": answer["NextKeyMarker"], "VersionIdMarker": answer.get("NextVersionIdMarker", "")}
        return _Page(entries, {name: value for name, value in told.items() if value})


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


def _has_checksum(entry: Entry) -> bool:
    algorithms = entry.get("ChecksumAlgorithm", ())
    return entry.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT" and any(name in algorithms for name in _CHECKSUMS)
