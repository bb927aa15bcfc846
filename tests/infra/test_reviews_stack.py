"""What only people whom IAM allows may reach, and what of production may be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Resources = Mapping[str, Mapping[str, Any]]


def of_type(resources: Resources, kind: str) -> list[Mapping[str, Any]]:
    return [each["Properties"] for each in resources.values() if each["Type"] == kind]


def test_feedback_over_http_must_be_signed(stacks: Mapping[str, Resources]) -> None:
    (route,) = of_type(stacks["HallmarkReviews"], "AWS::ApiGatewayV2::Route")

    assert route["RouteKey"] == "POST /feedback"
    assert route["AuthorizationType"] == "AWS_IAM"


def test_logs_may_be_listed_and_read_below_their_prefix_only(stacks: Mapping[str, Resources]) -> None:
    statements = {
        statement["Sid"]: statement
        for policy in of_type(stacks["HallmarkReviews"], "AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
    }

    prefixes = statements["ListProduction"]["Condition"]["StringLike"]["s3:prefix"]
    assert prefixes in (["bedrock-logs/*"], "bedrock-logs/*")
    assert statements["ReadProduction"]["Action"] == "s3:GetObject"
    assert str(statements["ReadProduction"]["Resource"]).rstrip("]}'").endswith("/bedrock-logs/*")


def test_each_program_with_a_frequency_asks_for_its_review_once_an_occasion(stacks: Mapping[str, Resources]) -> None:
    schedules = of_type(stacks["HallmarkReviews"], "AWS::Scheduler::Schedule")
    (asking,) = (each for each in schedules if "support-answers" in str(each["Target"]["Input"]))

    assert "<aws.scheduler.scheduled-time>" in str(asking["Target"]["Input"])
    assert asking["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert all("DeadLetterConfig" in each["Target"] for each in schedules)
