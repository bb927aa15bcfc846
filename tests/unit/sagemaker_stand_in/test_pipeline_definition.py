from __future__ import annotations

import json
from typing import Any

import pytest

from local.sagemaker.pipeline_definition import DefinitionError, Parameter, Scope, read_definition

DESCRIBED: dict[str, dict[str, Any]] = {
    "Train": {
        "ModelArtifacts": {"S3ModelArtifacts": "s3://b/model.tar.gz"},
        "Metrics": [{"MetricName": "f1", "Value": 0.9}],
    },
    "Split": {
        "ProcessingOutputConfig": {
            "Outputs": [
                {"OutputName": "train", "S3Output": {"S3Uri": "s3://b/train"}},
                {"OutputName": "test.v2", "S3Output": {"S3Uri": "s3://b/test"}},
            ]
        }
    },
    "Tune": {"TrainingJobSummaries": [{"TrainingJobName": "best"}, {"TrainingJobName": "next"}]},
}

SCOPE = Scope(
    parameters={"Bucket": "b", "Depth": 5, "Flag": True},
    execution={"PipelineName": "Rings"},
    properties=DESCRIBED.__getitem__,
    read_property_file=lambda step, file: {"step": step, "file": file, "mse": [{"value": 3.5}]},
)


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ({"Get": "Parameters.Depth"}, 5),
        ({"Get": "Execution.PipelineName"}, "Rings"),
        ({"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}, "s3://b/model.tar.gz"),
        ({"Get": "Steps.Split.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"}, "s3://b/train"),
        ({"Get": 'Steps.Split.ProcessingOutputConfig.Outputs["test.v2"].S3Output.S3Uri'}, "s3://b/test"),
        ({"Get": "Steps.Tune.TrainingJobSummaries[1].TrainingJobName"}, "next"),
        ({"Get": "Steps.Train.Metrics['f1'].Value"}, 0.9),
        (
            {
                "Std:Join": {
                    "On": "/",
                    "Values": ["s3:/", {"Get": "Parameters.Bucket"}, "x", {"Get": "Parameters.Depth"}],
                }
            },
            "s3://b/x/5",
        ),
        ({"Std:JsonGet": {"PropertyFile": {"Get": "Steps.E.PropertyFiles.R"}, "Path": "mse[0].value"}}, 3.5),
        ({"a": [{"Get": "Parameters.Flag"}], "b": {"c": 1}}, {"a": [True], "b": {"c": 1}}),
        ({"Get": "x", "Other": 1}, {"Get": "x", "Other": 1}),
    ],
)
def test_references_and_functions_mean_what_the_sdk_means(value: Any, meaning: Any) -> None:
    assert SCOPE.evaluate(value) == meaning


@pytest.mark.parametrize(
    "reference",
    [
        "Parameters.None",
        "Steps.Train.Nothing",
        "Steps.Tune.TrainingJobSummaries[9]",
        "Steps.Split.ProcessingOutputConfig.Outputs['x']",
    ],
)
def test_a_reference_that_leads_nowhere_is_named(reference: str) -> None:
    with pytest.raises(DefinitionError) as error:
        SCOPE.evaluate({"Get": reference})

    assert reference in str(error.value)


def compare(kind: str, left: Any, right: Any) -> dict[str, Any]:
    return {"Type": kind, "LeftValue": left, "RightValue": right}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (compare("Equals", {"Get": "Parameters.Depth"}, 5), True),
        (compare("GreaterThan", 5, 5), False),
        (compare("GreaterThanOrEqualTo", 5, 5), True),
        (compare("LessThan", 4, 5), True),
        (compare("LessThanOrEqualTo", 6, 5), False),
        ({"Type": "In", "QueryValue": {"Get": "Parameters.Bucket"}, "Values": ["a", "b"]}, True),
        ({"Type": "Not", "Expression": compare("Equals", 1, 1)}, False),
        ({"Type": "Or", "Conditions": [compare("Equals", 1, 2), compare("Equals", 2, 2)]}, True),
    ],
)
def test_conditions_hold_as_they_read(condition: dict[str, Any], holds: bool) -> None:
    assert SCOPE.holds(condition) is holds


def test_what_cannot_be_compared_is_an_error_and_not_a_false() -> None:
    with pytest.raises(DefinitionError, match="cannot be compared"):
        SCOPE.holds(compare("LessThan", "a", 1))


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("String", "7", "7"),
        ("Integer", "7", 7),
        ("Float", "0.5", 0.5),
        ("Boolean", "True", True),
        ("Boolean", "false", False),
    ],
)
def test_a_parameter_s_text_gets_its_type(kind: str, text: str, value: Any) -> None:
    read = Parameter("p", kind).read(text)

    assert (read, type(read)) == (value, type(value))


def test_a_step_depends_on_what_it_refers_to_and_on_what_it_names() -> None:
    steps = [
        {"Name": "A", "Type": "Processing"},
        {"Name": "B", "Type": "Processing"},
        {"Name": "C", "Type": "Training", "DependsOn": ["B"], "Arguments": {"x": [{"Get": "Steps.A.Y.Z"}]}},
        {
            "Name": "D",
            "Type": "Condition",
            "Arguments": {
                "Conditions": [compare("Equals", {"Get": "Steps.C.V"}, 1)],
                "IfSteps": [{"Name": "E", "Type": "Model", "Arguments": {"m": {"Get": "Steps.A.Q"}}}],
                "ElseSteps": [{"Name": "F", "Type": "Fail"}],
            },
        },
    ]

    definition = read_definition(json.dumps({"Steps": steps}))

    assert definition.first == {"A", "B", "C", "D"}
    assert {name: set(step.depends_on) for name, step in definition.steps.items()} == {
        "A": set(), "B": set(), "C": {"A", "B"}, "D": {"C"}, "E": {"A"}, "F": set(),
    }  # fmt: skip
    assert definition.steps["D"].branches == (("E",), ("F",))
