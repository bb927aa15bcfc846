"""What follows verdicts, in moto's DynamoDB: once, whoever else tries, and in whatever order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from hallmark.aws.gate_actions import Champion, GateActionsTable
from hallmark.aws.gate_table import DynamoVerdicts
from hallmark.aws.gate_verdicts import GateVerdicts
from hallmark.errors import NotFoundError
from hallmark.gates.approvals import Approval, Rules, decide
from hallmark.gates.curves import Point
from hallmark.gates.promoting import order_of
from hallmark.gates.requests import GateRequest
from hallmark.gates.settings import GatesPolicy
from hallmark.gates.verdicts import Verdict, decided_event
from hallmark.people import Person
from tests.fakes.told_verdicts import ENDPOINT, NOON, PACKAGE

TABLE = "gates"
KIM = Person(arn="arn:aws:iam::111122223333:user/kim")
POLICY = GatesPolicy.model_validate(
    {
        "gates": {
            "full": {
                "stage": "production",
                "models": {"model_package_groups": ["churn"]},
                "criteria": {"traceable": {"kind": "lineage"}},
            }
        }
    }
)


def create_table(client: Any) -> None:
    """Create it as the stack does."""
    attributes = ("pk", "sk", "listed", "listed_at", "model")
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in attributes],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": partition, "KeyType": "HASH"},
                    {"AttributeName": "listed_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
            for index, partition in (("listing", "listed"), ("model", "model"))
        ],
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
def table(dynamodb: Any) -> GateActionsTable:
    return GateActionsTable(TABLE, dynamodb)


@pytest.fixture
def verdicts(dynamodb: Any) -> GateVerdicts:
    return GateVerdicts(TABLE, dynamodb)


def question(approval: str = "ap-1", hour: int = 0) -> Approval:
    return Approval(
        id=approval,
        gate="full",
        stage="production",
        model=PACKAGE,
        model_name="churn v3",
        verdict="hallmark:verdict/v1",
        rules=Rules(author_may_not_approve=False),
        asked_at=NOON + timedelta(hours=hour),
        expires_at=NOON + timedelta(days=1),
    )


def test_a_question_that_is_asked_again_has_the_token_of_the_task_that_waits_now(table: GateActionsTable) -> None:
    assert table.ask(question(), "first")
    assert table.ask(question(), "second")

    assert table.approval("ap-1") == (question(), "second")


def test_one_answer_counts_and_it_stays(table: GateActionsTable) -> None:
    table.ask(question(), "token")
    approved = decide(question(), KIM, "approved", "fine", NOON)
    expired = question().model_copy(update={"state": "expired"})

    assert (table.settle(approved), table.settle(expired), table.settle(approved)) == (True, False, False)
    assert table.approval("ap-1")[0] == approved
    assert not table.ask(question(), "later")


def test_an_unknown_question_is_said_to_be(table: GateActionsTable) -> None:
    with pytest.raises(NotFoundError, match="there is no approval ap-9"):
        table.approval("ap-9")
    assert not table.settle(question("ap-9"))


def test_questions_are_listed_newest_first(table: GateActionsTable) -> None:
    for number in range(3):
        table.ask(question(f"ap-{number}", hour=number), "token")

    assert [each.id for each in table.approvals(2)] == ["ap-2", "ap-1"]


def test_an_endpoint_has_one_rollback_at_a_time(table: GateActionsTable) -> None:
    hour = timedelta(hours=1)

    assert table.begin_rollback(ENDPOINT, "one", NOON, hour)
    assert table.begin_rollback(ENDPOINT, "one", NOON, hour)
    assert not table.begin_rollback(ENDPOINT.upper(), "two", NOON, hour)
    table.end_rollback(ENDPOINT, "two")
    assert not table.begin_rollback(ENDPOINT, "two", NOON, hour)
    table.end_rollback(ENDPOINT, "one")
    table.end_rollback(ENDPOINT, "one")
    assert table.begin_rollback(ENDPOINT, "two", NOON, hour)


def test_a_rollback_that_died_holds_no_endpoint_for_ever(table: GateActionsTable) -> None:
    table.begin_rollback(ENDPOINT, "one", NOON, timedelta(hours=1))

    assert table.begin_rollback(ENDPOINT, "two", NOON + timedelta(hours=2), timedelta(hours=1))


def test_the_better_job_is_the_champion_in_whatever_order_jobs_end(table: GateActionsTable) -> None:
    def champion(final: float) -> Champion:
        return Champion(f"job-{final}", final, [Point(0, 1.0), Point(10, final)])

    assert table.champion("loss") is None
    assert [table.crown("loss", champion(final), "lower") for final in (0.5, 0.7, 0.5, 0.3)] == [
        *(True, False, False, True)
    ]
    assert table.champion("loss") == champion(0.3)
    assert [table.crown("accuracy", champion(final), "higher") for final in (0.5, 0.3, 1e-9, 0.7)] == [
        *(True, False, False, True)
    ]


def test_whose_stop_it_was_is_known_afterwards(table: GateActionsTable) -> None:
    table.mark_halt("arn:job", "loss")
    table.mark_halt("arn:job", "loss")

    assert table.has_halted("arn:job", "loss")
    assert not table.has_halted("arn:job", "accuracy")


def given(minute: int, model: str = PACKAGE, gate: str = "full") -> Verdict:
    """Return a verdict as the function makes it that judges."""
    request = GateRequest(gate=gate, model=model, request_id=str(minute), trigger="manual")
    return Verdict(
        id=f"hallmark:verdict/{request.digest}",
        request=request,
        stage="production",
        outcome="passed",
        model_name="churn v3",
        criteria=(),
        action="none",
        decided_at=NOON + timedelta(minutes=minute),
        summary="as expected",
    )


def test_a_later_verdict_of_the_same_gate_on_the_same_model_is_newer(dynamodb: Any, verdicts: GateVerdicts) -> None:
    kept = DynamoVerdicts(TABLE, dynamodb)
    first, third = kept.add(given(1)), kept.add(given(3))
    others = [kept.add(each) for each in (given(2), given(9, PACKAGE.replace("/3", "/4")), given(9, gate="bench"))]
    for each in (first, third, first, *others):
        verdicts.place(verdicts.find(each.id))

    orders = [order_of(decided_event(each), POLICY) for each in (first, third)]

    assert [verdicts.newer(order) for order in orders if order] == [third.id, None]


def test_a_verdict_is_read_as_the_gate_gave_it(dynamodb: Any, verdicts: GateVerdicts) -> None:
    kept = DynamoVerdicts(TABLE, dynamodb).add(given(1))

    assert verdicts.find(kept.id) == decided_event(kept)
    with pytest.raises(NotFoundError, match="there is no verdict 'v9'"):
        verdicts.find("v9")
