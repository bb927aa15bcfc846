"""Alerts, groups and silences in DynamoDB (layout: ``docs/alerts.md``)."""

from __future__ import annotations

import json
import lzma
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from hallmark.alerts.conditions import AlertRecord
from hallmark.alerts.engine import GRACE
from hallmark.alerts.grouping import GroupState
from hallmark.alerts.matching import Labels
from hallmark.alerts.ports import RecordWrite, Versioned
from hallmark.alerts.silences import Silence
from hallmark.aws.failures import calling, error_code
from hallmark.errors import UnavailableError

LISTS_INDEX = "lists"
"""Open alerts, and groups that are due."""
INHIBITORS_INDEX = "inhibitors"
LIST_SHARDS = 4
"""A partition takes 1,000 writes a second (DynamoDB developer guide, partition key design)."""
KEPT = timedelta(days=30)
"""How long an alert, a group and a silence are remembered once they have ended."""
_KEYS_PER_READ = 100
_WRITES_PER_CALL = 25
"""BatchGetItem and BatchWriteItem (DynamoDB API reference)."""
_PUTS_PER_TRANSACTION = 100
_BYTES_PER_TRANSACTION = 1_000_000
"""TransactWriteItems takes 100 actions and 4 MB (DynamoDB API reference); a character may take four bytes."""
_COMPRESS_FROM_BYTES = 64 * 1024
_PRESET = 3
"""Sees repeats up to 4 MiB apart: each receiver of a group was told of the same alerts. 30,000 alerts that three
receivers were told of take 330 kB (an item takes 400 kB at most) and 0.2 s of CPU; with zlib's window of 32 kB they
take three times as much."""
_ATTEMPTS = 6

Item = dict[str, Any]


