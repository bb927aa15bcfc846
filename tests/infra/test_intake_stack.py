"""Who may send lineage in, and who gets it: nobody whom the policy does not name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.stages import add_hallmark

ROOT = Path(__file__).parents[2]
LINEAGE = {
    "openlineage": {"url": "https://marquez.example.com/api/v1/lineage", "secret": "hallmark/marquez"},
    "catalog": {"domain": "dzd_abc123"},
}


@pytest.fixture(scope="module")
def sending() -> Mapping[str, Any]:
    """Return the resources of the stack where the policy names both who get run events."""
    app = cdk.App(context=json.loads((ROOT / "cdk.json").read_text())["context"])
    policy = Policy.model_validate({"lineage": LINEAGE})
    stacks = add_hallmark(app, policy=policy, policy_folder=ROOT, platform=Platform.LOCAL)
    resources: Mapping[str, Any] = Template.from_stack(stacks.intake).to_json()["Resources"]
    return resources


def of_type(resources: Mapping[str, Any], kind: str) -> list[Any]:
    return [each["Properties"] for each in resources.values() if each["Type"] == kind]


def recorded(resources: Mapping[str, Any]) -> list[Any]:
    """Return the rules that follow what lineage learns."""
    rules = of_type(resources, "AWS::Events::Rule")
    return [rule for rule in rules if rule.get("EventPattern", {}).get("detail-type") == ["LineageRecorded"]]


def statements(resources: Mapping[str, Any]) -> dict[str, Any]:
    return {
        statement["Sid"]: statement
        for policy in of_type(resources, "AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
    }


def test_the_way_in_asks_for_a_signature(stacks: Mapping[str, Mapping[str, Any]]) -> None:
    routes = of_type(stacks["HallmarkIntake"], "AWS::ApiGatewayV2::Route")

    assert ("POST /api/v1/lineage", "AWS_IAM") in {(each["RouteKey"], each["AuthorizationType"]) for each in routes}


def test_inputs_that_match_nothing_have_an_alarm(stacks: Mapping[str, Mapping[str, Any]]) -> None:
    alarms = of_type(stacks["HallmarkIntake"], "AWS::CloudWatch::Alarm")
    (alarm,) = [each for each in alarms if each["MetricName"] == "InputsUnmatched"]

    assert (alarm["Namespace"], alarm["Threshold"], alarm["Period"]) == ("Hallmark", 10, 3600)
    assert alarm["Dimensions"] == [{"Name": "service", "Value": "receive_lineage"}]
    assert alarm["AlarmActions"]


def test_nothing_is_sent_where_the_policy_names_nobody(stacks: Mapping[str, Mapping[str, Any]]) -> None:
    assert recorded(stacks["HallmarkIntake"]) == []
    assert not {"PostLineage", "ReadSecrets"} & statements(stacks["HallmarkIntake"]).keys()


def test_each_of_those_who_are_named_gets_a_message_of_its_own(sending: Mapping[str, Any]) -> None:
    (rule,) = recorded(sending)
    templates = [target["InputTransformer"]["InputTemplate"] for target in rule["Targets"]]

    assert [json.loads(text.replace("<detail-node>", '"n"'))["target"] for text in templates] == [
        "openlineage",
        "catalog",
    ]
    assert all(target["DeadLetterConfig"] for target in rule["Targets"])


def test_the_function_may_read_that_secret_and_post_to_that_domain_and_no_other(sending: Mapping[str, Any]) -> None:
    allowed = statements(sending)

    assert "secret:hallmark/marquez-??????" in json.dumps(allowed["ReadSecrets"]["Resource"])
    assert allowed["PostLineage"]["Action"] == "datazone:PostLineageEvent"
    assert "domain/dzd_abc123" in json.dumps(allowed["PostLineage"]["Resource"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"openlineage": {"url": "http://marquez.example.com/api/v1/lineage"}},
        {"openlineage": {"url": "https://user:password@host/x"}},
        {"catalog": {"domain": "my-domain"}},
        {"aliases": {"warehouse": "s3://lake"}},
        {"aliases": {"s3://a/x": "s3://b/x", "s3a://b/x/": "s3://a/x"}},
        {"intake": {"unmatched_inputs": 0}},
    ],
)
def test_a_policy_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="lineage"):
        Policy.model_validate({"lineage": wrong})
