"""Rows of scores and datasets of feedback in S3."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error
from hallmark.errors import InvalidInputError


class ReviewFiles:
    """ScoreFiles and DatasetWriter: rows of scores in the stack's own bucket, datasets there or in a team's.

    Args:
        bucket: The stack's own.
        client: Of S3.
        datasets: URI of a prefix for datasets; ``datasets/feedback/`` of the own bucket where it is empty.
    """

    def __init__(self, bucket: str, client: Any, datasets: str = "") -> None:
        self._bucket = bucket
        self._client = client
        self._datasets = datasets or f"s3://{bucket}/datasets/feedback/"

    def write_scores(self, name: str, rows: Iterable[Mapping[str, object]]) -> str:
        """Keep rows under a name, one JSON object a line; the same name is written over. Return the URI."""
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        return self._put(self._bucket, name, content)

    def write_dataset(self, name: str, content: bytes) -> str:
        """Write a dataset; return its URI."""
        bucket, prefix = split_location(self._datasets)
        return self._put(bucket, f"{prefix}{name}", content)

    def _put(self, bucket: str, key: str, content: bytes) -> str:
        with reading(f"s3://{bucket}/{key}"):
            self._client.put_object(Bucket=bucket, Key=key, Body=content, ContentType="application/jsonl")
        return f"s3://{bucket}/{key}"


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Say what to do where S3 refuses.

    Raises:
        InvalidInputError: It refuses for good.
        UnavailableError: It did not answer.
    """
    try:
        with calling(what):
            yield
    except ClientError as error:
        remedy = f"S3 refuses it ({describe_error(error)}): name its bucket, and its key in reviews.data_keys"
        raise InvalidInputError("location", what, remedy) from error


def split_location(location: str) -> tuple[str, str]:
    """Return bucket and prefix of a location; the prefix is empty or ends with ``/``."""
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    return bucket, f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""
