"""Who reads or writes what a customer's KMS key encrypts needs the key, too.

MiniStack keeps the keys of queues, tables, topics and buckets, but asks IAM for the service's own action alone.
Sources: "Key management" in the SQS developer guide; "DynamoDB encryption at rest: usage notes" (the table key is
decrypted in the caller's name); "Using server-side encryption with AWS KMS keys" in the S3 user guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from ministack.core import iam_evaluator
from ministack.services import dynamodb, s3, sns, sqs

from local.patches.denial_messages import denied_beneath
from local.patches.missing_objects import denied_listing
from local.patches.permissions import key_arn
from local.patches.replacement import replace_function

_READ = ("kms:Decrypt",)
_WRITE = ("kms:GenerateDataKey",)
_BOTH = ("kms:GenerateDataKey", "kms:Decrypt")
_USES: dict[str, tuple[str, ...]] = {
    "sqs:SendMessage": _BOTH,
    "sqs:ReceiveMessage": _READ,
    "sns:Publish": _BOTH,
    "s3:GetObject": _READ,
    "s3:GetObjectVersion": _READ,
    "s3:PutObject": _WRITE,
    **dict.fromkeys(
        (
            f"dynamodb:{operation}"
            for operation in (
                "BatchGetItem",
                "BatchWriteItem",
                "ConditionCheckItem",
                "DeleteItem",
                "GetItem",
                "GetRecords",
                "PutItem",
                "Query",
                "Scan",
                "UpdateItem",
            )
        ),
        _READ,
    ),
}


def apply() -> None:
    """Ask IAM for the key after the service's own action.

    Raises:
        EmulatorChangedError: MiniStack's evaluation is no longer what it was.
    """
    replace_function(
        iam_evaluator,
        "enforce",
        ("access_key_id", "iam_action", "service", "region", "resource_arn", "service_context"),
        _with_key,
    )


def _with_key(original: Any) -> Any:
    def enforce(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: Mapping[str, Any] | None = None,
    ) -> Any:
        denied_beneath(None)
        denied = original(access_key_id, iam_action, service, region, resource_arn, service_context)
        if denied is None and service == "s3":

            def ask(action: str, resource: str) -> Any:
                return original(access_key_id, action, service, region, resource, service_context)

            denied = denied_listing(ask, iam_action, resource_arn)
        uses = _USES.get(iam_action, ())
        key = _key_of(service, resource_arn, reads=uses == _READ) if uses and denied is None else None
        if key is None:
            return denied
        via = {"kms:viaservice": f"{service}.{region}.amazonaws.com"}
        for action in uses:
            denied = original(access_key_id, action, "kms", region, key, via)
            if denied is not None:
                denied_beneath((action, key))
                return denied
        return None

    return enforce


def _key_of(service: str, arn: str, *, reads: bool) -> str | None:
    """Return the ARN of the customer's key under which the resource is, if there is one."""
    match service:
        case "sqs":
            queue = sqs._queue_by_arn(arn)
            return key_arn(queue["attributes"].get("KmsMasterKeyId")) if queue else None
        case "sns":
            topic = sns._topic_by_arn_any_scope(arn)
            return key_arn(topic["attributes"].get("KmsMasterKeyId")) if topic else None
        case "dynamodb":
            table = dynamodb._tables.get(arn.partition(":table/")[2].partition("/")[0])
            return key_arn((table.get("SSEDescription") or {}).get("KMSMasterKeyArn")) if table else None
        case "s3":
            bucket, _, key = arn.removeprefix("arn:aws:s3:::").partition("/")
            return key_arn(_key_of_object(bucket, key) if reads else bucket_key(bucket))
        case _:
            return None


def _key_of_object(bucket: str, key: str) -> str | None:
    record = (s3._buckets.get(bucket) or {"objects": {}})["objects"].get(key) or {}
    return (record.get("preserved_headers") or {}).get("x-amz-server-side-encryption-aws-kms-key-id")


def bucket_key(bucket: str) -> str | None:
    """Return the key of a bucket's default encryption."""
    document = s3._bucket_encryption.get(bucket)
    if not document:
        return None
    root = ElementTree.fromstring(document)  # noqa: S314 - S3 has checked it when it was put
    return next((node.text for node in root.iter() if node.tag.rpartition("}")[2] == "KMSMasterKeyID"), None)
