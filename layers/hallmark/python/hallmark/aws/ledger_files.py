"""The ledger's files in S3, and where each entry stands, in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, error_code
from hallmark.errors import UnavailableError
from hallmark.ledger.ports import Stored

_MISSING = frozenset({"NoSuchKey", "404"})
_EXISTS = "PreconditionFailed"
_RACE = "ConditionalRequestConflict"
"""Another write of the same key was under way (Amazon S3 user guide, conditional writes)."""
_READ_KEYS = 100
_WRITE_ITEMS = 25
_ATTEMPTS = 10


class S3LogFiles:
    """LogStore over a prefix of a bucket.

    Args:
        bucket: Its name.
        client: Of S3.
        prefix: What stands before each path; ends in a slash, or is empty.
    """

    def __init__(self, bucket: str, client: Any, prefix: str = "") -> None:
        self._bucket = bucket
        self._client = client
        self._prefix = prefix

    def read(self, path: str) -> bytes | None:
        """Return a file; None where there is none."""
        stored = self.read_version(path)
        return stored.content if stored else None

    def read_version(self, path: str) -> Stored | None:
        """Return a file with its ETag; None where there is none."""
        try:
            with calling(f"reading {path}"):
                answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + path)
                return Stored(answer["Body"].read(), answer["ETag"])
        except ClientError as error:
            if error_code(error) in _MISSING:
                return None
            raise

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that must not exist yet; False where it does."""
        return self._put(path, content, IfNoneMatch="*")

    def replace(self, path: str, content: bytes, version: str | None) -> bool:
        """Replace a file of this version (None: of none); False where it has another one by now."""
        return self._put(path, content, **({"IfNoneMatch": "*"} if version is None else {"IfMatch": version}))

    def _put(self, path: str, content: bytes, **condition: str) -> bool:
        kind = "text/plain; charset=utf-8" if path.startswith("checkpoint") else "application/octet-stream"
        try:
            with calling(f"writing {path}"):
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._prefix + path,
                    Body=content,
                    ContentType=kind,
                    # Required by Object Lock (Amazon S3 user guide, object-lock-managing).
                    ChecksumAlgorithm="SHA256",
                    **condition,
                )
        except ClientError as error:
            if error_code(error) == _EXISTS:
                return False
            if error_code(error) == _RACE:
                raise UnavailableError(f"writing {path}: somebody else writes it at this moment") from error
            raise
        return True


class LeafIndex:
    """Where each entry stands, by its id. It can be made anew from the log.

    Args:
        table_name: Of a table with ``pk`` (``LEAF#<id>`` or ``INDEXED``).
        client: Of DynamoDB.
    """

    def __init__(self, table_name: str, client: Any) -> None:
        self._table = table_name
        self._client = client

    @property
    def indexed(self) -> int:
        """How many entries of the log are indexed without a gap."""
        with calling("reading the index of the ledger"):
            answer = self._client.get_item(TableName=self._table, Key=_key("INDEXED"), ConsistentRead=True)
        return int(answer["Item"]["size"]["N"]) if "Item" in answer else 0

    def places(self, identifiers: Sequence[str]) -> dict[str, int]:
        """Return where these entries stand; what is in no log is left out."""
        found: dict[str, int] = {}
        for start in range(0, len(identifiers), _READ_KEYS):
            left = [_key(f"LEAF#{identifier}") for identifier in identifiers[start : start + _READ_KEYS]]
            for _ in range(_ATTEMPTS):
                if not left:
                    break
                with calling("reading the index of the ledger"):
                    answer = self._client.batch_get_item(
                        RequestItems={self._table: {"Keys": left, "ConsistentRead": True}}
                    )
                for item in answer["Responses"].get(self._table, ()):
                    found[item["pk"]["S"].removeprefix("LEAF#")] = int(item["place"]["N"])
                left = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            if left:
                raise UnavailableError("reading the index of the ledger: DynamoDB did not read all of it")
        return found

    def add(self, places: Iterable[tuple[str, int]], size: int) -> None:
        """Add entries, and then that the first ``size`` are indexed."""
        items = [{"pk": {"S": f"LEAF#{identifier}"}, "place": {"N": str(place)}} for identifier, place in places]
        for start in range(0, len(items), _WRITE_ITEMS):
            left = [{"PutRequest": {"Item": item}} for item in items[start : start + _WRITE_ITEMS]]
            for _ in range(_ATTEMPTS):
                if not left:
                    break
                with calling("indexing the ledger"):
                    answer = self._client.batch_write_item(RequestItems={self._table: left})
                left = answer.get("UnprocessedItems", {}).get(self._table, [])
            if left:
                raise UnavailableError("indexing the ledger: DynamoDB did not take all of it")
        try:
            with calling("indexing the ledger"):
                self._client.put_item(
                    TableName=self._table,
                    Item={**_key("INDEXED"), "size": {"N": str(size)}},
                    ConditionExpression="attribute_not_exists(pk) OR #size < :size",
                    ExpressionAttributeNames={"#size": "size"},
                    ExpressionAttributeValues={":size": {"N": str(size)}},
                )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise


def _key(value: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": value}}
