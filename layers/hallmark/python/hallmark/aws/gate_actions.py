"""What follows verdicts, in the gates' table: questions to people, rollbacks under way, champions of watches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.errors import NotFoundError, UnavailableError
from hallmark.gates.approvals import Approval
from hallmark.gates.curves import Curve, Point

LISTED_APPROVALS = "approvals"
LISTING_INDEX = "listing"


class Champion(NamedTuple):
    """The best completed job of a watch."""

    job: str
    final: float
    curve: Curve


class GateActionsTable:
    """The table, as what acts on verdicts uses it.

    Args:
        name: Its name.
        client: Of DynamoDB.
    """

    def __init__(self, name: str, client: Any) -> None:
        self._table = name
        self._client = client

    # --- approvals ----------------------------------------------------------------------------------------------------

    def ask(self, approval: Approval, token: str) -> bool:
        """Keep a question to a person with the token of the task that waits; a repeat renews the token alone.

        Returns:
            Whether it waits for an answer.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        item = {
            **_approval_key(approval.id),
            "listed": {"S": LISTED_APPROVALS},
            "listed_at": {"S": approval.asked_at.isoformat()},
            "model": {"S": approval.model},
            "approval_state": {"S": approval.state},
            "token": {"S": token},
            "body": {"S": approval.model_dump_json()},
        }
        if self._put("keeping an approval", item, "attribute_not_exists(pk)"):
            return True
        return self._changed(
            "renewing an approval",
            Key=_approval_key(approval.id),
            UpdateExpression="SET #token = :token",
            ConditionExpression="approval_state = :pending",
            ExpressionAttributeNames={"#token": "token"},
            ExpressionAttributeValues={":token": {"S": token}, ":pending": {"S": "pending"}},
        )

    def approval(self, approval_id: str) -> tuple[Approval, str]:
        """Return a question and the token of the task that waits for its answer.

        Raises:
            NotFoundError: There is none of this id.
            UnavailableError: DynamoDB did not answer.
        """
        item = self._get("reading an approval", _approval_key(approval_id))
        if item is None:
            raise NotFoundError(f"there is no approval {approval_id}: see `hallmark gate approvals`")
        return _approval_of(item), item["token"]["S"]

    def settle(self, approval: Approval) -> bool:
        """Record how a question was answered, unless it was answered before; tell whether this was the answer.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        return self._changed(
            "settling an approval",
            Key=_approval_key(approval.id),
            UpdateExpression="SET approval_state = :state, #body = :body",
            ConditionExpression="approval_state = :pending",
            ExpressionAttributeNames={"#body": "body"},
            ExpressionAttributeValues={
                ":state": {"S": approval.state},
                ":body": {"S": approval.model_dump_json()},
                ":pending": {"S": "pending"},
            },
        )

    def approvals(self, limit: int) -> list[Approval]:
        """Return the latest questions to people, the newest first.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        with calling("listing approvals"):
            answer = self._client.query(
                TableName=self._table,
                IndexName=LISTING_INDEX,
                KeyConditionExpression="listed = :listed",
                ExpressionAttributeValues={":listed": {"S": LISTED_APPROVALS}},
                ScanIndexForward=False,
                Limit=limit,
            )
        return [_approval_of(item) for item in answer["Items"]]

    # --- rollbacks ----------------------------------------------------------------------------------------------------

    def begin_rollback(self, endpoint: str, order: str, now: datetime, lasts: timedelta) -> bool:
        """Take an endpoint for one rollback; False where another one is under way. A repeat is the same rollback.

        Args:
            endpoint: ARN.
            order: Id of the rollback.
            now: The time.
            lasts: Time after which it counts as over, whatever became of it.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        item = {
            **_endpoint_key(endpoint),
            "rolling_back": {"S": order},
            "until": {"N": str(int((now + lasts).timestamp()))},
        }
        return self._put(
            "beginning a rollback",
            item,
            "attribute_not_exists(pk) OR rolling_back = :order OR #until < :now",
            ExpressionAttributeNames={"#until": "until"},
            ExpressionAttributeValues={":order": {"S": order}, ":now": {"N": str(int(now.timestamp()))}},
        )

    def end_rollback(self, endpoint: str, order: str) -> None:
        """Give an endpoint free again, if this rollback has it.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        try:
            with calling("ending a rollback"):
                self._client.delete_item(
                    TableName=self._table,
                    Key=_endpoint_key(endpoint),
                    ConditionExpression="rolling_back = :order",
                    ExpressionAttributeValues={":order": {"S": order}},
                )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise UnavailableError(f"ending a rollback: {describe_error(error)}") from error

    # --- training watches ---------------------------------------------------------------------------------------------

    def champion(self, watch: str) -> Champion | None:
        """Return the best completed job of a watch; None where there is none yet.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        item = self._get("reading a champion", _watch_key(watch))
        if item is None:
            return None
        curve = [Point(*point) for point in json.loads(item["curve"]["S"])]
        return Champion(item["job"]["S"], float(item["final_value"]["N"]), curve)

    def crown(self, watch: str, champion: Champion, better: str) -> bool:
        """Keep a completed job as the champion if it is better than the one that is; tell whether it is.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        item = {
            **_watch_key(watch),
            "job": {"S": champion.job},
            "final_value": {"N": repr(champion.final)},
            "curve": {"S": json.dumps(champion.curve)},
        }
        sign = ">" if better == "lower" else "<"
        return self._put(
            "keeping a champion",
            item,
            f"attribute_not_exists(pk) OR final_value {sign} :final",
            ExpressionAttributeValues={":final": {"N": repr(champion.final)}},
        )

    def mark_halt(self, job: str, watch: str) -> None:
        """Note that a job is being stopped by a watch, before it is: so that a repeat knows whose stop it was.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        self._put("marking a halt", _halt_key(job, watch), "attribute_not_exists(pk)")

    def has_halted(self, job: str, watch: str) -> bool:
        """Tell whether a watch has stopped a job.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        return self._get("reading a halt", _halt_key(job, watch)) is not None

    # --- DynamoDB -----------------------------------------------------------------------------------------------------

    def _get(self, what: str, key: Mapping[str, Any]) -> Mapping[str, Any] | None:
        with calling(what):
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        found: Mapping[str, Any] | None = answer.get("Item")
        return found

    def _put(self, what: str, item: Mapping[str, Any], condition: str, **more: Any) -> bool:
        try:
            with calling(what):
                self._client.put_item(TableName=self._table, Item=item, ConditionExpression=condition, **more)
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise UnavailableError(f"{what}: {describe_error(error)}") from error
        return True

    def _changed(self, what: str, **request: Any) -> bool:
        try:
            with calling(what):
                self._client.update_item(TableName=self._table, **request)
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise UnavailableError(f"{what}: {describe_error(error)}") from error
        return True


def _approval_of(item: Mapping[str, Any]) -> Approval:
    return Approval.model_validate_json(item["body"]["S"])


def _approval_key(approval: str) -> dict[str, Any]:
    return {"pk": {"S": f"approval#{approval}"}, "sk": {"S": "approval"}}


def _endpoint_key(endpoint: str) -> dict[str, Any]:
    return {"pk": {"S": f"endpoint#{endpoint.lower()}"}, "sk": {"S": "rollback"}}


def _watch_key(watch: str) -> dict[str, Any]:
    return {"pk": {"S": f"watch#{watch}"}, "sk": {"S": "champion"}}


def _halt_key(job: str, watch: str) -> dict[str, Any]:
    return {"pk": {"S": f"job#{job.lower()}"}, "sk": {"S": f"halt#{watch}"}}
