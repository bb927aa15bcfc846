"""Verdicts and overrides that are acted on: as the gates' own table holds them, whatever the bus was told.

Whoever may put events on the bus can tell a verdict; only the function that judges, and the one that takes a person's
word, can keep one.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, error_code
from hallmark.aws.gate_table import DynamoVerdicts
from hallmark.errors import NotFoundError
from hallmark.events.gates import GateOverridden, QualityGateDecided
from hallmark.gates.promoting import Order
from hallmark.gates.verdicts import decided_event


class GateVerdicts:
    """The verdicts that are followed.

    Args:
        table: Name of the gates' table.
        client: Of DynamoDB.
    """

    def __init__(self, table: str, client: Any) -> None:
        self._table = table
        self._client = client

    def find(self, verdict: str) -> QualityGateDecided:
        """Return a verdict that a gate gave.

        Raises:
            NotFoundError: None has this id.
            UnavailableError: DynamoDB did not answer.
        """
        return decided_event(DynamoVerdicts(self._table, self._client).verdict(verdict))

    def place(self, verdict: QualityGateDecided) -> None:
        """Note when a gate judged a model, so that older verdicts move nothing; a repeat changes nothing.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        self._add(
            {
                "pk": {"S": _timeline(verdict.gate, verdict.model)},
                "sk": {"S": _moment(verdict)},
                "verdict": {"S": verdict.verdict},
                "outcome": {"S": verdict.outcome},
            }
        )

    def keep_override(self, told: GateOverridden) -> GateOverridden:
        """Keep a person's word against a verdict, and return it; whoever was first stays the one whose word it is.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        override = told.lineage.node.id
        self._add({**_override_key(override), "body": {"S": told.model_dump_json(by_alias=True, exclude_none=True)}})
        return self.find_override(override)

    def find_override(self, override: str) -> GateOverridden:
        """Return an override that a person gave.

        Args:
            override: Id of its node in lineage.

        Raises:
            NotFoundError: None has this id.
            UnavailableError: DynamoDB did not answer.
        """
        with calling("reading an override"):
            answer = self._client.get_item(TableName=self._table, Key=_override_key(override), ConsistentRead=True)
        if "Item" not in answer:
            raise NotFoundError(f"there is no override {override}: `hallmark gate override` makes one")
        return GateOverridden.model_validate_json(answer["Item"]["body"]["S"])

    def _add(self, item: dict[str, Any]) -> None:
        try:
            with calling("keeping what is followed"):
                self._client.put_item(TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)")
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise

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


def _override_key(override: str) -> dict[str, Any]:
    return {"pk": {"S": f"override#{override}"}, "sk": {"S": "override"}}
