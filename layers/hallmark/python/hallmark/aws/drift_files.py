"""Files of monitors in S3: what their sources wrote, and what monitors keep themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.drift.ports import SourceFile
from hallmark.errors import InvalidInputError, NotFoundError

_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "404"})


class TeamFiles:
    """SourceFiles over the team's buckets."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def list(self, prefix: str) -> Iterator[SourceFile]:
        """Yield the objects under a URI.

        Raises:
            InvalidInputError: They may not be listed, or there is no such bucket.
        """
        bucket, _, key = prefix.removeprefix("s3://").partition("/")
        for page in self._pages(prefix, Bucket=bucket, Prefix=key):
            for entry in page.get("Contents", []):
                if not entry["Key"].endswith("/"):
                    yield SourceFile(
                        f"s3://{bucket}/{entry['Key']}",
                        int(entry["Size"]),
                        entry["LastModified"],
                        entry["ETag"].strip('"'),
                    )

    def folders(self, prefix: str) -> Sequence[str]:
        """Return the names of the folders directly under a URI that ends with ``/``.

        Raises:
            InvalidInputError: They may not be listed, or there is no such bucket.
        """
        bucket, _, key = prefix.removeprefix("s3://").partition("/")
        pages = self._pages(prefix, Bucket=bucket, Prefix=key, Delimiter="/")
        found = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]
        return [name.removeprefix(key).rstrip("/") for name in found]

    def read(self, uri: str) -> bytes:
        """Return an object.

        Raises:
            NotFoundError: There is none.
            InvalidInputError: It may not be read.
        """
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            with calling(f"reading {uri}"):
                content: bytes = self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error_code(error) in _MISSING:
                raise NotFoundError(f"there is no {uri}") from error
            raise _refused(uri, error) from error
        return content

    def _pages(self, prefix: str, **request: Any) -> Iterator[dict[str, Any]]:
        try:
            with calling(f"listing {prefix}"):
                yield from self._client.get_paginator("list_objects_v2").paginate(**request)
        except ClientError as error:
            raise _refused(prefix, error) from error


def _refused(uri: str, error: ClientError) -> InvalidInputError:
    remedy = f"it cannot be read ({describe_error(error)}): add its bucket to drift.data_buckets, its key to data_keys"
    return InvalidInputError("location", uri, remedy)


class DriftFiles:
    """OwnFiles in the bucket of monitors: plans, profiles, baselines, reports."""

    def __init__(self, bucket: str, client: Any) -> None:
        self._bucket = bucket
        self._client = client

    def find(self, key: str) -> bytes | None:
        """Return an object; None where there is none."""
        try:
            with calling(f"reading {key}"):
                content: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error_code(error) in _MISSING:
                return None
            raise
        return content

    def has(self, key: str) -> bool:
        """Tell whether there is an object."""
        try:
            with calling(f"looking for {key}"):
                self._client.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error_code(error) in _MISSING:
                return False
            raise
        return True

    def put(self, key: str, content: bytes, content_type: str = "application/json") -> str:
        """Keep an object; return its URI."""
        with calling(f"writing {key}"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type)
        return self.uri(key)

    def uri(self, key: str) -> str:
        """Return the URI of an object."""
        return f"s3://{self._bucket}/{key}"
