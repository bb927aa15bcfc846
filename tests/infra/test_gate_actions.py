"""Who may move a model, by the deployed policies: one function, and only where the team's gates say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from hallmark.gates.settings import GatesPolicy
from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.stages import add_hallmark

ROOT = Path(__file__).parents[2]
ASKS: dict[str, Any] = {"criteria": {"traceable": {"kind": "lineage"}}}
GATES = GatesPolicy.model_validate(
    {
        "gates": {
            "bench": {
                "stage": "staging",
                "next_stage": "production",
                "models": {"model_package_groups": ["Churn-*"]},
                **ASKS,
            },
            "full": {"stage": "production", "models": {"endpoints": ["churn"]}, **ASKS},
        },
        "watches": {
            "loss": {
                "metric": "eval_loss",
                "better": "lower",
                "checkpoints": {},
                "rules": [{"rule": "divergence"}],
            }
        },
    }
)

Statement = Mapping[str, Any]


@pytest.fixture(scope="module")
def statements() -> list[tuple[str, Statement]]:
    """Return each statement of each role of all stacks, with the role's logical id."""
    app = cdk.App(context=json.loads((ROOT / "cdk.json").read_text())["context"])
    stacks = add_hallmark(app, policy=Policy(gates=GATES), policy_folder=ROOT, platform=Platform.LOCAL)
    return [found for stack in stacks for found in _statements(Template.from_stack(stack).to_json()["Resources"])]


def _statements(resources: Mapping[str, Any]) -> Iterator[tuple[str, Statement]]:
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Policy":
            properties = resource["Properties"]
            for role in properties["Roles"]:
                # A role of another stack is imported.
                yield from ((role.get("Ref", str(role)), each) for each in properties["PolicyDocument"]["Statement"])


def actions_of(statement: Statement) -> list[str]:
    actions = statement["Action"]
    return actions if isinstance(actions, list) else [actions]


def moving(statements: list[tuple[str, Statement]]) -> dict[str, Statement]:
    return {
        statement["Sid"]: statement
        for _, statement in statements
        if any("UpdateModelPackage" in action or action == "sagemaker:*" for action in actions_of(statement))
    }


def test_one_role_alone_may_move_a_model(statements: list[tuple[str, Statement]]) -> None:
    roles = {
        role
        for role, statement in statements
        if any(
            action in {"*", "sagemaker:*", "sagemaker:Update*"} or ("ModelPackage" in action and "Update" in action)
            for action in actions_of(statement)
        )
    }

    assert len(roles) == 1
    assert "SetModelStage" in roles.pop()


def test_it_may_move_the_gated_groups_to_the_gates_stages_and_nowhere_else(
    statements: list[tuple[str, Statement]],
) -> None:
    promote = moving(statements)["PromoteModels"]

    assert promote["Condition"] == {
        "StringEquals": {
            "sagemaker:ModelLifeCycle:stage": ["Production", "Staging"],
            "sagemaker:ModelLifeCycle:stageStatus": ["Approved", "PendingApproval"],
        },
        "StringEqualsIfExists": {"sagemaker:ModelApprovalStatus": "Approved"},
    }
    assert str(promote["Resource"]).endswith(":model-package/churn-*/*']]}")


def test_it_may_reject_a_model_without_touching_its_stage(statements: list[tuple[str, Statement]]) -> None:
    assert moving(statements)["RejectModels"]["Condition"] == {
        "StringEquals": {"sagemaker:ModelApprovalStatus": "Rejected"},
        "Null": {"sagemaker:ModelLifeCycle:stage": "true"},
    }


def test_only_the_endpoints_of_gates_that_roll_back_may_be_updated(statements: list[tuple[str, Statement]]) -> None:
    (update,) = [each for _, each in statements if "sagemaker:UpdateEndpoint" in actions_of(each)]

    assert [str(arn).rpartition(":")[2].rstrip("']}") for arn in update["Resource"]] == [
        "endpoint/churn",
        "endpoint-config/*",
    ]


def test_one_role_alone_may_stop_training(statements: list[tuple[str, Statement]]) -> None:
    roles = {role for role, statement in statements if "sagemaker:StopTrainingJob" in actions_of(statement)}

    assert len(roles) == 1
    assert "HaltTraining" in roles.pop()


def test_evaluations_of_checkpoints_are_read_in_the_teams_buckets_only(statements: list[tuple[str, Statement]]) -> None:
    found = {each["Sid"]: json.dumps(each["Resource"]) for _, each in statements if "Checkpoints" in each["Sid"]}

    assert set(found) == {"ListCheckpoints", "ReadCheckpoints"}
    assert all(":s3:::sagemaker-" in where for where in found.values())


def test_who_moves_models_cannot_sign_what_it_moves_them_by(statements: list[tuple[str, Statement]]) -> None:
    signing = {
        role
        for role, statement in statements
        if statement["Sid"] == "UseAttestationKey" and "kms:Sign" in actions_of(statement)
    }
    moving = next(role for role, statement in statements if statement["Sid"] == "PromoteModels")

    assert sorted(
        name
        for name in ("AttestVerdict", "AttestRun", "RevokeAttestation", "SignAnswer")
        if any(name in role for role in signing)
    ) == ["AttestRun", "AttestVerdict", "RevokeAttestation", "SignAnswer"]
    assert len(signing) == 4
    assert moving not in signing


def test_nothing_that_was_signed_can_be_removed_by_a_role(statements: list[tuple[str, Statement]]) -> None:
    deleting = [
        (role, action)
        for role, statement in statements
        for action in actions_of(statement)
        if action.startswith("s3:Delete") and "Attestation" in json.dumps(statement)
    ]

    assert deleting == []
