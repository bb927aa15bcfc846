"""SageMaker's and Bedrock's own word, held against botocore's models and moto."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from hallmark.aws import sagemaker as adapter
from hallmark.aws.clients import client
from hallmark.aws.sagemaker import SageMakerDescriber
from hallmark.errors import UnavailableError
from hallmark.lineage.model import NodeKind
from tests.contract.aws_adapters.injection import DENIED, FAULTS, Fault, Injection, refusal

PREFIX = "arn:aws:sagemaker:us-east-1:123456789012"
DESCRIBED = sorted(adapter._CALLS)
PARTITIONS = ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-eusc"]

pytestmark = pytest.mark.usefixtures("shared_clients")


@pytest.fixture
def sagemaker(aws: botocore.session.Session) -> Any:
    return aws.create_client("sagemaker")


def arn_of(kind: NodeKind, partition: str = "aws") -> str:
    service = adapter._CALLS[kind].service
    name = {
        NodeKind.MODEL_PACKAGE: "group/3",
        NodeKind.PIPELINE_EXECUTION: "p/execution/abcdefghijkl",
        NodeKind.JOB: "AgentRFT/name",
        NodeKind.CUSTOMIZATION_JOB: "amazon.nova-micro-v1:0/abcdefghwxyz",
        NodeKind.BATCH_INFERENCE_JOB: "abcdefghwxyz",
    }.get(kind, "name")
    word = "pipeline" if kind is NodeKind.PIPELINE_EXECUTION else kind.value
    return f"arn:{partition}:{service}:us-gov-west-1:123456789012:{word}/{name}"


@pytest.mark.parametrize("kind", DESCRIBED)
def test_each_kind_is_asked_as_botocore_knows_it(kind: NodeKind, injection: Injection) -> None:
    call = adapter._CALLS[kind]
    model = botocore.session.get_session().get_service_model(call.service)
    operation = "".join(word.capitalize() for word in call.operation.split("_"))
    missing = Fault("missing", before=lambda: refusal("ResourceNotFound"))
    injection.fail(f"{call.service}.{operation}", missing)

    assert SageMakerDescriber().describe(kind, arn_of(kind)) is None

    # botocore validated the request: its client did.
    (request,) = injection.of(f"{call.service}.{operation}")
    shape = model.operation_model(operation).input_shape
    assert shape is not None
    assert set(shape.required_members) <= set(request)
    assert all(request.values())


@pytest.mark.parametrize("kind", DESCRIBED)
@pytest.mark.parametrize("partition", PARTITIONS)
def test_resources_of_every_partition_are_asked_for(kind: NodeKind, partition: str, injection: Injection) -> None:
    injection.choose = lambda _number, _operation: Fault("missing", before=lambda: refusal("ResourceNotFound"))

    SageMakerDescriber().describe(kind, arn_of(kind, partition))

    assert len(injection.calls) == 1


def test_the_answer_is_aws_own(sagemaker: Any) -> None:
    sagemaker.create_model(ModelName="Wine", ExecutionRoleArn="arn:aws:iam::123456789012:role/Jobs")

    found = SageMakerDescriber().describe(NodeKind.MODEL, "Wine")

    expected = sagemaker.describe_model(ModelName="Wine")
    expected.pop("ResponseMetadata")
    assert found is not None
    assert found == expected
    assert found["CreationTime"].tzinfo is not None


@pytest.mark.parametrize("kind", [NodeKind.TRAINING_JOB, NodeKind.MODEL, NodeKind.ENDPOINT, NodeKind.PROCESSING_JOB])
def test_what_does_not_exist_is_none(kind: NodeKind) -> None:
    assert SageMakerDescriber().describe(kind, arn_of(kind)) is None


@pytest.mark.parametrize("name", ["", "no spaces", "x" * 64, "-begins"])
def test_a_name_that_sagemaker_cannot_know_is_not_asked_for(name: str, injection: Injection) -> None:
    assert SageMakerDescriber().describe(NodeKind.TRAINING_JOB, f"{PREFIX}:training-job/{name}") is None
    assert injection.calls == []


def test_what_cannot_be_described_is_not_asked_for(injection: Injection) -> None:
    assert SageMakerDescriber().describe(NodeKind.DATASET, "s3://bucket/key") is None
    assert injection.calls == []


@pytest.mark.parametrize("fault", [*FAULTS[:3], DENIED], ids=lambda fault: fault.name)
def test_no_answer_is_not_taken_for_no_resource(injection: Injection, fault: Fault) -> None:
    injection.choose = lambda _number, _operation: fault
    describer = SageMakerDescriber()

    with pytest.raises(UnavailableError, match="training-job/name"):
        describer.describe(NodeKind.TRAINING_JOB, arn_of(NodeKind.TRAINING_JOB))
    with pytest.raises(UnavailableError, match="training-job/name"):
        describer.tags(f"{PREFIX}:training-job/name")


def test_all_pages_of_tags_are_read(sagemaker: Any, aws: botocore.session.Session) -> None:
    arn = sagemaker.create_model(ModelName="wine", ExecutionRoleArn="arn:aws:iam::123456789012:role/Jobs")["ModelArn"]
    tags = {f"key-{number:03}": f"value {number}" for number in range(50)}
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    client("sagemaker").meta.events.register(
        "before-parameter-build.sagemaker.ListTags", lambda params, **_: params.update(MaxResults=50)
    )

    assert SageMakerDescriber().tags(arn) == tags


def test_a_resource_that_does_not_exist_has_no_tags(injection: Injection) -> None:
    injection.choose = lambda _number, _operation: Fault("missing", before=lambda: refusal("ResourceNotFoundException"))

    assert SageMakerDescriber().tags(f"{PREFIX}:training-job/gone") == {}
    assert SageMakerDescriber().tags("arn:aws:bedrock:us-east-1:123456789012:model-customization-job/x") == {}
    assert injection.calls == ["sagemaker.ListTags", "bedrock.ListTagsForResource"]
