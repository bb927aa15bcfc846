"""The role in which EventBridge Scheduler starts one thing, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct


class ScheduleRole(Construct):
    """A role for one schedule; what CDK would grant besides (``kms:GenerateDataKey*`` and its like) is left out."""

    def __init__(self, scope: Construct, construct_id: str, *, statements: Sequence[iam.PolicyStatement]) -> None:
        super().__init__(scope, construct_id)
        role = iam.Role(
            self,
            "Role",
            description="What the schedule may start",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}}
            ),
        )
        iam.Policy(self, "Permissions", statements=list(statements)).attach_to_role(role)
        self.role: iam.IRole = role.without_policy_updates()
