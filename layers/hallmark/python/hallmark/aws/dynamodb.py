"""The lineage table: facts, the graph they make, and the log of them (layout: ``docs/architecture.md``)."""

from __future__ import annotations

import zlib
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from heapq import merge
from time import monotonic
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from hallmark.aws.clients import DYNAMODB_SECONDS
from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.lineage.model import CanonicalFact, Edge, Fact, NodeState, RecordedFact, canonical_fact
from hallmark.lineage.ports import RecordedEdge, RecordedState

LOG_SHARDS = 4
"""A partition of the log takes 1,000 writes a second (DynamoDB developer guide, partition key design)."""
LOG_OVERLAP = timedelta(seconds=60)
"""A fact whose transaction took long stands before later ones: readers look back this far."""

_COMMIT_SECONDS = LOG_OVERLAP.total_seconds() - DYNAMODB_SECONDS - 10
"""No attempt begins later than this after the fact got its time; ten seconds are left for the index to follow."""
_ATTEMPTS = 6
_TRANSACTION_ITEMS = 100
_TRANSACTION_BYTES = 3_500_000
"""A transaction has 100 items and 4 MB at most (DynamoDB quotas)."""
_BODY_BYTES = 350 * 1024
"""An item has 400 KB at most (DynamoDB quotas); keys and the other attributes need the rest."""
_KEY_BYTES = 2048
"""A partition key, also that of an index (DynamoDB quotas)."""
_LONGEST_LETTER = 4
"""Bytes of a letter in UTF-8, at most."""
_COMPRESS_FROM_BYTES = 64 * 1024
_FASTEST, _SMALLEST = 1, 9
"""Levels of zlib; facts that the first one makes small enough take half of the time that zlib's own choice takes."""
_READ_KEYS = 100
"""BatchGetItem reads 100 items at most (DynamoDB API reference)."""
_REMEMBERED_KEYS = 20_000
_PASSING_REASONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})

_FIRST_STATE_WINS = "SET body = if_not_exists(body, :body), recorded_at = if_not_exists(recorded_at, :when)"
_FIRST_EDGE_WINS = f"{_FIRST_STATE_WINS}, target = if_not_exists(target, :target)"

Item = dict[str, Any]


class _Key(NamedTuple):
    pk: str
    sk: str

    @property
    def item(self) -> Item:
        return {"pk": {"S": self.pk}, "sk": {"S": self.sk}}


class _Packed(NamedTuple):
    """A body as an attribute, and how many bytes it has."""

    value: Item
    size: int


class _Write(NamedTuple):
    """One write of a transaction, and about how many bytes it is."""

    request: Item
    size: int


