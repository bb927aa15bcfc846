"""The stand-in's ways out to the server that it is part of; tests give others."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

import boto3
from botocore.exceptions import ClientError

from local import ministack_access
from local.sagemaker.contract import ServiceError

if TYPE_CHECKING:
    from mypy_boto3_ecr.client import ECRClient
    from mypy_boto3_s3.client import S3Client

_MAX_SESSION_NAME = 64  # STS API reference, AssumeRole


def s3_client(region: str, account: str) -> S3Client:
    """Return an S3 client of the account's root."""
    return ministack_access.s3_client(region, account)


def ecr_client(region: str, account: str) -> ECRClient:
    """Return an ECR client of the account's root."""
    return cast("ECRClient", _client("ecr", account, region))


def publish_event(entry: Mapping[str, Any], account: str, region: str) -> None:
    """Put one event on the account's default bus, as the service itself does."""
    ministack_access.publish_service_event(entry, account, region)


def role_environment(role_arn: str, region: str, account: str) -> dict[str, str]:
    """Return the variables through which a container reaches the local cloud as its role.

    A role that cannot be assumed gives no credentials: the container's calls fail, and have no more rights than on AWS.
    """
    endpoint = ministack_access.server_address().endpoint
    variables = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    sts: Any = _client("sts", account, region)
    session_name = f"SageMaker-{uuid.uuid4().hex}"[:_MAX_SESSION_NAME]
    try:
        credentials = sts.assume_role(RoleArn=role_arn, RoleSessionName=session_name)["Credentials"]
    except ClientError:
        return variables
    return variables | {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
    }


def send_message(queue_url: str, body: str, role_arn: str, region: str, account: str) -> None:
    """Send a message as a role.

    Raises:
        ServiceError: The role cannot be assumed, or may not send it, or there is no such queue.
    """
    variables = role_environment(role_arn, region, account)
    if "AWS_ACCESS_KEY_ID" not in variables:
        raise ServiceError("ValidationException", f"SageMaker cannot assume the role {role_arn}")
    session = boto3.session.Session(
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=variables["AWS_SESSION_TOKEN"],
        region_name=region,
    )
    try:
        client = session.client("sqs", endpoint_url=variables["AWS_ENDPOINT_URL"])
        client.send_message(QueueUrl=queue_url, MessageBody=body)
    except ClientError as error:
        raise ServiceError(str(error.response["Error"]["Code"]), str(error)) from error


def _client(service: Literal["ecr", "sts"], account: str, region: str) -> object:
    """Return a client of the account's root; each call makes its own session, which no other thread uses."""
    session = boto3.session.Session(
        aws_access_key_id=account,
        aws_secret_access_key=ministack_access.ROOT_SECRET_ACCESS_KEY,
        region_name=region,
    )
    return session.client(service, endpoint_url=ministack_access.server_address().endpoint)
