"""Requests and verdicts in DynamoDB (layout: ``docs/gates.md``)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, error_code
from hallmark.errors import NotFoundError
from hallmark.events.records import own_id
from hallmark.gates.requests import GateRequest
from hallmark.gates.verdicts import RequestState, Verdict

LISTING_INDEX = "listing"
MODEL_INDEX = "model"
_VERDICTS = "verdicts"
_PREFIX = own_id("verdict", "")


class DynamoVerdicts:
    """VerdictStore and Listing over one table."""

    def __init__(self, table_name: str, client: Any) -> None:
        self._table, self._client = table_name, client

    def add(self, verdict: Verdict) -> Verdict:
        """Keep a verdict unless its request has one; return the one that is kept."""
        digest = verdict.request.digest
        item = {
            **_key("VERDICT", digest),
            "listed": {"S": _VERDICTS},
            "listed_at": {"S": _stamp(verdict.decided_at)},
            # Lineage and SageMaker spell names in ARNs in different cases.
            "model": {"S": (verdict.package or verdict.request.model).lower()},
            "gate": {"S": verdict.request.gate},
            "outcome": {"S": verdict.outcome},
            "document": {"S": verdict.model_dump_json()},
        }
        try:
            with calling("keeping a verdict"):
                self._client.put_item(TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)")
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            return self.verdict(verdict.id)
        self.note(
            RequestState(
                request=digest,
                status="decided",
                gate=verdict.request.gate,
                model=verdict.request.model,
                verdict=verdict.id,
                since=verdict.decided_at,
            )
        )
        return verdict

    def find(self, request: GateRequest) -> Verdict | None:
        """Return the verdict of a request; None where it has none yet."""
        document = self._document(_key("VERDICT", request.digest))
        return None if document is None else Verdict.model_validate_json(document)

    def note(self, state: RequestState) -> None:
        """Keep how a request stands; one that is decided stays so."""
        item = {
            **_key("REQUEST", state.request),
            "status": {"S": state.status},
            "document": {"S": state.model_dump_json()},
        }
        try:
            with calling("keeping a request"):
                self._client.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(pk) OR #status <> :decided",
                    ExpressionAttributeNames={"#status": "status"},
                    ExpressionAttributeValues={":decided": {"S": "decided"}},
                )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise

    def latest(self, limit: int, model: str | None = None) -> list[Verdict]:
        """Return verdicts, the latest first: all, or those of a model."""
        index, name, value = (
            (LISTING_INDEX, "listed", _VERDICTS) if model is None else (MODEL_INDEX, "model", model.lower())
        )
        request: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": index,
            "KeyConditionExpression": "#name = :value",
            "ExpressionAttributeNames": {"#name": name},
            "ExpressionAttributeValues": {":value": {"S": value}},
            "ScanIndexForward": False,
        }
        documents = (item["document"]["S"] for item in self._pages(request) if item["pk"]["S"].startswith("VERDICT#"))
        return [Verdict.model_validate_json(document) for document in islice(documents, limit)]

    def verdict(self, verdict: str) -> Verdict:
        """Return a verdict by its id, or by the end of it.

        Raises:
            NotFoundError: There is none.
        """
        document = self._document(_key("VERDICT", verdict.removeprefix(_PREFIX)))
        if document is None:
            raise NotFoundError(f"there is no verdict {verdict!r}: `hallmark gate verdicts` lists them")
        return Verdict.model_validate_json(document)

    def state(self, request: str) -> RequestState | None:
        """Return how a request stands; None where nothing is known of it yet."""
        document = self._document(_key("REQUEST", request))
        return None if document is None else RequestState.model_validate_json(document)

    def _document(self, key: dict[str, Any]) -> str | None:
        with calling("reading a verdict"):
            item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else str(item["document"]["S"])

    def _pages(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        while True:
            with calling("listing verdicts"):
                page = self._client.query(**request)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            request = {**request, "ExclusiveStartKey": page["LastEvaluatedKey"]}


def _key(kind: str, name: str) -> dict[str, Any]:
    return {"pk": {"S": f"{kind}#{name}"}, "sk": {"S": kind}}


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
