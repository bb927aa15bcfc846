"""What monitors remember, in DynamoDB: how they stand, what came of each look, which pipelines they started, scores."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.drift.following import MonitorState
from hallmark.drift.ports import Look
from hallmark.drift.retraining import Ledger
from hallmark.errors import UnavailableError

_SCORES_KEPT = timedelta(days=400)
_OVERTAKEN = frozenset({"ConditionalCheckFailed", "TransactionConflict"})
_PASSING = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})


class DynamoMemory:
    """Memory, and the ledgers of pipelines: one item each, written on condition of its version."""

    def __init__(self, table_name: str, client: Any) -> None:
        self._table = table_name
        self._client = client

    def state(self, monitor: str) -> tuple[MonitorState, int]:
        """Return the state of a monitor and its version; the first state and 0 where there is none."""
        item = self._get(_state_key(monitor))
        if item is None:
            return MonitorState(), 0
        return MonitorState.model_validate_json(item["body"]["S"]), int(item["version"]["N"])

    def look(self, monitor: str, end: datetime) -> Look | None:
        """Return what came of the look at the window that ends then; None where there was none."""
        item = self._get(_look_key(monitor, end))
        return _look(item) if item is not None else None

    def looks(self, monitor: str, limit: int, before: datetime | None = None) -> Sequence[Look]:
        """Return looks, the latest first, at windows that end before a time."""
        values = {":pk": {"S": _pk(monitor)}, ":low": {"S": "LOOK#"}, ":high": {"S": "LOOK$"}}
        if before is not None:
            values[":high"] = {"S": f"LOOK#{_stamp(before - timedelta(microseconds=1))}"}
        with calling("reading looks"):
            page = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :low AND :high",
                ExpressionAttributeValues=values,
                ScanIndexForward=False,
                Limit=limit,
                ConsistentRead=True,
            )
        return [_look(item) for item in page["Items"]]

    def remember(self, look: Look | None, state: MonitorState, monitor: str, version: int) -> None:
        """Keep a look and the state after it, both or none.

        Raises:
            UnavailableError: Another look of the monitor came between, or DynamoDB did not answer.
        """
        puts = [self._versioned(_state_key(monitor), state.model_dump_json(), version)]
        if look is not None:
            item = {**_look_key(monitor, look.end), "body": {"S": json.dumps(look._asdict(), default=_stamp_of)}}
            puts.append({"Put": {"TableName": self._table, "Item": item}})
        self._transact(puts, f"another look of {monitor} came between")

    def read(self, pipeline: str) -> tuple[Ledger, int]:
        """Return the starts of a pipeline, and the version of what says so."""
        item = self._get(_pipeline_key(pipeline))
        if item is None:
            return Ledger(), 0
        return Ledger.model_validate_json(item["body"]["S"]), int(item["version"]["N"])

    def write(self, pipeline: str, ledger: Ledger, version: int) -> None:
        """Keep the starts of a pipeline.

        Raises:
            UnavailableError: Another start came between, or DynamoDB did not answer.
        """
        put = self._versioned(_pipeline_key(pipeline), ledger.model_dump_json(), version)
        self._transact([put], f"another start of {pipeline} came between")

    def _versioned(self, key: dict[str, Any], body: str, version: int) -> dict[str, Any]:
        condition = {"ConditionExpression": "attribute_not_exists(pk)"}
        if version:
            condition = {
                "ConditionExpression": "version = :version",
                "ExpressionAttributeValues": {":version": {"N": str(version)}},  # type: ignore[dict-item]
            }
        item = {**key, "body": {"S": body}, "version": {"N": str(version + 1)}}
        return {"Put": {"TableName": self._table, "Item": item, **condition}}

    def _transact(self, items: list[dict[str, Any]], overtaken: str) -> None:
        try:
            with calling("remembering"):
                self._client.transact_write_items(TransactItems=items)
        except ClientError as error:
            reasons = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons", ())}
            if reasons & _OVERTAKEN:
                raise UnavailableError(f"{overtaken}: try again") from error
            if reasons & _PASSING:
                raise UnavailableError(f"remembering: {describe_error(error)}") from error
            raise

    def _get(self, key: dict[str, Any]) -> dict[str, Any] | None:
        with calling("reading what is remembered"):
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        item: dict[str, Any] | None = answer.get("Item")
        return item


class DynamoScores:
    """Scores of people and of feedback, by what they are about and by time."""

    def __init__(self, table_name: str, client: Any) -> None:
        self._table = table_name
        self._client = client

    def add(self, subject: str, identifier: str, at: datetime, score: float) -> bool:
        """Keep a score; tell whether it was new."""
        item = {
            "pk": {"S": f"SCORES#{subject}"},
            "sk": {"S": f"{_stamp(at)}#{identifier}"},
            "score": {"N": str(Decimal(repr(score)))},
            "expires_at": {"N": str(int((at + _SCORES_KEPT).timestamp()))},
        }
        try:
            with calling("keeping a score"):
                self._client.put_item(TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)")
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def between(self, subject: str, start: datetime, end: datetime) -> Iterable[Mapping[str, Any]]:
        """Yield the scores of an interval, as records with ``at``, ``id`` and ``score``."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :start AND :end",
            "ExpressionAttributeValues": {
                ":pk": {"S": f"SCORES#{subject}"},
                ":start": {"S": _stamp(start)},
                ":end": {"S": _stamp(end)},
            },
        }
        while True:
            with calling("reading scores"):
                page = self._client.query(**request)
            for item in page["Items"]:
                at, _, identifier = item["sk"]["S"].partition("#")
                yield {"at": at, "id": identifier, "score": float(item["score"]["N"])}
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _look(item: Mapping[str, Any]) -> Look:
    body = json.loads(item["body"]["S"])
    times = {name: datetime.fromisoformat(body[name]) for name in ("start", "end", "at")}
    return Look(**{**body, **times, "tells": tuple(body["tells"])})


def _pk(monitor: str) -> str:
    return f"MONITOR#{monitor}"


def _state_key(monitor: str) -> dict[str, Any]:
    return {"pk": {"S": _pk(monitor)}, "sk": {"S": "STATE"}}


def _look_key(monitor: str, end: datetime) -> dict[str, Any]:
    return {"pk": {"S": _pk(monitor)}, "sk": {"S": f"LOOK#{_stamp(end)}"}}


def _pipeline_key(pipeline: str) -> dict[str, Any]:
    return {"pk": {"S": f"PIPELINE#{pipeline}"}, "sk": {"S": "STARTS"}}


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _stamp_of(value: object) -> str:
    if isinstance(value, datetime):
        return _stamp(value)
    raise TypeError(f"{value!r} is no time")
