"""Where the last finished sweep is remembered, and how a sweep continues itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hallmark.aws.failures import calling
from hallmark.lineage.reconciliation import Sweep

_KEY = {"pk": {"S": "CURSOR#reconciliation"}, "sk": {"S": "CURSOR"}}


class SweepCursor:
    """The start of the last finished sweep, in the lineage table; the message of an unfinished one, in its queue."""

    def __init__(self, table_name: str, dynamodb: Any, queue_url: str, sqs: Any) -> None:
        self._table = table_name
        self._dynamodb = dynamodb
        self._queue_url = queue_url
        self._sqs = sqs

    def last_started_at(self) -> datetime | None:
        """Return when the last finished sweep began; None, where none has finished."""
        with calling("reading the cursor"):
            item = self._dynamodb.get_item(TableName=self._table, Key=_KEY).get("Item")
        return datetime.fromisoformat(item["started_at"]["S"]) if item else None

    def finish(self, started_at: datetime) -> None:
        """Remember when a sweep that has finished began."""
        with calling("writing the cursor"):
            self._dynamodb.put_item(TableName=self._table, Item={**_KEY, "started_at": {"S": started_at.isoformat()}})

    def go_on_with(self, sweep: Sweep) -> None:
        """Send the message that continues a sweep."""
        with calling("continuing the sweep"):
            self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=sweep.model_dump_json(exclude_none=True))
