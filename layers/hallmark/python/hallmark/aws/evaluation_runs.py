"""Runs of evaluations in DynamoDB: how each stands, what it took, what it teaches the next one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, error_code
from hallmark.errors import NotFoundError
from hallmark.evaluation.runs import Run, RunStatus, Trigger

if TYPE_CHECKING:
    from hallmark.evaluation.plans import Plan

KEPT = timedelta(days=30)
"""How long the record of a call is kept: a run can be redriven for 14 days (Step Functions developer guide, redrive);
results are kept in S3."""
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
            **run_key(run),
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
            ":budget": decimal_text(plan.settings.budget.usd),
            ":expected": decimal_text(plan.forecast.expected_usd),
            ":zero": "0",
        }
        request: dict[str, Any] = {
            "TableName": self._table,
            "Key": run_key(plan.run),
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
                Key=run_key(run),
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
            Key=run_key(run),
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
            Key=run_key(run),
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
            item = self._client.get_item(TableName=self._table, Key=run_key(run), ConsistentRead=True).get("Item")
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


def run_key(run: str) -> dict[str, Any]:
    """Return the key of a run's item."""
    return {"pk": {"S": f"RUN#{run}"}, "sk": {"S": "RUN"}}


def _numbers(item: Mapping[str, Any], name: str) -> dict[str, float]:
    return {key: float(value["N"]) for key, value in item.get(name, {"M": {}})["M"].items()}


def _map(numbers: Mapping[str, float]) -> dict[str, Any]:
    return {"M": {name: {"N": decimal_text(value)} for name, value in numbers.items()}}


def _latest_key(suite: str) -> dict[str, Any]:
    return {"pk": {"S": f"LATEST#{suite}"}, "sk": {"S": "LATEST"}}


def _run(item: dict[str, Any]) -> Run:
    values: dict[str, Any] = {}
    for name, value in item.items():
        ((kind, content),) = value.items()
        values[name] = [each["S"] for each in content] if kind == "L" else content
    values["spent_usd"] = int(values.get("spent_nanousd", 0)) / NANO
    values["trigger"] = Trigger.model_validate_json(values["trigger"])
    return Run.model_validate(values)


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")


NANO = 1_000_000_000
"""Sums of money are kept as whole billionths of a dollar: DynamoDB adds them without rounding."""


def nanodollars(usd: float) -> str:
    """Return an amount in whole billionths of a dollar, as DynamoDB writes numbers."""
    return str(round(usd * NANO))


def decimal_text(value: float) -> str:
    """Return a number to nine places, as DynamoDB writes numbers."""
    return format(Decimal(repr(value)).quantize(Decimal("1e-9")), "f")
