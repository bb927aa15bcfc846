from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore.model import ServiceModel

from local.sagemaker.contract import ServiceError
from local.sagemaker.shapes import UnknownMemberError, parse_request, serialise

MODEL: ServiceModel = botocore.session.get_session().get_service_model("sagemaker")
ROLE = "arn:aws:iam::123456789012:role/ml"


def parse(operation: str, document: object) -> dict[str, Any]:
    return parse_request(MODEL.operation_model(operation).input_shape, document)


def refusal(operation: str, document: object) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        parse(operation, document)
    return refused.value


def test_a_request_gets_python_s_types() -> None:
    parsed = parse("ListTrainingJobs", {"CreationTimeAfter": 1583831889.05, "MaxResults": 5, "NameContains": "a"})

    assert parsed["CreationTimeAfter"] == datetime(2020, 3, 10, 9, 18, 9, 50_000, tzinfo=UTC)
    assert (parsed["MaxResults"], parsed["NameContains"]) == (5, "a")


def test_what_the_model_does_not_know_is_dropped_as_aws_does() -> None:
    assert parse("ListTrainingJobs", {"Colour": "blue", "MaxResults": None}) == {}


@pytest.mark.parametrize(
    ("operation", "document", "message"),
    [
        (
            "DescribeTrainingJob",
            {},
            "1 validation error detected: Value null at 'trainingJobName' failed to satisfy constraint: "
            "Member must not be null",
        ),
        (
            "DescribeTrainingJob",
            {"TrainingJobName": "under_score"},
            "1 validation error detected: Value 'under_score' at 'trainingJobName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
        ),
        (
            "ListTrainingJobs",
            {"StatusEquals": "Done"},
            "1 validation error detected: Value 'Done' at 'statusEquals' failed to satisfy constraint: "
            "Member must satisfy enum value set: [InProgress, Completed, Failed, Stopping, Stopped, Deleting]",
        ),
        (
            "ListTrainingJobs",
            {"MaxResults": 101},
            "1 validation error detected: Value '101' at 'maxResults' failed to satisfy constraint: "
            "Member must have value less than or equal to 100",
        ),
        (
            "AddTags",
            {"ResourceArn": "arn:aws:sagemaker:eu-west-1:123456789012:model/m", "Tags": [{"Key": "", "Value": "v"}]},
            "1 validation error detected: Value '' at 'tags.1.member.key' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
    ],
)
def test_a_broken_constraint_is_told_in_aws_s_words(operation: str, document: object, message: str) -> None:
    refused = refusal(operation, document)

    assert (refused.code, refused.status, refused.message) == ("ValidationException", 400, message)


def test_all_broken_constraints_are_told_at_once() -> None:
    refused = refusal(
        "CreateModelPackageGroup", {"ModelPackageGroupName": "", "ModelPackageGroupDescription": "x" * 1025}
    )

    assert refused.message.startswith("3 validation errors detected: ")
    assert "'modelPackageGroupName'" in refused.message
    assert "'modelPackageGroupDescription'" in refused.message


def test_constraints_hold_deep_inside_lists_and_maps() -> None:
    channel = {"ChannelName": "a b", "DataSource": {"S3DataSource": {"S3DataType": "Folder", "S3Uri": "s3://b/k"}}}
    document = {
        "TrainingJobName": "job",
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
        "InputDataConfig": [channel],
        "HyperParameters": {"k": "v" * 2501},
    }

    message = refusal("CreateTrainingJob", document).message

    assert "'inputDataConfig.1.member.channelName'" in message
    assert "'Folder' at 'inputDataConfig.1.member.dataSource.s3DataSource.s3DataType'" in message
    assert "at 'hyperParameters.k.member'" in message


@pytest.mark.parametrize(
    ("operation", "document"),
    [
        ("DescribeTrainingJob", {"TrainingJobName": 7}),
        ("DescribeTrainingJob", []),
        ("ListTrainingJobs", {"MaxResults": "5"}),
        ("ListTrainingJobs", {"MaxResults": 5.5}),
        ("ListTrainingJobs", {"MaxResults": True}),
        ("ListTrainingJobs", {"CreationTimeAfter": "soon"}),
        ("AddTags", {"ResourceArn": "a", "Tags": {}}),
        ("CreateTrainingJob", {"TrainingJobName": "a", "HyperParameters": []}),
        ("CreateTrainingJob", {"TrainingJobName": "a", "EnableNetworkIsolation": "yes"}),
    ],
)
def test_a_value_of_another_json_type_cannot_be_read(operation: str, document: object) -> None:
    assert refusal(operation, document).code == "SerializationException"


def test_times_are_written_as_seconds_and_absent_members_not_at_all() -> None:
    shape = MODEL.operation_model("DescribeModel").output_shape
    assert shape is not None

    written = serialise(
        shape, {"ModelName": "m", "CreationTime": datetime(2020, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC), "VpcConfig": None}
    )

    assert written == {"ModelName": "m", "CreationTime": 1577836800.25}


def test_an_answer_with_a_member_that_the_shape_lacks_is_an_error_here() -> None:
    shape = MODEL.operation_model("DescribeModel").output_shape
    assert shape is not None

    with pytest.raises(UnknownMemberError, match=r"DescribeModelOutput.*Colour"):
        serialise(shape, {"Colour": "blue"})
