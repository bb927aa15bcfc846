"""Runs of evaluations in DynamoDB: their state, their money, their calls, the pace of the models."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

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
from hallmark.errors import NotFoundError, UnavailableError
from hallmark.evaluation.asking import paid_usd
from hallmark.evaluation.plans import Plan, Trigger
from hallmark.evaluation.ports import AnswerKey, Outcome, Progress
from hallmark.evaluation.results import Answer, Failure
from hallmark.evaluation.runs import Run, RunStatus

KEPT = timedelta(days=30)
"""How long the record of a call is kept: a run can be redriven for 14 days (Step Functions developer guide, redrive);
results are kept in S3."""
_KEYS_PER_READ = 100
_WRITES_PER_CALL = 25
"""BatchGetItem and BatchWriteItem (DynamoDB API reference)."""
_PASSING_REASONS = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})
"""Why a transaction is cancelled that may succeed later (DynamoDB API reference, TransactWriteItems)."""
_PLAIN_BYTES = 200_000
"""A longer answer is compressed, so that it fits into an item of 400 KB."""
RUNS_INDEX = "runs"


class LastRun(NamedTuple):
    """What a run teaches the next one of its suite."""

    output_tokens: Mapping[str, float]
    """Mean per answer, by variant: what the next forecast rests on."""
    spreads: Mapping[str, float]
    """Standard deviation of the primary metric by stratum: what Neyman's allocation rests on."""
    run: str | None = None
    """Its name."""


