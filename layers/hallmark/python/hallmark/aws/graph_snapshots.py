"""Where the compact graph is kept: one object, which a single PUT replaces as a whole, if it is still the one read."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, error_code
from hallmark.lineage.index import GraphSnapshotError
from hallmark.lineage.rows import GraphRows

_KEY = "graph/rows"
_NOT_MODIFIED = "304"
_OVERTAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
"""S3 API reference, PutObject, conditional writes."""


class GraphSnapshots:
    """The newest snapshot in a bucket.

    It is a copy of what the table says: where it is missing, or damaged, the graph is read from the table's log again.
    """

    def __init__(self, bucket: str, client: Any) -> None:
        self._bucket = bucket
        self._client = client
        self._etag: str | None = None
        self.damage: str | None = None
        """What was wrong with the snapshot that was read last."""

    def load(self) -> GraphRows:
        """Return the newest snapshot; empty rows, where none has been written, or where it cannot be read.

        Raises:
            UnavailableError: S3 did not answer.
        """
        self._etag = None
        return self.load_newer() or GraphRows()

    def load_newer(self) -> GraphRows | None:
        """Return the newest snapshot, if it is another one than was read or written here last.

        Raises:
            UnavailableError: S3 did not answer.
        """
        condition = {} if self._etag is None else {"IfNoneMatch": self._etag}
        self.damage = None
        try:
            with calling("reading the graph"):
                answer = self._client.get_object(Bucket=self._bucket, Key=_KEY, **condition)
                body = answer["Body"].read()
        except ClientError as error:
            if error_code(error) in {"NoSuchKey", _NOT_MODIFIED}:
                return None
            raise
        self._etag = answer["ETag"]
        try:
            return GraphRows.from_bytes(body)
        except GraphSnapshotError as error:
            self.damage = str(error)
            return None

    def save(self, rows: GraphRows) -> int | None:
        """Replace the snapshot that was read last; return the size in bytes, None where another one came first.

        Raises:
            UnavailableError: S3 did not answer.
        """
        snapshot = rows.to_bytes()
        condition = {"IfNoneMatch": "*"} if self._etag is None else {"IfMatch": self._etag}
        try:
            with calling("writing the graph"):
                answer = self._client.put_object(Bucket=self._bucket, Key=_KEY, Body=snapshot, **condition)
        except ClientError as error:
            if error_code(error) in _OVERTAKEN:
                return None
            raise
        self._etag = answer["ETag"]
        return len(snapshot)
