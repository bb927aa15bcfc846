from __future__ import annotations

import json
from typing import Any

import pytest

from tests.component.local_cloud.conftest import Workbench
from tests.component.local_cloud.state_machines import StateMachines, distributed, task

# Fails where the bucket holds no object of the given name, and counts its calls in objects of its own.
NEEDING = """
import boto3
import json

def handler(event, context):
    s3 = boto3.client("s3")
    s3.put_object(Bucket=event["bucket"], Key=f"calls/{context.aws_request_id}", Body=json.dumps(event["item"]))
    s3.head_object(Bucket=event["bucket"], Key=event["needs"])
    return event["item"]
"""


@pytest.fixture(scope="module")
def machines(workbench: Workbench) -> StateMachines:
    return StateMachines(workbench)


@pytest.fixture(scope="module")
def needing(machines: StateMachines) -> str:
    return machines.workbench.function(NEEDING, role=machines.everything)


@pytest.fixture
def bucket(machines: StateMachines) -> str:
    name = machines.workbench.name("redrive")
    machines.s3.create_bucket(Bucket=name)
    return name


def calls(machines: StateMachines, bucket: str) -> list[Any]:
    listed = machines.s3.list_objects_v2(Bucket=bucket, Prefix="calls/").get("Contents", [])
    bodies = (machines.s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in listed)
    return sorted(json.loads(body) for body in bodies)


def needs(needing: str, bucket: str, item: Any, name: str) -> dict[str, Any]:
    payload = {"bucket": bucket, "item": item, "needs": name}
    return task(needing, payload, Output="{% $states.result.Payload %}", End=True)


def test_an_execution_goes_on_from_the_state_that_failed(machines: StateMachines, needing: str, bucket: str) -> None:
    first = {**needs(needing, bucket, 1, "always"), "Assign": {"kept": "{% $states.result.Payload + 40 %}"}}
    del first["End"]
    second = {**needs(needing, bucket, 2, "late"), "Output": "{% [$states.input, $kept] %}"}
    machines.s3.put_object(Bucket=bucket, Key="always")
    arn = machines.start(machines.create({"States": {"First": {**first, "Next": "Second"}, "Second": second}}))
    assert machines.ended(arn).status == "FAILED"
    assert machines.describe(arn)["redriveStatus"] == "REDRIVABLE"

    machines.s3.put_object(Bucket=bucket, Key="late")
    machines.client.redrive_execution(executionArn=arn)

    assert machines.ended(arn).output == [1, 41]
    assert calls(machines, bucket) == [1, 2, 2]
    described = machines.describe(arn)
    assert (described["redriveCount"], described["redriveStatus"]) == (1, "NOT_REDRIVABLE")
    assert "ExecutionRedriven" in [event["type"] for event in machines.history(arn)]


def test_a_map_run_repeats_only_the_children_that_failed(machines: StateMachines, needing: str, bucket: str) -> None:
    payload = {"bucket": bucket, "item": "{% $states.input %}", "needs": "{% 'needed-' & $string($states.input) %}"}
    call = {"Call": task(needing, payload, Output="{% $states.result.Payload %}", End=True)}
    state = distributed(call, Items=[1, 2, 3, 4], MaxConcurrency=1, ToleratedFailureCount=1, End=True)
    for item in (1, 4):
        machines.s3.put_object(Bucket=bucket, Key=f"needed-{item}")
    arn = machines.start(machines.create({"States": {"Each": state}}))
    assert machines.ended(arn).error == "States.ExceedToleratedFailureThreshold"
    assert calls(machines, bucket) == [1, 2, 3]

    for item in (2, 3):
        machines.s3.put_object(Bucket=bucket, Key=f"needed-{item}")
    machines.client.redrive_execution(executionArn=arn)

    assert machines.ended(arn).output == [1, 2, 3, 4]
    assert calls(machines, bucket) == [1, 2, 2, 3, 3, 4]
    runs = machines.client.list_map_runs(executionArn=arn)["mapRuns"]
    described = machines.client.describe_map_run(mapRunArn=runs[0]["mapRunArn"])
    assert len(runs) == 1
    assert (described["redriveCount"], described["status"], described["itemCounts"]["succeeded"]) == (1, "SUCCEEDED", 4)


