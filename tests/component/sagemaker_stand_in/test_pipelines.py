from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.patience import PATIENCE_SECONDS

PAYLOADS = Path(__file__).parents[2] / "payloads" / "aws"
INSTANCE = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}


def get(reference: str) -> dict[str, str]:
    return {"Get": reference}


def processing_step(cloud: Any, name: str, script: Any, **more: Any) -> dict[str, Any]:
    output = {"LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {"ImageUri": cloud.image, "ContainerEntrypoint": ["/bin/sh", "-c", script]},
            "RoleArn": cloud.role,
            "ProcessingResources": {"ClusterConfig": INSTANCE},
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "out",
                        "S3Output": {
                            **output,
                            "S3Uri": {
                                "Std:Join": {
                                    "On": "/",
                                    "Values": [f"s3://{cloud.bucket}", get("Execution.PipelineExecutionId"), name],
                                }
                            },
                        },
                    }
                ]
            },
        },
        **more,
    }


def training_step(cloud: Any, name: str, script: str, **more: Any) -> dict[str, Any]:
    return {
        "Name": name,
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {
                "TrainingImage": cloud.image,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["/bin/sh", "-c", script],
            },
            "RoleArn": cloud.role,
            "OutputDataConfig": {"S3OutputPath": f"s3://{cloud.bucket}/models"},
            "ResourceConfig": INSTANCE,
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            **more,
        },
    }


def create(cloud: Any, steps: list[dict[str, Any]], parameters: list[dict[str, Any]] | None = None) -> str:
    definition = {"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters or [], "Steps": steps}
    cloud.client.create_pipeline(PipelineName="Rings", PipelineDefinition=json.dumps(definition), RoleArn=cloud.role)
    return "Rings"


def start(cloud: Any, **values: str) -> str:
    given = [{"Name": name, "Value": value} for name, value in values.items()]
    arn = cloud.client.start_pipeline_execution(PipelineName="Rings", PipelineParameters=given)["PipelineExecutionArn"]
    return str(arn)


def wait(cloud: Any, arn: str) -> Any:
    return cloud.wait(
        lambda: cloud.client.describe_pipeline_execution(PipelineExecutionArn=arn),
        "PipelineExecutionStatus", "Succeeded", "Failed", "Stopped",
    )  # fmt: skip


def steps_of(cloud: Any, arn: str) -> dict[str, Any]:
    pages = cloud.client.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn)
    return {step["StepName"]: step for answer in pages for step in answer["PipelineExecutionSteps"]}


def abalone(cloud: Any) -> list[dict[str, Any]]:
    """The shape of AWS's abalone example: process, tune, evaluate, then register if good enough."""
    split = processing_step(cloud, "Split", "echo 1 2 3 > /opt/ml/processing/output/train.csv")
    channel = {
        "ChannelName": "train",
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": get("Steps.Split.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"),
            }
        },
    }
    train = training_step(
        cloud,
        "Train",
        "cat /opt/ml/input/data/train/train.csv > /opt/ml/model/model",
        InputDataConfig=[channel],
        HyperParameters={"depth": get("Parameters.Depth")},
    )
    evaluate = processing_step(
        cloud,
        "Evaluate",
        'echo "{\\"metrics\\": {\\"mse\\": {\\"value\\": 3.5}}}" > /opt/ml/processing/output/evaluation.json',
        DependsOn=["Train"],
        PropertyFiles=[{"PropertyFileName": "Report", "OutputName": "out", "FilePath": "evaluation.json"}],
    )
    image = {"Image": cloud.image, "ModelDataUrl": get("Steps.Train.ModelArtifacts.S3ModelArtifacts")}
    register = {
        "Name": "Register",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": "rings",
            "InferenceSpecification": {
                "Containers": [image],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            "ModelApprovalStatus": "PendingManualApproval",
        },
    }
    model = {
        "Name": "Create",
        "Type": "Model",
        "Arguments": {"PrimaryContainer": image, "ExecutionRoleArn": cloud.role},
    }
    fail = {
        "Name": "TooBad",
        "Type": "Fail",
        "Arguments": {"ErrorMessage": {"Std:Join": {"On": " ", "Values": ["mse above", get("Parameters.Limit")]}}},
    }
    value = {"Std:JsonGet": {"PropertyFile": get("Steps.Evaluate.PropertyFiles.Report"), "Path": "metrics.mse.value"}}
    good_enough = {
        "Name": "GoodEnough",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [{"Type": "LessThanOrEqualTo", "LeftValue": value, "RightValue": get("Parameters.Limit")}],
            "IfSteps": [register, model],
            "ElseSteps": [fail],
        },
    }
    return [good_enough, evaluate, train, split]


