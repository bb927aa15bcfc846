from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hallmark.errors import InvalidInputError
from hallmark.gates.requests import GateRequest, StoppedStep, gate_at, requests_of
from hallmark.gates.settings import GatesPolicy

PAYLOADS = Path(__file__).parents[2] / "payloads" / "aws"
PACKAGE = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/wine/3"
ENDPOINT = "arn:aws:sagemaker:eu-west-1:111122223333:endpoint/live"
CRITERIA = {"drifts": {"kind": "drift"}}


def policy(**gates: dict[str, Any]) -> GatesPolicy:
    usual = {"models": {"model_package_groups": ["wine"]}, "criteria": CRITERIA}
    return GatesPolicy.model_validate({"gates": {name: {**usual, **gate} for name, gate in gates.items()}})


CHAIN = policy(
    dev={"stage": "development", "next_stage": "staging"},
    stage={"stage": "staging", "next_stage": "production"},
    prod={"stage": "production", "models": {"model_package_groups": ["wine"], "endpoints": ["Live"]}},
)


def event(kind: str, **detail: Any) -> dict[str, Any]:
    return {"detail-type": kind, "id": "e1", "detail": detail}


def package(**detail: Any) -> dict[str, Any]:
    usual = {
        "ModelPackageArn": PACKAGE,
        "ModelPackageGroupName": "wine",
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": "PendingManualApproval",
        "LastModifiedTime": "2026-05-04T12:00:00Z",
    }
    return event("SageMaker Model Package State Change", **{**usual, **detail})


def asked(message: dict[str, Any], gates: GatesPolicy = CHAIN) -> list[str]:
    return [request.gate for request in requests_of(message, gates) if isinstance(request, GateRequest)]


def test_a_new_package_comes_to_the_first_gate_of_its_chain() -> None:
    assert asked(package()) == ["dev"]
    assert asked(package(ModelPackageGroupName="beer")) == []
    assert asked(package(ModelPackageStatus="InProgress")) == []
    assert asked(package(ModelApprovalStatus="Approved")) == []


@pytest.mark.parametrize(
    ("stage", "status", "gates"),
    [
        ("Staging", "PendingApproval", ["stage"]),
        ("Production", "PendingApproval", ["prod"]),
        ("Staging", "Approved", []),
        ("Archived", "PendingApproval", []),
    ],
)
def test_a_package_that_came_to_a_stage_comes_to_its_gate(stage: str, status: str, gates: list[str]) -> None:
    lifecycle = {"Stage": stage, "StageStatus": status}

    assert asked(package(ModelLifeCycle=lifecycle, UpdatedModelPackageFields=["ModelLifeCycle"])) == gates


def test_an_event_about_something_else_asks_nothing_although_it_tells_of_stage_and_approval_again() -> None:
    lifecycle = {"Stage": "Staging", "StageStatus": "PendingApproval"}
    told = package(ModelLifeCycle=lifecycle, UpdatedModelPackageFields=["CustomerMetadataProperties"])

    assert asked(told) == []


def test_approval_that_is_set_back_asks_again() -> None:
    assert asked(package(UpdatedModelPackageFields=["ModelApprovalStatus"])) == ["dev"]


def test_an_endpoint_in_service_comes_to_the_gate_that_is_for_it() -> None:
    detail = {"EndpointArn": ENDPOINT, "EndpointName": "live", "EndpointConfigName": "c", "LastModifiedTime": 1}

    assert asked(event("SageMaker Endpoint State Change", EndpointStatus="IN_SERVICE", **detail)) == ["prod"]
    assert asked(event("SageMaker Endpoint State Change", EndpointStatus="UPDATING", **detail)) == []


def test_drift_comes_to_the_gate_in_production() -> None:
    assert asked(event("DriftDetected", subject=ENDPOINT, report="hallmark:drift-report/x")) == ["prod"]


SUITES = policy(
    models={"stage": "staging", "models": {"foundation_models": ["a.*"]}, "suites": ["s"]},
    packages={"stage": "staging", "suites": ["s"]},
)


def completed(trigger: str, source: str = "") -> dict[str, Any]:
    models = [{"name": "x", "modelId": "a.model"}, {"name": "y", "modelId": "b.model"}]
    return event("EvaluationCompleted", suite="s", run="s-1", trigger=trigger, source=source, models=models)


def test_a_run_comes_to_the_gates_of_its_models() -> None:
    found = requests_of(completed("schedule"), SUITES)

    assert [(each.gate, each.model) for each in found if isinstance(each, GateRequest)] == [("models", "a.model")]


def test_a_run_that_a_request_waits_for_asks_no_second_time() -> None:
    assert requests_of(completed("gate"), SUITES) == ()
    assert asked(completed("model_package", PACKAGE), SUITES) == ["models"]


def test_the_payloads_of_the_documentation_are_read() -> None:
    for name in ("sm-model-package-state-change", "sm-endpoint-state-change"):
        raw = json.loads((PAYLOADS / f"{name}.json").read_text())
        everything = policy(g={"stage": "x", "models": {"model_package_groups": ["*"], "endpoints": ["*"]}})
        requests_of(raw, everything)


def test_a_pipeline_that_is_stopped_is_answered_and_judges_nothing() -> None:
    message = json.loads((PAYLOADS / "sqs-body-pipelines-callback-stopping.json").read_text())

    assert requests_of(message, CHAIN) == (StoppedStep("26vcYbeWsZ"),)


def test_a_pipelines_step_asks_with_its_token() -> None:
    message = {
        "token": "t",
        "pipelineExecutionArn": "arn:p",
        "status": "Executing",
        "arguments": {"gate": "dev", "model": PACKAGE},
    }

    request = requests_of(message, CHAIN)[0]

    assert isinstance(request, GateRequest)
    assert (request.callback_token, request.trigger, request.source) == ("t", "pipeline", "arn:p")


def test_a_repeat_is_the_same_request_and_anything_else_another() -> None:
    first, repeat = requests_of(package(), CHAIN)[0], requests_of({**package(), "id": "e2"}, CHAIN)[0]
    other = requests_of(package(ModelPackageArn=PACKAGE + "0"), CHAIN)[0]

    assert isinstance(first, GateRequest)
    assert isinstance(repeat, GateRequest)
    assert isinstance(other, GateRequest)
    assert first.execution == repeat.execution
    assert len(first.execution) <= 80
    assert other.execution != first.execution


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"detail-type": "Unknown", "detail": {}}, "detail-type"),
        ({"detail-type": "DriftDetected", "detail": []}, "detail"),
        (event("QualityGateRequested", gate="none", model="m", requestId="r"), "detail.gate"),
        (event("QualityGateRequested", gate="dev", model="", requestId="r"), "detail.model"),
        (event("QualityGateRequested", gate="dev", model="m"), "detail.requestId"),
        (event("QualityGateRequested", gate="dev", model="m", requestId="r", trigger="wish"), "detail.trigger"),
        ({"token": "t", "pipelineExecutionArn": "p", "arguments": None}, "arguments"),
        ({"token": "t", "pipelineExecutionArn": "p", "arguments": {"gate": "x"}}, "arguments.gate"),
    ],
)
def test_what_can_never_be_judged_is_refused_with_field_and_remedy(message: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        requests_of(message, CHAIN)

    assert error.value.field == field


def test_a_stage_means_the_one_gate_that_is_for_the_model() -> None:
    assert gate_at(CHAIN, "staging", PACKAGE) == "stage"
    with pytest.raises(InvalidInputError, match="no gate there"):
        gate_at(CHAIN, "canary", PACKAGE)
