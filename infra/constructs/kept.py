"""Tables and buckets that are kept when their stack is deleted, encrypted with Hallmark's key."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct


def kept_table(
    scope: Construct,
    construct_id: str,
    *,
    key: kms.IKey,
    ends_at: str | None = "expires_at",
    restored_days: int | None = None,
    stream: dynamodb.StreamViewType | None = None,
) -> dynamodb.Table:
    """Return a table with ``pk`` and ``sk``.

    Args:
        scope: As ever.
        construct_id: As ever.
        key: Encrypts it.
        ends_at: The attribute at which an item ends that has one; None for a table whose items all stay.
        restored_days: For how long it can be restored; DynamoDB's own 35 otherwise.
        stream: What its stream tells of a change; None for none.
    """
    return dynamodb.Table(
        scope,
        construct_id,
        partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
        encryption_key=key,
        time_to_live_attribute=ends_at,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True, recovery_period_in_days=restored_days
        ),
        stream=stream,
        deletion_protection=True,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )


def kept_bucket(
    scope: Construct, construct_id: str, *, key: kms.IKey, expiring: Sequence[s3.LifecycleRule] = ()
) -> s3.Bucket:
    """Return a private, versioned bucket; what was replaced is kept for thirty days.

    Args:
        scope: As ever.
        construct_id: As ever.
        key: Encrypts it.
        expiring: What of it is not kept.
    """
    return s3.Bucket(
        scope,
        construct_id,
        encryption=s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        versioned=True,
        removal_policy=cdk.RemovalPolicy.RETAIN,
        lifecycle_rules=[
            s3.LifecycleRule(
                abort_incomplete_multipart_upload_after=cdk.Duration.days(7),
                noncurrent_version_expiration=cdk.Duration.days(30),
            ),
            *expiring,
        ],
    )
