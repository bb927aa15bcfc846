from __future__ import annotations

import json
from typing import Any

import pytest

from tests.component.local_cloud.conftest import Workbench
from tests.component.local_cloud.state_machines import StateMachines

CONVERSATION = [
    {"Role": "user", "Content": [{"Text": "Positive, negative or neutral?\n\nText: What a wonderful film."}]}
]
SENTIMENT = "hallmark.textblob-sentiment-v1:0"


@pytest.fixture(scope="module")
def machines(workbench: Workbench) -> StateMachines:
    return StateMachines(workbench)


def sdk(operation: str, arguments: Any, **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:states:::aws-sdk:{operation}", "Arguments": arguments, **fields}


CATCH = [{"ErrorEquals": ["States.TaskFailed"], "Output": "{% $states.errorOutput.Error %}", "Next": "Caught"}]


def test_converse_takes_and_gives_pascal_case(machines: StateMachines) -> None:
    ended = machines.run_state(sdk("bedrockruntime:converse", {"ModelId": SENTIMENT, "Messages": CONVERSATION}))

    assert ended.output["Output"]["Message"]["Role"] == "assistant"
    assert ended.output["Output"]["Message"]["Content"][0]["Text"]
    assert ended.output["Usage"]["InputTokens"] > 0
    assert ended.output["StopReason"] == "end_turn"


@pytest.mark.parametrize(
    ("operation", "arguments", "error"),
    [
        (
            "bedrockruntime:converse",
            {"ModelId": "nobody.none-v1:0", "Messages": CONVERSATION},
            "BedrockRuntime.ValidationException",
        ),
        (
            "bedrock:getEvaluationJob",
            {"JobIdentifier": "arn:aws:bedrock:us-east-1:111122223333:evaluation-job/abcdefghij12"},
            "Bedrock.ResourceNotFoundException",
        ),
        ("scheduler:getSchedule", {"Name": "nothing"}, "Scheduler.ResourceNotFoundException"),
        ("s3:getObject", {"Bucket": "{% $states.input.bucket %}", "Key": "nothing"}, "S3.NoSuchKeyException"),
        ("sqs:getQueueUrl", {"QueueName": "nothing"}, "Sqs.QueueDoesNotExistException"),
        (
            "sfn:describeExecution",
            {"ExecutionArn": "arn:aws:states:us-east-1:111122223333:execution:none:none"},
            "Sfn.ExecutionDoesNotExistException",
        ),
        ("dynamodb:getItem", {"TableName": "nothing", "Key": {"pk": {"S": "a"}}}, "DynamoDb.ResourceNotFoundException"),
    ],
)
def test_errors_have_the_services_prefix_and_the_exceptions_name(
    machines: StateMachines, operation: str, arguments: dict[str, Any], error: str
) -> None:
    ended = machines.run_state(sdk(operation, arguments, Catch=CATCH), {"bucket": machines.bucket})

    assert ended.output == error


def test_a_failed_condition_has_the_name_of_the_integration_that_was_used(machines: StateMachines) -> None:
    table = machines.workbench.name("table")
    machines.workbench.dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    put = {"TableName": table, "Item": {"pk": {"S": "a"}}, "ConditionExpression": "attribute_exists(pk)"}

    by_sdk = machines.run_state(sdk("dynamodb:putItem", put))
    optimised = machines.run_state({**sdk("", put), "Resource": "arn:aws:states:::dynamodb:putItem"})

    assert by_sdk.error == "DynamoDb.ConditionalCheckFailedException"
    assert optimised.error == "DynamoDB.ConditionalCheckFailedException"


def test_calls_are_made_as_the_state_machines_role(machines: StateMachines) -> None:
    list_jobs = sdk("bedrock:listEvaluationJobs", {})

    denied = machines.run_state(list_jobs, role=machines.role(("bedrock:GetEvaluationJob", "*")))
    allowed = machines.run_state(list_jobs, role=machines.role(("bedrock:ListEvaluationJobs", "*")))

    assert denied.error == "Bedrock.AccessDeniedException"
    assert "bedrock:ListEvaluationJobs" in (denied.cause or "")
    assert allowed.status == "SUCCEEDED"


def test_an_evaluation_job_is_created_once_and_described(machines: StateMachines) -> None:
    name = machines.workbench.name("job")
    prompts = "\n".join(json.dumps({"prompt": f"Good film {n}", "referenceResponse": "positive"}) for n in range(3))
    machines.s3.put_object(Bucket=machines.bucket, Key="prompts.jsonl", Body=prompts.encode())
    dataset = {"Name": "films", "DatasetLocation": {"S3Uri": f"s3://{machines.bucket}/prompts.jsonl"}}
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = machines.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    machines.iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(everything))
    metrics = {"TaskType": "Classification", "Dataset": dataset, "MetricNames": ["Builtin.Accuracy"]}
    create = sdk(
        "bedrock:createEvaluationJob",
        {
            "JobName": name,
            "RoleArn": role,
            "EvaluationConfig": {"Automated": {"DatasetMetricConfigs": [metrics]}},
            "InferenceConfig": {"Models": [{"BedrockModel": {"ModelIdentifier": SENTIMENT, "InferenceParams": "{}"}}]},
            "OutputDataConfig": {"S3Uri": f"s3://{machines.bucket}/evaluations/"},
        },
    )
    describe = sdk("bedrock:getEvaluationJob", {"JobIdentifier": "{% $states.input.JobArn %}"}, End=True)

    ended = machines.run({"States": {"Create": {**create, "Next": "Describe"}, "Describe": describe}})
    again = machines.run_state(create)

    assert ended.output["JobName"] == name
    assert ended.output["EvaluationConfig"]["Automated"]["DatasetMetricConfigs"] == [metrics]
    assert ended.output["CreationTime"].endswith("Z")
    assert again.error == "Bedrock.ConflictException"


