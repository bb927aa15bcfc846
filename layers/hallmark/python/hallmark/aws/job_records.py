"""What is kept of AWS's jobs while they run: who waits for them, and whether their cost is in the run's books."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.evaluation_calls import add_progress
from hallmark.aws.evaluation_runs import KEPT
from hallmark.aws.failures import calling, error_code
from hallmark.evaluation.ports import Progress

_WAITED = timedelta(days=8)
"""A batch inference job may take seven days (Bedrock API reference, timeoutDurationInHours)."""


class JobRecords:
    """Jobs, by their name in AWS, in the evaluation table."""

    def __init__(self, table_name: str, client: Any) -> None:
        self._table = table_name
        self._client = client

    def wait(self, job: str, token: str) -> None:
        """Say who waits for a job: the task token of the workflow; a later one replaces it."""
        item = {**_key(job, "TOKEN"), "token": {"S": token}, "expires_at": {"N": _epoch(_WAITED)}}
        with calling("waiting for a job"):
            self._client.put_item(TableName=self._table, Item=item)

    def find_token(self, job: str) -> str | None:
        """Return who waits for a job; None where nobody does."""
        with calling("looking who waits for a job"):
            found = self._client.get_item(TableName=self._table, Key=_key(job, "TOKEN"), ConsistentRead=True)
        return found["Item"]["token"]["S"] if "Item" in found else None

    def account(self, job: str, run: str, progress: Progress) -> None:
        """Add what a job did and cost to its run; a repeat changes nothing."""
        once = {
            "Put": {
                "TableName": self._table,
                "Item": {**_key(job, "ACCOUNT"), "expires_at": {"N": _epoch(KEPT)}},
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        try:
            with calling("accounting for a job"):
                self._client.transact_write_items(
                    TransactItems=[once, {"Update": add_progress(self._table, run, progress.spent_usd, progress)}]
                )
        except ClientError as error:
            reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", ())]
            if error_code(error) != "TransactionCanceledException" or reasons[:1] != ["ConditionalCheckFailed"]:
                raise


def _key(job: str, what: str) -> dict[str, Any]:
    return {"pk": {"S": f"JOB#{job}"}, "sk": {"S": what}}


def _epoch(after: timedelta) -> str:
    return str(int((datetime.now(UTC) + after).timestamp()))
