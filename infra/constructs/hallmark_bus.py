"""The hallmark bus, on which nobody but Hallmark's own functions can speak, and each says only what is its to say."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from hallmark.events.subscriptions import HALLMARK

ROLE_PATH = "/hallmark/"
"""Path of the roles of Hallmark's functions: part of their ARN, chosen when a role is made and never changed."""


class HallmarkBus(events.EventBus):
    """A bus whose policy refuses events of everybody else, whatever their own policies allow.

    Verdicts, drift reports and evaluations that are told here start work and are told to people: who could put them
    could forge them. A denial in the bus's own policy holds for administrators and for roles of other stacks too.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id, description="What Hallmark found out")
        own = f"arn:{cdk.Aws.PARTITION}:iam::{cdk.Aws.ACCOUNT_ID}:role{ROLE_PATH}*"
        self.add_to_resource_policy(
            iam.PolicyStatement(
                sid="OnlyHallmarkSpeaks",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["events:PutEvents"],
                resources=[self.event_bus_arn],
                # Of a session it is the ARN of its role, path included (global condition keys, IAM user guide).
                conditions={"ArnNotLike": {"aws:PrincipalArn": own}},
            )
        )

    def allow_publishing(self, *detail_types: str) -> iam.PolicyStatement:
        """Return the statement that lets a function tell these kinds of events, in Hallmark's name, and no others."""
        return iam.PolicyStatement(
            sid="Publish",
            actions=["events:PutEvents"],
            resources=[self.event_bus_arn],
            # A request has several entries: each of them has to be allowed.
            conditions={
                "ForAllValues:StringEquals": {"events:source": HALLMARK, "events:detail-type": sorted(detail_types)},
                # Without this, a request to which EventBridge gave no such key would have them all.
                "Null": {"events:source": "false", "events:detail-type": "false"},
            },
        )