def test_training_jobs_are_waited_for_only_where_the_resource_says_so(machines: StateMachines) -> None:
    ended = machines.run_state(
        sdk(
            "sagemaker:listTrainingJobs",
            {"MaxResults": 1},
            Output="{% 'TrainingJobSummaries' in $keys($states.result) %}",
        )
    )
    gone = machines.run_state(sdk("sagemaker:describeEndpoint", {"EndpointName": "nothing"}))

    assert ended.output is True
    # DescribeEndpoint models no error: the code ValidationException is the service's own exception.
    assert gone.error == "SageMaker.SageMakerException"


def test_messages_of_the_optimised_integrations_may_be_json(machines: StateMachines) -> None:
    url, _ = machines.workbench.queue()
    send = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Arguments": {
            "QueueUrl": url,
            "MessageBody": {"run": "{% $states.input.run %}"},
            "MessageAttributes": {"kind": {"DataType": "String", "StringValue": "progress"}},
        },
    }

    machines.run_state(send, {"run": 7})

    message = machines.workbench.receive(url)[0]
    assert json.loads(message["Body"]) == {"run": 7}
    assert message["MessageAttributes"]["kind"]["StringValue"] == "progress"


def test_events_that_the_bus_refuses_fail_the_task(machines: StateMachines) -> None:
    entries = [{"Source": "aws.hallmark", "DetailType": "Refused", "Detail": {"a": 1}}]
    put = {"Type": "Task", "Resource": "arn:aws:states:::events:putEvents", "Arguments": {"Entries": entries}}

    ended = machines.run_state(put)

    assert ended.error == "EventBridge.FailedEntry"


def test_a_nested_execution_is_waited_for_and_its_output_parsed(machines: StateMachines) -> None:
    inner = machines.create({"States": {"Double": {"Type": "Succeed", "Output": "{% $states.input.n * 2 %}"}}})
    broken = machines.create({"States": {"Broken": {"Type": "Fail", "Error": "Inner", "Cause": "inside"}}})

    def outer(machine: str, pattern: str) -> dict[str, Any]:
        arguments = {"StateMachineArn": machine, "Input": {"n": 21}}
        return {"Type": "Task", "Resource": f"arn:aws:states:::states:startExecution{pattern}", "Arguments": arguments}

    assert machines.run_state(outer(inner, ".sync:2")).output["Output"] == 42
    assert machines.run_state(outer(inner, ".sync")).output["Output"] == "42"
    assert "ExecutionArn" in machines.run_state(outer(inner, "")).output
    failed = machines.run_state(outer(broken, ".sync:2"))
    assert failed.error == "States.TaskFailed"
    assert json.loads(failed.cause or "")["Error"] == "Inner"


def test_stopping_an_execution_stops_the_one_that_it_waits_for(machines: StateMachines) -> None:
    inner = machines.create({"States": {"Rest": {"Type": "Wait", "Seconds": 60, "End": True}}})
    arguments = {"StateMachineArn": inner, "Input": {}}
    nested = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "Arguments": arguments}
    arn = machines.start(machines.create({"States": {"Nested": {**nested, "End": True}}}))
    listed = machines.workbench.wait_for(lambda: machines.client.list_executions(stateMachineArn=inner)["executions"])

    machines.client.stop_execution(executionArn=arn)

    assert machines.ended(listed[0]["executionArn"]).status == "ABORTED"


def test_an_activitys_worker_gets_the_input_and_gives_the_output(machines: StateMachines) -> None:
    activity = machines.client.create_activity(name=machines.workbench.name("activity"))["activityArn"]
    state = {"Type": "Task", "Resource": activity, "Arguments": {"n": 1}, "End": True}
    arn = machines.start(machines.create({"States": {"Work": state}}))

    work = machines.client.get_activity_task(activityArn=activity)
    machines.client.send_task_success(
        taskToken=work["taskToken"], output=json.dumps(json.loads(work["input"])["n"] + 1)
    )

    assert machines.ended(arn).output == 2
