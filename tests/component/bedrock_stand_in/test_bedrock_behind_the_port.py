from __future__ import annotations

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
    cloud.bedrock().faults.set(VADER, Fault(latency_seconds=1))
    started = time.monotonic()
    with ThreadPoolExecutor(80) as threads:
        waiting = [threads.submit(runtime.converse, modelId=VADER, messages=MESSAGES) for _ in range(80)]
        cloud.client("sts").get_caller_identity()
        others = time.monotonic() - started
        latencies = [done.result()["metrics"]["latencyMs"] for done in waiting]

    assert min(latencies) >= 1000
    assert others < 1
    assert time.monotonic() - started < 10  # one after the other they take 80 s
    cloud.bedrock().faults.set(VADER, Fault())


def test_a_reset_forgets_faults_and_counts(cloud: LocalCloud) -> None:
    cloud.client("bedrock-runtime").converse(modelId=VADER, messages=MESSAGES)
    cloud.bedrock().faults.set(VADER, Fault(throttle_every=1))

    cloud.reset()

    assert cloud.bedrock().faults.all_calls() == {}
    assert cloud.client("bedrock-runtime").converse(modelId=VADER, messages=MESSAGES)["stopReason"] == "end_turn"
