"""Verdicts as they were told on the bus, in the gates' table: what is acted on, and whether a newer one decides."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, error_code
from hallmark.errors import NotFoundError
from hallmark.events.gates import QualityGateDecided
from hallmark.gates.promoting import Order


class GateVerdicts:
    """The verdicts that were followed.

    Args:
        table: Name of the gates' table.
        client: Of DynamoDB.
    """

    def __init__(self, table: str, client: Any) -> None:
        self._table = table
        self._client = client

    def keep(self, verdict: QualityGateDecided) -> None:
        """Keep a verdict; a repeat changes nothing.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        place = {"pk": {"S": _timeline(verdict.gate, verdict.model)}, "sk": {"S": _moment(verdict)}}
        body = {"pk": {"S": f"told#{verdict.verdict}"}, "sk": {"S": "verdict"}, "body": {"S": _json(verdict)}}
        for item in (body, place | {"verdict": {"S": verdict.verdict}, "outcome": {"S": verdict.outcome}}):
            try:
                with calling("keeping a verdict"):
                    self._client.put_item(
                        TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)"
                    )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise

    def find(self, verdict: str) -> QualityGateDecided:
        """Return a verdict.

        Raises:
            NotFoundError: None of this id was told.
            UnavailableError: DynamoDB did not answer.
        """
        with calling("reading a verdict"):
            answer = self._client.get_item(
                TableName=self._table,
                Key={"pk": {"S": f"told#{verdict}"}, "sk": {"S": "verdict"}},
                ConsistentRead=True,
            )
        if "Item" not in answer:
            raise NotFoundError(f"there is no verdict {verdict}: see `hallmark gate verdicts`")
        return QualityGateDecided.model_validate_json(answer["Item"]["body"]["S"])

    def newer(self, order: Order) -> str | None:
        """Return a later verdict of the same gate on the same model than the one that an order rests on.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        verdict = self.find(order.verdict)
        with calling("looking for newer verdicts"):
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk > :sk",
                ExpressionAttributeValues={
                    ":pk": {"S": _timeline(verdict.gate, verdict.model)},
                    ":sk": {"S": _moment(verdict)},
                },
                ConsistentRead=True,
                ScanIndexForward=False,
                Limit=1,
            )
        return next((str(item["verdict"]["S"]) for item in answer["Items"]), None)


def _timeline(gate: str, model: str) -> str:
    return f"judged#{gate}#{model.lower()}"


def _moment(verdict: QualityGateDecided) -> str:
    # Verdicts of one moment have an order, too.
    return f"{verdict.decided_at:%Y-%m-%dT%H:%M:%S.%f}#{verdict.verdict}"


def _json(verdict: QualityGateDecided) -> str:
    return verdict.model_dump_json(by_alias=True, exclude_none=True)
