"""Events write some enum values in upper case: each one that botocore knows gets the API's spelling back."""

from __future__ import annotations

import re

import botocore.session
import pytest

from hallmark.events.spelling import api_spelling

ENUMS = {
    "sagemaker": (
        *("TrainingJobStatus", "SecondaryStatus", "ProcessingJobStatus", "TransformJobStatus"),
        *("HyperParameterTuningJobStatus", "EndpointStatus", "ModelPackageStatus", "ModelApprovalStatus"),
        *("ModelCardStatus", "FeatureGroupStatus", "PipelineExecutionStatus", "StepStatus", "LabelingJobStatus"),
        *("JobStatus", "ProcessingS3DataType", "ProcessingS3InputMode", "ProcessingS3UploadMode"),
        *("ProcessingS3DataDistributionType", "ProcessingS3CompressionType"),
    ),
    "bedrock": ("ModelCustomizationJobStatus", "ModelInvocationJobStatus"),
}


def values(service: str, enum: str) -> list[str]:
    shape = botocore.session.get_session().get_service_model(service).shape_for(enum)
    return [str(value) for value in shape.enum]  # type: ignore[attr-defined]  # a string shape has one


def with_underscores(value: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", value).upper()


@pytest.mark.parametrize(("service", "enum"), [(service, enum) for service, enums in ENUMS.items() for enum in enums])
def test_upper_case_with_and_without_underscores_gets_the_spelling_of_the_api(service: str, enum: str) -> None:
    for value in values(service, enum):
        assert {api_spelling(with_underscores(value)), api_spelling(value.upper()), api_spelling(value)} == {value}
