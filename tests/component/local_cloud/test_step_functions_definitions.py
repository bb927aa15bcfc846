from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from tests.component.local_cloud.conftest import Workbench
from tests.component.local_cloud.state_machines import StateMachines

WORKFLOWS = sorted((Path(__file__).parents[3] / "infra" / "workflows").glob("*.asl.yaml"))
CALL = "arn:aws:states:::lambda:invoke"


@pytest.fixture(scope="module")
def machines(workbench: Workbench) -> StateMachines:
    return StateMachines(workbench)


def one(state: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"States": {"Only": state, **more}}


WRONG: list[tuple[dict[str, Any], str]] = [
    (one({"Type": "Bogus"}), "The field 'Type' must be one of"),
    (one({"Type": "Pass", "Next": "Missing"}), "MISSING_TRANSITION_TARGET: Missing 'Next' target: Missing"),
    (one({"Type": "Pass"}), "A state has either 'Next' or 'End'"),
    (one({"Type": "Pass", "End": True}, Lost={"Type": "Succeed"}), 'State "Lost" is not reachable.'),
    (one({"Type": "Task", "End": True}), r"These fields are required: \[Resource\]"),
    (one({"Type": "Task", "Resource": "lambda", "End": True}), "neither a function, an activity nor a service"),
    (one({"Type": "Pass", "Parameters": {}, "End": True}), "not supported when the QueryLanguage is JSONata"),
    (one({"Type": "Pass", "Output": "{% $states.( %}", "End": True}), "INVALID_JSONATA_EXPRESSION"),
    (one({"Type": "Pass", "Retries": 3, "End": True}), "The field 'Retries' is not supported by Pass states"),
    (one({"Type": "Choice", "Choices": [{"Variable": "$.a", "Next": "Only"}]}), "The field 'Condition' is required"),
    ({**one({"Type": "Succeed"}), "Timeout": 5}, "The field 'Timeout' is not supported here"),
    (one({"Type": "Wait", "End": True}), "exactly one of Seconds"),
    (
        one({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:bedrock:createJudgement", "End": True}),
        "The action 'createJudgement' of the service 'bedrock' is not supported",
    ),
    (
        one(
            {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:bedrock:createEvaluationJob",
                "Arguments": {"jobName": "a"},
                "End": True,
            }
        ),
        "The field 'jobName' of Arguments is not supported by Step Functions; did you mean 'JobName'",
    ),
    (
        one(
            {
                "Type": "Task",
                "Resource": CALL,
                "Catch": [
                    {"ErrorEquals": ["States.ALL"], "Next": "Only"},
                    {"ErrorEquals": ["Other"], "Next": "Only"},
                ],
                "End": True,
            }
        ),
        "States.ALL stands alone, in the last Catch",
    ),
    (
        one(
            {
                "Type": "Map",
                "ItemBatcher": {"MaxItemsPerBatch": 2},
                "ItemProcessor": {"StartAt": "In", "States": {"In": {"Type": "Succeed"}}},
                "End": True,
            }
        ),
        "The field 'ItemBatcher' is supported in DISTRIBUTED mode only",
    ),
    (
        one(
            {
                "Type": "Map",
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED"},
                    "StartAt": "In",
                    "States": {"In": {"Type": "Succeed"}},
                },
                "End": True,
            }
        ),
        "ExecutionType must be STANDARD or EXPRESS",
    ),
]


@pytest.mark.parametrize(("definition", "said"), WRONG, ids=[said[:40] for _, said in WRONG])
def test_a_wrong_definition_is_refused_with_the_place(
    machines: StateMachines, definition: dict[str, Any], said: str
) -> None:
    with pytest.raises(ClientError, match=said) as refused:
        machines.create(definition)

    assert refused.value.response["Error"]["Code"] == "InvalidDefinition"
    assert " at /" in str(refused.value)


def test_a_stack_with_a_wrong_definition_fails(machines: StateMachines) -> None:
    client = machines.workbench.cloud.client("cloudformation")
    stack = machines.workbench.name("stack")
    properties = {
        "RoleArn": machines.everything,
        "DefinitionString": json.dumps({"StartAt": "Gone", "States": {"Only": {"Type": "Succeed"}}}),
    }
    machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}

    client.create_stack(StackName=stack, TemplateBody=json.dumps({"Resources": {"Machine": machine}}))
    machines.workbench.wait_for(
        lambda: "ROLLBACK" in client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    )

    events = client.describe_stack_events(StackName=stack)["StackEvents"]
    assert any("Missing 'Next' target: Gone" in event.get("ResourceStatusReason", "") for event in events)