class DynamoLineageTable:
    """FactStore, FactLog and NodeReader over one table.

    Nothing in the table is ever changed or removed, so what was seen there once need not be written again: an instance
    remembers keys. That saves writes, and keeps transactions from waiting for each other at the image, the code and
    the data that a hundred jobs have in common.
    """

    def __init__(self, table_name: str, client: Any) -> None:
        self._table = table_name
        self._client = client
        self._seen: set[_Key] = set()

    # --- FactStore ---

    def add(self, fact: Fact, recorded_at: datetime) -> bool:
        """Add a fact with its states and edges in one transaction; tell whether it was new.

        What does not fit one transaction goes ahead in others; the fact comes last, so it is never there without them.

        Raises:
            InvalidInputError: The fact does not fit the table, even compressed.
            UnavailableError: DynamoDB did not take it now.
        """
        content = canonical_fact(fact)
        fact_key = _fact_key(content.id)
        if fact_key in self._seen:
            return False
        begun, when = monotonic(), _stamp(recorded_at)
        parts = self._parts(fact, when)
        *earlier, last = _transactions(parts)
        for transaction in earlier:
            self._transact(transaction, begun, fact, fact_key)
        last[fact_key] = self._put_fact(fact_key, fact, content, when)
        new = self._transact(last, begun, fact, fact_key)
        if len(self._seen) > _REMEMBERED_KEYS:
            self._seen.clear()
        self._seen.update(parts, (fact_key,))
        return new

    def contains(self, fact_ids: Sequence[str]) -> frozenset[str]:
        """Return which of these facts are recorded."""
        found = self._present([_fact_key(fact_id) for fact_id in dict.fromkeys(fact_ids)])
        return frozenset(key.pk.removeprefix("FACT#") for key in found)

    def fact(self, fact_id: str) -> RecordedFact | None:
        """Return one fact; None for an unknown id."""
        with calling("reading a fact"):
            answer = self._client.get_item(TableName=self._table, Key=_fact_key(fact_id).item, ConsistentRead=True)
        return recorded_fact(answer["Item"]) if "Item" in answer else None

    # --- FactLog ---

    def since(self, recorded_after: datetime | None) -> Iterator[RecordedFact]:
        """Yield the facts recorded after a time, in that order; those of the last minute before it come again."""
        start = "0" if recorded_after is None else _stamp(recorded_after - LOG_OVERLAP)
        shards = [self._log_shard(shard, start) for shard in range(LOG_SHARDS)]
        for item in merge(*shards, key=lambda item: str(item["log_at"]["S"])):
            yield recorded_fact(item)

    def _log_shard(self, shard: int, start: str) -> Iterator[Item]:
        return self._query(
            IndexName="log",
            KeyConditionExpression="log_shard = :shard AND log_at >= :start",
            ExpressionAttributeValues={":shard": {"S": f"LOG#{shard}"}, ":start": {"S": start}},
        )

    # --- NodeReader ---

    def states(self, node_id: str) -> Sequence[RecordedState]:
        """Return all states of a node id, of every incarnation."""
        return [
            RecordedState(NodeState.model_validate_json(_body(item)), _time(item))
            for item in self._node_items(node_id, "STATE#")
        ]

    def edges_from(self, node_id: str) -> Sequence[RecordedEdge]:
        """Return the edges that leave a node id."""
        return [_recorded_edge(item) for item in self._node_items(node_id, "EDGE#")]

    def edges_to(self, node_id: str) -> Sequence[RecordedEdge]:
        """Return the edges that reach a node id."""
        found = self._query(
            IndexName="reverse",
            KeyConditionExpression="target = :target",
            ExpressionAttributeValues={":target": {"S": f"NODE#{node_id}"}},
        )
        return [_recorded_edge(item) for item in found]

    def _node_items(self, node_id: str, prefix: str) -> Iterator[Item]:
        return self._query(
            ConsistentRead=True,
            KeyConditionExpression="pk = :node AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":node": {"S": f"NODE#{node_id}"}, ":prefix": {"S": prefix}},
        )

    def _query(self, **request: Any) -> Iterator[Item]:
        while True:
            with calling("reading lineage"):
                answer = self._client.query(TableName=self._table, **request)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _present(self, keys: Sequence[_Key]) -> set[_Key]:
        """Return which of these keys are in the table."""
        found: set[_Key] = set()
        for start in range(0, len(keys), _READ_KEYS):
            left = [key.item for key in keys[start : start + _READ_KEYS]]
            while left:
                request = {self._table: {"Keys": left, "ProjectionExpression": "pk, sk", "ConsistentRead": True}}
                with calling("reading facts"):
                    answer = self._client.batch_get_item(RequestItems=request)
                found |= {_Key(item["pk"]["S"], item["sk"]["S"]) for item in answer["Responses"].get(self._table, ())}
                unread = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
                if len(unread) == len(left):
                    raise UnavailableError("reading facts: DynamoDB read none of them")
                left = unread
        return found

    # --- writing ---

    def _transact(self, writes: Mapping[_Key, _Write], begun: float, fact: Fact, fact_key: _Key) -> bool:
        """Write all or nothing; False where the fact is there already.

        Where other transactions are in the way, what they have written meanwhile is left out of the next attempt.
        """
        left = dict(writes)
        for _ in range(_ATTEMPTS):
            try:
                with calling("recording a fact"):
                    self._client.transact_write_items(TransactItems=[write.request for write in left.values()])
            except ClientError as error:
                reasons = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons", ())}
                if "ConditionalCheckFailed" in reasons:
                    return False
                if error_code(error) == "ValidationException" or "ValidationError" in reasons:
                    raise InvalidInputError(
                        fact.subject.key, describe_error(error), "the table cannot hold this fact; shorten its event"
                    ) from error
                if not reasons & _PASSING_REASONS:
                    raise
                if monotonic() - begun > _COMMIT_SECONDS:
                    break
            else:
                return True
            present = self._present(list(left))
            if fact_key in present:
                return False
            left = {key: write for key, write in left.items() if key not in present}
            if not left:
                return True
        raise UnavailableError("recording a fact: other transactions were in the way each time")

    def _parts(self, fact: Fact, when: str) -> dict[_Key, _Write]:
        """Return the writes of the states and edges that were not seen; what a fact says twice is written once."""
        parts: dict[_Key, _Write] = {}
        for state in fact.states:
            key = _Key(_node_key(state.node.id), f"STATE#{state.digest}")
            if key not in self._seen:
                parts[key] = self._first_one_wins(key, state.canonical, when, fact)
        for edge in fact.edges:
            key = _Key(_node_key(edge.source.id), f"EDGE#{edge.digest}")
            if key not in self._seen:
                parts[key] = self._first_one_wins(key, edge.canonical, when, fact, _node_key(edge.target.id))
        return parts

    def _first_one_wins(self, key: _Key, body: bytes, when: str, fact: Fact, target: str | None = None) -> _Write:
        packed = _packed(body, fact)
        values: Item = {":body": packed.value, ":when": {"S": when}}
        if target is not None:
            values[":target"] = {"S": target}
        update = {
            "TableName": self._table,
            "Key": key.item,
            "UpdateExpression": _FIRST_STATE_WINS if target is None else _FIRST_EDGE_WINS,
            "ExpressionAttributeValues": values,
        }
        return _Write({"Update": update}, packed.size)

    def _put_fact(self, key: _Key, fact: Fact, content: CanonicalFact, when: str) -> _Write:
        packed = _packed(content.body, fact)
        item = {
            **key.item,
            "body": packed.value,
            "recorded_at": {"S": when},
            "log_shard": {"S": f"LOG#{int(content.id[:4], 16) % LOG_SHARDS}"},
            "log_at": {"S": f"{when}#{content.id}"},
        }
        put = {"TableName": self._table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
        return _Write({"Put": put}, packed.size)


def recorded_fact(item: Mapping[str, Any]) -> RecordedFact:
    """Read a fact from an item, as the table or its stream gives it.

    Raises:
        InvalidInputError: The item is no fact.
    """
    try:
        return RecordedFact(fact=Fact.model_validate_json(_body(item)), recorded_at=_time(item))
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        shown = item.get("pk") if isinstance(item, Mapping) else item
        raise InvalidInputError(
            "the item", shown, f"it holds no fact ({error}); restore the table from a backup"
        ) from error


def _recorded_edge(item: Item) -> RecordedEdge:
    return RecordedEdge(Edge.model_validate_json(_body(item)), _time(item))


def _fact_key(fact_id: str) -> _Key:
    return _Key(f"FACT#{fact_id}", "FACT")


def _node_key(node_id: str) -> str:
    key = f"NODE#{node_id}"
    if len(key) > _KEY_BYTES // _LONGEST_LETTER and len(key.encode()) > _KEY_BYTES:
        raise InvalidInputError("the id of a node", node_id, f"it has {_KEY_BYTES - 5:,} bytes at most; shorten it")
    return key


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _time(item: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(item["recorded_at"]["S"])


def _packed(body: bytes, fact: Fact) -> _Packed:
    if len(body) < _COMPRESS_FROM_BYTES:
        return _Packed({"S": body.decode()}, len(body))
    packed = zlib.compress(body, _FASTEST)
    if len(packed) > _BODY_BYTES:
        packed = zlib.compress(body, _SMALLEST)
    if len(packed) > _BODY_BYTES:
        raise InvalidInputError(
            fact.subject.key,
            f"{len(packed):,} bytes",
            f"a fact has {_BODY_BYTES:,} bytes at most when compressed; shorten its event",
        )
    return _Packed({"B": packed}, len(packed))


def _body(item: Mapping[str, Any]) -> str | bytes:
    body = item["body"]
    if "S" in body:
        return str(body["S"])
    # A stream's records come to Lambda as JSON, in which bytes are base64 (Lambda developer guide, DynamoDB events).
    packed = body["B"]
    return zlib.decompress(b64decode(packed, validate=True) if isinstance(packed, str) else packed)


def _transactions(writes: Mapping[_Key, _Write]) -> list[dict[_Key, _Write]]:
    """Split into transactions; the last one leaves room for the fact."""
    transactions: list[dict[_Key, _Write]] = [{}]
    size = 0
    for key, write in writes.items():
        if len(transactions[-1]) == _TRANSACTION_ITEMS - 1 or size + write.size > _TRANSACTION_BYTES - _BODY_BYTES:
            transactions.append({})
            size = 0
        transactions[-1][key] = write
        size += write.size
    return transactions
