"""The stand-in's ways out to the server that it is part of; tests give others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.exceptions import ClientError

from local import ministack_access
from local.bedrock.contract import ServiceError, invalid
from local.sagemaker.clients import publish_event, role_environment

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_PRINCIPAL = "bedrock.amazonaws.com"

S3OfRole = Callable[[str, str, str], "S3Client"]  # (role ARN, Region, account) -> client
MayInvoke = Callable[[str, str, str, str], bool]  # (role ARN, model ARN, Region, account)
Publish = Callable[[Mapping[str, Any], str, str], None]  # (PutEvents entry, account, Region)

__all__ = ["MayInvoke", "Publish", "S3OfRole", "may_invoke", "publish_event", "role_s3_client"]


def role_s3_client(role_arn: str, region: str, account: str) -> S3Client:
    """Return an S3 client with a session of a job's service role: it may do what the role may.

    Raises:
        ServiceError: ``ValidationException`` where Bedrock may not assume the role.
    """
    refusal = invalid(
        f"Bedrock cannot assume the role {role_arn}: create it with a trust policy that allows sts:AssumeRole to "
        f"{_PRINCIPAL}"
    )
    _check_trust(role_arn, region, account, refusal)
    variables = role_environment(role_arn, region, account)
    if "AWS_ACCESS_KEY_ID" not in variables:
        raise refusal
    session = boto3.session.Session(
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=variables["AWS_SESSION_TOKEN"],
        region_name=region,
    )
    endpoint = ministack_access.server_address().endpoint
    return session.client("s3", endpoint_url=endpoint, config=ministack_access.CLIENT_CONFIG)


def may_invoke(role_arn: str, model_arn: str, region: str, account: str) -> bool:
    """Tell whether a role may take ``bedrock:InvokeModel`` on a model."""
    from ministack.core.responses import request_scope  # noqa: PLC0415 - MiniStack reads its settings at import

    from local.patches.permissions import role_allows  # noqa: PLC0415

    with request_scope(account, region):
        return role_allows(role_arn, "bedrock", "bedrock:InvokeModel", model_arn)


def _check_trust(role_arn: str, region: str, account: str, refusal: ServiceError) -> None:
    from ministack.core.responses import request_scope  # noqa: PLC0415 - as above

    from local.patches.permissions import policy_allows_service  # noqa: PLC0415

    iam = cast("Any", ministack_access.root_client("iam", account, region))
    try:
        trust = iam.get_role(RoleName=role_arn.rpartition("/")[2])["Role"]["AssumeRolePolicyDocument"]
    except ClientError as error:
        raise refusal from error
    # A trust policy has no Resource: it is the role itself.
    statements = trust["Statement"] if isinstance(trust["Statement"], list) else [trust["Statement"]]
    policy = {**trust, "Statement": [{"Resource": "*", **statement} for statement in statements]}
    source = f"arn:aws:bedrock:{region}:{account}:evaluation-job/*"
    with request_scope(account, region):
        if not policy_allows_service(policy, _PRINCIPAL, "sts:AssumeRole", role_arn, source_arn=source):
            raise refusal