class DynamoRuns:
    """All runs, in the evaluation table."""

    def __init__(self, table_name: str, client: Any) -> None:
        self._table = table_name
        self._client = client

    def begin(self, run: str, suite: str, trigger: Trigger, execution: str, at: datetime) -> None:
        """Say that a run has begun; a repeat changes nothing."""
        item = {
            **_run_key(run),
            "listed": {"S": "runs"},
            "run": {"S": run},
            "suite": {"S": suite},
            "status": {"S": RunStatus.PLANNING},
            "trigger": {"S": trigger.model_dump_json()},
            "execution": {"S": execution},
            "started_at": {"S": _stamp(at)},
        }
        with calling("beginning a run"):
            self._put_new(item)

    def plan(self, plan: Plan) -> None:
        """Record what a run is going to do; a repeat changes nothing that was done since.

        A run that was stopped while it was planned stays stopped.
        """
        numbers = {
            ":planned": str(plan.forecast.calls),
            ":budget": _number(plan.settings.budget.usd),
            ":expected": _number(plan.forecast.expected_usd),
            ":zero": "0",
        }
        request: dict[str, Any] = {
            "TableName": self._table,
            "Key": _run_key(plan.run),
            "ExpressionAttributeNames": {"#status": "status"},
        }
        change = (
            "planned = :planned, budget_usd = :budget, expected_usd = :expected, deadline = :deadline, "
            "models = :models, committed_nanousd = if_not_exists(committed_nanousd, :zero)"
        )
        values = {
            **{name: {"N": value} for name, value in numbers.items()},
            ":deadline": {"S": _stamp(plan.deadline)},
            ":models": {"L": [{"S": name} for name in plan.asked]},
        }
        running = self._changed(
            "recording a plan",
            **request,
            UpdateExpression=f"SET #status = :running, {change}",
            ConditionExpression="#status <> :stopped",
            ExpressionAttributeValues={
                **values,
                ":running": {"S": RunStatus.RUNNING},
                ":stopped": {"S": RunStatus.STOPPED},
            },
        )
        if not running:
            del request["ExpressionAttributeNames"]
            with calling("recording a plan"):
                self._client.update_item(**request, UpdateExpression=f"SET {change}", ExpressionAttributeValues=values)

    def end(
        self,
        run: str,
        status: RunStatus,
        at: datetime,
        *,
        reason: str | None = None,
        report: str | None = None,
        verdict: str | None = None,
        answered: int | None = None,
        failed: int | None = None,
    ) -> None:
        """Record how a run ended.

        Args:
            run: The run.
            status: How.
            at: When.
            reason: Why it failed, or stopped early.
            report: URI of the report's folder.
            verdict: What was found, in one line.
            answered: Calls with a recorded answer. What was counted on the way lacks those of functions that died.
            failed: Calls without one.
        """
        texts = {"reason": reason, "report": report, "verdict": verdict, "ended_at": _stamp(at)}
        numbers = {"answered": answered, "failed": failed}
        values: dict[str, Any] = {f":{name}": {"S": value} for name, value in texts.items() if value is not None}
        values |= {f":{name}": {"N": str(value)} for name, value in numbers.items() if value is not None}
        change = f"SET #status = :status, {', '.join(f'{name[1:]} = {name}' for name in values)}"
        # A run that failed and was redriven does not keep the reason of its failure.
        outdated = [name for name, value in texts.items() if value is None]
        if outdated:
            change += f" REMOVE {', '.join(outdated)}"
        with calling("ending a run"):
            self._client.update_item(
                TableName=self._table,
                Key=_run_key(run),
                UpdateExpression=change,
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={**values, ":status": {"S": status}},
            )

    def interrupt(self, run: str, status: RunStatus, at: datetime, reason: str) -> bool:
        """Record that a run ended from outside of its workflow; tell whether that is how it stands.

        One that has ended by itself, or was redriven since, stays as it is.

        Args:
            run: The run.
            status: Stopped or failed.
            at: When.
            reason: Why.
        """
        # What has a report was ended by its workflow. A failure that the workflow recorded explains itself better than
        # Step Functions does; to be stopped after it, the run must have been redriven.
        earlier = "#status = :status AND ended_at = :at" if status is RunStatus.FAILED else "ended_at <= :at"
        return self._changed(
            "recording how a run ended",
            TableName=self._table,
            Key=_run_key(run),
            UpdateExpression="SET #status = :status, reason = :reason, ended_at = :at",
            ConditionExpression=(
                "#status <> :completed AND attribute_not_exists(report)"
                " AND (attribute_not_exists(resumed_at) OR resumed_at <= :at)"
                f" AND (attribute_not_exists(ended_at) OR {earlier})"
            ),
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":status": {"S": status},
                ":reason": {"S": reason},
                ":at": {"S": _stamp(at)},
                ":completed": {"S": RunStatus.COMPLETED},
            },
        )

    def resume(self, run: str, at: datetime) -> bool:
        """Record that a run was redriven; tell whether that is how it stands.

        One that has ended since, or has completed, stays as it is.

        Args:
            run: The run.
            at: When.
        """
        return self._changed(
            "recording that a run goes on",
            TableName=self._table,
            Key=_run_key(run),
            UpdateExpression="SET #status = :running, resumed_at = :at REMOVE reason, ended_at",
            ConditionExpression=(
                "attribute_exists(pk) AND #status <> :completed"
                " AND (attribute_not_exists(ended_at) OR ended_at < :at)"
                " AND (attribute_not_exists(resumed_at) OR resumed_at <= :at)"
            ),
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":at": {"S": _stamp(at)},
                ":running": {"S": RunStatus.RUNNING},
                ":completed": {"S": RunStatus.COMPLETED},
            },
        )

    def find(self, run: str) -> Run:
        """Return a run.

        Raises:
            NotFoundError: There is none of that name.
        """
        with calling("reading a run"):
            item = self._client.get_item(TableName=self._table, Key=_run_key(run), ConsistentRead=True).get("Item")
        if item is None:
            raise NotFoundError(f"there is no run {run!r}: `hallmark runs` lists them")
        return _run(item)

    def latest(self, limit: int, suite: str | None = None) -> Iterator[Run]:
        """Yield runs, the latest first."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": RUNS_INDEX,
            "KeyConditionExpression": "listed = :runs",
            "ExpressionAttributeValues": {":runs": {"S": "runs"}},
            "ScanIndexForward": False,
        }
        if suite is not None:
            request["FilterExpression"] = "suite = :suite"
            request["ExpressionAttributeValues"][":suite"] = {"S": suite}
        return islice((_run(item) for item in self._pages(request)), limit)

    def last(self, suite: str) -> LastRun:
        """Return what the suite's last completed run teaches the next one; nothing where there was none."""
        with calling("reading the last run"):
            item = self._client.get_item(TableName=self._table, Key=_latest_key(suite)).get("Item", {})
        return LastRun(
            _numbers(item, "output_tokens"), _numbers(item, "spreads"), item["run"]["S"] if "run" in item else None
        )

    def remember(self, suite: str, run: str, last: LastRun, estimates: str) -> None:
        """Keep the latest state of a suite, for queries in real time.

        Args:
            suite: The suite.
            run: Its latest completed run.
            last: What it teaches the next one.
            estimates: What each model reached, as JSON.
        """
        with calling("keeping the latest state"):
            self._client.put_item(
                TableName=self._table,
                Item={
                    **_latest_key(suite),
                    "run": {"S": run},
                    "output_tokens": _map(last.output_tokens),
                    "spreads": _map(last.spreads),
                    "estimates": {"S": estimates},
                },
            )

    def _pages(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        while True:
            with calling("listing runs"):
                page = self._client.query(**request)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            request = {**request, "ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _changed(self, doing: str, **request: Any) -> bool:
        """Change an item; tell whether its condition held."""
        try:
            with calling(doing):
                self._client.update_item(**request)
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def _put_new(self, item: dict[str, Any]) -> None:
        try:
            self._client.put_item(TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)")
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise


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
        return there / _NANO

    def _add(self, usd: float, returned_usd: float, progress: Progress, *, capped: bool = False) -> dict[str, Any]:
        taken, returned, spent = (round(each * _NANO) for each in (usd, returned_usd, progress.spent_usd))
        request = add_progress(self._table, self._run, (taken - returned) / _NANO, progress)
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
            values[":room"] = {"N": str(round(self._cap * _NANO) - taken + returned)}
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
        paid = sum(round(paid_usd(outcome, calls[key] / _NANO) * _NANO) for key, outcome in outcomes.items())
        paid = min(paid, held.nanousd)
        request = add_progress(self._table, self._run, (paid - held.nanousd) / _NANO, Progress(spent_usd=paid / _NANO))
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
        ":change": _nano(committed_usd),
        ":answered": str(progress.answered),
        ":failed": str(progress.failed),
        ":spent": _nano(progress.spent_usd),
        ":in": str(progress.input_tokens),
        ":out": str(progress.output_tokens),
    }
    return {
        "TableName": table_name,
        "Key": _run_key(run),
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
        values = {":cost": {"N": _number(cost)}, ":now": {"N": _number(now)}}
        try:
            full_at = self._add(key, "full_at > :now", "SET full_at = full_at + :cost", values)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            values[":first"] = {"N": _number(now + cost)}
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
            "calls": calls_attribute({key: round(usd * _NANO) for key, usd in calls.items()}),
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


def _run_key(run: str) -> dict[str, Any]:
    return {"pk": {"S": f"RUN#{run}"}, "sk": {"S": "RUN"}}


def _numbers(item: Mapping[str, Any], name: str) -> dict[str, float]:
    return {key: float(value["N"]) for key, value in item.get(name, {"M": {}})["M"].items()}


def _map(numbers: Mapping[str, float]) -> dict[str, Any]:
    return {"M": {name: {"N": _number(value)} for name, value in numbers.items()}}


def _latest_key(suite: str) -> dict[str, Any]:
    return {"pk": {"S": f"LATEST#{suite}"}, "sk": {"S": "LATEST"}}


def _run(item: dict[str, Any]) -> Run:
    values: dict[str, Any] = {}
    for name, value in item.items():
        ((kind, content),) = value.items()
        values[name] = [each["S"] for each in content] if kind == "L" else content
    values["spent_usd"] = int(values.get("spent_nanousd", 0)) / _NANO
    values["trigger"] = Trigger.model_validate_json(values["trigger"])
    return Run.model_validate(values)


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")


_NANO = 1_000_000_000
"""Sums of money are kept as whole billionths of a dollar: DynamoDB adds them without rounding."""


def _nano(usd: float) -> str:
    return str(round(usd * _NANO))


def _number(value: float) -> str:
    return format(Decimal(repr(value)).quantize(Decimal("1e-9")), "f")
