"""SageMaker's and Bedrock's own word on a resource."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from botocore.exceptions import ClientError

from hallmark.aws.clients import RetryMode, client
from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.errors import UnavailableError
from hallmark.lineage.model import NodeKind


class _Call(NamedTuple):
    service: Literal["sagemaker", "bedrock"]
    operation: str
    parameter: str
    by: Literal["name", "arn"] = "name"


_CALLS: Mapping[NodeKind, _Call] = {
    NodeKind.TRAINING_JOB: _Call("sagemaker", "describe_training_job", "TrainingJobName"),
    NodeKind.PROCESSING_JOB: _Call("sagemaker", "describe_processing_job", "ProcessingJobName"),
    NodeKind.TUNING_JOB: _Call("sagemaker", "describe_hyper_parameter_tuning_job", "HyperParameterTuningJobName"),
    NodeKind.TRANSFORM_JOB: _Call("sagemaker", "describe_transform_job", "TransformJobName"),
    NodeKind.LABELING_JOB: _Call("sagemaker", "describe_labeling_job", "LabelingJobName"),
    NodeKind.JOB: _Call("sagemaker", "describe_job", "JobName"),
    NodeKind.MODEL: _Call("sagemaker", "describe_model", "ModelName"),
    NodeKind.MODEL_PACKAGE: _Call("sagemaker", "describe_model_package", "ModelPackageName", "arn"),
    NodeKind.MODEL_PACKAGE_GROUP: _Call("sagemaker", "describe_model_package_group", "ModelPackageGroupName"),
    NodeKind.MODEL_CARD: _Call("sagemaker", "describe_model_card", "ModelCardName"),
    NodeKind.ENDPOINT_CONFIG: _Call("sagemaker", "describe_endpoint_config", "EndpointConfigName"),
    NodeKind.ENDPOINT: _Call("sagemaker", "describe_endpoint", "EndpointName"),
    NodeKind.FEATURE_GROUP: _Call("sagemaker", "describe_feature_group", "FeatureGroupName"),
    NodeKind.PIPELINE_EXECUTION: _Call("sagemaker", "describe_pipeline_execution", "PipelineExecutionArn", "arn"),
    NodeKind.CUSTOMIZATION_JOB: _Call("bedrock", "get_model_customization_job", "jobIdentifier", "arn"),
    NodeKind.BATCH_INFERENCE_JOB: _Call("bedrock", "get_model_invocation_job", "jobIdentifier", "arn"),
}

_MISSING_CODES = frozenset({"ResourceNotFound", "ResourceNotFoundException", "ValidationException"})
"""SageMaker says ValidationException for a missing resource as well as for a faulty request, and tells them apart in
the message only. Requests are held against the service's own model before they are sent: what is left is missing."""


class SageMakerDescriber:
    """Describer over both services."""

    def __init__(self, retry_mode: RetryMode = "standard") -> None:
        self._retry_mode: RetryMode = retry_mode

    def describe(self, kind: NodeKind, identifier: str) -> Mapping[str, Any] | None:
        """Return what Describe answers for an ARN or a name; None for what does not exist (any more).

        Raises:
            UnavailableError: The service did not answer, or refuses the permission: whoever grants it can deliver the
                event again.
        """
        call = _CALLS.get(kind)
        if call is None:
            return None
        named = identifier if call.by == "arn" else identifier.rpartition("/")[2]
        request = {call.parameter: named}
        if kind is NodeKind.JOB:
            request["JobCategory"] = identifier.split("/")[-2] if "/" in identifier else ""
        service = client(call.service, self._retry_mode)
        if not _may_exist(service, call, named):
            return None
        try:
            with calling(f"describing {identifier}"):
                answer: dict[str, Any] = getattr(service, call.operation)(**request)
        except ClientError as error:
            if error_code(error) in _MISSING_CODES:
                return None
            raise UnavailableError(f"describing {identifier}: {describe_error(error)}") from error
        answer.pop("ResponseMetadata", None)
        return answer

    def tags(self, arn: str) -> Mapping[str, str]:
        """Return a resource's tags; none for one that does not exist.

        Raises:
            UnavailableError: The service did not answer, or refuses the permission.
        """
        try:
            with calling(f"reading the tags of {arn}"):
                if ":bedrock:" in arn:
                    bedrock = client("bedrock", self._retry_mode)
                    listed = bedrock.list_tags_for_resource(resourceARN=arn).get("tags", [])
                    return {tag["key"]: tag["value"] for tag in listed}
                pages = client("sagemaker", self._retry_mode).get_paginator("list_tags").paginate(ResourceArn=arn)
                return {tag["Key"]: tag["Value"] for page in pages for tag in page.get("Tags", [])}
        except ClientError as error:
            if error_code(error) in _MISSING_CODES:
                return {}
            raise UnavailableError(f"reading the tags of {arn}: {describe_error(error)}") from error


def _may_exist(service: Any, call: _Call, named: str) -> bool:
    """Tell whether the service's own model allows such a name; AWS's documentation shows some that it does not."""
    operation = service.meta.service_model.operation_model(service.meta.method_to_api_mapping[call.operation])
    rules = operation.input_shape.members[call.parameter].metadata
    fits = 1 <= len(named) <= rules.get("max", len(named))
    return fits and re.fullmatch(rules.get("pattern", ".*"), named) is not None
