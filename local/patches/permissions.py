"""What IAM says where MiniStack does not ask it: to Lambda in the name of a role, and to AWS's own services."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import iam, kms


def role_allows(role_arn: str, session: str, action: str, resource: str) -> bool:
    """Tell whether a role may take ``action`` on ``resource``, as IAM evaluates it for a session of the role.

    Args:
        role_arn: The role.
        session: Name of the session, e.g. the function's.
        action: E.g. ``sqs:ReceiveMessage``.
        resource: ARN, or ``*`` for actions without resource types.
    """
    account = get_account_id()
    role = role_arn.rsplit("/", 1)[-1]
    limits = iam_evaluator._permissions_boundary(iam._roles, role, account)
    context = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
        secure_transport=True,
    )
    result = iam_evaluator.evaluate(context, iam_evaluator._gather_role_policies(role, account), *limits)
    service = action.partition(":")[0]
    found = iam_evaluator._resource_policy(service, resource)
    if found is not None:
        result = iam_evaluator.combine_resource_policy(
            result, context, *found, required=service in iam_evaluator._POLICY_REQUIRED, limits=limits
        )
    return bool(result.decision == "Allow")


def first_denied(role_arn: str, session: str, permissions: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """Return the first (action, resource) that the role may not take, if there is one."""
    return next(
        (
            (action, resource)
            for action, resource in permissions
            if not role_allows(role_arn, session, action, resource)
        ),
        None,
    )


def policy_allows_service(policy: Any, service: str, action: str, resource: str, *, source_arn: str = "") -> bool:
    """Tell whether a resource's policy lets one of AWS's services in.

    Args:
        policy: The resource's policy document, text or object; none allows nobody.
        service: Service principal, e.g. ``events.amazonaws.com``.
        action: E.g. ``lambda:InvokeFunction``.
        resource: ARN of the resource.
        source_arn: The ARN on whose behalf the service acts, for ``aws:SourceArn``.
    """
    if not policy:
        return False
    account = get_account_id()
    context = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource,
        region=get_region(),
        secure_transport=True,
        service_context={"aws:sourcearn": source_arn, "aws:sourceaccount": account, "aws:sourceowner": account},
    )
    return bool(iam_evaluator.evaluate_resource_policy(policy, context, service=service).decision == "Allow")


def key_allows_service(key: str, service: str, actions: Iterable[str], *, source_arn: str) -> bool:
    """Tell whether a KMS key's policy lets one of AWS's services use it for all of ``actions``.

    AWS's own keys (``alias/aws/...``) let AWS's services in; so does no key at all.
    """
    arn = key_arn(key)
    if arn is None:
        return True
    found = kms.key_policy_for_arn(arn)
    policy = found[0] if found else ""
    return all(policy_allows_service(policy, service, action, arn, source_arn=source_arn) for action in actions)


def key_arn(key: str | None) -> str | None:
    """Return the ARN of a customer's key from an ARN, an id or an alias; nothing for no key and for AWS's own."""
    if not key or "alias/aws/" in key:
        return None
    record = kms._resolve_key(key)
    return str(record["Arn"]) if record else None
