"""Where alerts, groups and silences are kept."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.lineage_storage import LineageStorage

LISTS_INDEX = "lists"
INHIBITORS_INDEX = "inhibitors"


class AlertStorage(Construct):
    """The table of alerts, and what all stacks share."""

    def __init__(self, scope: Construct, construct_id: str, *, shared: LineageStorage) -> None:
        super().__init__(scope, construct_id)
        self.key, self.bus, self.alarms = shared.key, shared.bus, shared.alarms
        self.shared = shared
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=shared.key,
            time_to_live_attribute="forgotten_at",
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        for index, partition in ((LISTS_INDEX, "list"), (INHIBITORS_INDEX, "inhibits")):
            self.table.add_global_secondary_index(
                index_name=index,
                partition_key=dynamodb.Attribute(name=partition, type=dynamodb.AttributeType.STRING),
                sort_key=dynamodb.Attribute(
                    name="list_at" if index == LISTS_INDEX else "pk", type=dynamodb.AttributeType.STRING
                ),
                projection_type=dynamodb.ProjectionType.KEYS_ONLY,
            )

    def allow_table(self, *actions: str) -> iam.PolicyStatement:
        """Return the statement that lets a function use the table."""
        return iam.PolicyStatement(
            sid="UseAlerts", actions=[f"dynamodb:{action}" for action in actions], resources=[self.table.table_arn]
        )

    def allow_indexes(self, *indexes: str) -> iam.PolicyStatement:
        """Return the statement that lets a function find what is open, due, or mutes others."""
        return iam.PolicyStatement(
            sid="FindAlerts",
            actions=["dynamodb:Query"],
            resources=[f"{self.table.table_arn}/index/{index}" for index in indexes],
        )

    def allow_publishing(self, *detail_types: str) -> iam.PolicyStatement:
        """Return the statement that lets a function tell these events on the hallmark bus."""
        return self.bus.allow_publishing(*detail_types)