class DynamoAlerts:
    """All that alerts keep, in one table."""

    def __init__(self, table_name: str, client: Any) -> None:
        self._table = table_name
        self._client = client

    # --- alerts ---

    def records(self, fingerprints: Sequence[str]) -> Mapping[str, Versioned[AlertRecord]]:
        """Return the records that are there."""
        found = {}
        for item in self._read([_key(f"ALERT#{each}", "ALERT") for each in dict.fromkeys(fingerprints)]):
            record = AlertRecord.model_validate_json(_body(item))
            found[record.fingerprint] = Versioned(record, int(item["revision"]["N"]))
        return found

    def save_records(self, writes: Sequence[RecordWrite]) -> Sequence[bool]:
        """Write records, each for itself; tell of each whether it still stood at its revision.

        What a storm brings is written in transactions: a hundred conditions cost one request. Where one of them fails,
        all of it is written again, a request each.
        """
        requests = [self._conditional(_record_item(write), write.revision) for write in writes]
        done: list[bool] = []
        for part in _parts(requests):
            done += [True] * len(part) if len(part) > 1 and self._put_all(part) else map(self._put_one, part)
        return done

    def inhibitors(self) -> Sequence[Labels]:
        """Return the labels of the alerts that fire and may mute others; one that just began may be missing."""
        keys = [
            _key(item["pk"]["S"], "ALERT")
            for item in self._query(
                IndexName=INHIBITORS_INDEX,
                KeyConditionExpression="inhibits = :all",
                ExpressionAttributeValues={":all": {"S": "INHIBITS"}},
            )
        ]
        return [AlertRecord.model_validate_json(_body(item)).matched() for item in self._read(keys)]

    def open_records(self, limit: int) -> Sequence[AlertRecord]:
        """Return alerts that fire, those that began last first."""
        keys = [item["pk"]["S"] for item in self._latest("OPEN", limit)]
        found = [
            AlertRecord.model_validate_json(_body(item)) for item in self._read([_key(pk, "ALERT") for pk in keys])
        ]
        place = {pk: index for index, pk in enumerate(keys)}
        return sorted(found, key=lambda record: place[f"ALERT#{record.fingerprint}"])

    # --- groups ---

    def group(self, group: str) -> Versioned[GroupState] | None:
        """Return a group; None for one that never was."""
        with calling("reading a group"):
            answer = self._client.get_item(
                TableName=self._table, Key=_key(f"GROUP#{group}", "GROUP"), ConsistentRead=True
            )
        if "Item" not in answer:
            return None
        item = answer["Item"]
        return Versioned(GroupState.model_validate_json(_body(item)), int(item["revision"]["N"]))

    def save_group(self, state: GroupState, revision: int) -> bool:
        """Write a group; tell whether it still stood at the revision."""
        item: Item = {**_key(f"GROUP#{state.id}", "GROUP"), "body": _packed(state.model_dump_json())}
        now = datetime.now(UTC)
        unsent = bool(state.outbox or state.escalated)
        due = min(now + GRACE, state.due_at or now + GRACE) if unsent else state.due_at
        item |= _listed("DUE", state.id, due) if due is not None else _forgotten(now + KEPT)
        return self._put(item, revision)

    def beginnings(self, name: str) -> Versioned[tuple[datetime, ...]]:
        """Return when groups of a route's began to be told lately, as its budget counts them."""
        with calling("reading a budget"):
            answer = self._client.get_item(
                TableName=self._table, Key=_key(f"BUDGET#{name}", "BUDGET"), ConsistentRead=True
            )
        if "Item" not in answer:
            return Versioned((), 0)
        item = answer["Item"]
        return Versioned(tuple(map(datetime.fromisoformat, json.loads(_body(item)))), int(item["revision"]["N"]))

    def save_beginnings(self, name: str, times: tuple[datetime, ...], revision: int) -> bool:
        """Write them; tell whether they still stood at the revision."""
        body = json.dumps([time.isoformat() for time in times])
        item = {**_key(f"BUDGET#{name}", "BUDGET"), "body": _packed(body), **_forgotten(datetime.now(UTC) + KEPT)}
        return self._put(item, revision)

    def members(self, group: str) -> Sequence[str]:
        """Return the fingerprints of a group's alerts, as they are at this moment."""
        found = self._query(
            ConsistentRead=True,
            KeyConditionExpression="pk = :group AND begins_with(sk, :member)",
            ExpressionAttributeValues={":group": {"S": f"GROUP#{group}"}, ":member": {"S": "MEMBER#"}},
            ProjectionExpression="sk",
        )
        return [item["sk"]["S"].removeprefix("MEMBER#") for item in found]

    def join(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Add alerts to groups."""
        self._write({"PutRequest": {"Item": _member(*pair)}} for pair in dict.fromkeys(pairs))

    def leave(self, group: str, fingerprints: Iterable[str]) -> None:
        """Remove alerts from a group."""
        self._write({"DeleteRequest": {"Key": _member(group, each)}} for each in dict.fromkeys(fingerprints))

    def due_groups(self, now: datetime, limit: int) -> Sequence[str]:
        """Return groups that are to be looked at, the longest overdue first."""
        found: list[tuple[str, str]] = []
        for shard in range(LIST_SHARDS):
            items = self._query(
                IndexName=LISTS_INDEX,
                KeyConditionExpression="#list = :shard AND list_at <= :now",
                ExpressionAttributeNames={"#list": "list"},
                ExpressionAttributeValues={":shard": {"S": f"DUE#{shard}"}, ":now": {"S": f"{_stamp(now)}~"}},
            )
            found += [(item["list_at"]["S"], item["pk"]["S"].removeprefix("GROUP#")) for item in islice(items, limit)]
        return [group for _, group in sorted(found)[:limit]]

    # --- silences ---

    def silences(self) -> Sequence[Silence]:
        """Return all silences that have not ended long ago."""
        found = self._query(
            ConsistentRead=True,
            KeyConditionExpression="pk = :all",
            ExpressionAttributeValues={":all": {"S": "SILENCES"}},
        )
        return [Silence.model_validate_json(_body(item)) for item in found]

    def save_silence(self, silence: Silence) -> None:
        """Keep a silence; one with the same id is replaced."""
        item = {
            **_key("SILENCES", silence.id),
            "body": _packed(silence.model_dump_json()),
            **_forgotten(silence.ends_at + KEPT),
        }
        with calling("keeping a silence"):
            self._client.put_item(TableName=self._table, Item=item)

    # --- DynamoDB ---

    def _latest(self, name: str, limit: int) -> list[Item]:
        found: list[Item] = []
        for shard in range(LIST_SHARDS):
            items = self._query(
                IndexName=LISTS_INDEX,
                KeyConditionExpression="#list = :shard",
                ExpressionAttributeNames={"#list": "list"},
                ExpressionAttributeValues={":shard": {"S": f"{name}#{shard}"}},
                ScanIndexForward=False,
            )
            found += islice(items, limit)
        return sorted(found, key=lambda item: str(item["list_at"]["S"]), reverse=True)[:limit]

    def _put(self, item: Item, revision: int) -> bool:
        return self._put_one(self._conditional(item, revision))

    def _conditional(self, item: Item, revision: int) -> Item:
        request: Item = {"TableName": self._table, "Item": {**item, "revision": {"N": str(revision + 1)}}}
        if revision:
            request["ConditionExpression"] = "revision = :read"
            request["ExpressionAttributeValues"] = {":read": {"N": str(revision)}}
        else:
            request["ConditionExpression"] = "attribute_not_exists(pk)"
        return request

    def _put_one(self, request: Item) -> bool:
        try:
            with calling("keeping an alert"):
                self._client.put_item(**request)
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def _put_all(self, requests: Sequence[Item]) -> bool:
        try:
            with calling("keeping alerts"):
                self._client.transact_write_items(TransactItems=[{"Put": request} for request in requests])
        except ClientError as error:
            if error_code(error) == "TransactionCanceledException":
                return False
            raise
        return True

    def _read(self, keys: Sequence[Item]) -> Iterator[Item]:
        for start in range(0, len(keys), _KEYS_PER_READ):
            left = list(keys[start : start + _KEYS_PER_READ])
            for _ in range(_ATTEMPTS):
                with calling("reading alerts"):
                    answer = self._client.batch_get_item(
                        RequestItems={self._table: {"Keys": left, "ConsistentRead": True}}
                    )
                yield from answer["Responses"].get(self._table, ())
                left = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
                if not left:
                    break
            else:
                raise UnavailableError("reading alerts: DynamoDB did not read all of them")

    def _write(self, writes: Iterable[Item]) -> None:
        rest = iter(writes)
        while left := list(islice(rest, _WRITES_PER_CALL)):
            for _ in range(_ATTEMPTS):
                with calling("changing a group"):
                    answer = self._client.batch_write_item(RequestItems={self._table: left})
                left = answer.get("UnprocessedItems", {}).get(self._table, [])
                if not left:
                    break
            else:
                raise UnavailableError("changing a group: DynamoDB did not take all of it")

    def _query(self, **request: Any) -> Iterator[Item]:
        while True:
            with calling("reading alerts"):
                answer = self._client.query(TableName=self._table, **request)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _key(pk: str, sk: str) -> Item:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _member(group: str, fingerprint: str) -> Item:
    return _key(f"GROUP#{group}", f"MEMBER#{fingerprint}")


def _record_item(write: RecordWrite) -> Item:
    name = write.record.fingerprint
    item: Item = {**_key(f"ALERT#{name}", "ALERT"), "body": _packed(write.record.model_dump_json())}
    if write.open_since is not None:
        item |= _listed("OPEN", name, write.open_since)
    else:
        item |= _forgotten(datetime.now(UTC) + KEPT)
    if write.inhibits:
        item["inhibits"] = {"S": "INHIBITS"}
    return item


def _parts(requests: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Cut requests into what one transaction takes."""
    part: list[Item] = []
    size = 0
    for request in requests:
        (body,) = request["Item"]["body"].values()
        if part and (len(part) == _PUTS_PER_TRANSACTION or size + len(body) > _BYTES_PER_TRANSACTION):
            yield part
            part, size = [], 0
        part.append(request)
        size += len(body)
    if part:
        yield part


def _listed(name: str, identifier: str, at: datetime) -> Item:
    shard = int(identifier[:4], 16) % LIST_SHARDS
    return {"list": {"S": f"{name}#{shard}"}, "list_at": {"S": f"{_stamp(at)}#{identifier}"}}


def _forgotten(at: datetime) -> Item:
    return {"forgotten_at": {"N": str(math.ceil(at.timestamp()))}}


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _packed(text: str) -> Item:
    body = text.encode()
    return {"S": text} if len(body) < _COMPRESS_FROM_BYTES else {"B": lzma.compress(body, preset=_PRESET)}


def _body(item: Mapping[str, Any]) -> str:
    value = item["body"]
    return str(value["S"]) if "S" in value else lzma.decompress(value["B"]).decode()