def test_a_role_that_step_functions_may_not_assume_is_refused(machines: StateMachines) -> None:
    name = machines.workbench.name("role")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = machines.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]

    with pytest.raises(ClientError, match=r"Neither the global service principal states\.amazonaws\.com"):
        machines.create({"States": {"Done": {"Type": "Succeed"}}}, role=role)


def test_diagnostics_say_code_message_and_place(machines: StateMachines) -> None:
    answer = machines.client.validate_state_machine_definition(
        definition=json.dumps({"StartAt": "Only", "States": {"Only": {"Type": "Bogus"}}})
    )

    assert answer["result"] == "FAIL"
    assert [(each["severity"], each["code"], each["location"]) for each in answer["diagnostics"]] == [
        ("ERROR", "SCHEMA_VALIDATION_FAILED", "/States/Only")
    ]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=[path.name for path in WORKFLOWS])
def test_the_apps_workflows_are_valid(machines: StateMachines, workflow: Path) -> None:
    definition = yaml.safe_load(workflow.read_text(encoding="utf-8"))

    answer = machines.client.validate_state_machine_definition(definition=json.dumps(definition))

    assert answer["diagnostics"] == []


def test_the_same_name_with_the_same_input_is_the_same_execution_while_it_runs(machines: StateMachines) -> None:
    machine = machines.create({"States": {"Rest": {"Type": "Wait", "Seconds": 2, "End": True}}})
    name = machines.workbench.name("run")

    def start(text: str) -> str:
        answer = machines.client.start_execution(stateMachineArn=machine, name=name, input=text)
        return str(answer["executionArn"])

    first = start("{}")
    assert start("{}") == first
    with pytest.raises(machines.client.exceptions.ExecutionAlreadyExists):
        start('{"other": true}')
    machines.ended(first)
    with pytest.raises(machines.client.exceptions.ExecutionAlreadyExists):
        start("{}")


@pytest.mark.parametrize(("name", "text", "code"), [("a b", "{}", "InvalidName"), ("ab", "{", "InvalidExecutionInput")])
def test_a_name_or_an_input_that_is_none_is_refused(machines: StateMachines, name: str, text: str, code: str) -> None:
    machine = machines.create({"States": {"Done": {"Type": "Succeed"}}})

    with pytest.raises(ClientError) as refused:
        machines.client.start_execution(stateMachineArn=machine, name=name, input=text)

    assert refused.value.response["Error"]["Code"] == code


def test_the_mends_are_still_needed(machines: StateMachines) -> None:
    """Fails once MiniStack refuses what AWS refuses and knows the operations that the mends add."""
    from ministack.services import scheduler, stepfunctions  # noqa: PLC0415 - it reads its settings at import

    nonsense = {"definition": '{"StartAt": "Gone", "States": {}}'}
    _, _, validated = stepfunctions._validate_state_machine_definition.replaces(nonsense)
    status, _, _ = scheduler._create_schedule.replaces(
        "never",
        {
            "ScheduleExpression": "rate(5 moments)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": "arn:aws:sqs:us-east-1:111122223333:none",
                "RoleArn": "arn:aws:iam::111122223333:role/none",
            },
        },
    )
    known = stepfunctions.handle_request.replaces.__code__.co_consts

    assert json.loads(validated)["result"] == "OK"
    assert status == 200
    assert not any("RedriveExecution" in constant for constant in known if isinstance(constant, str | tuple))
