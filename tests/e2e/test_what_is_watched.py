"""Monitors of each source on the deployed app, woken by the Scheduler itself, and a gate that asks them."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from examples.wine_cultivars.workflow import ENDPOINT
from hallmark.events.reviews import FEEDBACK_RECEIVED, FeedbackReceived
from tests.e2e.evaluations import Evaluations

pytestmark = pytest.mark.e2e

MODEL = "e2e-answering"
SLICE = timedelta(minutes=5)


@pytest.fixture(scope="module")
def before() -> datetime:
    """Return the end of a slice that is long over: windows of before it have no other tests' values."""
    now = datetime.now(UTC)
    return datetime.fromtimestamp(now.timestamp() // SLICE.seconds * SLICE.seconds, UTC) - SLICE


def look(deployed: Any, monitor: str, at: datetime) -> dict[str, Any]:
    """Look as of a time; return what the workflow's execution answers."""
    started = deployed.ask_monitors("look", monitor=monitor, at=at.isoformat())

    def ended() -> dict[str, Any] | None:
        state: dict[str, Any] = deployed.ask_monitors("look-state", execution=started["execution"])
        return state if state["status"] != "RUNNING" else None

    state: dict[str, Any] = deployed.eventually(ended, seconds=90)
    assert state["status"] == "SUCCEEDED", state
    output: dict[str, Any] = state["output"]
    return output


def findings(deployed: Any, looked: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a look's findings by statistic."""
    assert looked["report"], looked
    report = json.loads(deployed.ask_monitors("report", report=looked["report"])["content"])
    return {each["statistic"]: each for each in report["findings"]}


def test_metrics_of_a_model_that_became_slow_and_wrong_are_drift(deployed: Any, before: datetime) -> None:
    cloudwatch = deployed.client("cloudwatch")
    dimensions = [{"Name": "ModelId", "Value": MODEL}]
    for minute in range(25):
        at, slow = before - timedelta(minutes=minute + 1), minute < 5
        values = {"InvocationLatency": 900 + minute % 3 if slow else 300 + minute % 7}
        values |= {"Invocations": 50, "InvocationServerErrors": 25 if slow else minute % 2}
        cloudwatch.put_metric_data(
            Namespace="E2E/Bedrock",
            MetricData=[
                {"MetricName": name, "Dimensions": dimensions, "Timestamp": at, "Value": float(value)}
                for name, value in values.items()
            ],
        )

    usual, slow_ones = look(deployed, "e2e-latency", before - SLICE), look(deployed, "e2e-latency", before)

    found = findings(deployed, slow_ones)
    assert (usual["outcome"], slow_ones["outcome"]) == ("clear", "drifted")
    assert (found["mean_increase"]["baseline_count"], found["mean_increase"]["current_count"]) == (20, 5)
    assert found["mean_increase"]["value"] == pytest.approx(598, abs=5)
    assert found["rate_increase"]["is_drifted"]


def test_scores_from_the_bus_below_the_floor_are_drift(deployed: Any, before: datetime) -> None:
    entries = []
    for place in range(60):
        # Those of the newest slice are bad.
        at, score = before - timedelta(seconds=20 * place + 10), 0.2 if place < 14 else 1.0
        told = FeedbackReceived(
            feedback=f"hallmark:feedback/{uuid.uuid4().hex}",
            request_id=f"r-{place}",
            model=f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}",
            score=score,
            received_at=at,
        )
        entries.append(told.to_entry(deployed.outputs["EventBusName"], FEEDBACK_RECEIVED))
    for start in range(0, len(entries), 10):
        assert deployed.client("events").put_events(Entries=entries[start : start + 10])["FailedEntryCount"] == 0
    kept = {"FilterExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": f"SCORES#{MODEL}"}}}
    deployed.eventually(lambda: len(deployed.items("DriftTableName", **kept)) == len(entries))

    looked = look(deployed, "e2e-scores", before)

    found = findings(deployed, looked)["score_floor"]
    assert looked["outcome"] == "drifted"
    assert (found["current_count"], found["value"]) == (15, pytest.approx((14 * 0.2 + 1) / 15))


def test_what_runs_of_a_suite_found_is_watched(deployed: Any, evaluations: Evaluations) -> None:
    bucket = f"sagemaker-{deployed.cloud.region}-{deployed.cloud.account}"
    s3 = deployed.client("s3")
    if bucket not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="e2e-history.jsonl", Body=b'{"accuracy": 0.7}\n{"accuracy": 0.6}\n')
    evaluations.completed(evaluations.start("judged-sentiment"))

    # As of tomorrow, for the window is a day and is not over.
    looked = look(deployed, "e2e-history", datetime.now(UTC) + timedelta(days=1))

    found = findings(deployed, looked)["score_floor"]
    history = deployed.ask_evaluations("history", suite="judged-sentiment", metric="accuracy", limit=100)
    points = [point["value"] for line in history["lines"] if line["model"] == "vader" for point in line["points"]]
    assert (looked["outcome"], found["current_count"]) == ("clear", len(points))
    assert found["value"] == pytest.approx(sum(points) / len(points))


def test_the_scheduler_wakes_a_monitor_by_itself(deployed: Any) -> None:
    def looks() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = deployed.ask_monitors("monitor", monitor="e2e-woken")["looks"]
        return found

    first = deployed.eventually(looks, seconds=150)[0]

    runs = deployed.client("stepfunctions").list_executions(
        stateMachineArn=deployed.outputs["DriftWorkflowArn"], maxResults=100
    )["executions"]
    given = [
        json.loads(deployed.client("stepfunctions").describe_execution(executionArn=run["executionArn"])["input"])
        for run in runs
    ]
    woken = [each for each in given if each["monitor"] == "e2e-woken"]
    assert woken
    ends = {str(datetime.fromisoformat(each["at"]).replace(second=0, microsecond=0)) for each in woken}
    assert str(datetime.fromisoformat(first["end"])) in ends
    assert first["outcome"] in {"failed", "clear"}


def test_an_endpoint_that_comes_into_service_is_judged_and_what_no_monitor_saw_is_open(shipped: Any) -> None:
    verdicts = judged(shipped, "endpoint")

    (criterion,) = verdicts[-1]["criteria"]
    assert (criterion["name"], criterion["kind"]) == ("steady", "drift")
    assert verdicts[-1]["outcome"] == "inconclusive", verdicts[-1]["summary"]


def judged(deployed: Any, trigger: str) -> list[dict[str, Any]]:
    """Return the verdicts of the gate on the endpoint that something asked for, the latest first."""
    endpoint = deployed.client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)["EndpointArn"]

    def found() -> list[dict[str, Any]]:
        told = deployed.call("QueryGatesFunctionName", {"ask": "verdicts", "limit": 200})["verdicts"]
        # A verdict on an endpoint is listed under the package behind it.
        asked = {"gate": "steady-wines", "trigger": trigger}
        return [
            each
            for each in told
            if asked.items() <= each["request"].items() and each["request"]["model"].lower() == endpoint.lower()
        ]

    verdicts: list[dict[str, Any]] = deployed.eventually(found)
    return verdicts
