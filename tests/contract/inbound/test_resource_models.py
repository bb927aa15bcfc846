"""The inbound models against botocore's service models: AWS's own word on the names of fields."""

from __future__ import annotations

import botocore.session
import pytest

from hallmark.events.published import EvaluationCompleted
from hallmark.events.resources import MODELS, Resource

# Told by events alone: AWS's samples and the schema registry (facts in tests/payloads/aws).
EVENT_ONLY = {
    "training-job": set(),
    "model": {"ModelStatus"},
    "model-package": {"UpdatedModelPackageFields", "previousModelApprovalStatus"},
    "model-card": {"ModelId"},
    "endpoint": {"DeploymentStage"},
    "endpoint-config": {"EndpointConfigStatus"},
}
# Every resource may carry these, whether its Describe names them or not.
COMMON = {"CreationTime", "LastModifiedTime", "FailureReason", "RoleArn", "Tags", "CreatedBy"}
JOB_COMMON = {"HyperParameters", "Environment", "StoppingCondition", "ExperimentConfig", "VpcConfig"}
PASCAL = [
    resource
    for resource in MODELS
    if not resource.startswith(("pipeline", "model-customization", "model-invocation", "evaluation"))
]

# The events of these have names of their own (AWS's samples); what Describe answers besides is in botocore's model.
CAMEL_EVENT_NAMES = {
    "model-customization-job": {"tags", "createdBy", "failureReason"},
    "model-invocation-job": {
        *("accountId", "batchJobName", "batchJobArn", "batchModelId", "failureMessage", "creationTime"),
        *("tags", "createdBy", "failureReason"),
    },
}


def aliases(model: type[Resource]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def members(service: str, operation: str) -> set[str]:
    shape = botocore.session.get_session().get_service_model(service).operation_model(operation).output_shape
    assert shape is not None
    return set(shape.members)


@pytest.mark.parametrize("resource", PASCAL)
def test_every_field_that_is_read_is_one_that_describe_answers(resource: str) -> None:
    model = MODELS[resource]
    known = members("sagemaker", model.operation) | EVENT_ONLY.get(resource, set()) | COMMON | JOB_COMMON

    assert aliases(model) - known == set()


@pytest.mark.parametrize("resource", sorted(CAMEL_EVENT_NAMES))
def test_every_field_of_a_bedrock_job_is_one_of_the_api_or_of_the_event(resource: str) -> None:
    model = MODELS[resource]

    assert (
        aliases(model)
        - members("bedrock", model.operation)
        - CAMEL_EVENT_NAMES[resource]
        - {"hyperParameters"}
        - {
            "roleArn",
            "jobStatus",
        }
        == set()
    )


def test_what_hallmark_publishes_of_an_evaluation_is_what_lineage_reads() -> None:
    published = {field.alias for field in EvaluationCompleted.model_fields.values()}

    assert published <= aliases(MODELS["evaluation"])


def test_every_described_status_has_a_field() -> None:
    for resource in PASCAL:
        statuses = {name for name in members("sagemaker", MODELS[resource].operation) if name.endswith("JobStatus")}

        assert statuses <= aliases(MODELS[resource])
