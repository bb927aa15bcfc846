"""What the functions of gates have in common: layers with the policy, the table, the bus."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.gate_storage import GateStorage


class GateFunctions:
    """Makes functions that act on verdicts.

    Args:
        layers: The shared layers.
        policy: The layer with the team's policy.
        storage: What gates keep.
    """

    def __init__(self, *, layers: Layers, policy: lambda_.ILayerVersion, storage: GateStorage) -> None:
        self._layers = layers
        self._policy = policy
        self.storage = storage
        self.table = {"GATES_TABLE_NAME": storage.table.table_name}
        self.bus = {"EVENT_BUS_NAME": storage.bus.event_bus_name}

    def make(
        self,
        scope: Construct,
        construct_id: str,
        description: str,
        *statements: iam.PolicyStatement,
        environment: Mapping[str, str],
        timeout: cdk.Duration | None = None,
        numeric: bool = False,
    ) -> PythonFunction:
        """Return ``functions/<name>``, the name being the construct's in snake case."""
        name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in construct_id).lstrip("_")
        return PythonFunction(
            scope,
            construct_id,
            name=name,
            description=description,
            layers=self._layers,
            extra_layers=[self._policy],
            timeout=timeout or cdk.Duration.minutes(1),
            memory_mb=512,
            numeric=numeric,
            environment=environment,
            statements=[*statements, self.storage.allow_key(writes=True)],
        )


def sagemaker_arns(*resources: str) -> list[str]:
    """Return the ARNs of SageMaker's resources of this account and Region; names in ARNs are in lower case."""
    own = f"arn:{cdk.Aws.PARTITION}:sagemaker:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}"
    return [f"{own}:{resource}" for resource in dict.fromkeys(each.lower() for each in resources)]


def allow_steps(steps: Mapping[str, PythonFunction]) -> iam.PolicyStatement:
    """Return the statement that lets a workflow call its functions."""
    return iam.PolicyStatement(
        sid="InvokeSteps",
        actions=["lambda:InvokeFunction"],
        resources=[step.function.function_arn for step in steps.values()],
    )
