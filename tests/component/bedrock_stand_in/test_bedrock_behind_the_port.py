from __future__ import annotations

import http.client
import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from local.bedrock.faults import Fault
from local.cloud import LocalCloud
from local.ministack_access import CLIENT_CONFIG
from tests.patience import PATIENCE_SECONDS

VADER = "hallmark.vader-sentiment-v1:0"
TEXTBLOB = "hallmark.textblob-sentiment-v1:0"
MESSAGES: Any = [{"role": "user", "content": [{"text": "positive or negative?\n\nText: I love it"}]}]


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud() as running:
        yield running


def as_role(cloud: LocalCloud, service: str, *statements: tuple[str, str]) -> Any:
    """Return a client with the session of a role that may do no more than ``statements`` (action, resource) say."""
    iam, sts = cloud.client("iam"), cloud.client("sts")
    name = f"caller-{uuid.uuid4().hex[:8]}"
    trust = {"Effect": "Allow", "Principal": {"AWS": cloud.account}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    allowed = [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in statements]
    if allowed:
        policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        iam.put_role_policy(RoleName=name, PolicyName="permissions", PolicyDocument=policy)
    credentials = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    session = boto3.session.Session(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        region_name=cloud.region,
    )
    return session.client(service, endpoint_url=cloud.endpoint, config=CLIENT_CONFIG)  # type: ignore[call-overload] # the name is a variable


def model_arn(cloud: LocalCloud, model: str) -> str:
    return f"arn:aws:bedrock:{cloud.region}::foundation-model/{model}"


def test_without_a_grant_a_call_is_denied_naming_role_action_and_model(cloud: LocalCloud) -> None:
    runtime = as_role(cloud, "bedrock-runtime")

    with pytest.raises(ClientError) as error:
        runtime.converse(modelId=VADER, messages=MESSAGES)

    said = error.value.response["Error"]
    assert said["Code"] == "AccessDeniedException"
    for part in ("assumed-role/caller-", "bedrock:InvokeModel", model_arn(cloud, VADER)):
        assert part in said["Message"]


def test_a_grant_on_one_model_does_not_reach_another(cloud: LocalCloud) -> None:
    runtime = as_role(cloud, "bedrock-runtime", ("bedrock:InvokeModel", model_arn(cloud, VADER)))

    assert runtime.converse(modelId=VADER, messages=MESSAGES)["stopReason"] == "end_turn"
    assert runtime.converse(modelId=model_arn(cloud, VADER), messages=MESSAGES)["stopReason"] == "end_turn"
    for call in (runtime.converse, runtime.converse_stream):
        with pytest.raises(ClientError, match="AccessDenied"):
            call(modelId=TEXTBLOB, messages=MESSAGES)
    with pytest.raises(ClientError, match="bedrock:InvokeModelWithResponseStream"):
        runtime.converse_stream(modelId=VADER, messages=MESSAGES)


@pytest.mark.parametrize(
    ("operation", "parameters", "action"),
    [
        ("list_foundation_models", {}, "bedrock:ListFoundationModels"),
        ("get_foundation_model", {"modelIdentifier": VADER}, "bedrock:GetFoundationModel"),
        (
            "get_evaluation_job",
            {"jobIdentifier": "arn:aws:bedrock:us-east-1:111122223333:evaluation-job/abcdefghijkl"},
            "bedrock:GetEvaluationJob",
        ),
        (
            "stop_model_invocation_job",
            {"jobIdentifier": "arn:aws:bedrock:us-east-1:111122223333:model-invocation-job/abcdefghijkl"},
            "bedrock:StopModelInvocationJob",
        ),
    ],
)
def test_the_control_plane_is_closed_without_a_grant(
    cloud: LocalCloud, operation: str, parameters: dict[str, Any], action: str
) -> None:
    control = as_role(cloud, "bedrock", ("bedrock:InvokeModel", "*"))

    with pytest.raises(ClientError, match=action) as error:
        getattr(control, operation)(**parameters)

    assert error.value.response["Error"]["Code"] == "AccessDeniedException"


def test_an_answer_that_takes_too_long_ends_in_the_clients_time_out(cloud: LocalCloud) -> None:
    impatient = boto3.client(
        "bedrock-runtime",
        region_name=cloud.region,
        endpoint_url=cloud.endpoint,
        aws_access_key_id=cloud.account,
        aws_secret_access_key="local-root",
        config=Config(read_timeout=0.2, retries={"total_max_attempts": 1}),
    )
    cloud.bedrock().faults.set(TEXTBLOB, Fault(latency_seconds=1))

    with pytest.raises(ReadTimeoutError):
        impatient.converse(modelId=TEXTBLOB, messages=MESSAGES)

    cloud.bedrock().faults.set(TEXTBLOB, Fault())


def test_slow_answers_wait_side_by_side_and_hold_up_nobody(cloud: LocalCloud) -> None:
    config = CLIENT_CONFIG.merge(Config(max_pool_connections=100))
    runtime = boto3.client(
        "bedrock-runtime",
        region_name=cloud.region,
        endpoint_url=cloud.endpoint,
        aws_access_key_id=cloud.account,
        aws_secret_access_key="local-root",
        config=config,
    )
    runtime.converse(modelId=VADER, messages=MESSAGES)
    cloud.bedrock().faults.set(VADER, Fault(latency_seconds=8))
    started = time.monotonic()
    with ThreadPoolExecutor(80) as threads:
        waiting = [threads.submit(runtime.converse, modelId=VADER, messages=MESSAGES) for _ in range(80)]
        cloud.client("sts").get_caller_identity()
        others = time.monotonic() - started
        latencies = [done.result()["metrics"]["latencyMs"] for done in waiting]

    assert min(latencies) >= 8000
    assert others < 8
    assert time.monotonic() - started < 200  # one after the other they take 640 s
    cloud.bedrock().faults.set(VADER, Fault())


def control(cloud: LocalCloud, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=PATIENCE_SECONDS)
    connection.request(method, f"/_local/bedrock/{path}", body=data)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def test_faults_and_counts_can_be_reached_over_http(cloud: LocalCloud) -> None:
    runtime = cloud.client("bedrock-runtime")
    control(cloud, "DELETE", "calls")
    assert control(cloud, "PUT", "faults", {"model": VADER, "fault": {"model_error_every": 2}})[0] == 200
    assert control(cloud, "GET", "faults") == (200, {"models": {VADER: {"model_error_every": 2}}})

    runtime.converse(modelId=VADER, messages=MESSAGES)
    with pytest.raises(ClientError, match="ModelErrorException"):
        runtime.converse(modelId=VADER, messages=MESSAGES)

    counted = {"requests": 2, "answered": 1, "refused": {"ModelErrorException": 1}, "repeated": 0}
    assert control(cloud, "GET", "calls") == (200, {"models": {VADER: counted}})
    assert control(cloud, "PUT", "faults", {"model": VADER})[1] == {"model": VADER, "fault": {}}
    assert control(cloud, "GET", "faults")[1] == {"models": {}}
    status, answer = control(cloud, "PUT", "faults", {"model": VADER, "fault": {"throttle_every": 0}})
    assert (status, "fault.throttle_every" in answer["message"]) == (400, True)
    assert control(cloud, "GET", "secrets")[0] == 404


def job_role(cloud: LocalCloud, trusted: str, jobs: str, *statements: tuple[str | list[str], str | list[str]]) -> str:
    iam = cloud.client("iam")
    name = f"job-{uuid.uuid4().hex[:8]}"
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": trusted},
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": cloud.account},
            "ArnEquals": {"aws:SourceArn": f"arn:aws:bedrock:{cloud.region}:{cloud.account}:{jobs}/*"},
        },
    }
    document = {"Version": "2012-10-17", "Statement": [trust]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    allowed = [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in statements]
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    iam.put_role_policy(RoleName=name, PolicyName="permissions", PolicyDocument=policy)
    return str(arn)


@pytest.fixture(scope="module")
def bucket(cloud: LocalCloud) -> str:
    name = f"evaluation-{uuid.uuid4().hex[:8]}"
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name)
    record = {"prompt": MESSAGES[0]["content"][0]["text"], "referenceResponse": "positive"}
    s3.put_object(Bucket=name, Key="d.jsonl", Body=json.dumps(record).encode())
    return name


