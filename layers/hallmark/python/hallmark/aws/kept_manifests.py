"""The listings of large datasets, as recording keeps them (``hallmark/aws/s3.py``, ``S3Manifests``)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, error_code

_GZIP = zlib.MAX_WBITS | 16
"""Tells zlib to expect gzip's header (Python's documentation, ``zlib.decompress``)."""


class KeptManifests:
    """ManifestReader over the bucket of lineage; a listing elsewhere is not read."""

    def __init__(self, bucket: str, client: Any) -> None:
        self._prefix = f"s3://{bucket}/manifests/"
        self._bucket = bucket
        self._client = client

    def listing(self, uri: str) -> Sequence[Sequence[Any]] | None:
        """Return ``[key, version id, identity, size]`` of each object; None where the listing is not kept.

        Raises:
            UnavailableError: S3 did not answer.
        """
        if not uri.startswith(self._prefix):
            return None
        try:
            with calling("reading a manifest"):
                answer = self._client.get_object(Bucket=self._bucket, Key=uri.removeprefix(f"s3://{self._bucket}/"))
                body = answer["Body"].read()
        except ClientError as error:
            if error_code(error) == "NoSuchKey":
                return None
            raise
        rows: Sequence[Sequence[Any]] = json.loads(zlib.decompress(body, _GZIP))
        return rows
