"""The lineage table: facts, the graph they make, and the log of them (layout: ``docs/architecture.md``)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from heapq import merge
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.lineage.model import Edge, Fact, NodeState, RecordedFact, canonical_digest, canonical_json
from hallmark.lineage.ports import RecordedEdge, RecordedState

LOG_SHARDS = 4
"""A partition of the log takes 1,000 writes a second (DynamoDB developer guide, partition key design)."""
LOG_OVERLAP = timedelta(seconds=60)
"""A fact whose transaction took long stands before later ones: readers look back this far."""

_TRANSACTION_ITEMS = 100
_TRANSACTION_BYTES = 3_500_000
_ITEM_BYTES = 380_000
"""An item has 400 KB at most (DynamoDB quotas); keys and the other attributes need the rest."""
_COMPRESS_FROM_BYTES = 64 * 1024
_CONFLICT_ATTEMPTS = 4

Item = dict[str, Any]


class DynamoLineageTable:
    """FactStore, FactLog and NodeReader over one table."""

    def __init__(self, table_name: str, client: Any) -> None:
        self._table = table_name
        self._client = client

    # --- FactStore ---

    def add(self, fact: Fact, recorded_at: datetime) -> bool:
        """Add a fact with its states and edges in one transaction; tell whether it was new.

        Raises:
            InvalidInputError: The fact does not fit an item, even compressed.
            UnavailableError: DynamoDB did not take it now.
        """
        when = _stamp(recorded_at)
        parts = [*(self._state_item(state, when) for state in fact.states)]
        parts += [self._edge_item(edge, when) for edge in fact.edges]
        *earlier, last = _chunks(parts)
        for chunk in earlier:
            self._transact(chunk)
        return self._transact([*last, self._fact_item(fact, when)])

    def contains(self, fact_ids: Sequence[str]) -> frozenset[str]:
        """Return which of these facts are recorded."""
        found = set()
        for start in range(0, len(fact_ids), _TRANSACTION_ITEMS):
            keys = [_fact_key(fact_id) for fact_id in dict.fromkeys(fact_ids[start : start + _TRANSACTION_ITEMS])]
            request = {self._table: {"Keys": keys, "ProjectionExpression": "pk"}}
            while request:
                with calling("reading facts"):
                    answer = self._client.batch_get_item(RequestItems=request)
                found |= {item["pk"]["S"].removeprefix("FACT#") for item in answer["Responses"].get(self._table, [])}
                request = answer.get("UnprocessedKeys") or {}
        return frozenset(found)

    def fact(self, fact_id: str) -> RecordedFact | None:
        """Return one fact; None for an unknown id."""
        with calling("reading a fact"):
            answer = self._client.get_item(TableName=self._table, Key=_fact_key(fact_id), ConsistentRead=True)
        return recorded_fact(answer["Item"]) if "Item" in answer else None

    # --- FactLog ---

    def since(self, recorded_after: datetime | None) -> Iterator[RecordedFact]:
        """Yield the facts recorded after a time, in that order; those of the last minute before it come again."""
        start = "" if recorded_after is None else _stamp(recorded_after - LOG_OVERLAP)
        shards = [self._log_shard(shard, start) for shard in range(LOG_SHARDS)]
        for item in merge(*shards, key=lambda item: str(item["log_at"]["S"])):
            yield recorded_fact(item)

    def _log_shard(self, shard: int, start: str) -> Iterator[Item]:
        return self._query(
            IndexName="log",
            KeyConditionExpression="log_shard = :shard AND log_at >= :start",
            ExpressionAttributeValues={":shard": {"S": f"LOG#{shard}"}, ":start": {"S": start or "0"}},
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

    # --- writing ---

    def _transact(self, items: Sequence[Item]) -> bool:
        """Write items all or nothing; False where the condition of one of them says that it is there already."""
        for attempt in range(_CONFLICT_ATTEMPTS):
            try:
                with calling("recording a fact"):
                    self._client.transact_write_items(TransactItems=list(items))
            except ClientError as error:
                reasons = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])}
                if "ConditionalCheckFailed" in reasons:
                    return False
                if reasons & {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}:
                    if attempt + 1 < _CONFLICT_ATTEMPTS:
                        continue
                    raise UnavailableError(f"recording a fact: {describe_error(error)}") from error
                raise
            return True
        raise UnavailableError("recording a fact: other transactions were in the way each time")

    def _fact_item(self, fact: Fact, when: str) -> Item:
        shard = int(fact.id[:4], 16) % LOG_SHARDS
        item = {
            **_fact_key(fact.id),
            "body": _packed(canonical_json(fact.model_dump(mode="json")), fact.subject.key),
            "recorded_at": {"S": when},
            "log_shard": {"S": f"LOG#{shard}"},
            "log_at": {"S": f"{when}#{fact.id}"},
        }
        return {
            "Put": {"TableName": self._table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"},
        }

    def _state_item(self, state: NodeState, when: str) -> Item:
        key = _key(f"NODE#{state.node.id}", f"STATE#{state.digest}")
        return self._first_one_wins(key, canonical_json(state.model_dump(mode="json")), when, state.node.key)

    def _edge_item(self, edge: Edge, when: str) -> Item:
        content = edge.model_dump(mode="json")
        key = _key(f"NODE#{edge.source.id}", f"EDGE#{canonical_digest(content)}")
        target = f"NODE#{edge.target.id}"
        return self._first_one_wins(key, canonical_json(content), when, edge.source.key, target=target)

    def _first_one_wins(self, key: Item, body: bytes, when: str, subject: str, target: str | None = None) -> Item:
        assignments = "body = if_not_exists(body, :body), recorded_at = if_not_exists(recorded_at, :when)"
        values: Item = {":body": _packed(body, subject), ":when": {"S": when}}
        if target is not None:
            assignments += ", target = if_not_exists(target, :target)"
            values[":target"] = {"S": target}
        return {
            "Update": {
                "TableName": self._table,
                "Key": key,
                "UpdateExpression": f"SET {assignments}",
                "ExpressionAttributeValues": values,
            }
        }


def recorded_fact(item: Mapping[str, Any]) -> RecordedFact:
    """Read a fact from an item, as the table or its stream gives it."""
    return RecordedFact(fact=Fact.model_validate_json(_body(item)), recorded_at=_time(item))


def _recorded_edge(item: Item) -> RecordedEdge:
    return RecordedEdge(Edge.model_validate_json(_body(item)), _time(item))


def _key(partition: str, sort: str) -> Item:
    return {"pk": {"S": partition}, "sk": {"S": sort}}


def _fact_key(fact_id: str) -> Item:
    return _key(f"FACT#{fact_id}", "FACT")


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _time(item: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(item["recorded_at"]["S"])


def _packed(body: bytes, subject: str) -> Item:
    if len(body) < _COMPRESS_FROM_BYTES:
        return {"S": body.decode()}
    packed = zlib.compress(body)
    if len(packed) > _ITEM_BYTES:
        raise InvalidInputError(
            subject,
            f"{len(body):,} bytes",
            f"a fact has {_ITEM_BYTES:,} bytes at most when compressed; shorten its event",
        )
    return {"B": packed}


def _body(item: Mapping[str, Any]) -> str | bytes:
    body = item["body"]
    if "S" in body:
        return str(body["S"])
    packed = body["B"]
    return zlib.decompress(packed if isinstance(packed, bytes) else bytes(packed))


def _chunks(items: Sequence[Item]) -> list[list[Item]]:
    """Split into transactions; the last one leaves room for the fact."""
    chunks: list[list[Item]] = [[]]
    size = 0
    measure: Callable[[Item], int] = lambda item: len(json.dumps(item, default=lambda raw: "x" * len(raw)))  # noqa: E731
    for item in items:
        weight = measure(item) if len(items) > _TRANSACTION_ITEMS // 2 else 0
        if len(chunks[-1]) >= _TRANSACTION_ITEMS - 1 or size + weight > _TRANSACTION_BYTES - _ITEM_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(item)
        size += weight
    return chunks
