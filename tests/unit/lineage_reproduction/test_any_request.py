"""Any request that SageMaker's model allows is put together again from what was recorded of it."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import ShowAnswer, ShowQuestion
from hallmark.lineage.reproduction.requests import OPERATIONS, ModelName, rebuild
from tests.fakes.recorded_jobs import REQUESTS, Recorded

SAGEMAKER: Any = botocore.session.get_session().get_service_model("sagemaker")
DEPTH = 8
LEFT_OUT = {
    # The other one of a choice, or a hole by rule.
    *("TrainingJobDefinitions", "WarmStartConfig", "ServerlessJobConfig", "InstanceGroups", "AlgorithmName"),
    # Describe does not answer these.
    *("Tags", "SessionChainingConfig"),
}


def values(shape: Any, name: str, depth: int) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one case a type
    """Return values of a shape, as they stand in a request."""
    match shape.type_name:
        case "structure":
            return structures(shape, depth)
        case "list":
            least = max(1, shape.metadata.get("min", 1))
            most = min(shape.metadata.get("max", 2), max(least, 2))
            return st.lists(values(shape.member, name, depth), min_size=least, max_size=most)
        case "map":
            return st.dictionaries(st.sampled_from(["alpha", "beta", "mode"]), texts(shape.value, "Value"), min_size=1)
        case "boolean":
            return st.booleans()
        case "integer" | "long":
            least = shape.metadata.get("min", 1)
            return st.integers(least, min(shape.metadata.get("max", least + 100), least + 100))
        case "float" | "double":
            return st.sampled_from([0.5, 1.25, 3.0])
        case _:
            return texts(shape, name)


def texts(shape: Any, name: str) -> st.SearchStrategy[str]:
    if getattr(shape, "enum", None):
        return st.sampled_from(list(shape.enum))
    if "S3" in name and name.endswith(("Uri", "Path")):
        return st.sampled_from([f"s3://bucket/{end}" for end in ("raw", "prepared/train", "extra", "other")])
    if name == "DirectoryPath":
        return st.sampled_from(["/data", "/data/wine"])
    if name.endswith("Arn"):
        return st.sampled_from(["arn:aws:iam::111122223333:role/one", "arn:aws:iam::111122223333:role/another"])
    return st.sampled_from(["fs-0123456789abcdefg", "longer-name-than-most-1"])


def structures(shape: Any, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    members = {name: member for name, member in shape.members.items() if name not in LEFT_OUT}
    if shape.name in CHOICES:
        return st.sampled_from(sorted(CHOICES[shape.name])).flatmap(
            lambda chosen: st.fixed_dictionaries({chosen: values(members[chosen], chosen, depth - 1)})
        )
    needed = {
        name: values(member, name, depth - 1)
        for name, member in members.items()
        if name in shape.required_members or name in NEEDED.get(shape.name, ())
    }
    optional = {
        name: values(member, name, depth - 1)
        for name, member in members.items()
        if name not in needed and depth > 0 and name not in NEVER.get(shape.name, ())
    }
    return st.fixed_dictionaries(needed, optional=optional)


CHOICES = {
    "DataSource": {"S3DataSource", "FileSystemDataSource"},
    "TransformDataSource": {"S3DataSource"},
    "DatasetDefinition": {"AthenaDatasetDefinition"},
}
"""Structures of which one member is given."""
NEEDED = {
    "AlgorithmSpecification": ("TrainingImage",),
    "ResourceConfig": ("InstanceType", "InstanceCount", "VolumeSizeInGB"),
    "ProcessingInput": ("S3Input",),
    "ProcessingS3Input": ("S3Uri",),
    "ProcessingOutput": ("S3Output",),
    "ProcessingS3Output": ("S3Uri", "LocalPath"),
    "HyperParameterTrainingJobDefinition": ("ResourceConfig", "InputDataConfig"),
    "HyperParameterAlgorithmSpecification": ("TrainingImage",),
    "CreateTrainingJobRequest": ("ResourceConfig", "InputDataConfig", "AlgorithmSpecification"),
    "HyperParameterTuningJobConfig": ("HyperParameterTuningJobObjective",),
    "CreateHyperParameterTuningJobRequest": ("TrainingJobDefinition",),
}
"""What SageMaker asks for, and its model does not say."""
NEVER = {
    "ProcessingInput": ("DatasetDefinition",),
    "ProcessingOutput": ("FeatureStoreOutput",),
    "HyperParameterTrainingJobDefinition": ("HyperParameterTuningResourceConfig", "TuningObjective", "DefinitionName"),
}
"""What is another choice of the same structure, or a hole by rule."""


def request_of(kind: NodeKind) -> st.SearchStrategy[dict[str, Any]]:
    operation = OPERATIONS[kind]
    return structures(SAGEMAKER.operation_model(operation.create).input_shape, DEPTH).map(
        lambda request: {**request, operation.name: str(REQUESTS[kind][operation.name])}
    )


@pytest.mark.parametrize("kind", list(OPERATIONS))
@settings(max_examples=12, deadline=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_request_is_put_together_again(kind: NodeKind, data: st.DataObject) -> None:
    request = data.draw(request_of(kind))
    account = Recorded()
    run = account.record(kind, request)
    answer = account.ask(ShowQuestion(node=run))
    assert isinstance(answer, ShowAnswer)

    rebuilt = rebuild(kind, answer.attributes, model=ModelName("model", str(request.get("ModelName"))))

    name = OPERATIONS[kind].name
    asked = {key: value for key, value in request.items() if key != name}
    assert without_nothing(rebuilt.request) == without_nothing(asked)
    assert not [hole for hole in rebuilt.holes if hole.blocking]


def without_nothing(value: Any) -> Any:
    """Return a request without empty sections: nothing is recorded of them."""
    if isinstance(value, dict):
        kept = {key: without_nothing(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in ({}, [])}
    return [without_nothing(item) for item in value] if isinstance(value, list) else value
