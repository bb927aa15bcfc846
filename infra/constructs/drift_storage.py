"""What monitors keep: states and looks in a table; plans, profiles, baselines and reports in a bucket."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.kept import kept_bucket, kept_table
from infra.constructs.lineage_storage import LineageStorage

_PLANS_KEPT = cdk.Duration.days(30)
_PROFILES_KEPT = cdk.Duration.days(400)
"""Longer than any window or rolling baseline that people look back at; baselines and reports stay."""


class DriftStorage(Construct):
    """Kept when the stack is deleted, as lineage is."""

    def __init__(self, scope: Construct, construct_id: str, *, shared: LineageStorage) -> None:
        super().__init__(scope, construct_id)
        self.key = shared.key
        self.bus = shared.bus
        self.alarms = shared.alarms
        self.table = kept_table(self, "Table", key=self.key)
        self.bucket = kept_bucket(
            self,
            "Bucket",
            key=self.key,
            expiring=[
                s3.LifecycleRule(prefix="plans/", expiration=_PLANS_KEPT),
                s3.LifecycleRule(prefix="maps/", expiration=_PLANS_KEPT),
                s3.LifecycleRule(prefix="profiles/", expiration=_PROFILES_KEPT),
            ],
        )

    def allow_key(self, *, writes: bool) -> iam.PolicyStatement:
        """Return the statement that lets a function read (and write) what the key encrypts."""
        return iam.PolicyStatement(
            sid="UseKey",
            actions=["kms:Decrypt", "kms:GenerateDataKey"] if writes else ["kms:Decrypt"],
            resources=[self.key.key_arn],
        )

    def allow_table(self, *actions: str) -> iam.PolicyStatement:
        """Return the statement for these operations on the table."""
        return iam.PolicyStatement(
            sid="UseMemory", actions=[f"dynamodb:{action}" for action in actions], resources=[self.table.table_arn]
        )

    def allow_files(self, action: str, *folders: str) -> iam.PolicyStatement:
        """Return the statement that lets a function get or put files below these folders."""
        return iam.PolicyStatement(
            sid=f"{action.removesuffix('Object')}Files",
            actions=[f"s3:{action}"],
            resources=[f"{self.bucket.bucket_arn}/{folder}/*" for folder in folders],
        )

    def allow_missing(self) -> iam.PolicyStatement:
        """Return the statement without which S3 says "access denied" where an object does not exist (GetObject)."""
        return iam.PolicyStatement(
            sid="TellMissingFromDenied", actions=["s3:ListBucket"], resources=[self.bucket.bucket_arn]
        )

    def allow_publishing(self, *detail_types: str) -> iam.PolicyStatement:
        """Return the statement that lets a function tell these events on the hallmark bus."""
        return self.bus.allow_publishing(*detail_types)
