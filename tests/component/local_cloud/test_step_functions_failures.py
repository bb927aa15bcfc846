from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import Any

import pytest

from tests.component.local_cloud.conftest import Workbench
from tests.component.local_cloud.state_machines import StateMachines, task

FAILING = """
import os
import time
from itertools import pairwise

class UnavailableError(Exception):
    pass

def handler(event, context):
    calls.append(time.time())
    if event.get("exit"):
        os._exit(3)
    time.sleep(event.get("sleep", 0))
    if len(calls) <= event.get("failures", 0):
        raise UnavailableError(f"call {len(calls)}")
    return {"calls": calls}

calls = []
"""


@pytest.fixture(scope="module")
def machines(workbench: Workbench) -> StateMachines:
    return StateMachines(workbench)


@pytest.fixture
def failing(workbench: Workbench) -> str:
    """A function that fails as often as it is told to, and counts its calls; a new one for each test."""
    return workbench.function(FAILING)


def retry(**fields: Any) -> list[dict[str, Any]]:
    return [{"ErrorEquals": ["UnavailableError"], "IntervalSeconds": 1, **fields}]


def catch(*errors: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"ErrorEquals": list(errors), "Next": "Caught", **fields}]


def test_the_class_of_a_functions_exception_is_the_error_name(machines: StateMachines, failing: str) -> None:
    ended = machines.run_state(task(failing, {"failures": 9}, Catch=catch("UnavailableError")))

    assert ended.output["Error"] == "UnavailableError"
    assert json.loads(ended.output["Cause"])["errorMessage"] == "call 1"


def test_a_catcher_shapes_its_output_and_sets_variables(machines: StateMachines, failing: str) -> None:
    catcher = catch(
        "States.TaskFailed",
        Output={"was": "{% $states.errorOutput.Error %}", "given": "{% $states.input.key %}"},
        Assign={"failure": "{% $parse($states.errorOutput.Cause).errorMessage %}"},
    )
    states = {
        "Call": task(failing, {"failures": 9}, Catch=catcher, End=True),
        "Caught": {"Type": "Pass", "Output": "{% $merge([$states.input, {'failure': $failure}]) %}", "End": True},
    }

    ended = machines.run({"States": states}, {"key": 5})

    assert ended.output == {"was": "UnavailableError", "given": 5, "failure": "call 1"}


def test_retries_wait_longer_each_time_up_to_the_maximum(machines: StateMachines, failing: str) -> None:
    state = task(
        failing, {"failures": 3}, Retry=retry(IntervalSeconds=1, BackoffRate=3, MaxDelaySeconds=2, MaxAttempts=3)
    )

    calls = machines.run_state(state).output["Payload"]["calls"]

    waits = [later - earlier for earlier, later in pairwise(calls)]
    assert [round(wait) for wait in waits] == [1, 2, 2]


def test_attempts_end_and_the_retry_count_is_in_the_context(machines: StateMachines, workbench: Workbench) -> None:
    function = workbench.function(
        """
        class UnavailableError(Exception):
            pass

        def handler(event, context):
            raise UnavailableError(str(event["attempt"]))
        """
    )
    state = task(
        function,
        {"attempt": "{% $states.context.State.RetryCount %}"},
        Retry=retry(BackoffRate=1, MaxAttempts=2, JitterStrategy="FULL"),
    )

    ended = machines.run_state(state)

    assert ended.error == "UnavailableError"
    assert json.loads(ended.cause or "")["errorMessage"] == "2"


def test_full_jitter_waits_less_than_the_interval(machines: StateMachines) -> None:
    from local.step_functions.failures import StateFailure  # noqa: PLC0415 - MiniStack reads its settings at import
    from local.step_functions.retrying import Retries  # noqa: PLC0415 - as above

    retries = Retries(retry(IntervalSeconds=10, BackoffRate=1, MaxAttempts=200, JitterStrategy="FULL"))

    waits = [retries.delay_seconds(StateFailure("UnavailableError")) or 0 for _ in range(200)]

    assert retries.delay_seconds(StateFailure("UnavailableError")) is None
    assert min(waits) < 2
    assert 4 < sum(waits) / 200 < 6
    assert max(waits) <= 10


def test_a_throttled_function_fails_by_lambdas_name(machines: StateMachines, failing: str) -> None:
    machines.workbench.lambda_.put_function_concurrency(FunctionName=failing, ReservedConcurrentExecutions=0)

    assert machines.run_state(task(failing, {})).error == "Lambda.TooManyRequestsException"


