from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.component.local_cloud.conftest import Workbench
from tests.component.local_cloud.state_machines import StateMachines, distributed, task

ECHO = {"Echo": {"Type": "Pass", "End": True}}
ROWS = [{"n": number} for number in range(10)]


@pytest.fixture(scope="module")
def machines(workbench: Workbench) -> StateMachines:
    return StateMachines(workbench)


@pytest.fixture(scope="module")
def rows(machines: StateMachines) -> str:
    return machines.put_lines(ROWS)


def reader(machines: StateMachines, kind: str = "JSONL") -> dict[str, Any]:
    return {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": kind},
        "Arguments": {"Bucket": machines.bucket, "Key": "{% $states.input.key %}"},
    }


def fails_below(limit: int) -> dict[str, Any]:
    return {
        "IsSmall": {
            "Type": "Choice",
            "Choices": [{"Condition": f"{{% $states.input.n < {limit} %}}", "Next": "Refuse"}],
            "Default": "Accept",
        },
        "Refuse": {"Type": "Fail", "Error": "TooSmall", "Cause": "{% $string($states.input.n) & ' is small' %}"},
        "Accept": {"Type": "Succeed"},
    }


def test_items_are_read_from_where_expressions_say_and_selected_one_by_one(machines: StateMachines, rows: str) -> None:
    ended = machines.run_state(
        distributed(
            ECHO,
            ItemReader=reader(machines),
            ItemSelector={
                "row": "{% $states.context.Map.Item.Value.n %}",
                "index": "{% $states.context.Map.Item.Index %}",
            },
        ),
        {"key": rows},
    )

    assert ended.output == [{"row": number, "index": number} for number in range(10)]


def test_lines_end_with_a_line_feed_alone(machines: StateMachines) -> None:
    key = "separators.jsonl"
    texts = ["a\u2028b", "c\u0085d", "e\x0cf"]
    body = "\n".join(json.dumps({"text": text}, ensure_ascii=False) for text in texts) + "\n\n"
    machines.s3.put_object(Bucket=machines.bucket, Key=key, Body=body.encode())

    ended = machines.run_state(distributed(ECHO, ItemReader=reader(machines)), {"key": key})

    assert [item["text"] for item in ended.output] == texts


def test_batches_have_at_most_so_many_items_and_the_batch_input(machines: StateMachines, rows: str) -> None:
    batcher = {"MaxItemsPerBatch": "{% $states.input.size %}", "BatchInput": {"suite": "{% $states.input.key %}"}}

    ended = machines.run_state(
        distributed(ECHO, ItemReader=reader(machines), ItemBatcher=batcher), {"key": rows, "size": 4}
    )

    assert ended.output == [
        {"BatchInput": {"suite": rows}, "Items": ROWS[0:4]},
        {"BatchInput": {"suite": rows}, "Items": ROWS[4:8]},
        {"BatchInput": {"suite": rows}, "Items": ROWS[8:10]},
    ]


def test_batches_have_at_most_so_many_bytes(machines: StateMachines, rows: str) -> None:
    ended = machines.run_state(
        distributed(ECHO, ItemReader=reader(machines), ItemBatcher={"MaxInputBytesPerBatch": 30}), {"key": rows}
    )

    sizes = [len(json.dumps(batch, separators=(",", ":"))) for batch in ended.output]
    assert [item for batch in ended.output for item in batch["Items"]] == ROWS
    assert max(sizes) <= 30
    assert len(sizes) == 5  # {"Items":[{"n":0},{"n":1}]} has 27 bytes, one more item 35


