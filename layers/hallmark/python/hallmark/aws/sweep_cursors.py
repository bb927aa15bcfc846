"""Where sweeps are remembered, which of them is under way, and how one continues itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, error_code
from hallmark.lineage.reconciliation import KindCursor, Sweep

LEASE = timedelta(minutes=30)
"""A sweep that was not heard of for this long has died.

Longer than one invocation and the pause behind it, shorter than the time after which the queue delivers a message
again.
"""


class DynamoSweepCursors:
    """SweepCursors, and the lease of the sweep that is under way, in the lineage table."""

    def __init__(self, table_name: str, client: Any) -> None:
        self._table = table_name
        self._client = client

    # --- SweepCursors ---

    def read(self, resource: str) -> KindCursor:
        """Return what the last finished sweep over a kind left.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        with calling("reading a sweep's cursor"):
            item = self._client.get_item(TableName=self._table, Key=_kind_key(resource), ConsistentRead=True).get(
                "Item"
            )
        if item is None:
            return KindCursor()
        present = item.get("present")
        return KindCursor(
            started_at=datetime.fromisoformat(item["started_at"]["S"]),
            unsettled=tuple(arn["S"] for arn in item["unsettled"]["L"]),
            present=None if present is None else tuple(arn["S"] for arn in present["L"]),
        )

    def write(self, resource: str, cursor: KindCursor) -> None:
        """Remember a finished sweep over a kind, unless one that began later is remembered already.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        started_at = {"S": _stamp(cursor.started_at or datetime.now(UTC))}
        item = {**_kind_key(resource), "started_at": started_at, "unsettled": _texts(cursor.unsettled)}
        if cursor.present is not None:
            item["present"] = _texts(cursor.present)
        self._apply(
            "writing a sweep's cursor",
            self._client.put_item,
            Item=item,
            ConditionExpression="attribute_not_exists(pk) OR started_at <= :started_at",
            ExpressionAttributeValues={":started_at": started_at},
        )

    # --- the sweep that is under way ---

    def take_lease(self, started_at: datetime, *, by_force: bool = False) -> bool:
        """Say that a sweep has begun; False where another one is under way.

        Args:
            started_at: The time; it names the sweep.
            by_force: Whether to take the lease from another sweep.
        """
        request: dict[str, Any] = {
            "UpdateExpression": "SET started_at = :started_at, heard_at = :started_at",
            "ExpressionAttributeValues": {":started_at": {"S": _stamp(started_at)}},
        }
        if not by_force:
            request["ConditionExpression"] = "attribute_not_exists(heard_at) OR heard_at < :stale"
            request["ExpressionAttributeValues"][":stale"] = {"S": _stamp(started_at - LEASE)}
        return self._apply("taking the lease of a sweep", self._client.update_item, Key=_LEASE_KEY, **request)

    def keep_lease(self, started_at: datetime, now: datetime) -> None:
        """Say that a sweep is still under way; nothing, for one that has no lease."""
        self._apply(
            "keeping the lease of a sweep",
            self._client.update_item,
            Key=_LEASE_KEY,
            UpdateExpression="SET heard_at = :now",
            ConditionExpression="started_at = :started_at",
            ExpressionAttributeValues={":started_at": {"S": _stamp(started_at)}, ":now": {"S": _stamp(now)}},
        )

    def end_lease(self, started_at: datetime) -> None:
        """Say that a sweep is no longer under way; nothing, for one that has no lease."""
        self._apply(
            "ending the lease of a sweep",
            self._client.update_item,
            Key=_LEASE_KEY,
            UpdateExpression="REMOVE heard_at, started_at",
            ConditionExpression="started_at = :started_at",
            ExpressionAttributeValues={":started_at": {"S": _stamp(started_at)}},
        )

    def _apply(self, what: str, operation: Any, **request: Any) -> bool:
        """Write; False where the condition does not hold."""
        try:
            with calling(what):
                operation(TableName=self._table, **request)
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True


class SweepQueue:
    """The queue of sweeps."""

    def __init__(self, queue_url: str, client: Any) -> None:
        self._queue_url = queue_url
        self._client = client

    def go_on_with(self, sweep: Sweep) -> None:
        """Send the message that continues a sweep, after the pause that it asks for.

        Raises:
            UnavailableError: SQS did not answer.
        """
        with calling("continuing the sweep"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=sweep.model_dump_json(exclude_defaults=True),
                DelaySeconds=sweep.wait_seconds,
            )


def _kind_key(resource: str) -> dict[str, Any]:
    return {"pk": {"S": f"CURSOR#reconciliation/{resource}"}, "sk": {"S": "CURSOR"}}


_LEASE_KEY = {"pk": {"S": "CURSOR#reconciliation"}, "sk": {"S": "CURSOR"}}


def _texts(texts: tuple[str, ...]) -> dict[str, Any]:
    return {"L": [{"S": text} for text in texts]}


def _stamp(time: datetime) -> str:
    # Always with microseconds, so that texts are ordered as times are.
    return time.astimezone(UTC).isoformat(timespec="microseconds")
