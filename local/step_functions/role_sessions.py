"""What a state machine does, it does as its role: sessions of roles on the local cloud."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterable
from typing import Any

import boto3
from botocore.config import Config
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam, sts

from local import ministack_access
from local.patches.permissions import policy_allows_service

SERVICE = "states.amazonaws.com"
_SESSION_SECONDS = 12 * 3600
# A host prefix such as "sync-" does not resolve in front of 127.0.0.1.
_CONFIG = ministack_access.CLIENT_CONFIG.merge(Config(inject_host_prefix=False))

_clients: dict[tuple[str, str, str, str, str], Any] = {}
_lock = threading.Lock()


def trusts_step_functions(role_arn: str, state_machine_arn: str) -> bool:
    """Tell whether Step Functions may assume a role, as the global service principal or as the Region's."""
    return trusts(role_arn, [SERVICE, f"states.{get_region()}.amazonaws.com"], state_machine_arn)


def trusts(role_arn: str, services: Iterable[str], source_arn: str) -> bool:
    """Tell whether one of AWS's services may assume a role.

    Args:
        role_arn: The role.
        services: Service principals, e.g. ``scheduler.amazonaws.com``.
        source_arn: On whose behalf, for ``aws:SourceArn``.
    """
    role = iam._roles.get(role_arn.rpartition("/")[2])
    if role is None:
        return False
    policy = _with_resource(role["AssumeRolePolicyDocument"])
    return any(
        policy_allows_service(policy, service, "sts:AssumeRole", role_arn, source_arn=source_arn)
        for service in services
    )


def client(service: str, role_arn: str) -> Any:
    """Return a client of a service on the running server with a session of a role; it is shared.

    Args:
        service: botocore's name, e.g. ``bedrock-runtime``.
        role_arn: The state machine's role.
    """
    account, region = get_account_id(), get_region()
    endpoint = ministack_access.server_address().endpoint
    credentials = _session(role_arn, account)
    key = (service, role_arn, account, region, endpoint)
    with _lock:
        if key not in _clients:
            access_key, secret, token = credentials
            session = boto3.session.Session(
                aws_access_key_id=access_key, aws_secret_access_key=secret, aws_session_token=token, region_name=region
            )
            _clients[key] = session.client(  # type: ignore[call-overload] # the name is a variable
                service, endpoint_url=endpoint, config=_CONFIG
            )
        return _clients[key]


def forget_clients() -> None:
    """Drop the clients, when the server goes."""
    with _lock:
        _clients.clear()


def _session(role_arn: str, account: str) -> tuple[str, str, str]:
    digest = hashlib.sha256(f"{SERVICE}:{role_arn}".encode()).hexdigest()
    access_key, secret, token = f"ASIA{digest[:16].upper()}", digest[:40], digest
    role = role_arn.rpartition("/")[2]
    sts.register_session(
        access_key,
        {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{digest[:32]}",
            "UserId": f"{role}:{digest[:32]}",
            "SecretAccessKey": secret,
            "SessionToken": token,
            "Expiration": time.time() + _SESSION_SECONDS,
        },
    )
    return access_key, secret, token


def _with_resource(trust: Any) -> Any:
    """Give the statements of a trust policy, which have no Resource, one: it is the role itself."""
    document = json.loads(trust) if isinstance(trust, str) else trust
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    return {**document, "Statement": [{"Resource": "*", **statement} for statement in statements]}
