"""The function as Lambda runs it: messages, cursors, the lease of the sweep that is under way, the report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import boto3
import pytest

from hallmark.aws.clients import client
from hallmark.aws.sweep_cursors import LEASE, DynamoSweepCursors
from hallmark.lineage.folding import fold
from hallmark.lineage.listing import SWEPT
from hallmark.lineage.reconciliation import KindCursor
from tests.fakes.stand_in_account import (
    ACCOUNT,
    REGION,
    TABLE,
    Invocation,
    StandInAccount,
    empty_table,
    load_handler,
    sqs_event,
)

PREFIX = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def reports(account: StandInAccount) -> Iterator[str]:
    """A queue that hears all of the hallmark bus."""
    url = account.sqs.create_queue(QueueName="reports")["QueueUrl"]
    arn = account.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events = boto3.client("events")
    events.put_rule(Name="all", EventBusName="hallmark", EventPattern=json.dumps({"source": ["hallmark"]}))
    events.put_targets(Rule="all", EventBusName="hallmark", Targets=[{"Id": "queue", "Arn": arn}])
    yield url
    events.remove_targets(Rule="all", EventBusName="hallmark", Ids=["queue"])
    events.delete_rule(Name="all", EventBusName="hallmark")
    account.sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def function(account: StandInAccount) -> ModuleType:
    """A new execution environment over an empty record."""
    empty_table()
    for queue in (account.queues.sweeps, account.queues.dead_letters):
        account.take(queue)
    account.calls.clear()
    account.refuse = lambda _operation, _request: None
    return load_handler("reconcile_lineage")


def run(function: ModuleType, *bodies: str, receives: int = 1) -> list[str]:
    response = function.handler(sqs_event(*bodies, receives=receives), Invocation())
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def run_to_the_end(function: ModuleType, account: StandInAccount, body: str, *, most: int = 200) -> int:
    """Hand on each message that continues the sweep; return how many invocations it took."""
    bodies = [body]
    for number in range(1, most):
        assert run(function, *bodies) == []
        bodies = [message["Body"] for message in account.take(account.queues.sweeps)]
        if not bodies:
            return number
    raise AssertionError(f"the sweep does not end: {bodies}")


def test_the_backfill_of_an_account_records_its_past_and_reports_it(
    account: StandInAccount, function: ModuleType, reports: str
) -> None:
    assert run_to_the_end(function, account, "{}") == 1

    facts = list(account.table().since(None))
    (report,) = (json.loads(message["Body"]) for message in account.take(reports))
    kinds = {recorded.fact.subject.kind.value for recorded in facts}
    assert kinds == {kind for kind, count in report["detail"]["recorded"].items() if count and kind != "pipeline-step"}
    assert {"training-job", "hyper-parameter-tuning-job", "endpoint", "pipeline-execution"} <= kinds
    assert report["detail-type"] == "ReconciliationCompleted"
    assert sum(report["detail"]["recorded"].values()) == len(facts)
    assert sum(report["detail"]["failed"].values()) == 0


def test_the_next_sweep_of_the_schedule_describes_nothing(account: StandInAccount, function: ModuleType) -> None:
    run_to_the_end(function, account, "{}")
    account.calls.clear()

    run_to_the_end(function, account, "{}")

    assert account.called("List")
    assert account.called("Describe", "ListTags") == []


def test_a_sweep_in_many_invocations_records_the_same(
    account: StandInAccount, function: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_to_the_end(function, account, "{}")
    at_once = {recorded.fact.id for recorded in account.table().since(None)}
    empty_table()
    monkeypatch.setenv("RECONCILIATION_DESCRIBE_LIMIT", "2")
    monkeypatch.setenv("RECONCILIATION_REQUEST_BUDGET", "7")

    invocations = run_to_the_end(load_handler("reconcile_lineage"), account, "{}")

    assert invocations > 5
    assert {recorded.fact.id for recorded in account.table().since(None)} == at_once


def test_a_sweep_whose_time_is_over_goes_on_in_another_message(account: StandInAccount, function: ModuleType) -> None:
    short = Invocation(remaining_seconds=60)

    response = function.handler(sqs_event("{}"), short)

    (message,) = account.take(account.queues.sweeps)
    assert response == {"batchItemFailures": []}
    assert account.called("Describe") == []
    assert run_to_the_end(function, account, message["Body"]) == 1
    assert list(account.table().since(None))


def test_the_schedule_starts_no_second_sweep_while_one_is_under_way(
    account: StandInAccount, function: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILIATION_DESCRIBE_LIMIT", "2")
    function = load_handler("reconcile_lineage")
    run(function, "{}")
    (first,) = account.take(account.queues.sweeps)
    account.calls.clear()

    run(function, "{}")

    assert account.calls == []
    assert account.take(account.queues.sweeps) == []
    run_to_the_end(function, account, first["Body"])
    run(function, "{}")
    assert account.called("List")


def test_a_sweep_that_somebody_asked_for_runs_beside_the_one_of_the_schedule(
    account: StandInAccount, function: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILIATION_DESCRIBE_LIMIT", "2")
    limited = load_handler("reconcile_lineage")
    run(limited, "{}")
    monkeypatch.delenv("RECONCILIATION_DESCRIBE_LIMIT")

    run(function, '{"kinds": ["endpoint"]}')

    assert fold(account.table().states(f"{PREFIX}:endpoint/live")).status == "InService"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"kinds": ["notebook"]}', "choose from"),
        ("no json", "Invalid JSON"),
        ('{"since": "yesterday"}', "since"),
    ],
)
def test_a_message_that_is_no_sweep_goes_to_the_dead_letters_with_the_reason(
    account: StandInAccount, function: ModuleType, body: str, reason: str
) -> None:
    assert run(function, body) == []

    (letter,) = account.take(account.queues.dead_letters)
    assert letter["Body"] == body
    assert reason in letter["MessageAttributes"]["ErrorMessage"]["StringValue"]
    assert letter["MessageAttributes"]["Function"]["StringValue"] == "reconcile_lineage"


def test_what_the_role_may_not_do_is_reported_and_stops_nothing_else(
    account: StandInAccount, function: ModuleType, reports: str
) -> None:
    def refuse(operation: str, request: Mapping[str, Any]) -> tuple[str, int] | None:
        named = request.get("TrainingJobName")
        return ("AccessDeniedException", 400) if operation == "ListModels" or named == "fit" else None

    account.refuse = refuse
    account.pauses.clear()

    run_to_the_end(function, account, "{}")

    assert account.pauses == []
    (report,) = (json.loads(message["Body"])["detail"] for message in account.take(reports))
    assert {kind: count for kind, count in report["failed"].items() if count} == {"training-job": 1, "model": 1}
    assert report["recorded"]["endpoint"] == 1
    assert not account.table().states(f"{PREFIX}:training-job/fit")

    account.refuse = lambda _operation, _request: None
    run_to_the_end(function, account, "{}")

    assert fold(account.table().states(f"{PREFIX}:training-job/fit")).status == "Completed"
    assert account.table().states(f"{PREFIX}:model/churn-1")


def test_a_listing_that_fails_for_a_passing_reason_is_asked_for_again_after_a_while(
    account: StandInAccount, function: ModuleType
) -> None:
    # Passing, but nothing that botocore tries again by itself.
    answers = iter([("ExpiredTokenException", 400), ("ExpiredTokenException", 400)])
    account.refuse = lambda operation, _request: next(answers, None) if operation == "ListModels" else None
    account.pauses.clear()

    run_to_the_end(function, account, "{}")

    assert account.pauses == [60, 120]
    assert account.table().states(f"{PREFIX}:model/churn-1")


def test_an_endpoint_whose_deletion_no_event_told_of_is_found_missing(
    account: StandInAccount, function: ModuleType
) -> None:
    account.client.create_endpoint(EndpointName="short-lived", EndpointConfigName="churn-1")
    account.wait_for("endpoint", "short-lived", "InService")
    run_to_the_end(function, account, "{}")
    account.client.delete_endpoint(EndpointName="short-lived")
    account.wait_for("endpoint", "short-lived", "Deleted")

    run_to_the_end(function, account, "{}")

    view = fold(account.table().states(f"{PREFIX}:endpoint/short-lived"))
    assert view.status == "Deleted"
    assert fold(account.table().states(f"{PREFIX}:endpoint/live")).status == "InService"


# --- cursors and lease ---


@pytest.fixture
def cursors(function: ModuleType) -> DynamoSweepCursors:
    return DynamoSweepCursors(TABLE, client("dynamodb"))


def test_a_kind_never_swept_has_no_cursor(cursors: DynamoSweepCursors) -> None:
    assert cursors.read("endpoint") == KindCursor()


def test_what_a_finished_sweep_left_is_read_again(cursors: DynamoSweepCursors) -> None:
    for kind, present in (("endpoint", ("c",)), ("training-job", None), ("model", ())):
        left = KindCursor(NOW, ("a", "b"), present)
        cursors.write(kind, left)
        assert cursors.read(kind) == left


def test_a_cursor_never_moves_back(cursors: DynamoSweepCursors) -> None:
    cursors.write("endpoint", KindCursor(NOW))
    cursors.write("endpoint", KindCursor(NOW - timedelta(microseconds=1), ("late",)))
    assert cursors.read("endpoint") == KindCursor(NOW)

    cursors.write("endpoint", KindCursor(NOW + timedelta(seconds=1), ("later",)))
    assert cursors.read("endpoint").unsettled == ("later",)


def test_the_lease_is_held_by_one_sweep_until_it_ends_or_is_no_longer_heard_of(cursors: DynamoSweepCursors) -> None:
    minute = timedelta(minutes=1)
    assert cursors.take_lease(NOW)
    assert not cursors.take_lease(NOW + LEASE)

    cursors.keep_lease(NOW, NOW + LEASE)
    assert not cursors.take_lease(NOW + LEASE + minute)
    assert cursors.take_lease(NOW + 2 * LEASE + minute)

    cursors.end_lease(NOW)
    assert not cursors.take_lease(NOW + 2 * LEASE + 2 * minute)
    cursors.end_lease(NOW + 2 * LEASE + minute)
    assert cursors.take_lease(NOW + 2 * LEASE + 2 * minute)


def test_a_sweep_over_everything_takes_the_lease_from_any_other(cursors: DynamoSweepCursors) -> None:
    assert cursors.take_lease(NOW)

    assert cursors.take_lease(NOW + timedelta(minutes=1), by_force=True)

    cursors.keep_lease(NOW, NOW + timedelta(days=1))
    assert cursors.take_lease(NOW + timedelta(minutes=2) + LEASE)


def test_a_finished_sweep_leaves_a_cursor_for_every_kind(
    account: StandInAccount, function: ModuleType, cursors: DynamoSweepCursors
) -> None:
    run_to_the_end(function, account, "{}")

    assert all(cursors.read(kind).started_at for kind in SWEPT)
    assert cursors.read("endpoint").present is not None
