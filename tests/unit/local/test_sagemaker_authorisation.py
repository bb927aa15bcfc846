from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import botocore.session
import pytest

from local.sagemaker_authorisation import resource_arns

# AWS's service authorization reference, as cfn-lint ships it.
REFERENCE: dict[str, Any] = json.loads(
    files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text(encoding="utf-8")
)["sagemaker"]
MODEL = botocore.session.get_session().get_service_model("sagemaker")
OWN = "arn:aws:sagemaker:us-east-1:111122223333:"
KINDS = (
    "TrainingJob",
    "ProcessingJob",
    "TransformJob",
    "HyperParameterTuningJob",
    "AutoMLJob",
    "Model",
    "ModelPackage",
    "ModelPackageGroup",
    "ModelCard",
    "EndpointConfig",
    "Endpoint",
    "FeatureGroup",
    "Pipeline",
    "PipelineExecution",
    "Artifact",
    "Action",
    "Context",
    "Experiment",
    "Trial",
    "TrialComponent",
    "Association",
    "Tags",
)
OPERATIONS = sorted(
    name
    for name in MODEL.operation_names
    if (
        re.fullmatch(rf"(Create|Describe|Update|Delete|Stop|Start|List|Add|Query)\w*?({'|'.join(KINDS)})s?\w*", name)
        or name in {"QueryLineage", "Search", "BatchDescribeModelPackage"}
    )
    and "InferenceExperiment" not in name
    and "ExportJob" not in name
)


def resources(operation: str, **parameters: Any) -> list[str]:
    return resource_arns(operation, parameters, "111122223333", "us-east-1", "aws")


def names_of(operation: str) -> dict[str, Any]:
    """Return a value for each name and ARN that the operation takes."""
    shape_of_input = MODEL.operation_model(operation).input_shape
    assert shape_of_input is not None
    values: dict[str, Any] = {}
    for name, shape in shape_of_input.members.items():
        if shape.type_name == "string" and name.endswith("Name"):
            values[name] = "mine"
        elif shape.type_name == "string" and name in {"SourceArn", "DestinationArn", "ResourceArn"}:
            values[name] = f"{OWN}artifact/mine"
        elif shape.type_name == "string" and name.endswith("Arn") and name != "RoleArn":
            kind = re.sub(r"(?<!^)(?=[A-Z])", "-", name.removesuffix("Arn")).lower()
            values[name] = f"{OWN}{'pipeline/p/execution' if kind == 'pipeline-execution' else kind}/mine"
    return values


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_asked_for_is_of_a_type_that_the_action_takes(operation: str) -> None:
    types = REFERENCE["Actions"].get(operation.lower(), {}).get("Resources", [])
    formats = [form for name in types for form in REFERENCE["Resources"][name]["ARNFormats"]]
    patterns = [re.sub(r"\$\{\w+\}", "[^:]*", form) for form in formats]

    asked = resources(operation, **names_of(operation))

    if asked != ["*"]:
        assert all(any(re.fullmatch(pattern, arn) for pattern in patterns) for arn in asked), (asked, types)
    elif operation.startswith(("Describe", "Update", "Delete", "Stop")):
        assert not types


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("DescribeTrainingJob", {"TrainingJobName": "t"}, ["training-job/t"]),
        ("CreateEndpoint", {"EndpointName": "e", "EndpointConfigName": "c"}, ["endpoint/e", "endpoint-config/c"]),
        ("CreateModelPackage", {"ModelPackageGroupName": "g"}, ["model-package/g/1"]),
        ("DescribeModelPackage", {"ModelPackageName": f"{OWN}model-package/g/7"}, ["model-package/g/7"]),
        ("AddAssociation", {"SourceArn": f"{OWN}a/1", "DestinationArn": f"{OWN}b/2"}, ["a/1", "b/2"]),
        ("BatchDescribeModelPackage", {"ModelPackageArnList": [f"{OWN}m/1", f"{OWN}m/2"]}, ["m/1", "m/2"]),
        ("DescribeAutoMLJobV2", {"AutoMLJobName": "a"}, ["automl-job/a"]),
        ("DeleteArtifact", {"ArtifactArn": f"{OWN}artifact/x"}, ["artifact/x"]),
    ],
)
def test_the_resources_are_those_that_the_request_names(
    operation: str, parameters: dict[str, Any], expected: list[str]
) -> None:
    assert resources(operation, **parameters) == [OWN + path for path in expected]


@pytest.mark.parametrize("operation", ["ListTrainingJobs", "QueryLineage", "Search", "ListAssociations"])
def test_an_action_without_resource_types_is_asked_for_on_all(operation: str) -> None:
    assert resources(operation, SourceArn=f"{OWN}artifact/x", TrainingJobName="t") == ["*"]
