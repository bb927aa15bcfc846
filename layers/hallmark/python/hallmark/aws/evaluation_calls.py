"""Calls of a run in DynamoDB: the money they may take, the pace of the models, what each answered."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.evaluation_runs import KEPT, NANO, decimal_text, nanodollars, run_key
from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.aws.money_leases import (
    Held,
    Lease,
    beginning,
    calls_attribute,
    calls_of,
    expired,
    lease_key,
    leases_of,
)
from hallmark.errors import UnavailableError
from hallmark.evaluation.asking import paid_usd
from hallmark.evaluation.ports import AnswerKey, Outcome, Progress
from hallmark.evaluation.results import Answer, Failure

_KEYS_PER_READ = 100
_WRITES_PER_CALL = 25
"""BatchGetItem and BatchWriteItem (DynamoDB API reference)."""
_PASSING_REASONS = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})
"""Why a transaction is cancelled that may succeed later (DynamoDB API reference, TransactWriteItems)."""
_PLAIN_BYTES = 200_000
"""A longer answer is compressed, so that it fits into an item of 400 KB."""


class DynamoPurse:
    """Purse of one run: what is spent and what is reserved, in the run's own item.

    Args:
        table_name: The evaluation table.
        client: Of DynamoDB.
        run: The run.
        cap_usd: What it may spend.
        lease: Who takes money here, and until when.
        now: Tells the time.
    """

    def __init__(
        self,
        table_name: str,
        client: Any,
        run: str,
        cap_usd: float,
        lease: Lease,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._table = table_name
        self._client = client
        self._run = run
        self._cap = cap_usd
        self._lease = lease
        self._now = now
        self._has_reserved = False
        self._empty: tuple[Held, ...] = ()

    def reserve(self, usd: float, returned_usd: float, progress: Progress) -> bool:
        """Take an amount if the cap allows it; whatever is not reserved at the end was spent."""
        try:
            self._add(usd, returned_usd, progress, capped=True)
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        self._has_reserved = True
        return True

    def settle(self, returned_usd: float, progress: Progress) -> float:
        """Give back what is left over, and what the dead held; return for what it is worth trying again, in USD."""
        money = self._add(0.0, returned_usd, progress)
        if self._has_reserved:
            self._end_lease()
        there = int(money["committed_nanousd"]["N"]) - int(money["spent_nanousd"]["N"])
        for held in expired(money, self._now()):
            if held.nanousd > 0:
                self._take_back(held)
        return there / NANO

    def _add(self, usd: float, returned_usd: float, progress: Progress, *, capped: bool = False) -> dict[str, Any]:
        taken, returned, spent = (round(each * NANO) for each in (usd, returned_usd, progress.spent_usd))
        request = add_progress(self._table, self._run, (taken - returned) / NANO, progress)
        request["UpdateExpression"] += ", #held :held"
        request["ExpressionAttributeNames"] = {"#held": self._lease.attribute}
        values = request["ExpressionAttributeValues"]
        values[":held"] = {"N": str(taken - returned - spent)}
        if self._empty:
            names = {f"#empty{place}": held.attribute for place, held in enumerate(self._empty)}
            request["ExpressionAttributeNames"] |= names
            request["UpdateExpression"] += f" REMOVE {', '.join(names)}"
        if capped:
            request["ConditionExpression"] = "committed_nanousd <= :room"
            values[":room"] = {"N": str(round(self._cap * NANO) - taken + returned)}
        with calling("reserving money"):
            answer = self._client.update_item(**request, ReturnValues="ALL_NEW")
        updated: dict[str, Any] = answer["Attributes"]
        self._empty = tuple(held for held in expired(updated, self._now()) if held.nanousd <= 0)
        return updated

    def _end_lease(self) -> None:
        """Forget for which calls money was held; where this fails, they count as paid once more at most."""
        request = {"DeleteRequest": {"Key": lease_key(self._run, self._lease)}}
        with calling("ending a lease"):
            self._client.batch_write_item(RequestItems={self._table: [request]})
        self._has_reserved = False

    def _take_back(self, held: Held) -> None:
        """Make what the dead held available, but for calls that were paid for, or may have been; once."""
        calls = self._calls_of_the_dead(held.minute)
        outcomes = DynamoAnswerBook(self._table, self._client, self._run, self._lease).find(tuple(calls))
        paid = sum(round(paid_usd(outcome, calls[key] / NANO) * NANO) for key, outcome in outcomes.items())
        paid = min(paid, held.nanousd)
        request = add_progress(self._table, self._run, (paid - held.nanousd) / NANO, Progress(spent_usd=paid / NANO))
        request["UpdateExpression"] += " REMOVE #held"
        request["ExpressionAttributeValues"][":held"] = {"N": str(held.nanousd)}
        try:
            with calling("taking money back"):
                self._client.update_item(
                    **request, ConditionExpression="#held = :held", ExpressionAttributeNames={"#held": held.attribute}
                )
        except ClientError as error:
            # Another invocation took it back at this moment.
            if error_code(error) != "ConditionalCheckFailedException":
                raise

    def _calls_of_the_dead(self, minute: int) -> dict[AnswerKey, int]:
        """Return the calls for which money was taken last by holders that are over, and what each costs at most.

        A holder that died between taking money and announcing its calls is found with the calls before, whose cost is
        settled: they count once more, which leaves too little and never too much.
        """
        request: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "pk = :leases AND begins_with(sk, :minute)",
            "ExpressionAttributeValues": {":leases": {"S": leases_of(self._run)}, ":minute": {"S": beginning(minute)}},
        }
        calls: dict[AnswerKey, int] = {}
        while True:
            with calling("looking for what the dead held"):
                page = self._client.query(**request)
            for item in page["Items"]:
                calls |= calls_of(item)
            if "LastEvaluatedKey" not in page:
                return calls
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def add_progress(table_name: str, run: str, committed_usd: float, progress: Progress) -> dict[str, Any]:
    """Return the update (DynamoDB API reference, UpdateItem) that adds to what a run has done and committed."""
    values = {
        ":change": nanodollars(committed_usd),
        ":answered": str(progress.answered),
        ":failed": str(progress.failed),
        ":spent": nanodollars(progress.spent_usd),
        ":in": str(progress.input_tokens),
        ":out": str(progress.output_tokens),
    }
    return {
        "TableName": table_name,
        "Key": run_key(run),
        "UpdateExpression": (
            "ADD committed_nanousd :change, answered :answered, failed :failed, spent_nanousd :spent, "
            "input_tokens :in, output_tokens :out"
        ),
        "ExpressionAttributeValues": {name: {"N": value} for name, value in values.items()},
    }


class DynamoPace:
    """Pace: one bucket a model, as the time at which it is full again (generic cell rate algorithm, ITU-T I.371)."""

    def __init__(self, table_name: str, client: Any, burst_seconds: float = 10.0) -> None:
        self._table = table_name
        self._client = client
        self._burst = burst_seconds

    def wait_seconds(self, model_id: str, requests: int, per_minute: float, what: str) -> float:
        """Take from the bucket; return how long to wait before using what was taken."""
        now = datetime.now(UTC).timestamp()
        cost = requests * 60.0 / per_minute
        key = {"pk": {"S": f"PACE#{model_id}"}, "sk": {"S": what}}
        values = {":cost": {"N": decimal_text(cost)}, ":now": {"N": decimal_text(now)}}
        try:
            full_at = self._add(key, "full_at > :now", "SET full_at = full_at + :cost", values)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            values[":first"] = {"N": decimal_text(now + cost)}
            del values[":cost"]
            try:
                full_at = self._add(key, "attribute_not_exists(pk) OR full_at <= :now", "SET full_at = :first", values)
            except ClientError as overtaken:
                if error_code(overtaken) != "ConditionalCheckFailedException":
                    raise
                raise UnavailableError(f"the pace of {model_id} is being set by others: try again") from overtaken
        return max(0.0, full_at - now - self._burst)

    def _add(self, key: dict[str, Any], condition: str, update: str, values: dict[str, Any]) -> float:
        with calling("keeping the pace"):
            answer = self._client.update_item(
                TableName=self._table,
                Key=key,
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnValues="UPDATED_NEW",
            )
        return float(answer["Attributes"]["full_at"]["N"])


class DynamoAnswerBook:
    """AnswerBook: one item a call."""

    def __init__(self, table_name: str, client: Any, run: str, lease: Lease) -> None:
        self._table = table_name
        self._client = client
        self._run = run
        self._lease = lease

    def find(self, keys: Sequence[AnswerKey]) -> Mapping[AnswerKey, Outcome]:
        """Return what is known of calls."""
        by_item = {(self._pk(key), _sk(key)): key for key in keys}
        found: dict[AnswerKey, Outcome] = {}
        wanted = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in by_item]
        while wanted:
            chunk, wanted = wanted[:_KEYS_PER_READ], wanted[_KEYS_PER_READ:]
            with calling("looking up calls"):
                answer = self._client.batch_get_item(
                    RequestItems={self._table: {"Keys": chunk, "ConsistentRead": True}}
                )
            for item in answer["Responses"].get(self._table, []):
                found[by_item[item["pk"]["S"], item["sk"]["S"]]] = _outcome(item)
            wanted += answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
        return found

    def announce(self, calls: Mapping[AnswerKey, float]) -> bool:
        """Say that calls are about to be made, all or none: at most 99, none of them known.

        The same request says for which calls this invocation holds money now.
        """
        held = {
            **lease_key(self._run, self._lease),
            "calls": calls_attribute({key: round(usd * NANO) for key, usd in calls.items()}),
            "expires_at": {"N": _expiry()},
        }
        puts: list[dict[str, Any]] = [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": self._item(key),
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            }
            for key in calls
        ]
        try:
            with calling("announcing calls"):
                self._client.transact_write_items(
                    TransactItems=[*puts, {"Put": {"TableName": self._table, "Item": held}}]
                )
        except ClientError as error:
            reasons = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons", ())}
            # In a conflict someone else announces one of them at this moment.
            if reasons & {"ConditionalCheckFailed", "TransactionConflict"}:
                return False
            if reasons & _PASSING_REASONS:
                raise UnavailableError(f"announcing calls: {describe_error(error)}") from error
            raise
        return True

    def record(self, key: AnswerKey, outcome: Outcome) -> None:
        """Record what came of a call."""
        with calling("recording an answer"):
            self._client.put_item(TableName=self._table, Item=self._item(key) | _body(outcome))

    def withdraw(self, keys: Sequence[AnswerKey]) -> None:
        """Say that calls were not made after all."""
        self._write([{"DeleteRequest": {"Key": {"pk": {"S": self._pk(key)}, "sk": {"S": _sk(key)}}}} for key in keys])

    def _write(self, requests: list[dict[str, Any]]) -> None:
        while requests:
            chunk, requests = requests[:_WRITES_PER_CALL], requests[_WRITES_PER_CALL:]
            with calling("withdrawing calls"):
                answer = self._client.batch_write_item(RequestItems={self._table: chunk})
            requests += answer.get("UnprocessedItems", {}).get(self._table, [])

    def _pk(self, key: AnswerKey) -> str:
        return f"CALL#{self._run}#{key.model}"

    def _item(self, key: AnswerKey) -> dict[str, Any]:
        return {"pk": {"S": self._pk(key)}, "sk": {"S": _sk(key)}, "expires_at": {"N": _expiry()}}


def _expiry() -> str:
    return str(int((datetime.now(UTC) + KEPT).timestamp()))


def _sk(key: AnswerKey) -> str:
    return f"{key.dataset}#{key.epoch}#{key.case}"


def _body(outcome: Outcome) -> dict[str, Any]:
    if outcome.failure is not None:
        return {"failure": {"S": outcome.failure.model_dump_json()}}
    if outcome.answer is None:
        return {}
    text = outcome.answer.model_dump_json()
    if len(text) <= _PLAIN_BYTES:
        return {"answer": {"S": text}}
    return {"packed": {"B": gzip.compress(text.encode())}}


def _outcome(item: dict[str, Any]) -> Outcome:
    if "failure" in item:
        return Outcome(None, Failure.model_validate_json(item["failure"]["S"]))
    if "answer" in item:
        return Outcome(Answer.model_validate_json(item["answer"]["S"]), None)
    if "packed" in item:
        return Outcome(Answer.model_validate_json(gzip.decompress(item["packed"]["B"])), None)
    return Outcome(None, None)