def test_results_are_written_as_a_manifest_and_files_of_children(machines: StateMachines, rows: str) -> None:
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Arguments": {"Bucket": machines.bucket, "Prefix": "{% 'results/' & $states.input.key %}"},
    }

    ended = machines.run_state(
        distributed(fails_below(2), ItemReader=reader(machines), ResultWriter=writer, ToleratedFailurePercentage=20),
        {"key": rows},
    )

    run_id = ended.output["MapRunArn"].rpartition(":")[2]
    folder = f"results/{rows}/{run_id}"
    assert ended.output["ResultWriterDetails"] == {"Bucket": machines.bucket, "Key": f"{folder}/manifest.json"}
    manifest = machines.read_json(f"{folder}/manifest.json")
    assert manifest["MapRunArn"] == ended.output["MapRunArn"]
    assert [entry["Key"] for entry in manifest["ResultFiles"]["SUCCEEDED"]] == [f"{folder}/SUCCEEDED_0.json"]
    assert [entry["Key"] for entry in manifest["ResultFiles"]["FAILED"]] == [f"{folder}/FAILED_0.json"]
    assert manifest["ResultFiles"]["PENDING"] == []
    succeeded = machines.read_json(f"{folder}/SUCCEEDED_0.json")
    assert [json.loads(child["Output"]) for child in succeeded] == ROWS[2:]
    failed = machines.read_json(f"{folder}/FAILED_0.json")
    assert [(child["Error"], child["Cause"], child["Status"]) for child in failed] == [
        ("TooSmall", "0 is small", "FAILED"),
        ("TooSmall", "1 is small", "FAILED"),
    ]


def test_a_tolerated_failure_stays_in_the_output_as_its_execution(machines: StateMachines, rows: str) -> None:
    ended = machines.run_state(
        distributed(fails_below(1), ItemReader=reader(machines), ToleratedFailureCount=1), {"key": rows}
    )

    assert ended.output[1:] == ROWS[1:]
    assert {name: ended.output[0][name] for name in ("Status", "Error", "Cause", "Input")} == {
        "Status": "FAILED",
        "Error": "TooSmall",
        "Cause": "0 is small",
        "Input": '{"n":0}',
    }


def test_outputs_that_are_arrays_can_be_flattened_into_lines(machines: StateMachines) -> None:
    double = {"Double": {"Type": "Pass", "Output": "{% [$states.input, $states.input * 10] %}", "End": True}}
    config = {"WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSONL"}}
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Arguments": {"Bucket": machines.bucket, "Prefix": "flat"}}

    shown = machines.run_state(distributed(double, Items=[1, 2], ResultWriter=config))
    written = machines.run_state(distributed(double, Items=[1, 2], ResultWriter={**writer, **config}))

    manifest = machines.read_json(written.output["ResultWriterDetails"]["Key"])
    key = manifest["ResultFiles"]["SUCCEEDED"][0]["Key"]
    assert shown.output == [1, 10, 2, 20]
    written_lines = machines.s3.get_object(Bucket=machines.bucket, Key=key)["Body"].read().decode()
    assert written_lines.split("\n") == ["1", "10", "2", "20"]


