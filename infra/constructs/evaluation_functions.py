"""What the functions of evaluations have in common: layers, policy, table, bucket, models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from hallmark.policy.models import Policy
from infra.constructs.evaluation_storage import EvaluationStorage
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.policy_layer import PolicyLayer

_PROFILE_PREFIXES = frozenset({"us", "us-gov", "eu", "apac", "au", "ca", "jp", "global"})
"""Geographies of cross-Region inference profiles (Bedrock user guide, "Supported Regions and models")."""


class EvaluationFunctions:
    """Makes functions that know the policy, and says which models it names.

    Args:
        scope: Where the policy's layer belongs.
        storage: What runs keep.
        layers: Of all functions.
        policy: The team's.
        policy_folder: Where its scorers and rubrics are.
    """

    def __init__(
        self, scope: Construct, *, storage: EvaluationStorage, layers: Layers, policy: Policy, policy_folder: Path
    ) -> None:
        self._layers = layers
        self._policy = policy
        self._policy_layer = PolicyLayer(scope, "Policy", policy=policy, folder=policy_folder)
        self.table = {"EVALUATION_TABLE_NAME": storage.table.table_name}
        self.bucket = {"EVALUATION_BUCKET_NAME": storage.bucket.bucket_name}

    def make(
        self,
        scope: Construct,
        construct_id: str,
        name: str,
        description: str,
        *statements: iam.PolicyStatement,
        timeout: cdk.Duration | None = None,
        memory_mb: int = 1024,
        environment: Mapping[str, str],
    ) -> PythonFunction:
        """Return ``functions/<name>`` with the scorers' packages and the policy.

        Args:
            scope: As ever.
            construct_id: As ever.
            name: Of its folder.
            description: What it does.
            statements: What it may do.
            timeout: Fifteen minutes where it is None.
            memory_mb: Memory, and CPU in proportion.
            environment: What it is told.
        """
        return PythonFunction(
            scope,
            construct_id,
            name=name,
            description=description,
            layers=self._layers,
            scoring=True,
            extra_layers=[self._policy_layer.version],
            timeout=timeout or cdk.Duration.minutes(15),
            memory_mb=memory_mb,
            environment=environment,
            statements=statements,
        )

    def allow_removing_deployments(self) -> iam.PolicyStatement:
        """Return the statement that lets a function remove what a run deployed."""
        own = f"arn:{cdk.Aws.PARTITION}:bedrock:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}"
        return iam.PolicyStatement(
            sid="RemoveDeployments",
            actions=["bedrock:DeleteCustomModelDeployment"],
            resources=[f"{own}:custom-model-deployment/*"],
        )

    def allow_models(self, *more: str) -> iam.PolicyStatement:
        """Return the statement for the models that the policy names, in each shape that Converse takes.

        Args:
            more: Actions besides ``bedrock:InvokeModel``.
        """
        resources = {arn for model in self._policy.evaluation.models.values() for arn in _model_arns(model.model_id)}
        if any(suite.triggers.custom_models for suite in self._policy.evaluation.suites.values()) or any(
            ":custom-model/" in arn for arn in resources
        ):
            own = f"{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}"
            resources |= {
                f"arn:{cdk.Aws.PARTITION}:bedrock:{own}:custom-model-deployment/*",
                f"arn:{cdk.Aws.PARTITION}:bedrock:{own}:provisioned-model/*",
            }
        return iam.PolicyStatement(
            sid="AskModels",
            actions=["bedrock:InvokeModel", *more],
            # Without a model nothing can be asked; IAM needs a resource all the same.
            resources=sorted(resources) or [f"arn:{cdk.Aws.PARTITION}:bedrock:::foundation-model/none"],
        )


def _model_arns(model_id: str) -> list[str]:
    """Return the ARNs that Converse needs for a model identifier (Bedrock user guide, inference profiles)."""
    if model_id.startswith("arn:"):
        return [model_id]
    foundation = model_id
    arns = []
    prefix, _, rest = model_id.partition(".")
    if prefix in _PROFILE_PREFIXES:
        foundation = rest
        arns.append(
            f"arn:{cdk.Aws.PARTITION}:bedrock:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:inference-profile/{model_id}"
        )
        # A profile sends requests to other Regions of its geography.
        return [*arns, f"arn:{cdk.Aws.PARTITION}:bedrock:*::foundation-model/{foundation}"]
    return [f"arn:{cdk.Aws.PARTITION}:bedrock:{cdk.Aws.REGION}::foundation-model/{foundation}"]