@pytest.mark.parametrize(("kind", "again"), [("STANDARD", [1]), ("EXPRESS", [1, 1])])
def test_a_standard_child_goes_on_where_it_failed_and_an_express_child_begins_anew(
    machines: StateMachines, needing: str, bucket: str, kind: str, again: list[int]
) -> None:
    first = needs(needing, bucket, 1, "always")
    del first["End"]
    states = {"First": {**first, "Next": "Second"}, "Second": needs(needing, bucket, 2, "late")}
    machines.s3.put_object(Bucket=bucket, Key="always")
    state = distributed(states, Items=[0], execution_type=kind, End=True)
    arn = machines.start(machines.create({"States": {"Each": state}}))
    assert machines.ended(arn).status == "FAILED"

    machines.s3.put_object(Bucket=bucket, Key="late")
    machines.client.redrive_execution(executionArn=arn)

    assert machines.ended(arn).output == [2]
    assert calls(machines, bucket) == [*again, 2, 2]


def test_iterations_and_branches_that_succeeded_are_not_repeated(
    machines: StateMachines, needing: str, bucket: str
) -> None:
    payload = {"bucket": bucket, "item": "{% $states.input %}", "needs": "{% 'needed-' & $string($states.input) %}"}
    call = {"Call": task(needing, payload, Output="{% $states.result.Payload %}", End=True)}
    each = {
        "Type": "Map",
        "Items": [1, 2],
        "MaxConcurrency": 1,
        "ItemProcessor": {"StartAt": "Call", "States": call},
        "End": True,
    }
    machines.s3.put_object(Bucket=bucket, Key="needed-1")
    arn = machines.start(machines.create({"States": {"Each": each}}))
    assert machines.ended(arn).status == "FAILED"

    machines.s3.put_object(Bucket=bucket, Key="needed-2")
    machines.client.redrive_execution(executionArn=arn)

    assert machines.ended(arn).output == [1, 2]
    assert calls(machines, bucket) == [1, 2, 2]


def test_an_execution_that_was_stopped_or_timed_out_goes_on(machines: StateMachines) -> None:
    rest = {"Type": "Wait", "Seconds": "{% $states.context.Execution.RedriveCount = 0 ? 60 : 0 %}", "End": True}
    stopped = machines.start(machines.create({"States": {"Rest": rest}}))
    machines.client.stop_execution(executionArn=stopped)
    timed_out = machines.start(machines.create({"States": {"Rest": rest}, "TimeoutSeconds": 1}))
    assert machines.ended(timed_out).status == "TIMED_OUT"

    for arn in (stopped, timed_out):
        machines.client.redrive_execution(executionArn=arn)

        assert machines.ended(arn).status == "SUCCEEDED"


def test_what_succeeded_and_what_is_express_cannot_be_redriven(machines: StateMachines) -> None:
    succeeded = machines.run({"States": {"Done": {"Type": "Succeed"}}})
    machine = machines.create({"States": {"Broken": {"Type": "Fail", "Error": "Broken"}}}, kind="EXPRESS")
    express = machines.sync_client().start_sync_execution(stateMachineArn=machine, input="{}")
    assert (express["status"], express["error"]) == ("FAILED", "Broken")

    for arn in (succeeded.arn, express["executionArn"]):
        with pytest.raises(machines.client.exceptions.ExecutionNotRedrivable):
            machines.client.redrive_execution(executionArn=arn)


def test_redriving_takes_its_own_permission(machines: StateMachines) -> None:
    cloud = machines.workbench.cloud
    failed = machines.run({"States": {"Broken": {"Type": "Fail", "Error": "Broken"}}})
    function = machines.workbench.function(
        """
        import boto3

        def handler(event, context):
            boto3.client("stepfunctions").redrive_execution(executionArn=event)
        """,
        role=machines.role(("states:DescribeExecution", "*")),
    )

    error, _ = machines.workbench.invoke(function, failed.arn)

    assert "states:RedriveExecution" in error["errorMessage"]
    assert cloud.account in error["errorMessage"]
