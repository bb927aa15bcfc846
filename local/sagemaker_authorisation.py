"""Which resources IAM checks for an operation of SageMaker's API.

Source: "Actions, resources, and condition keys for Amazon SageMaker AI", service authorization reference. The name of
the action is the name of the operation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Parameters that name the resource where neither the operation's noun nor "<noun>Name" does.
_NAMING_PARAMETERS: dict[str, tuple[tuple[str, str], ...]] = {
    "AddAssociation": (("", "SourceArn"), ("", "DestinationArn")),
    "DeleteAssociation": (("", "SourceArn"), ("", "DestinationArn")),
    "AddTags": (("", "ResourceArn"),),
    "DeleteTags": (("", "ResourceArn"),),
    "ListTags": (("", "ResourceArn"),),
    "CreateEndpoint": (("endpoint", "EndpointName"), ("endpoint-config", "EndpointConfigName")),
    "UpdateEndpoint": (("endpoint", "EndpointName"), ("endpoint-config", "EndpointConfigName")),
    "UpdateEndpointWeightsAndCapacities": (("endpoint", "EndpointName"),),
    "CreateModelPackage": (("model-package-version", "ModelPackageGroupName"), ("model-package", "ModelPackageName")),
    "UpdateModelPackage": (("", "ModelPackageArn"),),
    "ListPipelineExecutions": (("pipeline", "PipelineName"),),
    "ListPipelineExecutionSteps": (("", "PipelineExecutionArn"),),
    "ListPipelineParametersForExecution": (("", "PipelineExecutionArn"),),
    "DescribePipelineDefinitionForExecution": (("", "PipelineExecutionArn"),),
    "DescribePipelineExecution": (("", "PipelineExecutionArn"),),
    "UpdatePipelineExecution": (("", "PipelineExecutionArn"),),
    "StopPipelineExecution": (("", "PipelineExecutionArn"),),
    "RetryPipelineExecution": (("", "PipelineExecutionArn"),),
    "StartPipelineExecution": (("pipeline", "PipelineName"),),
    "ListTrainingJobsForHyperParameterTuningJob": (("hyper-parameter-tuning-job", "HyperParameterTuningJobName"),),
    "BatchDescribeModelPackage": (("", "ModelPackageArnList"),),
    "UpdatePipelineVersion": (("", "PipelineArn"),),
    "DeleteModelPackageGroupPolicy": (("model-package-group", "ModelPackageGroupName"),),
    "GetModelPackageGroupPolicy": (("model-package-group", "ModelPackageGroupName"),),
    "PutModelPackageGroupPolicy": (("model-package-group", "ModelPackageGroupName"),),
}
_KINDS = {
    "AutoMLJob": "automl-job",
    "HyperParameterTuningJob": "hyper-parameter-tuning-job",
    "Trial": "experiment-trial",
    "TrialComponent": "experiment-trial-component",
}
_ON_ALL_RESOURCES = re.compile(r"(List|Search|QueryLineage|Get)")
_ON_ONE_RESOURCE = re.compile(r"(?:Create|Describe|Update|Delete|Stop|Start)(?P<noun>\w+)")


def resource_arns(
    operation: str, parameters: Mapping[str, Any], account: str, region: str, partition: str
) -> list[str]:
    """Return the ARNs that the caller must be allowed to use; ``["*"]`` where the action has no resource types.

    Args:
        operation: E.g. ``DescribeTrainingJob``; the IAM action is ``sagemaker:DescribeTrainingJob``.
        parameters: The request's body.
        account: Twelve digits.
        region: Region of the endpoint.
        partition: E.g. ``aws``.
    """

    def arn(kind: str, value: object) -> list[str]:
        if isinstance(value, list):
            return [found for item in value for found in arn(kind, item)]
        if not isinstance(value, str) or not value:
            return []
        if value.startswith("arn:"):
            return [value]
        if not kind:
            return []
        # The next version's number is SageMaker's to give; a policy names the versions of a group by "*".
        path = f"model-package/{value}/1" if kind == "model-package-version" else f"{kind}/{value}"
        return [f"arn:{partition}:sagemaker:{region}:{account}:{path}"]

    pairs = _NAMING_PARAMETERS.get(operation) or _pairs_of_noun(operation)
    found = [one for kind, parameter in pairs for one in arn(kind, parameters.get(parameter))]
    if not found and (match := re.fullmatch(r"Create(Artifact)", operation)):
        # An artifact's ARN ends in a hash that SageMaker gives it; a policy names artifacts by "*".
        found = arn(match[1].lower(), "new")
    return found or ["*"]


def condition_keys(operation: str, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the condition keys of SageMaker's own that a request carries, for the operations of the model registry.

    Args:
        operation: E.g. ``UpdateModelPackage``.
        parameters: The request's body.
    """
    if operation not in {"CreateModelPackage", "UpdateModelPackage"}:
        return {}
    life_cycle = parameters.get("ModelLifeCycle")
    life_cycle = life_cycle if isinstance(life_cycle, dict) else {}
    told = {
        "sagemaker:ModelApprovalStatus": parameters.get("ModelApprovalStatus"),
        "sagemaker:ModelLifeCycle:stage": life_cycle.get("Stage"),
        "sagemaker:ModelLifeCycle:stageStatus": life_cycle.get("StageStatus"),
    }
    return {key: value for key, value in told.items() if isinstance(value, str)}


def _pairs_of_noun(operation: str) -> tuple[tuple[str, str], ...]:
    if _ON_ALL_RESOURCES.match(operation):
        return ()
    match = _ON_ONE_RESOURCE.fullmatch(operation)
    if match is None:
        return ()
    noun = match["noun"].removesuffix("V2")
    kind = _KINDS.get(noun) or re.sub(r"(?<!^)(?=[A-Z])", "-", noun).lower()
    name = "JobDefinitionName" if noun.endswith("JobDefinition") else f"{noun}Name"
    return ((kind, name), (kind, f"{noun}Arn"))
