"""Where the compact graph is kept: one object, which a single PUT replaces as a whole."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, error_code
from hallmark.lineage.rows import GraphRows

_KEY = "graph/rows"


class GraphSnapshots:
    """The newest snapshot. An older one that overtakes it does no harm: whoever reads adds what was recorded since."""

    def __init__(self, bucket: str, client: Any) -> None:
        self._bucket = bucket
        self._client = client

    def load(self) -> GraphRows:
        """Return the newest snapshot; empty rows, where none has been written.

        Raises:
            UnavailableError: S3 did not answer.
            GraphSnapshotError: The snapshot cannot be read.
        """
        try:
            with calling("reading the graph"):
                body = self._client.get_object(Bucket=self._bucket, Key=_KEY)["Body"].read()
        except ClientError as error:
            if error_code(error) == "NoSuchKey":
                return GraphRows()
            raise
        return GraphRows.from_bytes(body)

    def save(self, rows: GraphRows) -> int:
        """Keep a snapshot; return its size in bytes.

        Raises:
            UnavailableError: S3 did not answer.
        """
        snapshot = rows.to_bytes()
        with calling("writing the graph"):
            self._client.put_object(Bucket=self._bucket, Key=_KEY, Body=snapshot)
        return len(snapshot)
