"""Violations on the bus become one notification in a channel's queue, through the deployed app with IAM enforced."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hallmark.alerts.grouping import GroupState
from hallmark.aws.alert_table import DynamoAlerts
from hallmark.events import drift, gates
from hallmark.events.records import LineageNode, LineageSection
from tests.unit.alerts.events_of_others import alarm

pytestmark = pytest.mark.e2e


class Alerts:
    """What these tests ask of the deployed alerts."""

    def __init__(self, deployed: Any) -> None:
        self.deployed = deployed
        self.table = DynamoAlerts(deployed.outputs["AlertsTableName"], deployed.client("dynamodb"))

    def publish(self, *told: tuple[str, Any]) -> None:
        entries = [event.to_entry(self.deployed.outputs["EventBusName"], name) for name, event in told]
        for start in range(0, len(entries), 10):
            answer = self.deployed.client("events").put_events(Entries=entries[start : start + 10])
            assert answer["FailedEntryCount"] == 0

    def call(self, function: str, **question: Any) -> dict[str, Any]:
        answer = self.deployed.client("lambda").invoke(
            FunctionName=self.deployed.outputs[function], Payload=json.dumps(question).encode()
        )
        document: dict[str, Any] = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise AssertionError(document)
        return document

    def act(self, **request: Any) -> dict[str, Any]:
        """Act in one's own name."""
        answer: dict[str, Any] = self.deployed.call_signed("ActOnAlertsFunctionName", request)
        return answer

    def open(self, subject: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("QueryAlertsFunctionName", ask="open", match={"subject": subject})[
            "alerts"
        ]
        return found

    def told(self, alert: dict[str, Any], sequence: int) -> GroupState | None:
        """Return the group of an alert once so many notifications of it were handed to their channel."""
        (group,) = alert["groups"]
        found = self.table.group(group["group"])
        if found is None or found.value.sequence < sequence or found.value.outbox:
            return None
        return found.value

    def shown(self, alert: str) -> dict[str, Any]:
        return self.call("QueryAlertsFunctionName", ask="alert", alert=alert)


@pytest.fixture
def alerts(deployed: Any) -> Alerts:
    return Alerts(deployed)


def verdict(model: str, outcome: gates.Outcome, name: str) -> tuple[str, gates.QualityGateDecided]:
    now = datetime.now(UTC)
    told = gates.QualityGateDecided(
        lineage=LineageSection(
            node=LineageNode(kind="verdict", id=f"hallmark:verdict/{name}"), at=now, status=outcome.title()
        ),
        verdict=f"hallmark:verdict/{name}",
        outcome=outcome,
        gate="e2e",
        stage="staging",
        model=f"arn:aws:sagemaker:us-east-1:000000000000:model-package/{model}/1",
        model_name=model,
        criteria=[
            gates.JudgedCriterion(name="f1", kind="absolute", outcome=outcome, value=0.6, threshold=0.8, why="low")
        ],
        action="block",
        decided_at=now,
        trigger="manual",
        summary=f"{model} {outcome}",
    )
    types = {"passed": gates.QUALITY_GATE_PASSED, "failed": gates.QUALITY_GATE_FAILED}
    return types[outcome], told


def test_a_failed_gate_is_told_once_and_its_end_too_and_lineage_knows_both(alerts: Alerts, deployed: Any) -> None:
    model = f"model-{uuid.uuid4().hex[:8]}"
    failed = verdict(model, "failed", f"{model}-1")
    alerts.publish(failed, failed)
    alerts.publish(failed)

    (alert,) = deployed.eventually(lambda: alerts.open(model))
    first = deployed.eventually(lambda: alerts.told(alert, 1))
    assert (first.sequence, list(first.told["listener"].firing)) == (1, [alert["fingerprint"]])
    assert (alert["severity"], alert["readings"][0]["value"]) == ("error", 0.6)
    assert any("hallmark alerts ack" in link["command"] for link in alert["links"])

    shown = deployed.eventually(
        lambda: found if (found := deployed.ask("show", node=alert["id"]))["answer"] == "show" else None
    )
    assert shown["node"]["status"] == "Firing"
    assert [edge["source"] for edge in shown["upstream"]] == [f"hallmark:verdict/{model}-1"]

    alerts.publish(verdict(model, "passed", f"{model}-2"))
    second = deployed.eventually(lambda: alerts.told(alert, 2))
    assert (second.sequence, second.due_at, second.opened_at) == (2, None, first.opened_at)
    assert second.told["listener"].resolved == {alert["fingerprint"]}
    assert alerts.open(model) == []
    assert alerts.shown(alert["id"])["status"] == "resolved"
    assert deployed.dead_letters("Alerts") == []
    assert deployed.dead_letters("AlertLooks") == []


def test_who_acknowledges_is_named_and_a_silence_holds_back(alerts: Alerts, deployed: Any) -> None:
    model = f"model-{uuid.uuid4().hex[:8]}"
    me = deployed.client("sts").get_caller_identity()["Arn"]
    silence = alerts.act(ask="silence", match={"subject": [model]}, length="PT1H", reason="a test")
    assert silence["author"] == me
    alerts.publish(verdict(model, "failed", f"{model}-1"))
    (alert,) = deployed.eventually(lambda: alerts.open(model))
    assert alert["silenced_by"] == silence["id"]

    unsigned = {"message": {"ask": "acknowledge", "target": alert["fingerprint"], "reason": "mine"}}
    with pytest.raises(AssertionError, match="proof"):
        alerts.call("ActOnAlertsFunctionName", **unsigned)
    acknowledged = alerts.act(**unsigned["message"])
    assert acknowledged["acknowledged"][0]["acknowledged"]["reason"] == "mine"
    deployed.eventually(
        lambda: (
            (found := deployed.ask("show", node=alert["id"]))["answer"] == "show"
            and found["node"]["status"] == "Acknowledged"
        )
    )
    assert alerts.told(alert, 1) is None
    alerts.act(ask="unsilence", silence=silence["id"])
    assert silence["id"] not in {
        each["id"] for each in alerts.call("QueryAlertsFunctionName", ask="silences")["silences"]
    }
    told = deployed.eventually(lambda: alerts.told(alert, 1))
    assert list(told.told["listener"].firing) == [alert["fingerprint"]]
    assert alerts.shown(alert["fingerprint"])["acknowledged"]["by"] == me
    # What fires is looked at every two seconds: not for the rest of all tests.
    alerts.publish(verdict(model, "passed", f"{model}-2"))
    deployed.eventually(lambda: alerts.open(model) == [])


def test_an_alarm_of_cloudwatch_is_an_alert_and_ends_with_it(alerts: Alerts, deployed: Any) -> None:
    name = f"HallmarkE2e-{uuid.uuid4().hex[:8]}"
    at = datetime.now(UTC)
    told = [alarm("ALARM", name=name), alarm("OK", name=name), alarm("ALARM", name="AnotherTeams")]
    for place, event in enumerate(told):
        event["detail"]["state"]["timestamp"] = (at + timedelta(milliseconds=place)).isoformat()
    deployed.cloud.emit([told[0], told[2]])

    (alert,) = deployed.eventually(lambda: alerts.open(name))
    assert (alert["name"], alert["severity"], alert["readings"][0]["threshold"]) == ("CloudWatchAlarm", "error", 50.0)
    deployed.cloud.emit([told[1]])
    deployed.eventually(lambda: alerts.open(name) == [])
    assert alerts.open("AnotherTeams") == []


def test_a_violation_that_cannot_be_read_is_a_dead_letter_with_the_reason(alerts: Alerts, deployed: Any) -> None:
    deployed.client("events").put_events(
        Entries=[
            {
                "EventBusName": deployed.outputs["EventBusName"],
                "Source": "hallmark",
                "DetailType": drift.MONITOR_FAILED,
                "Detail": json.dumps({"monitor": "m"}),
            }
        ]
    )

    (letter,) = deployed.eventually(lambda: deployed.dead_letters("Alerts"))
    assert "detail.subject" in letter["MessageAttributes"]["ErrorMessage"]["StringValue"]
