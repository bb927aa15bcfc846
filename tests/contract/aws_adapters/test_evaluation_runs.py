"""Runs, calls, money and pace against moto's DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import boto3
import pytest
from moto import mock_aws

from hallmark.aws.evaluation_calls import DynamoAnswerBook, DynamoPace, DynamoPurse
from hallmark.aws.evaluation_runs import DynamoRuns, LastRun
from hallmark.aws.money_leases import Lease
from hallmark.errors import NotFoundError
from hallmark.evaluation.plans import Forecast, Plan
from hallmark.evaluation.ports import AnswerKey, Outcome, Progress
from hallmark.evaluation.results import Answer, Failure, FailureKind
from hallmark.evaluation.runs import RunStatus, Trigger
from hallmark.evaluation.suites import ModelVariant, Suite
from tests.contract.aws_adapters.evaluation_table import TABLE, create_table

NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
KEY = AnswerKey("nova", "facts", "case#1", 0)
LEASE = Lease("one", datetime.now(UTC) + timedelta(minutes=15))
MANUAL = Trigger(kind="manual", source="someone")
SUITE = Suite.model_validate(
    {"model_variants": ["nova"], "champion": "nova", "datasets": ["facts"], "scorers": ["exact_match"]}
)
PLAN = Plan(
    run="r1",
    suite="facts",
    settings=SUITE,
    models={"nova": ModelVariant(model_id="amazon.nova-lite-v1:0")},
    asked=("nova",),
    datasets=(),
    batches=1,
    planned=10,
    rounds=(1,),
    forecast=Forecast(calls=10, expected_usd=0.5, at_most_usd=1.0),
    trigger=MANUAL,
    started_at=NOW,
    deadline=NOW,
)


def answer(text: str = "yes") -> Outcome:
    return Outcome(
        Answer(text=text, stop_reason="end_turn", input_tokens=3, output_tokens=1, latency_ms=2.5, answered_at=NOW),
        None,
    )


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        create_table(client)
        yield client


@pytest.fixture
def runs(dynamodb: Any) -> DynamoRuns:
    return DynamoRuns(TABLE, dynamodb)


def test_a_call_is_unknown_then_announced_then_answered(dynamodb: Any) -> None:
    book = DynamoAnswerBook(TABLE, dynamodb, "r1", LEASE)

    seen = [dict(book.find([KEY]))]
    book.announce({KEY: 0.1})
    seen.append(dict(book.find([KEY])))
    book.record(KEY, answer())
    seen.append(dict(book.find([KEY])))

    assert seen == [{}, {KEY: Outcome(None, None)}, {KEY: answer()}]


def test_a_failure_and_an_answer_larger_than_an_item_come_back_as_they_were(dynamodb: Any) -> None:
    book, other = DynamoAnswerBook(TABLE, dynamodb, "r1", LEASE), KEY._replace(case="case#2")
    failed = Outcome(None, Failure(kind=FailureKind.REFUSED, reason="no such model"))
    long = answer("many words " * 60_000)

    book.record(KEY, failed)
    book.record(other, long)

    assert dict(book.find([KEY, other])) == {KEY: failed, other: long}


def test_a_withdrawn_call_can_be_made_later(dynamodb: Any) -> None:
    book = DynamoAnswerBook(TABLE, dynamodb, "r1", LEASE)
    book.announce({KEY: 0.1})

    book.withdraw([KEY])

    assert dict(book.find([KEY])) == {}


def test_more_calls_than_one_request_takes_are_announced_and_found(dynamodb: Any) -> None:
    book = DynamoAnswerBook(TABLE, dynamodb, "r1", LEASE)
    keys = [KEY._replace(case=f"c{number}") for number in range(230)]

    for start in range(0, len(keys), 99):
        book.announce(dict.fromkeys(keys[start : start + 99], 0.1))

    assert set(book.find(keys)) == set(keys)


def test_calls_are_announced_once_all_or_none(dynamodb: Any) -> None:
    book, other = DynamoAnswerBook(TABLE, dynamodb, "r1", LEASE), KEY._replace(case="case#2")

    assert book.announce({KEY: 0.1}) is True
    assert book.announce({KEY: 0.1, other: 0.1}) is False
    assert dict(book.find([KEY, other])) == {KEY: Outcome(None, None)}


def test_an_announcement_changes_no_answer(dynamodb: Any) -> None:
    book = DynamoAnswerBook(TABLE, dynamodb, "r1", LEASE)
    book.record(KEY, answer())

    assert book.announce({KEY: 0.1}) is False
    assert dict(book.find([KEY])) == {KEY: answer()}


def test_runs_and_models_do_not_share_calls(dynamodb: Any) -> None:
    DynamoAnswerBook(TABLE, dynamodb, "r1", LEASE).record(KEY, answer())

    assert dict(DynamoAnswerBook(TABLE, dynamodb, "r2", LEASE).find([KEY])) == {}
    assert dict(DynamoAnswerBook(TABLE, dynamodb, "r1", LEASE).find([KEY._replace(model="titan")])) == {}


def test_a_run_is_listed_from_its_beginning_to_its_end(runs: DynamoRuns) -> None:
    runs.begin("r1", "facts", MANUAL, "arn:execution", NOW)
    runs.plan(PLAN)
    runs.end("r1", RunStatus.COMPLETED, NOW, report="s3://b/r1/", verdict="cannot tell yet")

    found = runs.find("r1")

    assert (found.status, found.planned, found.models) == (RunStatus.COMPLETED, 10, ("nova",))
    assert (found.report, found.verdict, found.trigger) == ("s3://b/r1/", "cannot tell yet", MANUAL)
    assert list(runs.latest(5)) == [found]
    assert list(runs.latest(5, "another")) == []


def test_the_end_counts_what_was_recorded_not_what_was_told_on_the_way(dynamodb: Any, runs: DynamoRuns) -> None:
    runs.begin("r1", "facts", MANUAL, "arn:execution", NOW)
    runs.plan(PLAN)
    DynamoPurse(TABLE, dynamodb, "r1", 10.0, LEASE).settle(0.0, Progress(answered=3))

    runs.end("r1", RunStatus.COMPLETED, NOW, answered=9, failed=1)

    found = runs.find("r1")
    assert (found.answered, found.failed) == (9, 1)


def test_a_run_that_failed_and_was_redriven_does_not_keep_why_it_failed(runs: DynamoRuns) -> None:
    runs.begin("r1", "facts", MANUAL, "arn:execution", NOW)
    runs.end("r1", RunStatus.FAILED, NOW, reason="the bucket was away")

    runs.end("r1", RunStatus.COMPLETED, NOW, report="s3://b/r1/")

    found = runs.find("r1")
    assert (found.status, found.reason, found.report) == (RunStatus.COMPLETED, None, "s3://b/r1/")


def test_a_run_that_begins_again_keeps_what_was_done(dynamodb: Any, runs: DynamoRuns) -> None:
    purse = DynamoPurse(TABLE, dynamodb, "r1", 10.0, LEASE)
    for _ in range(2):
        runs.begin("r1", "facts", MANUAL, "arn:execution", NOW)
        runs.plan(PLAN)
        purse.settle(0.0, Progress(answered=3, spent_usd=0.25))

    assert (runs.find("r1").answered, runs.find("r1").spent_usd) == (6, 0.5)


LATER = [NOW + timedelta(minutes=minutes) for minutes in range(6)]


def follow(runs: DynamoRuns, change: tuple[str, datetime]) -> bool:
    status, at = change
    if status == "running":
        return runs.resume("r1", at)
    return runs.interrupt("r1", RunStatus(status), at, "stopped by someone")


@pytest.mark.parametrize(
    ("changes", "stands"),
    [
        ([("stopped", LATER[1])], "stopped"),
        ([("stopped", LATER[1]), ("running", LATER[2])], "running"),
        ([("stopped", LATER[1]), ("running", LATER[2]), ("stopped", LATER[3])], "stopped"),
        ([("stopped", LATER[1]), ("running", LATER[2]), ("stopped", LATER[3]), ("running", LATER[4])], "running"),
    ],
)
def test_in_whatever_order_and_however_often_changes_are_told_the_latest_stands(
    dynamodb: Any, runs: DynamoRuns, changes: list[tuple[str, datetime]], stands: str
) -> None:
    for told in (*permutations(changes), *((*order, *order) for order in permutations(changes))):
        dynamodb.delete_item(TableName=TABLE, Key={"pk": {"S": "RUN#r1"}, "sk": {"S": "RUN"}})
        runs.begin("r1", "facts", MANUAL, "arn:execution", NOW)
        runs.plan(PLAN)

        for change in told:
            follow(runs, change)

        found = runs.find("r1")
        assert found.status == stands, told
        assert (found.reason, found.ended_at) == (
            ("stopped by someone", changes[-1][1]) if stands != "running" else (None, None)
        )


def test_a_run_that_failed_and_was_redriven_and_stopped_is_stopped_in_whatever_order_it_is_told(
    runs: DynamoRuns,
) -> None:
    runs.begin("r1", "facts", MANUAL, "arn:execution", NOW)
    runs.end("r1", RunStatus.FAILED, LATER[1], reason="there is no such object")

    follow(runs, ("failed", LATER[2]))
    assert runs.find("r1").reason == "there is no such object"
    follow(runs, ("stopped", LATER[4]))
    follow(runs, ("running", LATER[3]))

    assert (runs.find("r1").status, runs.find("r1").ended_at) == (RunStatus.STOPPED, LATER[4])


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.STOPPED])
def test_what_is_told_late_changes_no_end_that_the_workflow_recorded(runs: DynamoRuns, status: RunStatus) -> None:
    runs.begin("r1", "facts", MANUAL, "arn:execution", NOW)
    runs.plan(PLAN)
    runs.end("r1", status, LATER[3], reason="its own", report="s3://b/r1/")
    ended = runs.find("r1")

    changed = [follow(runs, ("stopped", LATER[1])), follow(runs, ("running", LATER[2]))]

    assert changed == [False, False]
    assert runs.find("r1") == ended


def test_a_redriven_run_that_completes_does_not_keep_why_it_was_stopped(runs: DynamoRuns) -> None:
    runs.begin("r1", "facts", MANUAL, "arn:execution", NOW)
    runs.interrupt("r1", RunStatus.STOPPED, LATER[1], "by someone")

    runs.end("r1", RunStatus.COMPLETED, LATER[3], report="s3://b/r1/")

    assert (runs.find("r1").status, runs.find("r1").reason) == (RunStatus.COMPLETED, None)
    assert follow(runs, ("running", LATER[4])) is False


def test_a_run_that_is_stopped_while_it_is_planned_stays_stopped(runs: DynamoRuns) -> None:
    runs.begin("r1", "facts", MANUAL, "arn:execution", NOW)
    runs.interrupt("r1", RunStatus.STOPPED, LATER[1], "by someone")

    runs.plan(PLAN)

    assert (runs.find("r1").status, runs.find("r1").planned) == (RunStatus.STOPPED, 10)


def test_a_repeat_of_what_stands_is_told_as_such(runs: DynamoRuns) -> None:
    runs.begin("r1", "facts", MANUAL, "arn:execution", NOW)

    assert [follow(runs, ("stopped", LATER[1])) for _ in range(2)] == [True, True]


def test_a_redrive_of_an_unknown_run_makes_none(runs: DynamoRuns) -> None:
    assert follow(runs, ("running", LATER[1])) is False
    assert list(runs.latest(5)) == []


def test_an_unknown_run_is_said_to_be_unknown(runs: DynamoRuns) -> None:
    with pytest.raises(NotFoundError, match="r9"):
        runs.find("r9")


def test_money_is_reserved_up_to_the_cap_and_what_is_left_over_comes_back(dynamodb: Any, runs: DynamoRuns) -> None:
    runs.begin("r1", "facts", MANUAL, "", NOW)
    runs.plan(PLAN)
    purse = DynamoPurse(TABLE, dynamodb, "r1", 1.0, LEASE)

    taken = [purse.reserve(0.6, 0.0, Progress()), purse.reserve(0.6, 0.0, Progress())]
    after_return = purse.reserve(0.6, 0.5, Progress(answered=8, spent_usd=0.1))

    assert (*taken, after_return) == (True, False, True)


def test_settling_tells_what_others_hold_in_reserve(dynamodb: Any, runs: DynamoRuns) -> None:
    runs.begin("r1", "facts", MANUAL, "", NOW)
    runs.plan(PLAN)
    purse, other = (DynamoPurse(TABLE, dynamodb, "r1", 1.0, LEASE) for _ in range(2))
    purse.reserve(0.5, 0.0, Progress())
    other.reserve(0.3, 0.0, Progress())

    assert purse.settle(0.4, Progress(answered=1, spent_usd=0.1)) == pytest.approx(0.3)
    assert other.settle(0.3, Progress()) == 0


def test_two_invocations_cannot_reserve_the_same_money(dynamodb: Any, runs: DynamoRuns) -> None:
    runs.begin("r1", "facts", MANUAL, "", NOW)
    runs.plan(PLAN)
    purses = [DynamoPurse(TABLE, dynamodb, "r1", 1.0, LEASE) for _ in range(4)]

    assert [purse.reserve(0.4, 0.0, Progress()) for purse in purses] == [True, True, False, False]


def test_a_bucket_lets_a_burst_pass_and_then_makes_wait_for_its_rate(dynamodb: Any) -> None:
    pace = DynamoPace(TABLE, dynamodb, burst_seconds=10)

    waits = [pace.wait_seconds("nova", 10, 60, "requests") for _ in range(3)]

    assert waits[0] == 0
    assert waits[1] == pytest.approx(10, abs=1)
    assert waits[2] == pytest.approx(20, abs=1)


def test_buckets_of_models_and_of_tokens_are_apart(dynamodb: Any) -> None:
    pace = DynamoPace(TABLE, dynamodb, burst_seconds=10)
    pace.wait_seconds("nova", 100, 60, "requests")

    assert pace.wait_seconds("titan", 1, 60, "requests") == 0
    assert pace.wait_seconds("nova", 1, 60, "tokens") == 0


def test_a_run_teaches_the_next_one_of_its_suite(runs: DynamoRuns) -> None:
    learned = LastRun({"nova": 12.5}, {"short": 0.25})
    runs.remember("facts", "r1", learned, "{}")

    assert runs.last("facts") == learned._replace(run="r1")
    assert runs.last("another") == LastRun({}, {})
