"""A denial names the action and the resource that IAM refused, as on AWS.

MiniStack leaves the resource out for most services. Source: "Troubleshoot access denied error messages", IAM user
guide.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from ministack.core import iam_actions

from local.patches.replacement import replace_function

_ALL = "*"
_SERVICE_WORDS = frozenset({"ssm", "logs", "iot-data"})  # these have messages of their own
# What was refused beneath the request's own action: (action, resource).
_beneath: ContextVar[tuple[str, str] | None] = ContextVar("hallmark_local_denied_beneath", default=None)


def apply() -> None:
    """Mend the message.

    Raises:
        EmulatorChangedError: MiniStack's denials are no longer what they were.
    """
    replace_function(
        iam_actions,
        "access_denied_response",
        (
            "service",
            "action",
            "principal_arn",
            "request_id",
            "error_code",
            "message",
            "headers",
            "resource_arn",
            "explicit_deny",
            "resource_policy_arn",
        ),
        _naming_the_resource,
    )


def denied_beneath(refused: tuple[str, str] | None) -> None:
    """Say which action on which resource was refused where a request needs more than its own; nothing to forget it."""
    _beneath.set(refused)


def _naming_the_resource(original: Any) -> Any:
    def access_denied_response(service: str, action: str, principal_arn: str, request_id: str, **more: Any) -> Any:
        is_final = more.get("message") or more.get("error_code") or more.get("resource_policy_arn")
        beneath = _beneath.get()
        if beneath is not None and not is_final:
            action, more["resource_arn"] = beneath
        resource = more.get("resource_arn", _ALL)
        if not is_final and resource != _ALL and service not in _SERVICE_WORDS:
            more["message"] = iam_actions.identity_denial_message(
                action, principal_arn, resource, more.get("explicit_deny", False)
            )
        return original(service, action, principal_arn, request_id, **more)

    return access_denied_response
