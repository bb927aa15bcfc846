"""How the functions of reviews are made, what they may read of production, and how schedules reach them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from hallmark.policy.models import Policy
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.policy_layer import PolicyLayer
from infra.constructs.queues import DeadLetterQueue
from infra.constructs.review_storage import ReviewStorage


class ReviewFunctions:
    """Makes functions that know the policy, and schedules for them.

    Args:
        scope: Where the policy's layer belongs.
        storage: What reviews keep.
        layers: Of all functions.
        policy: The team's.
        policy_folder: Where its scorers and rubrics are.
        dead_letters: Where schedules put what they cannot deliver.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        storage: ReviewStorage,
        layers: Layers,
        policy: Policy,
        policy_folder: Path,
        dead_letters: DeadLetterQueue,
    ) -> None:
        self.policy = policy.reviews
        self.storage = storage
        self.dead_letters = dead_letters
        self._layers = layers
        self._policy_layer = PolicyLayer(scope, "Policy", policy=policy, folder=policy_folder)

    def make(
        self,
        scope: Construct,
        construct_id: str,
        name: str,
        description: str,
        *statements: iam.PolicyStatement,
        timeout: cdk.Duration,
        memory_mb: int,
        numeric: bool = False,
        environment: Mapping[str, str],
        reserved_concurrency: int | None = None,
    ) -> PythonFunction:
        """Return ``functions/<name>`` with the policy, the table and the bus."""
        return PythonFunction(
            scope,
            construct_id,
            name=name,
            description=description,
            layers=self._layers,
            numeric=numeric,
            extra_layers=[self._policy_layer.version],
            timeout=timeout,
            memory_mb=memory_mb,
            environment={**self.storage.environment, **environment},
            statements=statements,
            reserved_concurrency=reserved_concurrency,
        )

    def allow_production(self, locations: Iterable[str]) -> list[iam.PolicyStatement]:
        """Return the statements for reading logs and captures: only these places, and only to read."""
        places = sorted({_place(location) for location in locations})
        if not places:
            return []
        arns = {bucket: f"arn:{cdk.Aws.PARTITION}:s3:::{_filled(bucket)}" for bucket, _ in places}
        statements = [
            iam.PolicyStatement(
                sid="ListProduction",
                actions=["s3:ListBucket"],
                resources=sorted(set(arns.values())),
                conditions={"StringLike": {"s3:prefix": [f"{_filled(prefix)}*" for _, prefix in places]}},
            ),
            iam.PolicyStatement(
                sid="ReadProduction",
                actions=["s3:GetObject"],
                resources=[f"{arns[bucket]}/{_filled(prefix)}*" for bucket, prefix in places],
            ),
        ]
        if self.policy.data_keys:
            keys = list(self.policy.data_keys)
            statements.append(iam.PolicyStatement(sid="DecryptProduction", actions=["kms:Decrypt"], resources=keys))
        return statements

    def schedule(
        self,
        scope: Construct,
        construct_id: str,
        *,
        description: str,
        expression: str,
        time_zone: str,
        target_arn: str,
        role: iam.IRole,
        given: Mapping[str, Any],
    ) -> None:
        """Add a schedule; what it cannot deliver becomes a dead letter."""
        scheduler.CfnSchedule(
            scope,
            construct_id,
            description=description,
            schedule_expression=expression,
            schedule_expression_timezone=time_zone,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=target_arn,
                role_arn=role.role_arn,
                input=cdk.Stack.of(scope).to_json_string(dict(given)),
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(
                    arn=self.dead_letters.queue.queue_arn
                ),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=3600, maximum_retry_attempts=20
                ),
            ),
        )


def every(minutes: float) -> str:
    """Return the expression of a rate, as EventBridge Scheduler spells it."""
    whole = int(minutes)
    return "rate(1 minute)" if whole == 1 else f"rate({whole} minutes)"


def _place(location: str) -> tuple[str, str]:
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    return bucket, f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""


def _filled(names: str) -> str:
    return names.replace("{account}", cdk.Aws.ACCOUNT_ID).replace("{region}", cdk.Aws.REGION)
