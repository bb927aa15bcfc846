"""Who may tell what on the hallmark bus: Hallmark's own functions alone, and each only what is its to say."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pytest
from ministack.core.iam_evaluator import EvalContext, evaluate, evaluate_resource_policy, parse_policy_document

from hallmark import events
from tests.infra.conftest import Resources

ALERTS = {"AlertAcknowledged", "AlertEscalated", "AlertFired", "AlertResolved"}
TOLD: Mapping[str, set[str]] = {
    "act_for_channels": ALERTS,
    "act_on_alerts": ALERTS,
    "announce_lineage": {"LineageRecorded"},
    "apply_quality_gate": {
        "EvaluationRequested",
        "QualityGateFailed",
        "QualityGateInconclusive",
        "QualityGatePassed",
    },
    "attest_run": {"AttestationSigned"},
    "attest_verdict": {"AttestationSigned"},
    "complete_evaluation": {"EvaluationCompleted"},
    "complete_reviews": {"ReviewCompleted", "ReviewScoreLow"},
    "complete_rollback": {"EndpointRolledBack", "RollbackFailed"},
    "decide_promotion": {"ApprovalDecided", "GateOverridden"},
    "deliver_notification": {"AlertDeliveryFailed"},
    "expire_approval": {"ApprovalExpired"},
    "export_feedback": {"FeedbackExported"},
    "fail_evaluation": {"EvaluationFailed"},
    "follow_execution": {"EvaluationFailed"},
    "forget_person": {"PersonForgotten"},
    "halt_training": {"TrainingHalted"},
    "join_feedback": {"FeedbackReceived"},
    "judge_drift": {
        "BaselineCaptured",
        "DriftCleared",
        "DriftDetected",
        "EvaluationRequested",
        "MonitorFailed",
        "MonitorRecovered",
        "QualityGateRequested",
    },
    "judge_reproduction": {"ReproductionJudged"},
    "query_reviews": {"ReviewCompleted", "ReviewNoted", "ReviewScoreLow"},
    "receive_feedback": {"FeedbackReceived"},
    "receive_lineage": {"LineageReported"},
    "reconcile_lineage": {"ReconciliationCompleted"},
    "record_subjects": {"SubjectsRecorded"},
    "request_approval": {"ApprovalRequested"},
    "request_reviews": {"ReviewRequested"},
    "revoke_attestation": {"AttestationRevoked"},
    "route_alerts": ALERTS,
    "set_model_stage": {"ModelPromoted", "ModelRejected", "PromotionRefused"},
    "start_retraining": {"RetrainingSkipped", "RetrainingStarted"},
    "sync_tools": {"LineageReported"},
    "tick_alerts": ALERTS,
}
ACCOUNT = "111122223333"
BUS = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/hallmark"
REFERENCES = {
    "AWS::Partition": "aws",
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": "us-east-1",
}


def resolved(value: Any) -> Any:
    """Return what CloudFormation makes of it in one account; whatever has an ARN of its own is the bus."""
    match value:
        case {"Ref": name}:
            return REFERENCES[name]
        case {"Fn::Join": [glue, parts]}:
            return glue.join(resolved(part) for part in parts)
        case {"Fn::GetAtt": _} | {"Fn::ImportValue": _}:
            return BUS
        case dict():
            return {key: resolved(each) for key, each in value.items()}
        case list():
            return [resolved(each) for each in value]
        case _:
            return value


@pytest.fixture(scope="session")
def speakers(stacks: Mapping[str, Resources]) -> dict[str, list[dict[str, Any]]]:
    """Return the statements of each function that let it put events."""
    found: dict[str, list[dict[str, Any]]] = {}
    for resources in stacks.values():
        functions = {
            each["Properties"]["Role"]["Fn::GetAtt"][0]: each["Properties"]["Environment"]["Variables"]
            for each in resources.values()
            if each["Type"] == "AWS::Lambda::Function"
        }
        for each in resources.values():
            if each["Type"] != "AWS::IAM::Policy":
                continue
            for statement in each["Properties"]["PolicyDocument"]["Statement"]:
                if "events:PutEvents" in json.dumps(statement):
                    (role,) = each["Properties"]["Roles"]
                    name = functions[role["Ref"]]["POWERTOOLS_SERVICE_NAME"]
                    found.setdefault(name, []).append(resolved(statement))
    return found


@pytest.fixture(scope="session")
def policy(resources: Resources) -> dict[str, Any]:
    """Return the bus's own policy."""
    (statement,) = [
        each["Properties"]["Statement"] for each in resources.values() if each["Type"] == "AWS::Events::EventBusPolicy"
    ]
    document: dict[str, Any] = resolved({"Version": "2012-10-17", "Statement": [statement]})
    return document


