"""What connectors remember, in one table; where their sections go, on the hallmark bus; deliveries that came before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.eventbridge import EventPublisher
from hallmark.aws.failures import calling, error_code
from hallmark.errors import UnavailableError
from hallmark.events.records import LineageSection
from hallmark.events.reports import LINEAGE_REPORTED, LineageReported
from hallmark.lineage.connectors.messages import Wake
from hallmark.lineage.connectors.ports import Known

_READ_AT_ONCE = 100
_WRITTEN_AT_ONCE = 25
_ATTEMPTS = 5
_DELIVERIES_KEPT = timedelta(days=2)


class DynamoConnectorMemory:
    """``Memory`` of one server of a tool.

    Items: ``pk`` is ``<tool>/<server>``, ``sk`` the thing's name.
    """

    def __init__(self, table_name: str, client: Any, tool: str, server: str) -> None:
        self._table = table_name
        self._client = client
        self._owner = f"{tool}/{server}"

    def recall(self, names: Sequence[str]) -> dict[str, Known]:
        """Return what is remembered of these things.

        Raises:
            UnavailableError: DynamoDB did not answer, or not to all of it.
        """
        found: dict[str, Known] = {}
        left = list(dict.fromkeys(names))
        for chunk in _chunks(left, _READ_AT_ONCE):
            keys = [self._key(name) for name in chunk]
            for _ in range(_ATTEMPTS):
                request = {self._table: {"Keys": keys, "ConsistentRead": True}}
                with calling("recalling what a tool has listed"):
                    answer = self._client.batch_get_item(RequestItems=request)
                found.update((known.name, known) for known in map(_known, answer["Responses"].get(self._table, [])))
                keys = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
                if not keys:
                    break
            else:
                raise UnavailableError("recalling what a tool has listed: DynamoDB did not answer to all of it")
        return found

    def remember(self, things: Iterable[Known]) -> None:
        """Remember things.

        Raises:
            UnavailableError: DynamoDB did not take all of it.
        """
        self._write({"PutRequest": {"Item": {**self._key(known.name), **_attributes(known)}}} for known in things)

    def forget(self, names: Iterable[str]) -> None:
        """Remember nothing of these things any more.

        Raises:
            UnavailableError: DynamoDB did not take all of it.
        """
        self._write({"DeleteRequest": {"Key": self._key(name)}} for name in names)

    def unseen(self, prefix: str, since: datetime) -> Iterator[Known]:
        """Yield the things whose names begin so and that no pass since a time has listed.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :owner AND begins_with(sk, :prefix)",
            "FilterExpression": "seen_at < :since",
            "ExpressionAttributeValues": {
                ":owner": {"S": self._owner},
                ":prefix": {"S": prefix},
                ":since": {"S": _stamp(since)},
            },
            "ConsistentRead": True,
        }
        while True:
            with calling("looking for what a tool lists no more"):
                answer = self._client.query(**request)
            yield from map(_known, answer["Items"])
            if not answer.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _write(self, requests: Iterable[Mapping[str, Any]]) -> None:
        for chunk in _chunks(requests, _WRITTEN_AT_ONCE):
            left: Sequence[Mapping[str, Any]] = chunk
            for _ in range(_ATTEMPTS):
                with calling("remembering what a tool has listed"):
                    answer = self._client.batch_write_item(RequestItems={self._table: list(left)})
                left = answer.get("UnprocessedItems", {}).get(self._table, [])
                if not left:
                    break
            else:
                raise UnavailableError("remembering what a tool has listed: DynamoDB did not take all of it")

    def _key(self, name: str) -> dict[str, Any]:
        return {"pk": {"S": self._owner}, "sk": {"S": name}}


class DynamoDeliveries:
    """Deliveries of webhooks that were taken, for two days."""

    def __init__(self, table_name: str, client: Any, owner: str) -> None:
        self._table = table_name
        self._client = client
        self._owner = owner

    def is_taken(self, delivery: str) -> bool:
        """Tell whether a delivery was taken before.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        with calling("looking for a delivery"):
            answer = self._client.get_item(TableName=self._table, Key=self._key(delivery), ConsistentRead=True)
        return "Item" in answer

    def take(self, delivery: str, now: datetime) -> None:
        """Remember that a delivery was taken.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        expires = {"N": str(int((now + _DELIVERIES_KEPT).timestamp()))}
        try:
            with calling("remembering a delivery"):
                self._client.put_item(
                    TableName=self._table,
                    Item={**self._key(delivery), "expires_at": expires},
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":  # the same delivery, at the same time
                raise

    def _key(self, delivery: str) -> dict[str, Any]:
        return {"pk": {"S": f"{self._owner}/deliveries"}, "sk": {"S": delivery}}


class WakeQueue:
    """The queue that wakes what looks at other tools."""

    def __init__(self, queue_url: str, client: Any) -> None:
        self._queue_url = queue_url
        self._client = client

    def send(self, wake: Wake) -> None:
        """Send a message.

        Raises:
            UnavailableError: SQS did not answer.
        """
        with calling("sending a message"):
            self._client.send_message(QueueUrl=self._queue_url, MessageBody=wake.model_dump_json(exclude_defaults=True))


class BusReporter:
    """``Reporter`` on the hallmark bus: one ``LineageReported`` a section."""

    def __init__(self, bus_name: str, client: Any) -> None:
        self._bus_name = bus_name
        self._publisher = EventPublisher(client)

    def report(self, tool: str, sections: Sequence[LineageSection]) -> None:
        """Publish the sections, in their order.

        Raises:
            UnavailableError: EventBridge did not take some of them now.
            InvalidInputError: EventBridge will never take one of them.
        """
        told = (LineageReported(tool=tool, lineage=section) for section in sections)
        self._publisher.publish([report.to_entry(self._bus_name, LINEAGE_REPORTED) for report in told])


def _attributes(known: Known) -> dict[str, Any]:
    state = json.dumps(known.state, sort_keys=True)
    return {"told": {"S": known.told}, "seen_at": {"S": _stamp(known.seen_at)}, "state": {"S": state}}


def _known(item: Mapping[str, Any]) -> Known:
    seen_at = datetime.fromisoformat(item["seen_at"]["S"])
    return Known(item["sk"]["S"], item["told"]["S"], seen_at, json.loads(item["state"]["S"]))


def _stamp(time: datetime) -> str:
    # Always with microseconds, so that texts are ordered as times are.
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
