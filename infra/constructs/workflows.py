"""A Step Functions workflow from its file in ``infra/workflows``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
import yaml
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.paths import WORKFLOWS


class Workflow(Construct):
    """``infra/workflows/<name>.asl.yaml`` with a role of its own and a log of its errors.

    Args:
        scope: As ever.
        construct_id: As ever.
        name: Of the file.
        comment: What it does, for people.
        substitutions: What stands for ``${Name}`` in the file.
        statements: What its states may do.
        key: Encrypts its input, output and history.
        distributed: Whether it has a distributed map, which starts executions of the workflow itself.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        substitutions: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement],
        key: kms.IKey,
        distributed: bool = False,
    ) -> None:
        super().__init__(scope, construct_id)
        definition: Any = yaml.safe_load((WORKFLOWS / f"{name}.asl.yaml").read_text(encoding="utf-8"))
        log_group = logs.LogGroup(
            self, "Logs", retention=logs.RetentionDays.THREE_MONTHS, removal_policy=cdk.RemovalPolicy.DESTROY
        )
        self.role = iam.Role(
            self,
            "Role",
            description=f"What the workflow {name} may do",
            assumed_by=iam.ServicePrincipal(
                "states.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}}
            ),
        )
        permissions = iam.Policy(
            self,
            "Permissions",
            statements=[
                *statements,
                iam.PolicyStatement(
                    sid="UseKeyOfHistory", actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[key.key_arn]
                ),
                # Delivery of logs names no single resource (Step Functions developer guide, cw-logs).
                iam.PolicyStatement(
                    sid="DeliverLogs",
                    actions=[
                        "logs:CreateLogDelivery",
                        "logs:DeleteLogDelivery",
                        "logs:DescribeLogGroups",
                        "logs:DescribeResourcePolicies",
                        "logs:GetLogDelivery",
                        "logs:ListLogDeliveries",
                        "logs:PutResourcePolicy",
                        "logs:UpdateLogDelivery",
                    ],
                    resources=["*"],
                ),
            ],
        )
        permissions.attach_to_role(self.role)
        self.machine = sfn.CfnStateMachine(
            self,
            "Machine",
            role_arn=self.role.role_arn,
            # In China and GovCloud the integrations have other ARNs, too.
            definition_string=json.dumps(definition).replace("arn:aws:states:::", "arn:${Partition}:states:::"),
            definition_substitutions={"Partition": cdk.Aws.PARTITION, **substitutions},
            logging_configuration=sfn.CfnStateMachine.LoggingConfigurationProperty(
                level="ERROR",
                include_execution_data=False,
                destinations=[
                    sfn.CfnStateMachine.LogDestinationProperty(
                        cloud_watch_logs_log_group=sfn.CfnStateMachine.CloudWatchLogsLogGroupProperty(
                            log_group_arn=log_group.log_group_arn
                        )
                    )
                ],
            ),
            tracing_configuration=sfn.CfnStateMachine.TracingConfigurationProperty(enabled=False),
        )
        self.machine.node.add_dependency(permissions)
        # MaxConcurrency and TimeoutSeconds may be JSONata expressions (Step Functions developer guide, Map and Task
        # states); cfn-lint's schema knows numbers only.
        self.machine.add_metadata("cfn-lint", {"config": {"ignore_checks": ["E3601"]}})
        if distributed:
            self._allow_children()

    @property
    def arn(self) -> str:
        """ARN of the state machine."""
        return self.machine.ref

    def allow_continuing(self) -> None:
        """Let the workflow start an execution of itself, which goes on where the history of one would be too long."""
        iam.Policy(
            self,
            "ContinuingPermissions",
            statements=[
                iam.PolicyStatement(sid="ContinueElsewhere", actions=["states:StartExecution"], resources=[self.arn])
            ],
        ).attach_to_role(self.role)

    def alarm_on_failure(self, alarms: sns.ITopic, description: str) -> None:
        """Say on a topic that an execution failed or ran out of time: what it should have done was not done."""
        dimensions = {"StateMachineArn": self.arn}
        for metric in ("ExecutionsFailed", "ExecutionsTimedOut"):
            alarm = cloudwatch.Alarm(
                self,
                metric,
                alarm_description=description,
                metric=cloudwatch.Metric(
                    namespace="AWS/States",
                    metric_name=metric,
                    dimensions_map=dimensions,
                    period=cdk.Duration.minutes(1),
                    statistic="Sum",
                ),
                threshold=1,
                evaluation_periods=1,
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            )
            alarm.add_alarm_action(actions.SnsAction(alarms))

    def _allow_children(self) -> None:
        # Step Functions developer guide, "IAM policies for using Distributed Map states".
        executions = cdk.Stack.of(self).format_arn(
            service="states",
            resource="execution",
            resource_name=f"{self.machine.attr_name}/*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        iam.Policy(
            self,
            "ChildPermissions",
            statements=[
                iam.PolicyStatement(sid="StartChildren", actions=["states:StartExecution"], resources=[self.arn]),
                iam.PolicyStatement(
                    sid="WatchChildren",
                    actions=["states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"],
                    resources=[executions],
                ),
            ],
        ).attach_to_role(self.role)
