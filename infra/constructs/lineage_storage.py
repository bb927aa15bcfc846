"""What everything else stands on: the key, the lineage table, the bucket, the hallmark bus, the alarm topic."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.constructs.hallmark_bus import HallmarkBus
from infra.constructs.kept import kept_bucket, kept_table

REVERSE_INDEX = "reverse"
LOG_INDEX = "log"


class LineageStorage(Construct):
    """Kept when the stack is deleted: a record that goes away with a stack is no record."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.key = kms.Key(
            self,
            "Key",
            description="Encrypts what Hallmark keeps and sends",
            enable_key_rotation=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        # EventBridge, CloudWatch and Scheduler write to encrypted queues and topics in their own names.
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LetServicesSendEncrypted",
                principals=[
                    iam.ServicePrincipal("events.amazonaws.com"),
                    iam.ServicePrincipal("cloudwatch.amazonaws.com"),
                ],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
            )
        )
        self.table = self._table()
        self.bucket = kept_bucket(self, "Bucket", key=self.key)
        self.bus = HallmarkBus(self, "Bus")
        self.alarms = sns.Topic(
            self, "Alarms", display_name="Hallmark operations", master_key=self.key, enforce_ssl=True
        )

    def _table(self) -> dynamodb.Table:
        table = kept_table(self, "Table", key=self.key, ends_at=None, stream=dynamodb.StreamViewType.NEW_IMAGE)
        table.add_global_secondary_index(
            index_name=REVERSE_INDEX,
            partition_key=dynamodb.Attribute(name="target", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
        )
        table.add_global_secondary_index(
            index_name=LOG_INDEX,
            partition_key=dynamodb.Attribute(name="log_shard", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="log_at", type=dynamodb.AttributeType.STRING),
        )
        return table

    def allow_key(self, *, writes: bool) -> iam.PolicyStatement:
        """Return the statement that lets a function read (and write) what the key encrypts."""
        return iam.PolicyStatement(
            sid="UseKey",
            actions=["kms:Decrypt", "kms:GenerateDataKey"] if writes else ["kms:Decrypt"],
            resources=[self.key.key_arn],
        )

    def allow_recording(self) -> iam.PolicyStatement:
        """Return the statement that lets a function add facts: DynamoDB asks for the parts of a transaction."""
        return iam.PolicyStatement(
            sid="RecordFacts", actions=["dynamodb:PutItem", "dynamodb:UpdateItem"], resources=[self.table.table_arn]
        )

    def allow_asking(self, *indexes: str) -> iam.PolicyStatement:
        """Return the statement that lets a function query the table and these indexes."""
        return iam.PolicyStatement(
            sid="QueryLineage",
            actions=["dynamodb:Query"],
            resources=[self.table.table_arn, *(f"{self.table.table_arn}/index/{index}" for index in indexes)],
        )

    @property
    def manifest_objects(self) -> str:
        """Return the ARN of the listings of large datasets."""
        return f"{self.bucket.bucket_arn}/manifests/*"

    def allow_manifests(self) -> iam.PolicyStatement:
        """Return the statement that lets a function keep the listings of large datasets."""
        return iam.PolicyStatement(sid="KeepManifests", actions=["s3:PutObject"], resources=[self.manifest_objects])