@pytest.mark.parametrize(
    ("payload", "settings", "error"),
    [({"exit": True}, {}, "Runtime.ExitError"), ({"sleep": 5}, {"Timeout": 1}, "Sandbox.Timedout")],
)
def test_a_function_that_dies_or_takes_too_long_fails_by_the_runtimes_name(
    machines: StateMachines, workbench: Workbench, payload: dict[str, Any], settings: dict[str, Any], error: str
) -> None:
    assert machines.run_state(task(workbench.function(FAILING, **settings), payload)).error == error


def test_a_function_that_is_not_there_or_not_allowed_fails_by_name(machines: StateMachines, failing: str) -> None:
    arn = machines.workbench.function_arn(failing)

    gone = machines.run_state(task("nobody", {}))
    denied = machines.run_state(task(failing, {}), role=machines.role(("lambda:InvokeFunction", f"{arn}-other")))
    allowed = machines.run_state(task(failing, {}), role=machines.role(("lambda:InvokeFunction", arn)))

    assert gone.error == "Lambda.ResourceNotFoundException"
    assert denied.error == "Lambda.AWSLambdaException"
    assert arn in (denied.cause or "")
    assert allowed.status == "SUCCEEDED"


def test_the_longest_time_of_a_task_is_states_timeout_which_is_no_task_failure(
    machines: StateMachines, failing: str
) -> None:
    catchers = [*catch("States.TaskFailed", Output="task failed"), *catch("States.Timeout", Output="timed out")]

    ended = machines.run_state(task(failing, {"sleep": 3}, TimeoutSeconds=1, Catch=catchers))

    assert ended.output == "timed out"


def test_all_catches_neither_runtime_errors_nor_too_much_data(machines: StateMachines, failing: str) -> None:
    broken = {
        "QueryLanguage": "JSONPath",
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": failing, "Payload.$": "$.nothing"},
        "Catch": catch("States.ALL"),
    }
    large = {
        "Type": "Parallel",
        "Branches": [
            {"StartAt": "One", "States": {"One": {"Type": "Pass", "Output": "{% $states.input %}", "End": True}}}
        ],
        "Arguments": "{% $join($map([1..300], function($i) { $pad('x', 1000) })) %}",
    }

    assert machines.run_state(broken).error == "States.Runtime"
    assert machines.run_state({**large, "Catch": catch("States.ALL")}).error == "States.DataLimitExceeded"
    named = machines.run_state({**large, "Catch": catch("States.DataLimitExceeded")})
    assert named.output["Error"] == "States.DataLimitExceeded"


def test_results_and_variables_are_limited_even_where_the_output_is_small(machines: StateMachines) -> None:
    text = "{% $join($map([1..300], function($i) { $pad('x', 1000) })) %}"
    piece = {"Piece": {"Type": "Pass", "Output": "{% $pad('x', 1000) %}", "End": True}}
    each = {"Type": "Map", "Items": "{% [1..300] %}", "ItemProcessor": {"StartAt": "Piece", "States": piece}}

    assigned = machines.run_state({"Type": "Pass", "Assign": {"large": text}})
    mapped = machines.run_state({**each, "Output": "{% $count($states.result) %}"})

    assert assigned.error == mapped.error == "States.DataLimitExceeded"


def test_an_expression_without_a_value_can_be_caught(machines: StateMachines, failing: str) -> None:
    ended = machines.run_state(task(failing, "{% $states.input.nothing %}", Catch=catch("States.QueryEvaluationError")))

    assert ended.output["Error"] == "States.QueryEvaluationError"
    assert "Arguments/Payload" in ended.output["Cause"]


def test_input_of_more_than_256_kibibytes_is_refused(machines: StateMachines) -> None:
    machine = machines.create({"States": {"Done": {"Type": "Succeed"}}})

    with pytest.raises(machines.client.exceptions.ClientError, match="less than or equal to 262144"):
        machines.start(machine, "x" * 262_143)
    assert machines.ended(machines.start(machine, "x" * 262_142)).status == "SUCCEEDED"


def test_an_execution_ends_when_its_time_is_over(machines: StateMachines) -> None:
    begun = time.monotonic()

    ended = machines.run({"TimeoutSeconds": 1, "States": {"Rest": {"Type": "Wait", "Seconds": 90, "End": True}}})

    assert ended.status == "TIMED_OUT"
    assert time.monotonic() - begun < 60
    assert machines.history(ended.arn)[-1]["type"] == "ExecutionTimedOut"


