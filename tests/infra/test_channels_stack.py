"""What differs between the functions that deliver: each reads its own secrets, topics and queue, and no other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from infra.constructs.notification_queues import NOTIFICATION_RECEIVES

Resources = Mapping[str, Mapping[str, Any]]


@pytest.fixture
def channels(stacks: Mapping[str, Resources]) -> Resources:
    return stacks["HallmarkChannels"]


def statements_of(resources: Resources, part: str) -> dict[str, Any]:
    return {
        statement["Sid"]: statement
        for name, resource in resources.items()
        if resource["Type"] == "AWS::IAM::Policy" and part in name
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
    }


@pytest.mark.parametrize(
    ("function", "secret"),
    [
        ("DeliverNotificationSlack", "hallmark/slack-webhook-??????"),
        ("DeliverNotificationPagerDuty", "hallmark/pagerduty-key-??????"),
    ],
)
def test_a_function_reads_the_secret_of_its_own_channel(channels: Resources, function: str, secret: str) -> None:
    allowed = statements_of(channels, function)

    assert json.dumps(allowed["ReadSecrets"]["Resource"]).count("secret:") == 1
    assert f"secret:{secret}" in json.dumps(allowed["ReadSecrets"])
    assert "PublishToTopics" not in allowed


def test_mail_reads_no_secret(channels: Resources) -> None:
    assert "ReadSecrets" not in statements_of(channels, "DeliverNotificationEmail")


def test_who_signs_cannot_verify_and_who_verifies_cannot_sign(channels: Resources) -> None:
    delivering = json.dumps(statements_of(channels, "DeliverNotification"))
    receiving = json.dumps(statements_of(channels, "ReceiveAction"))

    assert ("kms:GenerateMac" in delivering, "kms:VerifyMac" in delivering) == (True, False)
    assert ("kms:GenerateMac" in receiving, "kms:VerifyMac" in receiving) == (False, True)


def test_each_channel_has_a_mapping_of_its_own_that_takes_one_message_at_a_time(channels: Resources) -> None:
    mappings = [each["Properties"] for each in channels.values() if each["Type"] == "AWS::Lambda::EventSourceMapping"]

    assert len(mappings) == len({json.dumps(each["EventSourceArn"]) for each in mappings}) == 4
    assert {each["BatchSize"] for each in mappings} == {1}


def test_a_message_is_tried_as_often_as_its_function_believes(
    channels: Resources, stacks: Mapping[str, Resources]
) -> None:
    told = {
        each["Properties"]["Environment"]["Variables"]["MAXIMUM_RECEIVES"]
        for name, each in channels.items()
        if each["Type"] == "AWS::Lambda::Function" and "DeliverNotification" in name
    }
    queues = {
        each["Properties"]["RedrivePolicy"]["maxReceiveCount"]
        for name, each in stacks["HallmarkAlerts"].items()
        if each["Type"] == "AWS::SQS::Queue"
        and name.startswith("Notifications")
        and "RedrivePolicy" in each["Properties"]
    }

    assert (told, queues) == ({str(NOTIFICATION_RECEIVES)}, {NOTIFICATION_RECEIVES})


def test_no_request_is_logged_with_its_query(stacks: Mapping[str, Resources]) -> None:
    (stage,) = (each for each in stacks["HallmarkApi"].values() if each["Type"] == "AWS::ApiGatewayV2::Stage")
    logged = json.loads(stage["Properties"]["AccessLogSettings"]["Format"])

    assert set(logged) == {
        "requestId",
        "httpMethod",
        "routeKey",
        "status",
        "responseLatency",
        "integrationErrorMessage",
    }
    assert stage["Properties"]["DefaultRouteSettings"] == {"ThrottlingBurstLimit": 40, "ThrottlingRateLimit": 20}
