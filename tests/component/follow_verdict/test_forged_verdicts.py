"""What the bus is told is followed where the gates' own table holds it, and nowhere else."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from hallmark.aws.gate_table import DynamoVerdicts
from hallmark.aws.gate_verdicts import GateVerdicts
from hallmark.events.gates import GATE_OVERRIDDEN, JudgedCriterion, Outcome
from hallmark.events.published import Published
from hallmark.gates.actions import gate_overridden
from hallmark.gates.promoting import Order
from hallmark.gates.requests import GateRequest
from hallmark.gates.verdicts import Verdict, decided_event
from hallmark.people import Person
from hallmark.policy.deployment import write_policy_package
from hallmark.policy.models import Policy
from tests.contract.aws_adapters.conftest import aws, injection, shared_clients  # noqa: F401 - fixtures
from tests.contract.aws_adapters.test_gate_actions_table import create_table
from tests.fakes.lambda_functions import Context, load_function
from tests.fakes.told_verdicts import NOON, PACKAGE

TABLE = "gates"
KIM = Person(arn="arn:aws:iam::111122223333:user/kim")
STAGING = {
    "stage": "staging",
    "models": {"model_package_groups": ["churn"]},
    "criteria": {"traceable": {"kind": "lineage"}},
    "next_stage": "end",
}
GATES = {"gates": {"bench": STAGING, "full": {**STAGING, "stage": "end", "next_stage": None}}}
DEFINITION = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Pass", "End": True}}})
ROLE = "arn:aws:iam::123456789012:role/steps"


def given(outcome: Outcome, request: str = "1", at: datetime = NOON) -> Verdict:
    """Return a verdict as the function makes it that judges."""
    asked = GateRequest(gate="bench", model=PACKAGE, request_id=request, trigger="manual")
    return Verdict(
        id=f"hallmark:verdict/{asked.digest}",
        request=asked,
        stage="staging",
        outcome=outcome,
        model_name="churn:3",
        group="churn",
        package=PACKAGE,
        criteria=(JudgedCriterion(name="traceable", kind="lineage", outcome=outcome, why="so"),),
        action="none",
        decided_at=at,
        summary="as expected",
    )


class Following:
    """The function, with what it starts and what it refuses."""

    def __init__(self, session: botocore.session.Session, dead: str, workflows: Mapping[str, str]) -> None:
        self._sqs: Any = session.create_client("sqs")
        self._steps: Any = session.create_client("stepfunctions")
        self._dead, self._workflows = dead, workflows
        self.dynamodb: Any = session.create_client("dynamodb")

    def deliver(self, detail_type: str, told: Published) -> None:
        entry = told.to_entry("bus", detail_type)
        body = {"source": "hallmark", "detail-type": detail_type, "detail": json.loads(entry["Detail"])}
        record = {"messageId": "1", "body": json.dumps(body), "attributes": {"ApproximateReceiveCount": "1"}}
        answer = load_function("follow_verdict").handler({"Records": [record]}, Context())
        assert answer == {"batchItemFailures": []}

    def started(self, workflow: str = "promote") -> list[dict[str, Any]]:
        """Return the orders that executions were started with, the oldest first."""
        arn = self._workflows[workflow]
        names = [each["executionArn"] for each in self._steps.list_executions(stateMachineArn=arn)["executions"]]
        inputs = [self._steps.describe_execution(executionArn=name)["input"] for name in names]
        return sorted((json.loads(each)["order"] for each in inputs), key=lambda order: str(order["decided_at"]))

    def refused(self) -> list[str]:
        found = self._sqs.receive_message(
            QueueUrl=self._dead, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
        ).get("Messages", [])
        return [each["MessageAttributes"]["ErrorMessage"]["StringValue"] for each in found]


@pytest.fixture
def following(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Following]:
    session = request.getfixturevalue("aws")
    request.getfixturevalue("shared_clients")
    create_table(session.create_client("dynamodb"))
    dead = session.create_client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    steps = session.create_client("stepfunctions")
    workflows = {
        name: steps.create_state_machine(name=name, definition=DEFINITION, roleArn=ROLE)["stateMachineArn"]
        for name in ("promote", "rollback")
    }
    for name, value in {
        "GATES_TABLE_NAME": TABLE,
        "PROMOTION_WORKFLOW_ARN": workflows["promote"],
        "ROLLBACK_WORKFLOW_ARN": workflows["rollback"],
        "QUERY_LINEAGE_FUNCTION_NAME": "query",
        "DEAD_LETTER_QUEUE_URL": dead,
        "ACCOUNT_ID": "111122223333",
        "EVENT_BUS_NAME": "hallmark",
    }.items():
        monkeypatch.setenv(name, value)
    write_policy_package(Policy.model_validate({"gates": GATES}), tmp_path, tmp_path / "layer")
    monkeypatch.syspath_prepend(tmp_path / "layer")
    importlib.invalidate_caches()
    yield Following(session, dead, workflows)
    sys.modules.pop("hallmark_policy", None)


@pytest.mark.parametrize("outcome", ["passed", "failed"])
def test_a_verdict_that_no_gate_gave_moves_nothing_and_is_kept_with_the_reason(
    following: Following, outcome: Outcome
) -> None:
    forged = decided_event(given(outcome))

    following.deliver(f"QualityGate{outcome.title()}", forged)

    assert following.started() == following.started("rollback") == []
    (reason,) = following.refused()
    assert f"there is no verdict '{forged.verdict}'" in reason
    assert "who put this event on the bus" in reason


def test_a_forged_override_moves_nothing(following: Following) -> None:
    verdict = DynamoVerdicts(TABLE, following.dynamodb).add(given("failed"))
    forged = gate_overridden(decided_event(verdict), KIM, "because I say so", NOON)

    following.deliver(GATE_OVERRIDDEN, forged)

    assert following.started() == []
    assert "there is no override" in following.refused()[0]
    kept = GateVerdicts(TABLE, following.dynamodb).keep_override(forged)
    following.deliver(GATE_OVERRIDDEN, kept)
    assert [order["move"] for order in following.started()] == ["promote"]


def test_what_the_table_holds_counts_whatever_the_event_says(following: Following) -> None:
    verdict = DynamoVerdicts(TABLE, following.dynamodb).add(given("failed"))
    lie = decided_event(verdict).model_copy(update={"outcome": "passed", "model": PACKAGE.replace("/3", "/4")})

    following.deliver("QualityGatePassed", lie)

    (order,) = following.started()
    assert (order["move"], order["model"]) == ("reject", PACKAGE)
    assert following.refused() == []


def test_a_repeat_starts_nothing_and_an_older_verdict_stays_older(following: Following) -> None:
    kept = DynamoVerdicts(TABLE, following.dynamodb)
    older, newer = kept.add(given("failed", "1", NOON)), kept.add(given("passed", "2", NOON + timedelta(hours=1)))
    for verdict in (newer, older, newer, older):
        following.deliver(verdict.detail_type, decided_event(verdict))

    orders = following.started()
    assert [order["move"] for order in orders] == ["reject", "promote"]
    verdicts = GateVerdicts(TABLE, following.dynamodb)
    names = [verdicts.newer(Order.model_validate(order)) for order in orders]
    assert names == [newer.id, None]


def test_the_first_persons_word_stays(following: Following) -> None:
    verdicts, verdict = GateVerdicts(TABLE, following.dynamodb), decided_event(given("failed"))
    first = verdicts.keep_override(gate_overridden(verdict, KIM, "the labels were wrong", NOON))
    other = Person(arn="arn:aws:iam::111122223333:user/lee")

    assert verdicts.keep_override(gate_overridden(verdict, other, "me too", datetime.now(UTC))) == first
