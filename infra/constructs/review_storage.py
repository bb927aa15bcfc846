"""What reviews and feedback keep: tasks, scores and feedback in a table; rows of scores and datasets in a bucket."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.kept import kept_bucket, kept_table
from infra.constructs.lineage_storage import LineageStorage

LISTED_INDEX = "listed"


class ReviewStorage(Construct):
    """Kept when the stack is deleted: what people said cannot be asked again."""

    def __init__(self, scope: Construct, construct_id: str, *, shared: LineageStorage) -> None:
        super().__init__(scope, construct_id)
        self.key = shared.key
        self.bus = shared.bus
        self.alarms = shared.alarms
        self.table = kept_table(self, "Table", key=self.key)
        self.table.add_global_secondary_index(
            index_name=LISTED_INDEX,
            partition_key=dynamodb.Attribute(name="listed", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="listed_at", type=dynamodb.AttributeType.STRING),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        self.bucket = kept_bucket(self, "Bucket", key=self.key)
        self.environment = {
            "ACCOUNT_ID": cdk.Aws.ACCOUNT_ID,
            "PARTITION": cdk.Aws.PARTITION,
            "REVIEWS_TABLE_NAME": self.table.table_name,
            "EVENT_BUS_NAME": self.bus.event_bus_name,
        }

    def allow_table(self, *actions: str) -> iam.PolicyStatement:
        """Return the statement for these operations on the table."""
        return iam.PolicyStatement(
            sid="UseReviews", actions=[f"dynamodb:{action}" for action in actions], resources=[self.table.table_arn]
        )

    def allow_listing(self) -> iam.PolicyStatement:
        """Return the statement that lets a function list what stands so."""
        return iam.PolicyStatement(
            sid="ListReviews", actions=["dynamodb:Query"], resources=[f"{self.table.table_arn}/index/{LISTED_INDEX}"]
        )

    def allow_writing(self, *folders: str) -> iam.PolicyStatement:
        """Return the statement that lets a function write below these folders of the bucket."""
        return iam.PolicyStatement(
            sid="WriteRows",
            actions=["s3:PutObject"],
            resources=[f"{self.bucket.bucket_arn}/{folder}/*" for folder in folders],
        )

    def allow_key(self, *, writes: bool) -> iam.PolicyStatement:
        """Return the statement that lets a function read (and write) what the key encrypts."""
        return iam.PolicyStatement(
            sid="UseKey",
            actions=["kms:Decrypt", "kms:GenerateDataKey"] if writes else ["kms:Decrypt"],
            resources=[self.key.key_arn],
        )

    def allow_publishing(self, *detail_types: str) -> iam.PolicyStatement:
        """Return the statement that lets a function tell these events on the hallmark bus."""
        return self.bus.allow_publishing(*detail_types)
