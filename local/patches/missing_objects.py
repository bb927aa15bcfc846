"""S3 tells that an object does not exist only to who may list the bucket; all others are denied.

MiniStack tells everybody. Source: S3 API reference, GetObject and HeadObject ("If the object that you request doesn't
exist, the error that Amazon S3 returns depends on whether you also have the s3:ListBucket permission"). The mend of
customers' keys, which is where IAM is asked, asks this, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import s3

from local.patches.denial_messages import denied_beneath


def denied_listing(enforce: Callable[[str, str], Any], action: str, resource_arn: str) -> Any:
    """Return IAM's refusal where a read finds nothing and its caller may not list the bucket.

    Args:
        enforce: Asks IAM for an action on a resource in the caller's name.
        action: What was asked for.
        resource_arn: Of the object.
    """
    if action != "s3:GetObject" or not _is_missing(resource_arn):
        return None
    bucket = resource_arn.partition("/")[0]
    denied = enforce("s3:ListBucket", bucket)
    if denied is not None:
        denied_beneath(("s3:ListBucket", bucket))
    return denied


def _is_missing(arn: str) -> bool:
    name, _, key = arn.removeprefix("arn:aws:s3:::").partition("/")
    bucket = s3._buckets.get(name)
    return bucket is not None and bool(key) and key not in bucket["objects"]
