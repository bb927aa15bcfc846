"""Which runs an event starts, on AWS's own payloads where there are some."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hallmark.errors import InvalidInputError
from hallmark.evaluation.suites import EvaluationPolicy
from hallmark.evaluation.triggering import starts_of

PAYLOADS = Path(__file__).parents[2] / "payloads" / "aws"
POLICY = EvaluationPolicy.model_validate(
    {
        "models": {"nova": {"model_id": "amazon.nova-lite-v1:0", "inference": {"max_tokens": 9}}},
        "datasets": {
            "one": {"location": "s3://data/one.jsonl"},
            "many": {"location": "s3://data/many/", "shots": 1, "examples": "s3://data/solved.jsonl"},
        },
        "suites": {
            "packages": {
                "model_variants": ["nova"],
                "champion": "nova",
                "datasets": ["one"],
                "scorers": ["exact_match"],
                "triggers": {"model_package_groups": ["versionedmp-p-idy6c3e1fiqj"]},
            },
            "models": {
                "model_variants": ["nova"],
                "champion": "nova",
                "datasets": ["one"],
                "scorers": ["exact_match"],
                "triggers": {"custom_models": True},
            },
            "data": {
                "model_variants": ["nova"],
                "champion": "nova",
                "datasets": ["one", "many"],
                "scorers": ["exact_match"],
                "triggers": {"dataset_changes": True},
            },
        },
    }
)


def payload(name: str, **detail: Any) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return event | {"detail": event["detail"] | detail}


def uploaded(key: str, **found: Any) -> dict[str, Any]:
    return {"detail-type": "Object Created", "detail": {"bucket": {"name": "data"}, "object": {"key": key, **found}}}


def test_a_new_model_package_of_a_suites_group_starts_it() -> None:
    (start,) = starts_of(payload("sm-model-package-state-change", UpdatedModelPackageFields=[]), POLICY)

    assert (start.suite, start.trigger.kind) == ("packages", "model_package")
    assert start.trigger.source.endswith("model-package/versionedmp-p-idy6c3e1fiqj/2")


def test_a_later_change_of_a_package_starts_nothing() -> None:
    assert starts_of(payload("sm-model-package-state-change"), POLICY) == ()


def test_a_package_of_another_group_starts_nothing() -> None:
    event = payload("sm-model-package-state-change", UpdatedModelPackageFields=[], ModelPackageGroupName="another")

    assert starts_of(event, POLICY) == ()


def test_a_package_that_names_its_model_is_asked_beside_the_others_with_the_champions_settings() -> None:
    event = payload(
        "sm-model-package-state-change",
        UpdatedModelPackageFields=[],
        CustomerMetadataProperties={"hallmark:model-id": "arn:aws:bedrock:us-east-1:1:imported-model/x"},
    )

    (start,) = starts_of(event, POLICY)

    candidate = start.candidates["candidate"]
    assert candidate.model_id.endswith("imported-model/x")
    assert candidate.inference.max_tokens == 9


def test_a_custom_model_that_completed_starts_the_suites_that_ask_for_it() -> None:
    (start,) = starts_of(payload("bedrock-model-customization-job-state-change", jobStatus="Completed"), POLICY)

    assert (start.suite, start.trigger.kind) == ("models", "custom_model")
    assert start.candidates["candidate"].model_id.endswith("dummy-output-model-name")


def test_a_customization_that_failed_starts_nothing() -> None:
    assert starts_of(payload("bedrock-model-customization-job-state-change"), POLICY) == ()


@pytest.mark.parametrize(
    ("key", "started"), [("one.jsonl", 1), ("many/part-7.jsonl", 1), ("solved.jsonl", 1), ("one.jsonl.bak", 0)]
)
def test_a_new_object_at_a_dataset_starts_its_suites(key: str, started: int) -> None:
    assert len(starts_of(uploaded(key, etag="e"), POLICY)) == started


def test_an_event_that_is_delivered_twice_starts_one_run_and_another_content_another() -> None:
    names = [starts_of(uploaded("one.jsonl", **{"version-id": v}), POLICY)[0].name for v in ("1", "1", "2")]

    assert names[0] == names[1] != names[2]
    assert all(len(name) <= 80 for name in names)


def deployed(status: str = "UPDATE_COMPLETE") -> dict[str, Any]:
    stack = "arn:aws:cloudformation:us-west-1:111122223333:stack/HallmarkEvaluation/0a1b"
    detail = {"stack-id": stack, "status-details": {"status": status, "status-reason": ""}, "client-request-token": ""}
    return {"source": "aws.cloudformation", "detail-type": "CloudFormation Stack Status Change", "detail": detail}


def saying(system: str, *, template: str | None = None) -> EvaluationPolicy:
    told = POLICY.model_dump(mode="json")
    told["models"]["nova"]["system"] = system
    told["datasets"]["one"]["template"] = template
    told["suites"]["models"]["triggers"] = {"prompt_changes": True}
    return EvaluationPolicy.model_validate(told)


def test_a_deployment_with_other_words_starts_a_run_and_one_with_the_same_words_none() -> None:
    policies = (saying("Be kind."), saying("Be kind."), saying("Be brief."), saying("Be kind.", template="{prompt}?"))

    names = [starts_of(deployed(), policy)[0].name for policy in policies]

    assert names[0] == names[1]
    assert len(set(names)) == 3
    (start,) = starts_of(deployed("CREATE_COMPLETE"), policies[0])
    assert (start.suite, start.trigger.kind) == ("models", "prompt_changed")


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE", "DELETE_COMPLETE"])
def test_a_stack_that_was_not_deployed_starts_nothing(status: str) -> None:
    assert starts_of(deployed(status), saying("Be kind.")) == ()


def test_a_request_names_its_suite_and_models() -> None:
    event = {"detail-type": "EvaluationRequested", "id": "7", "detail": {"suite": "data", "models": ["nova"]}}

    (start,) = starts_of(event, POLICY)

    assert (start.suite, start.models, start.trigger.kind) == ("data", ("nova",), "gate")


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"detail-type": "Object Created", "detail": None}, "detail"),
        ({"detail-type": "Object Created", "detail": {}}, "detail.object"),
        ({"detail-type": "Something Else", "detail": {}}, "detail-type"),
        ({"detail-type": "CloudFormation Stack Status Change", "detail": {"stack-id": "a"}}, "detail.status-details"),
        ({"detail-type": "EvaluationRequested", "detail": {}}, "detail.suite"),
        ({"detail-type": "EvaluationRequested", "detail": {"suite": "nothing"}}, "detail.suite"),
        ({"detail-type": "EvaluationRequested", "detail": {"suite": "data", "models": "nova"}}, "detail.models"),
        ({"detail-type": "SageMaker Model Package State Change", "detail": {}}, "detail.ModelPackageArn"),
    ],
)
def test_an_event_that_cannot_be_understood_says_which_field(event: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        starts_of(event, POLICY)

    assert caught.value.field == field
