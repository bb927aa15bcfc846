"""What lies in S3: listings with versions and checksums, and the manifests of large datasets."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.lineage.model import canonical_json
from hallmark.lineage.ports import Listing, StoredObject

_THREADS = 8
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
        try:
            for prefix, exact in ((key, True), (f"{key.rstrip('/')}/" if key else "", False), (key, False)):
                found, complete = self._versions(bucket, prefix, latest, limit, exact=exact)
                if found:
                    return Listing(self._identified(bucket, prefix, found), complete=complete)
        except ClientError as error:
            return Listing((), complete=True, refused=describe_error(error))
        return Listing((), complete=True)

    def _versions(
        self, bucket: str, prefix: str, as_of: datetime | None, limit: int, *, exact: bool
    ) -> tuple[list[Entry], bool]:
        """Return, for each key, the version that was the newest one at a time; and whether that is all of them."""
        chosen: dict[str, Entry] = {}
        settled: set[str] = set()
        if exact and not prefix:
            return [], True
        for entry in self._entries(bucket, prefix, exact=exact):
            key = str(entry["Key"])
            if key in settled:
                continue
            # Versions of a key come newest first (S3 API reference, ListObjectVersions).
            if as_of is None or entry["LastModified"] <= as_of:
                settled.add(key)
                chosen.pop(key, None)
                if "ETag" in entry and not (key.endswith("/") and entry["Size"] == 0):
                    chosen[key] = entry
            elif entry.get("VersionId", "null") == "null" and "ETag" in entry:
                # Without versions nobody knows what was here before: the snapshot will say that it changed.
                chosen[key] = entry
            if len(chosen) > limit:
                kept = sorted(chosen)[:limit]
                return [chosen[key] for key in kept], False
        return [chosen[key] for key in sorted(chosen)], True

    def _entries(self, bucket: str, prefix: str, *, exact: bool) -> Iterator[Entry]:
        """Yield versions and delete markers by key, the newest of a key first."""
        request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "EncodingType": "url"}
        while True:
            with calling(f"listing s3://{bucket}/{prefix}"):
                answer = self._client.list_object_versions(**request)
            found = [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
            for entry in found:
                entry["Key"] = unquote_plus(entry["Key"])
            found.sort(key=lambda entry: (entry["Key"], not entry.get("IsLatest"), -entry["LastModified"].timestamp()))
            for entry in found:
                if exact and entry["Key"] != prefix:
                    return
                yield entry
            if not answer.get("IsTruncated"):
                return
            request["KeyMarker"] = unquote_plus(answer["NextKeyMarker"])
            if answer.get("NextVersionIdMarker"):
                request["VersionIdMarker"] = answer["NextVersionIdMarker"]

    def _identified(self, bucket: str, prefix: str, entries: Sequence[Entry]) -> list[StoredObject]:
        """Give each object its identity: the stored checksum of the whole object, where there is one, else the ETag."""
        checked = [entry for entry in entries if entry.get("ChecksumAlgorithm")]
        checksums: dict[str, str] = {}
        if checked and len(checked) <= self._checksum_limit:
            with ThreadPoolExecutor(_THREADS) as pool:
                found = pool.map(lambda entry: self._checksum(bucket, entry), checked)
                checksums = {entry["Key"]: checksum for entry, checksum in zip(checked, found, strict=True) if checksum}
        return [
            StoredObject(
                key=str(entry["Key"]).removeprefix(prefix),
                version_id="" if entry.get("VersionId", "null") == "null" else str(entry["VersionId"]),
                identity=checksums.get(entry["Key"]) or f"etag:{entry['ETag'].strip(chr(34))}",
                size=int(entry["Size"]),
                modified_at=entry["LastModified"],
            )
            for entry in entries
        ]

    def _checksum(self, bucket: str, entry: Entry) -> str | None:
        request = {"Bucket": bucket, "Key": entry["Key"], "ChecksumMode": "ENABLED"}
        if entry.get("VersionId", "null") != "null":
            request["VersionId"] = entry["VersionId"]
        try:
            with calling(f"reading the checksum of s3://{bucket}/{entry['Key']}"):
                head = self._client.head_object(**request)
        except ClientError:
            return None  # the ETag stands in
        if head.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
            return None
        for name in ("SHA256", "CRC64NVME"):
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
        try:
            with calling("keeping a manifest"):
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=gzip.compress(canonical_json(rows), mtime=0),
                    ContentType="application/json",
                    ContentEncoding="gzip",
                    IfNoneMatch="*",
                )
        except ClientError as error:
            # 412: it is there already; 409: another function is just writing the same.
            if error_code(error) not in {"PreconditionFailed", "ConditionalRequestConflict"}:
                raise
        return f"s3://{self._bucket}/{key}"
