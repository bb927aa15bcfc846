from __future__ import annotations

import json
from typing import Any

import pytest

from local.bedrock.authorisation import action_of, resources_of, role_passed
from local.bedrock.rest import CONTROL_PLANE, RUNTIME

ACCOUNT, REGION = "123456789012", "eu-west-1"
VADER = "hallmark.vader-sentiment-v1:0"
BASE = f"arn:aws:bedrock:{REGION}"
JOB = f"{BASE}:{ACCOUNT}:evaluation-job/abcdefghijkl"
CUSTOM = f"{BASE}:{ACCOUNT}:custom-model/hallmark.vader-sentiment-v1/abcdefghijkl"


def resources(service: str, method: str, path: str, **body: Any) -> list[str]:
    return resources_of(service, method, path, json.dumps(body).encode(), account=ACCOUNT, region=REGION)


@pytest.mark.parametrize(
    ("service", "method", "path", "action"),
    [
        (RUNTIME, "POST", f"/model/{VADER}/converse", "bedrock:InvokeModel"),
        (RUNTIME, "POST", f"/model/{CUSTOM}/invoke", "bedrock:InvokeModel"),
        (RUNTIME, "POST", f"/model/{VADER}/converse-stream", "bedrock:InvokeModelWithResponseStream"),
        (RUNTIME, "POST", f"/model/{VADER}/count-tokens", "bedrock:CountTokens"),
        (CONTROL_PLANE, "POST", "/evaluation-jobs", "bedrock:CreateEvaluationJob"),
        (CONTROL_PLANE, "GET", f"/evaluation-jobs/{JOB}", "bedrock:GetEvaluationJob"),
        (CONTROL_PLANE, "POST", f"/evaluation-job/{JOB}/stop", "bedrock:StopEvaluationJob"),
        (CONTROL_PLANE, "POST", "/evaluation-jobs/batch-delete", "bedrock:BatchDeleteEvaluationJob"),
        (CONTROL_PLANE, "GET", "/nowhere", None),
    ],
)
def test_the_action_is_the_one_that_iam_knows(service: str, method: str, path: str, action: str | None) -> None:
    assert action_of(service, method, path) == action


@pytest.mark.parametrize(
    ("service", "method", "path", "body", "arns"),
    [
        (RUNTIME, "POST", f"/model/{VADER}/converse", {}, [f"{BASE}::foundation-model/{VADER}"]),
        (RUNTIME, "POST", f"/model/{CUSTOM}/converse", {}, [CUSTOM]),
        (
            RUNTIME,
            "POST",
            f"/model/eu.{VADER}/converse",
            {},
            [f"{BASE}:{ACCOUNT}:inference-profile/eu.{VADER}", f"{BASE}::foundation-model/{VADER}"],
        ),
        (CONTROL_PLANE, "GET", f"/foundation-models/{VADER}", {}, [f"{BASE}::foundation-model/{VADER}"]),
        (CONTROL_PLANE, "GET", f"/evaluation-jobs/{JOB}", {}, [JOB]),
        (CONTROL_PLANE, "GET", "/custom-models/mine", {}, [f"{BASE}:{ACCOUNT}:custom-model/mine"]),
        (CONTROL_PLANE, "POST", "/evaluation-jobs/batch-delete", {"jobIdentifiers": [JOB, JOB]}, [JOB, JOB]),
        (CONTROL_PLANE, "POST", "/tagResource", {"resourceARN": JOB}, [JOB]),
        (CONTROL_PLANE, "POST", "/model-invocation-job", {"modelId": VADER}, [f"{BASE}::foundation-model/{VADER}"]),
        (CONTROL_PLANE, "GET", "/foundation-models", {}, ["*"]),
    ],
)
def test_the_resources_are_those_that_the_request_names(
    service: str, method: str, path: str, body: dict[str, Any], arns: list[str]
) -> None:
    assert resources(service, method, path, **body) == arns


def test_only_requests_for_jobs_hand_a_role_over() -> None:
    body = json.dumps({"roleArn": "arn:aws:iam::123456789012:role/job"}).encode()

    assert role_passed(CONTROL_PLANE, "POST", "/model-customization-jobs", body) == "arn:aws:iam::123456789012:role/job"
    assert role_passed(CONTROL_PLANE, "POST", "/evaluation-jobs", b"{") is None
    assert role_passed(CONTROL_PLANE, "POST", "/tagResource", body) is None
