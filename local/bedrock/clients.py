"""The stand-in's ways out to the server that it is part of; tests give others."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.exceptions import ClientError

from local import ministack_access
from local.bedrock.contract import invalid
from local.sagemaker.clients import publish_event

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_PRINCIPAL = "bedrock.amazonaws.com"
_SESSION_SECONDS = 12 * 3600

S3OfRole = Callable[[str, str, str, str], "S3Client"]  # (role ARN, ARN of the jobs, Region, account) -> client
MayInvoke = Callable[[str, str, str, str], bool]  # (role ARN, model ARN, Region, account)
Publish = Callable[[Mapping[str, Any], str, str], None]  # (PutEvents entry, account, Region)

__all__ = ["MayInvoke", "Publish", "S3OfRole", "may_invoke", "publish_event", "role_s3_client"]


def role_s3_client(role_arn: str, source_arn: str, region: str, account: str) -> S3Client:
    """Return an S3 client with a session of a job's service role: it may do what the role may.

    Args:
        role_arn: The role.
        source_arn: The jobs on whose behalf Bedrock assumes it, for ``aws:SourceArn`` in its trust policy.
        region: Region of the client.
        account: Twelve digits.

    Raises:
        ServiceError: ``ValidationException`` where Bedrock may not assume the role.
    """
    if not _trusts(role_arn, source_arn, region, account):
        raise invalid(
            f"Bedrock cannot assume the role {role_arn}: create it with a trust policy that allows sts:AssumeRole to "
            f"{_PRINCIPAL}"
        )
    from ministack.services import sts  # noqa: PLC0415 - MiniStack reads its settings at import

    # AssumeRole over the port would ask for the root's trust; Bedrock assumes the role as the service that it is.
    access_key, secret, token = f"ASIA{secrets.token_hex(8).upper()}", secrets.token_hex(20), secrets.token_hex(32)
    role = role_arn.rpartition("/")[2]
    session_name = f"bedrock-{access_key[-8:]}"
    sts.register_session(
        access_key,
        {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session_name}",
            "UserId": f"{role}:{session_name}",
            "SecretAccessKey": secret,
            "SessionToken": token,
            "Expiration": time.time() + _SESSION_SECONDS,
        },
    )
    session = boto3.session.Session(
        aws_access_key_id=access_key, aws_secret_access_key=secret, aws_session_token=token, region_name=region
    )
    endpoint = ministack_access.server_address().endpoint
    return session.client("s3", endpoint_url=endpoint, config=ministack_access.CLIENT_CONFIG)


def may_invoke(role_arn: str, model_arn: str, region: str, account: str) -> bool:
    """Tell whether a role may take ``bedrock:InvokeModel`` on a model."""
    from ministack.core.responses import request_scope  # noqa: PLC0415 - MiniStack reads its settings at import

    from local.patches.permissions import role_allows  # noqa: PLC0415

    with request_scope(account, region):
        return role_allows(role_arn, "bedrock", "bedrock:InvokeModel", model_arn)


def _trusts(role_arn: str, source_arn: str, region: str, account: str) -> bool:
    from ministack.core.responses import request_scope  # noqa: PLC0415 - as above

    from local.patches.permissions import policy_allows_service  # noqa: PLC0415

    iam = cast("Any", ministack_access.root_client("iam", account, region))
    try:
        trust = iam.get_role(RoleName=role_arn.rpartition("/")[2])["Role"]["AssumeRolePolicyDocument"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchEntity":
            return False
        raise
    # A trust policy has no Resource: it is the role itself.
    statements = trust["Statement"] if isinstance(trust["Statement"], list) else [trust["Statement"]]
    policy = {**trust, "Statement": [{"Resource": "*", **statement} for statement in statements]}
    with request_scope(account, region):
        return policy_allows_service(policy, _PRINCIPAL, "sts:AssumeRole", role_arn, source_arn=source_arn)