def asked(principal: str, *entries: tuple[str, str]) -> EvalContext:
    """Return what IAM knows of a request; of a session it is told the ARN of its role."""
    keys = {
        "events:source": [source for source, _ in entries],
        "events:detail-type": [detail_type for _, detail_type in entries],
    }
    kind = "AssumedRole" if ":role/" in principal else "User"
    return EvalContext(
        principal_arn=principal,
        principal_type=kind,
        principal_account=ACCOUNT,
        action="events:PutEvents",
        resource_arn=BUS,
        region="us-east-1",
        service_context=keys,
    )


@pytest.mark.parametrize(
    "principal",
    [
        f"arn:aws:iam::{ACCOUNT}:root",
        f"arn:aws:iam::{ACCOUNT}:user/kim",
        f"arn:aws:iam::{ACCOUNT}:user/hallmark/kim",
        f"arn:aws:iam::{ACCOUNT}:role/Administrator",
        f"arn:aws:iam::{ACCOUNT}:role/hallmark-look-alike",
        f"arn:aws:iam::{ACCOUNT}:role/elsewhere/hallmark/x",
        "arn:aws:iam::444455556666:role/hallmark/x",
    ],
)
def test_nobody_else_speaks_on_the_bus_whatever_they_are_allowed(policy: dict[str, Any], principal: str) -> None:
    decided = evaluate_resource_policy(policy, asked(principal, ("hallmark", "QualityGatePassed")))

    assert decided.decision == "Deny"


def test_functions_of_hallmark_are_not_kept_from_speaking(policy: dict[str, Any]) -> None:
    own = f"arn:aws:iam::{ACCOUNT}:role/hallmark/HallmarkGates-ApplyQualityGateRole-1A2B"

    assert evaluate_resource_policy(policy, asked(own, ("hallmark", "QualityGatePassed"))).decision != "Deny"


def test_roles_of_functions_and_of_nothing_else_are_where_the_policy_looks(stacks: Mapping[str, Resources]) -> None:
    for resources in stacks.values():
        of_functions = {
            each["Properties"]["Role"]["Fn::GetAtt"][0]
            for each in resources.values()
            if each["Type"] == "AWS::Lambda::Function"
        }
        for name, role in resources.items():
            if role["Type"] == "AWS::IAM::Role":
                path = role["Properties"].get("Path", "/")
                assert (path == "/hallmark/") == (name in of_functions), name


def test_each_function_may_tell_what_is_listed_and_nothing_else(speakers: dict[str, list[dict[str, Any]]]) -> None:
    granted = {
        name: {kind for each in statements for kind in each["Condition"]["ForAllValues:StringEquals"][_KIND]}
        for name, statements in speakers.items()
    }

    assert granted == TOLD


def test_whatever_hallmark_tells_some_function_may_tell() -> None:
    known = {
        value
        for module in pkgutil.iter_modules(events.__path__)
        for name, value in vars(import_module(f"hallmark.events.{module.name}")).items()
        if name.isupper() and isinstance(value, str) and value.isalpha() and value[0].isupper()
    }

    assert set().union(*TOLD.values()) - known == set()
    # What the registry says of a model's stage, and names that are no events.
    assert known - set().union(*TOLD.values()) <= {"Approved", "Rejected", "PendingApproval"}


@pytest.mark.parametrize("name", TOLD)
def test_one_entry_that_is_not_its_own_takes_the_whole_request_away(
    speakers: dict[str, list[dict[str, Any]]], name: str
) -> None:
    statements = [parse_policy_document({"Version": "2012-10-17", "Statement": speakers[name]})]
    principal = f"arn:aws:iam::{ACCOUNT}:role/hallmark/{name}"
    own = [("hallmark", kind) for kind in sorted(TOLD[name])]
    foreign = next(kind for kinds in TOLD.values() for kind in sorted(kinds) if kind not in TOLD[name])

    def decide(*entries: tuple[str, str]) -> str:
        return str(evaluate(asked(principal, *entries), statements).decision)

    assert decide(*own) == "Allow"
    assert decide(*own, ("hallmark", foreign)) == "ImplicitDeny"
    assert decide(("aws.sagemaker.forged", own[0][1])) == "ImplicitDeny"


_KIND = "events:detail-type"