PARAMETERS: list[dict[str, Any]] = [
    {"Name": "Limit", "Type": "Float", "DefaultValue": 6.0},
    {"Name": "Depth", "Type": "String", "DefaultValue": "5", "EnumValues": ["5", "7"]},
]


def test_a_pipeline_runs_its_steps_in_order_and_registers_what_is_good_enough(cloud: Any) -> None:
    create(cloud, abalone(cloud), PARAMETERS)

    arn = start(cloud, Depth="7")

    execution = wait(cloud, arn)
    steps = steps_of(cloud, arn)
    assert execution["PipelineExecutionStatus"] == "Succeeded", steps
    assert {name: step["StepStatus"] for name, step in steps.items()} == dict.fromkeys(
        ["Split", "Train", "Evaluate", "GoodEnough", "Register", "Create"], "Succeeded"
    )
    ends = [steps[name]["EndTime"] for name in ("Split", "Train", "Evaluate", "GoodEnough")]
    assert ends == sorted(ends)
    assert steps["GoodEnough"]["Metadata"]["Condition"]["Outcome"] == "True"
    job = cloud.client.describe_training_job(
        TrainingJobName=steps["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    )
    identity = arn.rpartition("/")[2]
    assert job["TrainingJobName"].startswith(f"pipelines-{identity}-Train-")
    assert job["HyperParameters"] == {"depth": "7"}
    package = cloud.client.describe_model_package(
        ModelPackageName=steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    )
    assert package["MetadataProperties"]["GeneratedBy"] == arn
    container = package["InferenceSpecification"]["Containers"][0]
    assert container["ModelDataUrl"] == job["ModelArtifacts"]["S3ModelArtifacts"]
    model = cloud.client.describe_model(ModelName=steps["Create"]["Metadata"]["Model"]["Arn"].rpartition("/")[2])
    assert model["PrimaryContainer"]["ModelDataUrl"] == job["ModelArtifacts"]["S3ModelArtifacts"]


def test_a_condition_that_does_not_hold_takes_the_other_branch(cloud: Any) -> None:
    create(cloud, abalone(cloud), PARAMETERS)

    arn = start(cloud, Limit="2")

    execution = wait(cloud, arn)
    steps = steps_of(cloud, arn)
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert execution["FailureReason"] == "Step failure: One or multiple steps failed"
    assert steps["TooBad"]["FailureReason"] == "mse above 2.0"
    assert steps["TooBad"]["Metadata"]["Fail"]["ErrorMessage"] == "mse above 2.0"
    assert set(steps) == {"Split", "Train", "Evaluate", "GoodEnough", "TooBad"}


def test_a_step_that_fails_keeps_those_after_it_from_starting(cloud: Any) -> None:
    first = processing_step(cloud, "First", "exit 4")
    create(cloud, [first, processing_step(cloud, "Second", "true", DependsOn=["First"])])

    arn = start(cloud)

    assert wait(cloud, arn)["PipelineExecutionStatus"] == "Failed"
    steps = steps_of(cloud, arn)
    assert list(steps) == ["First"]
    assert steps["First"]["FailureReason"].endswith("exit code: 4")


def test_what_a_step_may_not_create_is_its_failure_reason(cloud: Any) -> None:
    step = training_step(cloud, "Train", "true")
    del step["Arguments"]["ResourceConfig"]
    create(cloud, [step])

    arn = start(cloud)

    assert wait(cloud, arn)["PipelineExecutionStatus"] == "Failed"
    assert "ValidationException" in steps_of(cloud, arn)["Train"]["FailureReason"]
    assert "resourceConfig" in steps_of(cloud, arn)["Train"]["FailureReason"]


def test_an_unsupported_step_fails_and_says_so(cloud: Any) -> None:
    create(cloud, [{"Name": "Call", "Type": "EMR", "Arguments": {}}])

    arn = start(cloud)

    assert wait(cloud, arn)["PipelineExecutionStatus"] == "Failed"
    assert "EMR" in steps_of(cloud, arn)["Call"]["FailureReason"]


QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/gates"


def callback_step(name: str = "Call", **arguments: Any) -> dict[str, Any]:
    outputs = [{"OutputName": "verdict", "OutputType": "String"}]
    return {
        "Name": name,
        "Type": "Callback",
        "SqsQueueUrl": QUEUE,
        "Arguments": arguments,
        "OutputParameters": outputs,
    }


def called(cloud: Any, arn: str, messages: int = 1) -> dict[str, Any]:
    """Return the latest of so many messages, once the step that sends them waits."""
    step = cloud.wait(lambda: steps_of(cloud, arn).get("Call", {"StepStatus": ""}), "StepStatus", "Executing")
    queue, body = cloud.sent[-1]
    message: dict[str, Any] = json.loads(body)
    assert (queue, len(cloud.sent)) == (QUEUE, messages)
    assert step["Metadata"]["Callback"] == {"CallbackToken": message["token"], "SqsQueueUrl": QUEUE}
    return message


def test_a_callback_step_waits_for_who_answers_its_token_and_hands_on_what_they_say(cloud: Any) -> None:
    fail = {"Name": "Say", "Type": "Fail", "Arguments": {"ErrorMessage": get("Steps.Call.OutputParameters['verdict']")}}
    create(cloud, [callback_step(gate="staging", model=get("Execution.PipelineName")), fail])
    arn = start(cloud)
    message = called(cloud, arn)

    # As AWS's sample has it, but for the arguments and the status.
    sample = json.loads((PAYLOADS / "sqs-body-pipelines-callback-stopping.json").read_text())
    assert message.keys() == sample.keys()
    assert (message["status"], message["arguments"]) == ("Executing", {"gate": "staging", "model": "Rings"})
    answer = {
        "CallbackToken": message["token"],
        "OutputParameters": [{"Name": "verdict", "Value": "hallmark:verdict/1"}],
        "ClientRequestToken": "t" * 32,
    }
    assert cloud.client.send_pipeline_execution_step_success(**answer)["PipelineExecutionArn"] == arn

    assert wait(cloud, arn)["PipelineExecutionStatus"] == "Failed"
    steps = steps_of(cloud, arn)
    assert steps["Call"]["StepStatus"] == "Succeeded"
    assert steps["Call"]["Metadata"]["Callback"]["OutputParameters"] == answer["OutputParameters"]
    assert steps["Say"]["FailureReason"] == "hallmark:verdict/1"
    with pytest.raises(cloud.client.exceptions.ConflictException):
        cloud.client.send_pipeline_execution_step_success(**answer)


def test_a_callback_step_fails_with_the_reason_that_it_is_told(cloud: Any) -> None:
    create(cloud, [callback_step()])
    arn = start(cloud)
    token = called(cloud, arn)["token"]
    with pytest.raises(cloud.client.exceptions.ResourceNotFound):
        cloud.client.send_pipeline_execution_step_failure(CallbackToken="a" * 10, ClientRequestToken="t" * 32)

    cloud.client.send_pipeline_execution_step_failure(
        CallbackToken=token, FailureReason="it is unfair", ClientRequestToken="t" * 32
    )

    assert wait(cloud, arn)["PipelineExecutionStatus"] == "Failed"
    assert steps_of(cloud, arn)["Call"]["FailureReason"] == "it is unfair"


def test_a_pipeline_that_is_stopped_tells_its_callback_step_and_waits_for_the_answer(cloud: Any) -> None:
    create(cloud, [callback_step()])
    arn = start(cloud)
    first = called(cloud, arn)

    cloud.client.stop_pipeline_execution(PipelineExecutionArn=arn)
    cloud.wait(lambda: steps_of(cloud, arn)["Call"], "StepStatus", "Stopping")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(cloud.sent) == 1 and time.monotonic() < deadline:
        time.sleep(0.01)

    again = json.loads(cloud.sent[1][1])
    assert again == {**first, "status": "Stopping"}
    assert cloud.client.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Stopping"
    cloud.client.send_pipeline_execution_step_failure(CallbackToken=first["token"], ClientRequestToken="t" * 32)
    assert wait(cloud, arn)["PipelineExecutionStatus"] == "Stopped"
    assert steps_of(cloud, arn)["Call"]["StepStatus"] == "Stopped"


def test_stopping_an_execution_stops_the_jobs_of_its_steps(cloud: Any) -> None:
    create(cloud, [training_step(cloud, "Long", "echo up; while :; do sleep 0.01; done")])
    arn = start(cloud)
    running = cloud.wait(lambda: steps_of(cloud, arn).get("Long", {"StepStatus": ""}), "StepStatus", "Executing")
    name = running["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    cloud.wait_for_line("training-job", name, "up")

    cloud.client.stop_pipeline_execution(PipelineExecutionArn=arn)

    assert wait(cloud, arn)["PipelineExecutionStatus"] == "Stopped"
    assert steps_of(cloud, arn)["Long"]["StepStatus"] == "Stopped"
    assert cloud.client.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "Stopped"
    with pytest.raises(cloud.client.exceptions.ConflictException):
        cloud.client.stop_pipeline_execution(PipelineExecutionArn=arn)


def test_steps_that_do_not_depend_on_each_other_run_side_by_side(cloud: Any) -> None:
    """Each waits for the file that the other writes: one after the other, neither would end."""
    shared = cloud.service.foundation.settings.scratch
    script = "touch {scratch}/{mine}; while ! test -f {scratch}/{other}; do sleep 0.01; done"
    create(
        cloud,
        [
            processing_step(cloud, "A", script.format(scratch=shared, mine="a", other="b")),
            processing_step(cloud, "B", script.format(scratch=shared, mine="b", other="a")),
        ],
    )

    assert wait(cloud, start(cloud))["PipelineExecutionStatus"] == "Succeeded"


def test_the_states_of_execution_and_steps_are_told_as_aws_tells_them(cloud: Any) -> None:
    create(cloud, [processing_step(cloud, "Only", "true")])

    arn = start(cloud)
    wait(cloud, arn)

    executions = cloud.events("SageMaker Model Building Pipeline Execution Status Change")
    steps = cloud.events("SageMaker Model Building Pipeline Execution Step Status Change")
    told = [event["Detail"]["currentPipelineExecutionStatus"] for event in executions]
    assert told == ["Executing", "Succeeded"]
    assert [event["Detail"]["currentStepStatus"] for event in steps] == ["Starting", "Executing", "Succeeded"]
    assert {event["Detail"]["stepType"] for event in steps} == {"Processing"}
    pipeline = arn.partition("/execution/")[0]
    assert all(event["Resources"] == [pipeline, arn] for event in [*executions, *steps])


def test_an_execution_keeps_its_definition_when_the_pipeline_changes(cloud: Any) -> None:
    create(cloud, [processing_step(cloud, "Only", "true")], PARAMETERS)
    arn = start(cloud, Depth="7")
    changed = json.dumps({"Version": "2020-12-01", "Steps": []})

    cloud.client.update_pipeline(PipelineName="Rings", PipelineDefinition=changed)

    kept = cloud.client.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    assert json.loads(kept["PipelineDefinition"])["Steps"][0]["Name"] == "Only"
    assert cloud.client.describe_pipeline(PipelineName="Rings")["PipelineDefinition"] == changed
    values = cloud.client.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)["PipelineParameters"]
    assert {entry["Name"]: entry["Value"] for entry in values} == {"Depth": "7", "Limit": "6.0"}
    wait(cloud, arn)


def test_the_same_token_starts_one_execution(cloud: Any) -> None:
    create(cloud, [])
    token = "t" * 32

    arns = {
        cloud.client.start_pipeline_execution(PipelineName="Rings", ClientRequestToken=token)["PipelineExecutionArn"]
        for _ in range(2)
    }

    assert len(arns) == 1
    found = cloud.client.list_pipeline_executions(PipelineName="Rings")["PipelineExecutionSummaries"]
    assert {each["PipelineExecutionArn"] for each in found} == arns
    wait(cloud, arns.pop())


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ("{", "is not JSON"),
        ({"Steps": [{"Name": "A"}]}, "a Name and a Type"),
        ({"Steps": [{"Name": "A", "Type": "Fail"}, {"Name": "A", "Type": "Fail"}]}, "unique"),
        ({"Steps": [{"Name": "A", "Type": "Fail", "DependsOn": ["B"]}]}, "step B"),
        (
            {
                "Steps": [
                    {"Name": "A", "Type": "Fail", "DependsOn": ["B"]},
                    {"Name": "B", "Type": "Fail", "DependsOn": ["A"]},
                ]
            },
            "circle",
        ),
        (
            {"Steps": [{"Name": "A", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.X"}}}]},
            "Parameters.X",
        ),
    ],
)
def test_a_definition_that_cannot_run_is_refused(cloud: Any, definition: Any, words: str) -> None:
    text = definition if isinstance(definition, str) else json.dumps(definition)

    with pytest.raises(ClientError, match="ValidationException") as refusal:
        cloud.client.create_pipeline(PipelineName="Bad", PipelineDefinition=text, RoleArn=cloud.role)

    assert words in refusal.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    ("values", "words"),
    [({"Limit": "high"}, "'high' of parameter Limit"), ({"Depth": "6"}, "one of"), ({"Other": "1"}, "[Other]")],
)
def test_a_parameter_that_does_not_fit_is_refused(cloud: Any, values: dict[str, str], words: str) -> None:
    create(cloud, [], PARAMETERS)

    with pytest.raises(ClientError) as refusal:
        start(cloud, **values)

    assert words in refusal.value.response["Error"]["Message"]