def test_stopping_a_map_stops_its_children(machines: StateMachines) -> None:
    rest = {"Rest": {"Type": "Wait", "Seconds": 30, "End": True}}
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Rest"}
    state = {
        "Type": "Map",
        "Items": "{% [1..6] %}",
        "MaxConcurrency": 2,
        "ItemProcessor": {**processor, "States": rest},
    }
    arn = machines.start(machines.create({"States": {"Each": {**state, "End": True}}}))
    run = machines.workbench.wait_for(lambda: machines.client.list_map_runs(executionArn=arn)["mapRuns"])[0][
        "mapRunArn"
    ]
    machines.workbench.wait_for(lambda: len(machines.client.list_executions(mapRunArn=run)["executions"]) == 2)

    machines.client.stop_execution(executionArn=arn, error="Enough", cause="the budget is spent")

    described = machines.describe(arn)
    assert (described["status"], described["error"], described["cause"]) == ("ABORTED", "Enough", "the budget is spent")
    machines.workbench.wait_for(lambda: machines.client.describe_map_run(mapRunArn=run)["status"] == "ABORTED")
    children = machines.client.list_executions(mapRunArn=run)["executions"]
    assert [child["status"] for child in children] == ["ABORTED", "ABORTED"]


def waiting(queue_url: str, **fields: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Arguments": {"QueueUrl": queue_url, "MessageBody": {"token": "{% $states.context.Task.Token %}"}},
        **fields,
    }


def test_a_task_waits_for_the_call_with_its_token(machines: StateMachines) -> None:
    url, _ = machines.workbench.queue()
    arn = machines.start(machines.create({"States": {"Ask": waiting(url, End=True)}}))
    token = machines.workbench.bodies(url)[0]["token"]

    machines.client.send_task_success(taskToken=token, output='{"approved": true}')

    assert machines.ended(arn).output == {"approved": True}


def test_a_task_fails_with_what_the_caller_says(machines: StateMachines) -> None:
    url, _ = machines.workbench.queue()
    arn = machines.start(machines.create({"States": {"Ask": waiting(url, End=True)}}))
    token = machines.workbench.bodies(url)[0]["token"]

    machines.client.send_task_failure(taskToken=token, error="Refused", cause="by hand")

    assert (machines.ended(arn).error, machines.ended(arn).cause) == ("Refused", "by hand")


def test_heartbeats_keep_a_task_alive_and_their_absence_ends_it(machines: StateMachines) -> None:
    url, _ = machines.workbench.queue()
    arn = machines.start(machines.create({"States": {"Ask": waiting(url, HeartbeatSeconds=4, End=True)}}))
    token = machines.workbench.bodies(url)[0]["token"]
    begun = time.monotonic()

    for _ in range(10):
        time.sleep(0.5)
        machines.client.send_task_heartbeat(taskToken=token)

    ended = machines.ended(arn)
    assert ended.error == "States.HeartbeatTimeout"
    assert time.monotonic() - begun > 8.5


def test_a_function_that_fails_before_it_calls_back_fails_the_task(machines: StateMachines, failing: str) -> None:
    state = task(failing, {"failures": 9, "token": "{% $states.context.Task.Token %}"}, TimeoutSeconds=90)

    begun = time.monotonic()
    ended = machines.run_state({**state, "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"})

    assert ended.error == "UnavailableError"
    assert time.monotonic() - begun < 80


def test_the_history_says_what_happened_with_links(machines: StateMachines, failing: str) -> None:
    ended = machines.run_state(task(failing, {"failures": 1}, Retry=retry()))

    events = machines.history(ended.arn)
    assert [event["type"] for event in events] == [
        "ExecutionStarted",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskFailed",
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    assert [event["id"] for event in events] == list(range(1, 11))
    assert all(event["previousEventId"] < event["id"] for event in events)
    assert events[4]["taskFailedEventDetails"]["error"] == "UnavailableError"
    assert events[2]["taskScheduledEventDetails"]["resourceType"] == "lambda"


def test_status_changes_are_events_on_the_default_bus(machines: StateMachines) -> None:
    bench = machines.workbench
    url, queue = bench.queue()
    bench.let_events_send(url, queue)
    machine = machines.create({"States": {"Broken": {"Type": "Fail", "Error": "Broken", "Cause": "on purpose"}}})
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [machine]}}
    rule = bench.name("rule")
    bench.events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    bench.events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": queue}])

    arn = machines.start(machine)

    events = bench.bodies(url, 2)
    assert sorted(event["detail"]["status"] for event in events) == ["FAILED", "RUNNING"]
    failed = next(event for event in events if event["detail"]["status"] == "FAILED")
    assert failed["detail-type"] == "Step Functions Execution Status Change"
    assert failed["resources"] == [arn]
    assert failed["detail"]["error"] == "Broken"
    assert failed["detail"]["redriveStatus"] == "REDRIVABLE"
    assert isinstance(failed["detail"]["startDate"], int)
