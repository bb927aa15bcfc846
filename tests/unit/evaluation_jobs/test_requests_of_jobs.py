"""The requests that create AWS's jobs, against botocore's own model of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.model import ListShape, Shape, StructureShape
from botocore.session import get_session
from botocore.validate import ParamValidator

from hallmark.errors import InvalidInputError
from hallmark.evaluation.jobs.evaluation_metrics import custom_metric_definition, custom_metric_value
from hallmark.evaluation.jobs.preparing import prepare_job
from hallmark.evaluation.judging import Rubric, read_rubric
from hallmark.evaluation.plans import Job, JobKind
from tests.fakes.planned_jobs import AROUND, COMPUTED, HEAVY, JUDGED, PEOPLE, batches, plan_of, retrieval, suite


def request_of(model: str, **more: Any) -> tuple[Job, Mapping[str, Any]]:
    asked = batches()
    plan = plan_of(suite(model, **more), asked)
    job = plan.jobs[-1]
    prepared = prepare_job(plan, job, {batch.number: batch for batch in asked}, AROUND)
    return job, prepared.request


OPERATIONS = {
    JobKind.EVALUATION: ("bedrock", "CreateEvaluationJob"),
    JobKind.BATCH_INFERENCE: ("bedrock", "CreateModelInvocationJob"),
    JobKind.DEPLOYMENT: ("bedrock", "CreateCustomModelDeployment"),
    JobKind.SCORING: ("sagemaker", "CreateProcessingJob"),
}


def faults(shape: Shape, value: Any, place: str = "") -> list[str]:
    """Return what botocore's model forbids and its validator lets pass: patterns, lengths, numbers of items."""
    if isinstance(shape, StructureShape):
        return [fault for name, each in value.items() for fault in faults(shape.members[name], each, f"{place}.{name}")]
    size = len(value) if isinstance(value, str | list) else value
    found = []
    if isinstance(size, int | float) and not isinstance(value, bool):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if (low is not None and size < low) or (high is not None and size > high):
            found.append(f"{place} is {size}, not from {low} to {high}")
    pattern = shape.metadata.get("pattern")
    if isinstance(value, str) and pattern and not re.fullmatch(pattern, value):
        found.append(f"{place} is {value!r}, not {pattern}")
    if isinstance(shape, ListShape):
        found += [fault for each in value for fault in faults(shape.member, each, place)]
    return found


@pytest.mark.parametrize(
    ("model", "settings", "kind"),
    [
        ("lite", COMPUTED, JobKind.EVALUATION),
        ("frozen", COMPUTED, JobKind.EVALUATION),
        ("lite", JUDGED, JobKind.EVALUATION),
        ("lite", PEOPLE, JobKind.EVALUATION),
        ("frozen", retrieval("retrieve"), JobKind.EVALUATION),
        ("frozen", retrieval("retrieve-and-generate"), JobKind.EVALUATION),
        ("base", retrieval("retrieve"), JobKind.EVALUATION),
        ("base", retrieval("retrieve-and-generate"), JobKind.EVALUATION),
        ("lite", {"engine": "batch"}, JobKind.BATCH_INFERENCE),
        ("tuned", {}, JobKind.DEPLOYMENT),
        ("lite", HEAVY, JobKind.SCORING),
    ],
)
def test_aws_takes_the_request_of_each_kind_of_job(model: str, settings: dict[str, Any], kind: JobKind) -> None:
    job, request = request_of(model, **settings)

    service, operation = OPERATIONS[kind]
    shape = get_session().get_service_model(service).operation_model(operation).input_shape
    assert job.kind is kind
    assert shape is not None
    assert ParamValidator().validate(request, shape).generate_report() == ""
    assert faults(shape, request) == []


def test_an_evaluator_gets_bedrocks_metrics_and_our_rubrics_and_each_is_asked_for() -> None:
    _, request = request_of("lite", **JUDGED)

    automated = request["evaluationConfig"]["automated"]
    (dataset,) = automated["datasetMetricConfigs"]
    assert dataset["metricNames"] == ["Builtin.Helpfulness", "judge_correctness"]
    (custom,) = automated["customMetricConfig"]["customMetrics"]
    assert custom["customMetricDefinition"]["name"] == "judge_correctness"


def test_a_repeat_of_a_request_is_the_same_request() -> None:
    assert request_of("lite", **COMPUTED) == request_of("lite", **COMPUTED)
    assert request_of("lite", **COMPUTED)[1]["clientRequestToken"].startswith("hm-")


@pytest.mark.parametrize("name", ["correctness", "faithfulness", "harmfulness", "helpfulness", "preference"])
def test_each_label_of_a_rubric_is_worth_its_place_on_the_scale(name: str) -> None:
    rubric = read_rubric(name)

    steps = [step["value"]["stringValue"] for step in custom_metric_definition(name, rubric)["ratingScale"]]

    values = [custom_metric_value(step, rubric) for step in steps]
    assert values == pytest.approx([place / (len(steps) - 1) for place in range(len(steps))])
    assert custom_metric_value(steps[0].upper(), rubric) == 0
    assert custom_metric_value("splendid", rubric) is None


def test_a_rubric_that_is_too_long_for_bedrock_is_refused_with_its_name() -> None:
    with pytest.raises(InvalidInputError, match=r"rubrics\.essay"):
        custom_metric_definition("essay", Rubric(title="Essay", instructions="x" * 5000))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"scorers": ["Builtin.Accuracy"]}, "set engine to managed"),
        ({"managed": {"task": "Generation"}}, "set engine to managed"),
        ({"engine": "managed"}, "nothing to measure"),
        ({**JUDGED, "managed": {}}, "managed.evaluator"),
        ({**COMPUTED, "managed": {}}, "managed.task"),
        ({**JUDGED, "scorers": ["Builtin.Accuracy", "Builtin.Helpfulness"]}, "two suites"),
        ({**PEOPLE, "scorers": ["Builtin.Accuracy"]}, "people rate or a job measures"),
        ({"engine": "batch", "comparison": {"early_stopping": True}}, "early_stopping"),
        ({"processing": {"scorers": ["bleu"], "image": "i"}}, "no scorer of the suite"),
    ],
)
def test_what_no_job_can_do_is_refused_when_the_policy_is_read(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        suite("lite", **settings)
