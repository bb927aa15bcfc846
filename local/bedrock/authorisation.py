"""Which action and resources IAM checks for a request to Bedrock.

Source: "Actions, resources, and condition keys for Amazon Bedrock", service authorization reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from local.bedrock.rest import RUNTIME, rest_api
from local.envelopes import partition_of

# Runtime operations whose action is not their name.
_ACTIONS = {
    "Converse": "InvokeModel",
    "ConverseStream": "InvokeModelWithResponseStream",
    "InvokeModelWithBidirectionalStream": "InvokeModelWithResponseStream",
}
# The members that name resources, each with the kind that a bare name or identifier stands for.
_NAMING: dict[str, tuple[tuple[str, str], ...]] = {
    "CreateEvaluationJob": (("jobName", "evaluation-job"),),
    "CreateModelInvocationJob": (("modelId", "foundation-model"),),
    "CreateModelCustomizationJob": (("baseModelIdentifier", "foundation-model"),),
    "CreateCustomModelDeployment": (("modelArn", "custom-model"),),
    "BatchDeleteEvaluationJob": (("jobIdentifiers", "evaluation-job"),),
    "TagResource": (("resourceARN", ""),),
    "UntagResource": (("resourceARN", ""),),
    "ListTagsForResource": (("resourceARN", ""),),
}
_KINDS = {
    "EvaluationJob": "evaluation-job",
    "ModelInvocationJob": "model-invocation-job",
    "ModelCustomizationJob": "model-customization-job",
    "FoundationModel": "foundation-model",
    "CustomModel": "custom-model",
    "CustomModelDeployment": "custom-model-deployment",
}
_OF_THE_MODEL = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+")
_OF_NO_ACCOUNT = "foundation-model"
_WITH_ROLE = {"CreateEvaluationJob", "CreateModelInvocationJob", "CreateModelCustomizationJob"}
_PROFILE = re.compile(
    r"(?P<region>arn:[a-z-]+:bedrock:[a-z0-9-]+):\d*:(?:foundation-model|inference-profile)/"
    r"(?P<name>(?:us|us-gov|eu|apac|jp|au|ca|global)\.(?P<model>[a-z0-9-]+\..+))"
)


@lru_cache(maxsize=4096)
def _found(service: str, method: str, path: str) -> tuple[str, dict[str, str]] | None:
    return rest_api(service).find(method, path)


def action_of(service: str, method: str, path: str) -> str | None:
    """Return the IAM action of a request, e.g. ``bedrock:InvokeModel`` for Converse; ``None`` for no operation."""
    found = _found(service, method, path)
    return f"bedrock:{_ACTIONS.get(found[0], found[0])}" if found else None


def resources_of(service: str, method: str, path: str, body: bytes, *, account: str, region: str) -> list[str]:
    """Return the ARNs that the caller must be allowed to use; ``["*"]`` where the request names none.

    Args:
        service: ``bedrock`` or ``bedrock-runtime``.
        method: HTTP method.
        path: Path, percent-decoded.
        body: The request's body.
        account: Twelve digits.
        region: Region of the endpoint.
    """
    found = _found(service, method, path)
    if found is None:
        return ["*"]
    operation, in_path = found
    prefix = f"arn:{partition_of(region)}:bedrock:{region}"

    def arn(kind: str, value: object) -> list[str]:
        if isinstance(value, list):
            return [one for item in value for one in arn(kind, item)]
        if not isinstance(value, str) or not value:
            return []
        if value.startswith("arn:"):
            return [value]
        if not kind:
            return []
        if kind == _OF_NO_ACCOUNT and _OF_THE_MODEL.match(value):
            return [f"{prefix}::{kind}/{value}"]
        return [f"{prefix}:{account}:{kind}/{value}"]

    if service == RUNTIME:
        return _model_arns(arn("foundation-model", in_path.get("modelId", "")), account) or ["*"]
    named = _NAMING.get(operation)
    if named is None:
        noun = re.sub(r"^[A-Z][a-z]+", "", operation)
        return [one for value in in_path.values() for one in arn(_KINDS.get(noun, ""), value)] or ["*"]
    parameters = _parameters(body)
    return [one for member, kind in named for one in arn(kind, parameters.get(member))] or ["*"]


def _model_arns(arns: list[str], account: str) -> list[str]:
    """Return the ARNs that a call of a model needs: through an inference profile, the profile's and the model's."""
    if not arns or not (profile := _PROFILE.fullmatch(arns[0])):
        return arns
    return [
        f"{profile['region']}:{account}:inference-profile/{profile['name']}",
        f"{profile['region']}::{_OF_NO_ACCOUNT}/{profile['model']}",
    ]


def role_passed(service: str, method: str, path: str, body: bytes) -> str | None:
    """Return the ARN of the service role that a request for a job names; ``None`` for other requests."""
    found = _found(service, method, path)
    if service == RUNTIME or found is None or found[0] not in _WITH_ROLE:
        return None
    role = _parameters(body).get("roleArn")
    return role if isinstance(role, str) and role.startswith("arn:") else None


def call_of(service: str, method: str, path: str, body: bytes) -> tuple[str, dict[str, Any]] | None:
    """Return the operation of a request and its parameters, those of its path among them; ``None`` for no operation."""
    found = _found(service, method, path)
    return None if found is None else (found[0], {**_parameters(body), **found[1]})


def _parameters(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
