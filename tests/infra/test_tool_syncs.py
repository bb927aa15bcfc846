"""What servers of other tools in the policy add: a schedule each, and their secrets, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from hallmark.lineage.connectors.messages import read_wake
from hallmark.lineage.connectors.settings import KubeflowServer, MlflowServer
from hallmark.policy.models import LineagePolicy, Policy
from infra.assets import Platform
from infra.stages import add_hallmark

ROOT = Path(__file__).parents[2]
POLICY = Policy(
    lineage=LineagePolicy(
        mlflow=(MlflowServer(name="prod", url="https://mlflow.example", secret="hallmark/mlflow-prod"),),
        kubeflow=(KubeflowServer(name="cluster-a", url="https://kfp.example", secret="hallmark/kubeflow"),),
    )
)


@pytest.fixture(scope="module")
def resources() -> Mapping[str, Mapping[str, Any]]:
    app = cdk.App(context=json.loads((ROOT / "cdk.json").read_text())["context"])
    hallmark = add_hallmark(app, policy=POLICY, policy_folder=ROOT, platform=Platform.LOCAL)
    found: Mapping[str, Mapping[str, Any]] = Template.from_stack(hallmark.intake).to_json()["Resources"]
    return found


def of_type(resources: Mapping[str, Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    return [each["Properties"] for each in resources.values() if each["Type"] == kind]


def test_each_server_is_looked_at_on_a_schedule_with_a_message_that_the_function_reads(
    resources: Mapping[str, Mapping[str, Any]],
) -> None:
    schedules = of_type(resources, "AWS::Scheduler::Schedule")

    wakes = [read_wake(schedule["Target"]["Input"]) for schedule in schedules]
    assert {wake.mlflow.server for wake in wakes if wake.mlflow} == {"prod"}
    assert {wake.kubeflow.server for wake in wakes if wake.kubeflow} == {"cluster-a"}
    assert {schedule["ScheduleExpression"] for schedule in schedules} == {"rate(15 minutes)"}


def test_only_the_secrets_that_policy_names_may_be_read(resources: Mapping[str, Mapping[str, Any]]) -> None:
    statements = [
        statement
        for policy in of_type(resources, "AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Sid"] == "ReadSecrets"
    ]

    named = sorted(json.dumps(statement["Resource"]).count("hallmark/mlflow-prod-??????") for statement in statements)
    kubeflow = [json.dumps(statement["Resource"]).count("hallmark/kubeflow-??????") for statement in statements]
    assert named == [1, 1]
    assert sum(kubeflow) == 1


def test_webhooks_come_in_without_credentials_of_aws(resources: Mapping[str, Mapping[str, Any]]) -> None:
    routes = {route["RouteKey"]: route for route in of_type(resources, "AWS::ApiGatewayV2::Route")}

    assert routes["POST /mlflow/{server}"].get("AuthorizationType", "NONE") == "NONE"
    assert routes["POST /api/v1/lineage"]["AuthorizationType"] == "AWS_IAM"