def evaluate(cloud: LocalCloud, bucket: str, role: str) -> dict[str, Any]:
    control_plane = cloud.client("bedrock")
    place = {"name": "moods", "datasetLocation": {"s3Uri": f"s3://{bucket}/d.jsonl"}}
    config = {"taskType": "Classification", "dataset": place, "metricNames": ["Builtin.Accuracy"]}
    arn = control_plane.create_evaluation_job(
        jobName=f"job-{uuid.uuid4().hex[:8]}",
        roleArn=role,
        evaluationConfig={"automated": {"datasetMetricConfigs": [config]}},
        inferenceConfig={"models": [{"bedrockModel": {"modelIdentifier": VADER}}]},
        outputDataConfig={"s3Uri": f"s3://{bucket}/out"},
    )["jobArn"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (job := control_plane.get_evaluation_job(jobIdentifier=arn))["status"] == "InProgress":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return dict(job)


def test_a_job_may_do_what_its_role_may(cloud: LocalCloud, bucket: str) -> None:
    write: tuple[str | list[str], str] = ("s3:PutObject", f"arn:aws:s3:::{bucket}/*")
    read: tuple[str | list[str], str] = (["s3:GetObject", "s3:ListBucket"], f"arn:aws:s3:::{bucket}*")
    invoke: tuple[str | list[str], str] = ("bedrock:InvokeModel", model_arn(cloud, VADER))

    def end(*statements: Any) -> tuple[str, str]:
        job = evaluate(cloud, bucket, job_role(cloud, "bedrock.amazonaws.com", "evaluation-job", *statements))
        return job["status"], " ".join(job.get("failureMessages", []))

    assert end(write, read, invoke) == ("Completed", "")
    status, reason = end(write, read)
    assert (status, "bedrock:InvokeModel" in reason) == ("Failed", True)
    status, reason = end(write, invoke)
    assert (status, "AccessDenied" in reason) == ("Failed", True)
    with pytest.raises(ClientError, match="cannot write to"):
        end(read, invoke)


def test_who_creates_a_job_must_be_allowed_to_pass_its_role(cloud: LocalCloud, bucket: str) -> None:
    role = job_role(cloud, "bedrock.amazonaws.com", "evaluation-job", ("*", "*"))
    place = {"name": "moods", "datasetLocation": {"s3Uri": f"s3://{bucket}/d.jsonl"}}
    config = {"taskType": "Classification", "dataset": place, "metricNames": ["Builtin.Accuracy"]}
    wanted = {
        "jobName": "passing-on",
        "roleArn": role,
        "evaluationConfig": {"automated": {"datasetMetricConfigs": [config]}},
        "inferenceConfig": {"models": [{"bedrockModel": {"modelIdentifier": VADER}}]},
        "outputDataConfig": {"s3Uri": f"s3://{bucket}/out"},
    }
    create = ("bedrock:CreateEvaluationJob", "*")

    with pytest.raises(ClientError, match="iam:PassRole") as error:
        as_role(cloud, "bedrock", create).create_evaluation_job(**wanted)
    assert role in error.value.response["Error"]["Message"]
    assert as_role(cloud, "bedrock", create, ("iam:PassRole", role)).create_evaluation_job(**wanted)["jobArn"]


def test_a_role_that_does_not_trust_bedrock_is_refused(cloud: LocalCloud, bucket: str) -> None:
    for role in (
        job_role(cloud, "sagemaker.amazonaws.com", "evaluation-job", ("*", "*")),
        job_role(cloud, "bedrock.amazonaws.com", "model-invocation-job", ("*", "*")),
        f"arn:aws:iam::{cloud.account}:role/nobody-made-it",
    ):
        with pytest.raises(ClientError, match=r"ValidationException.*cannot assume the role"):
            evaluate(cloud, bucket, role)


def test_a_batch_job_is_told_on_the_default_bus(cloud: LocalCloud, bucket: str) -> None:
    events, sqs = cloud.client("events"), cloud.client("sqs")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:*", "Resource": arn}
        ],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    pattern = {"source": ["aws.bedrock"], "detail": {"status": ["Failed"]}}
    events.put_rule(Name="batches", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="batches", Targets=[{"Id": "queue", "Arn": arn}])

    job = cloud.client("bedrock").create_model_invocation_job(
        jobName="too-small",
        roleArn=job_role(cloud, "bedrock.amazonaws.com", "model-invocation-job", ("s3:*", "*")),
        modelId=VADER,
        inputDataConfig={"s3InputDataConfig": {"s3Uri": f"s3://{bucket}/d.jsonl"}},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": f"s3://{bucket}/batch/"}},
    )["jobArn"]

    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    event = json.loads(message["Body"])
    assert (event["detail-type"], event["resources"]) == ("Batch Inference Job State Change", [job])
    assert "no modelInput" in event["detail"]["failureMessage"]


def test_a_reset_forgets_faults_and_counts(cloud: LocalCloud) -> None:
    cloud.client("bedrock-runtime").converse(modelId=VADER, messages=MESSAGES)
    cloud.bedrock().faults.set(VADER, Fault(throttle_every=1))

    cloud.reset()

    assert cloud.bedrock().faults.all_calls() == {}
    assert cloud.client("bedrock-runtime").converse(modelId=VADER, messages=MESSAGES)["stopReason"] == "end_turn"
