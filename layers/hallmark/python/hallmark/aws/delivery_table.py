"""What was delivered, and whose turn it is: a table in which nothing outlives two weeks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from hallmark.alerts.channels.delivering import Claim
from hallmark.alerts.notifications import Notification
from hallmark.aws.failures import calling, error_code
from hallmark.errors import UnavailableError

_CLAIMED_SECONDS = 120
"""Longer than a function runs: after that whoever claimed it is gone, and may or may not have sent it."""
_KEPT_SECONDS = 15 * 86_400
"""Longer than a queue keeps a message."""
_ATTEMPTS = 8


class DeliveryTable:
    """Deliveries in DynamoDB, by conditional writes.

    Args:
        table_name: The table's name.
        client: Of DynamoDB.
        clock: Seconds since 1970.
    """

    def __init__(self, table_name: str, client: Any, clock: Callable[[], float] = time.time) -> None:
        self._table = table_name
        self._client = client
        self._clock = clock

    def claim(self, notification: Notification) -> Claim:
        """Take a notification for oneself, unless it is sent, being sent, or told better by a later one."""
        if notification.reason != "digest" and self._latest(notification) > _place(notification):
            return "superseded"
        now = self._clock()
        item = {
            "pk": {"S": _key(notification)},
            "state": {"S": "sending"},
            "claimed_until": {"N": str(now + _CLAIMED_SECONDS)},
            "forgotten_at": {"N": str(int(now + _KEPT_SECONDS))},
        }
        try:
            with calling("claiming a notification"):
                self._client.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(pk) OR (#state = :sending AND claimed_until < :now)",
                    ExpressionAttributeNames={"#state": "state"},
                    ExpressionAttributeValues={":sending": {"S": "sending"}, ":now": {"N": str(now)}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            known: Any = error.response.get("Item") or {}
            return "sent" if known.get("state", {}).get("S") == "sent" else "busy"
        return "ours"

    def release(self, notification: Notification) -> None:
        """Give a notification back."""
        with calling("giving a notification back"):
            self._client.delete_item(TableName=self._table, Key={"pk": {"S": _key(notification)}})

    def note(self, notification: Notification) -> None:
        """Note that a notification was taken, and that older ones of its group are no news any more."""
        kept = {"N": str(int(self._clock() + _KEPT_SECONDS))}
        with calling("noting a delivery"):
            self._client.put_item(
                TableName=self._table,
                Item={"pk": {"S": _key(notification)}, "state": {"S": "sent"}, "forgotten_at": kept},
            )
        try:
            with calling("noting a delivery"):
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        "pk": {"S": _group(notification)},
                        "place": {"S": _place(notification)},
                        "forgotten_at": kept,
                    },
                    ConditionExpression="attribute_not_exists(pk) OR place < :place",
                    ExpressionAttributeValues={":place": {"S": _place(notification)}},
                )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise

    def take_turn(self, line: str, spacing_seconds: float, longest_seconds: float) -> float:
        """Take a place in a line: each is ``spacing_seconds`` after the one before.

        Returns:
            Seconds until the place; above ``longest_seconds`` it was not taken.

        Raises:
            UnavailableError: Others took each place that was tried.
        """
        for _ in range(_ATTEMPTS):
            known = self._free_at(line)
            now = self._clock()
            wait = max(float(known["N"]) - now, 0.0) if known else 0.0
            if wait > longest_seconds:
                return wait
            if self._put_turn(line, known, now + wait + spacing_seconds):
                return wait
        raise UnavailableError("others took each place in the channel's line")

    def hold(self, line: str, seconds: float) -> None:
        """Let nobody in a line have a turn for so many seconds.

        Raises:
            UnavailableError: Others took a place each time that was tried.
        """
        for _ in range(_ATTEMPTS):
            known, until = self._free_at(line), self._clock() + seconds
            if (known and float(known["N"]) >= until) or self._put_turn(line, known, until):
                return
        raise UnavailableError("others took each place in the channel's line")

    def _free_at(self, line: str) -> dict[str, str] | None:
        with calling("waiting for a turn"):
            answer = self._client.get_item(TableName=self._table, Key=_line(line), ConsistentRead=True)
        known: dict[str, str] | None = answer.get("Item", {}).get("free_at")
        return known

    def _put_turn(self, line: str, known: dict[str, str] | None, free_at: float) -> bool:
        condition = "free_at = :known" if known else "attribute_not_exists(pk)"
        values = {"ExpressionAttributeValues": {":known": known}} if known else {}
        kept = {"N": str(int(free_at + _KEPT_SECONDS))}
        try:
            with calling("waiting for a turn"):
                self._client.put_item(
                    TableName=self._table,
                    Item={**_line(line), "free_at": {"N": f"{free_at:.3f}"}, "forgotten_at": kept},
                    ConditionExpression=condition,
                    **values,
                )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def _latest(self, notification: Notification) -> str:
        with calling("looking what was delivered"):
            found = self._client.get_item(
                TableName=self._table, Key={"pk": {"S": _group(notification)}}, ConsistentRead=True
            )
        return str(found["Item"]["place"]["S"]) if "Item" in found else ""


def _line(line: str) -> dict[str, Any]:
    return {"pk": {"S": f"LINE#{line}"}}


def _key(notification: Notification) -> str:
    return f"SENT#{notification.channel}#{notification.id}"


def _group(notification: Notification) -> str:
    return f"LATEST#{notification.channel}#{notification.receiver}#{notification.thread_key}"


def _place(notification: Notification) -> str:
    """Return what orders the notifications of one round of a group."""
    return f"{notification.sequence:012}"
