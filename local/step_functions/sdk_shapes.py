"""AWS's operations as state machines name them: PascalCase members, after the AWS SDK for Java 2.

Source: "Learning to use AWS service SDK integrations", developer guide: parameters are PascalCase even where the API is
camelCase, error names end in ``Exception``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel, ServiceModel
from ministack.services.stepfunctions import _api_name_to_sfn_key

from local.step_functions.documents import timestamp

# SDK for Java 2 clients whose names are not those of the AWS CLI.
_SERVICES = {
    "bedrockagent": "bedrock-agent",
    "bedrockagentruntime": "bedrock-agent-runtime",
    "bedrockruntime": "bedrock-runtime",
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "resourcegroupstaggingapi": "resourcegroupstaggingapi",
    "sagemakerfeaturestoreruntime": "sagemaker-featurestore-runtime",
    "sagemakermetrics": "sagemaker-metrics",
    "sagemakerruntime": "sagemaker-runtime",
    "servicequotas": "service-quotas",
    "sfn": "stepfunctions",
}
_PREFIXES = {
    "athena": "Athena",
    "bedrock": "Bedrock",
    "bedrockagent": "BedrockAgent",
    "bedrockagentruntime": "BedrockAgentRuntime",
    "bedrockruntime": "BedrockRuntime",
    "cloudformation": "CloudFormation",
    "cloudtrail": "CloudTrail",
    "cloudwatch": "CloudWatch",
    "cloudwatchlogs": "CloudWatchLogs",
    "dynamodb": "DynamoDb",
    "eventbridge": "EventBridge",
    "resourcegroupstaggingapi": "ResourceGroupsTaggingApi",
    "sagemaker": "SageMaker",
    "sagemakerfeaturestoreruntime": "SageMakerFeatureStoreRuntime",
    "sagemakermetrics": "SageMakerMetrics",
    "sagemakerruntime": "SageMakerRuntime",
    "secretsmanager": "SecretsManager",
    "servicequotas": "ServiceQuotas",
}
# Members whose Java names differ by more than case.
_MEMBERS = {"equals": "EqualsValue", "NULL": "Nul"}


class UnknownOperationError(ValueError):
    """There is no such service or operation, or it has no such parameter; the message names it."""


@cache
def service_model(service: str) -> ServiceModel:
    """Return the model of a service that a state machine names, e.g. ``bedrockruntime``.

    Raises:
        UnknownOperationError: There is no such service.
    """
    session = botocore.session.get_session()
    name = _SERVICES.get(service, service)
    if service != service.lower() or name not in session.get_available_services():
        raise UnknownOperationError(f"The service '{service}' is not supported by Step Functions")
    return session.get_service_model(name)


def operation_model(service: str, action: str) -> OperationModel:
    """Return the model of an operation that a state machine names in camelCase, e.g. ``createEvaluationJob``.

    Raises:
        UnknownOperationError: The service has no such operation.
    """
    model = service_model(service)
    for name in model.operation_names:
        if _camel(name) == action or (name[0].lower() + name[1:]) == action:
            return model.operation_model(name)
    raise UnknownOperationError(f"The action '{action}' of the service '{service}' is not supported by Step Functions")


def error_prefix(service: str) -> str:
    """Return what the names of a service's errors begin with, e.g. ``BedrockRuntime``."""
    return _PREFIXES.get(service, service.capitalize())


def error_name(service: str, code: str) -> str:
    """Return the name of an error in ``Retry`` and ``Catch``, e.g. ``Bedrock.ConflictException``.

    A code that the service's model does not know is the service's own exception, e.g. ``SageMaker.SageMakerException``.
    """
    prefix = error_prefix(service)
    for shape in service_model(service).error_shapes:
        known = (shape.metadata.get("error") or {}).get("code")
        if code in {shape.name, known, shape.name.removesuffix("Exception")}:
            name = shape.name.removesuffix("Fault") if shape.name.endswith("Fault") else shape.name
            return f"{prefix}.{name if name.endswith('Exception') else f'{name}Exception'}"
    return f"{prefix}.{prefix}Exception"


def to_request(value: Any, shape: Any, path: str = "Arguments") -> Any:
    """Turn PascalCase parameters into botocore's.

    Args:
        value: A JSON value.
        shape: botocore's shape of it; ``None`` where the operation takes nothing.
        path: Where the value stands, for the error.

    Raises:
        UnknownOperationError: The operation has no such parameter.
    """
    if shape is None or getattr(shape, "is_document_type", False):
        return value
    kind = shape.type_name
    if kind == "structure" and isinstance(value, Mapping):
        return _structure(value, shape, path)
    if kind == "list" and isinstance(value, list):
        return [to_request(item, shape.member, f"{path}[{index}]") for index, item in enumerate(value)]
    if kind == "map" and isinstance(value, Mapping):
        return {name: to_request(item, shape.value, f"{path}/{name}") for name, item in value.items()}
    if kind == "blob":
        return (value if isinstance(value, str) else json.dumps(value)).encode()
    return value


def _structure(value: Mapping[str, Any], shape: Any, path: str) -> dict[str, Any]:
    known = {_member(name).lower(): name for name in shape.members}
    request = {}
    for name, item in value.items():
        wire = known.get(name.lower())
        if wire is None or not name[:1].isupper():
            meant = f"; did you mean '{_member(wire)}'?" if wire else ""
            raise UnknownOperationError(f"The field '{name}' of {path} is not supported by Step Functions{meant}")
        request[wire] = to_request(item, shape.members[wire], f"{path}/{name}")
    return request


def to_result(value: Any, shape: Any) -> Any:
    """Turn botocore's answer into PascalCase JSON."""
    if isinstance(value, datetime):
        return timestamp(value).replace(".000Z", "Z")
    if hasattr(value, "read"):
        value = value.read()
    if isinstance(value, bytes | bytearray):
        return _text(bytes(value))
    if isinstance(value, Mapping):
        if getattr(shape, "type_name", None) == "structure" and not getattr(shape, "is_document_type", False):
            members = shape.members
            return {_member(name): to_result(item, members.get(name)) for name, item in value.items()}
        return {name: to_result(item, getattr(shape, "value", None)) for name, item in value.items()}
    if isinstance(value, list):
        return [to_result(item, getattr(shape, "member", None)) for item in value]
    return value


def _member(name: str) -> str:
    return _MEMBERS.get(name) or str(_api_name_to_sfn_key(name))


def _camel(name: str) -> str:
    pascal = str(_api_name_to_sfn_key(name))
    return pascal[0].lower() + pascal[1:]


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return base64.b64encode(content).decode()
