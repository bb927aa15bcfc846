"""A Lambda function as every function here is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.assets import Platform, built_layer_code, function_code, hallmark_layer_code
from infra.constructs.hallmark_bus import ROLE_PATH


class Layers(Construct):
    """The layers: the shared package, its dependencies; numpy for the functions that compute, and what scorers need."""

    def __init__(self, scope: Construct, construct_id: str, *, platform: Platform) -> None:
        super().__init__(scope, construct_id)
        self.platform = platform
        self.shared = [self._layer("Hallmark", hallmark_layer_code(platform), "The package hallmark")]
        self.numeric: list[lambda_.LayerVersion] = []
        self.scoring: list[lambda_.LayerVersion] = []
        if platform is Platform.AWS:
            self.shared.append(self._layer("Dependencies", built_layer_code("dependencies"), "What hallmark imports"))
            self.numeric.append(self._layer("Numeric", built_layer_code("numeric"), "numpy"))
            self.scoring.append(self._layer("Scoring", built_layer_code("scoring"), "What scorers compute with"))

    def _layer(self, construct_id: str, code: lambda_.Code, description: str) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            construct_id,
            code=code,
            description=description,
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
            compatible_architectures=[lambda_.Architecture.ARM_64],
        )


class PythonFunction(Construct):
    """``functions/<name>`` with its own role and its own log group; nothing is allowed that is not added here."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        description: str,
        layers: Layers,
        environment: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement],
        timeout: cdk.Duration,
        memory_mb: int = 512,
        numeric: bool = False,
        scoring: bool = False,
        extra_layers: Sequence[lambda_.ILayerVersion] = (),
        reserved_concurrency: int | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.name = name
        self.brought = {
            *(("numeric",) if numeric else ()),
            *(("scoring",) if scoring else ()),
        }
        """Layers beside the shared ones."""
        log_group = logs.LogGroup(
            self, "Logs", retention=logs.RetentionDays.THREE_MONTHS, removal_policy=cdk.RemovalPolicy.DESTROY
        )
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What {name} may do",
            path=ROLE_PATH,
        )
        self.function = lambda_.Function(
            self,
            "Function",
            code=function_code(name, layers.platform),
            handler="handler.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            description=description,
            layers=[
                *layers.shared,
                *(layers.numeric if numeric else []),
                *(layers.scoring if scoring else []),
                *extra_layers,
            ],
            role=self.role.without_policy_updates(),
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            environment={
                "POWERTOOLS_SERVICE_NAME": name,
                "POWERTOOLS_METRICS_NAMESPACE": "Hallmark",
                # The layers have no plugin of pydantic's; looking for one reads what every package says of itself.
                "PYDANTIC_DISABLE_PLUGINS": "__all__",
                **environment,
            },
            timeout=timeout,
            memory_size=memory_mb,
            reserved_concurrent_executions=reserved_concurrency,
        )
        self._allow(
            iam.PolicyStatement(
                sid="WriteOwnLog",
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[log_group.log_group_arn],
            ),
            *statements,
        )

    def _allow(self, *statements: iam.PolicyStatement) -> None:
        policy = iam.Policy(self, "Permissions", statements=list(statements))
        policy.attach_to_role(self.role)
        self.function.node.add_dependency(policy)