def test_more_failures_than_tolerated_fail_the_state_and_stop_the_rest(machines: StateMachines, rows: str) -> None:
    ended = machines.run_state(
        distributed(fails_below(10), ItemReader=reader(machines), ToleratedFailureCount=2, MaxConcurrency=1),
        {"key": rows},
    )

    run = machines.client.list_map_runs(executionArn=ended.arn)["mapRuns"][0]
    counts = machines.client.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
    assert (ended.status, ended.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    assert (counts["failed"], counts["pending"]) == (3, 7)


def test_a_failed_batch_counts_with_all_its_items(machines: StateMachines, rows: str) -> None:
    refuse = {"Refuse": {"Type": "Fail", "Error": "No"}}
    fields: dict[str, Any] = {
        "ItemReader": reader(machines),
        "ItemBatcher": {"MaxItemsPerBatch": 5},
        "MaxConcurrency": 1,
    }

    tolerated = machines.run_state(distributed(refuse, ToleratedFailureCount=10, **fields), {"key": rows})
    exceeded = machines.run_state(distributed(refuse, ToleratedFailureCount=9, **fields), {"key": rows})

    assert (tolerated.status, exceeded.status) == ("SUCCEEDED", "FAILED")


def test_as_many_children_run_at_once_as_the_expression_says(
    machines: StateMachines, workbench: Workbench, tmp_path: Path
) -> None:
    # The first three wait for one another: they end only if all of them run at once.
    function = workbench.function(
        f"""
        import pathlib
        import time

        def handler(event, context):
            begun, folder = time.time(), pathlib.Path({str(tmp_path)!r})
            (folder / str(event)).touch()
            while len(list(folder.iterdir())) < 3:
                time.sleep(0.05)
            time.sleep(0.1)
            return [begun, time.time()]
        """
    )
    call = {"Call": task(function, "{% $states.input %}", Output="{% $states.result.Payload %}", End=True)}
    state = distributed(call, Items="{% [1..9] %}", MaxConcurrency="{% $states.input.at_once %}")

    spans = machines.run_state(state, {"at_once": 3}).output

    overlaps = [sum(begun <= moment < ended for begun, ended in spans) for moment, _ in spans]
    assert max(overlaps) == 3


def test_many_children_at_once_evaluate_the_same_expressions_apart(machines: StateMachines) -> None:
    expression = "{% $reduce($map([1..20], function($v) { $v * $states.input }), function($a, $b) { $a + $b }) %}"
    shown = {"Type": "Succeed", "Output": "{% [$states.input, $x] %}"}
    inner = {"Sum": {"Type": "Pass", "Assign": {"x": expression}, "Next": "Show"}, "Show": shown}

    ended = machines.run_state(distributed(inner, Items="{% [1..300] %}", MaxConcurrency=40))

    assert ended.output == [[number, 210 * number] for number in range(1, 301)]


def test_children_see_their_own_execution_and_no_outer_variables(machines: StateMachines) -> None:
    inner = {
        "Look": {
            "Type": "Pass",
            "Output": {
                "input": "{% $states.context.Execution.Input %}",
                "machine": "{% $states.context.StateMachine.Name %}",
                "outer": "{% $exists($outer) %}",
            },
            "End": True,
        }
    }
    definition = {
        "States": {
            "Set": {"Type": "Pass", "Assign": {"outer": 1}, "Next": "Each"},
            "Each": distributed(inner, Items=[7], ItemSelector={"outer": "{% $outer %}"}, End=True),
        }
    }

    ended = machines.run(definition)

    assert ended.output == [{"input": {"outer": 1}, "machine": ended.arn.split(":")[-2], "outer": False}]


def test_each_child_has_a_history_and_is_listed_with_its_map_run(machines: StateMachines, rows: str) -> None:
    ended = machines.run_state(distributed(ECHO, ItemReader=reader(machines)), {"key": rows})

    run = machines.client.list_map_runs(executionArn=ended.arn)["mapRuns"][0]["mapRunArn"]
    children = machines.client.list_executions(mapRunArn=run)["executions"]
    types = [event["type"] for event in machines.history(children[0]["executionArn"])]
    assert len(children) == 10
    assert types == ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]


def test_no_items_are_a_map_run_without_children(machines: StateMachines) -> None:
    assert machines.run_state(distributed(ECHO, Items=[])).output == []


def test_a_dataset_that_is_not_there_fails_the_reader_and_can_be_caught(machines: StateMachines) -> None:
    caught = [{"ErrorEquals": ["States.ItemReaderFailed"], "Next": "Caught"}]

    ended = machines.run_state(distributed(ECHO, ItemReader=reader(machines), Catch=caught), {"key": "nowhere.jsonl"})

    assert ended.output["Error"] == "States.ItemReaderFailed"
    assert "nowhere.jsonl" in ended.output["Cause"]


@pytest.mark.parametrize(
    ("allowed", "error"),
    [
        (["states:StartExecution", "s3:PutObject"], "States.ItemReaderFailed"),
        (["states:StartExecution", "s3:GetObject"], "States.ResultWriterFailed"),
        (["s3:GetObject", "s3:PutObject"], "States.Permissions"),
    ],
)
def test_reading_writing_and_starting_children_take_the_roles_permission(
    machines: StateMachines, rows: str, allowed: list[str], error: str
) -> None:
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Arguments": {"Bucket": machines.bucket, "Prefix": "denied"}}
    state = distributed(ECHO, ItemReader=reader(machines), ResultWriter=writer)

    ended = machines.run_state(state, {"key": rows}, role=machines.role((allowed, "*")))

    assert ended.error == error
