"""Calling functions in the name of a state machine's role, without a way over the port.

Source: "Invoke an AWS Lambda function with Step Functions", developer guide.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc

from local.patches.permissions import role_allows
from local.step_functions.failures import StateFailure

_ACCOUNT_LIMIT = "ConcurrentInvocationLimitExceeded"
_QUEUE_SECONDS = 0.02
_ACCESS_DENIED = "Lambda.AWSLambdaException"


def call_function(
    reference: str, event: Any, *, role_arn: str, session: str, wait: Callable[[float], None]
) -> tuple[Any, str]:
    """Call a function and return its answer and the version that gave it.

    AWS gives an account a thousand concurrent functions, this machine fewer: where those are busy the call waits.

    Args:
        reference: Name or ARN, with a qualifier or not.
        event: What the function receives.
        role_arn: The state machine's role.
        session: Name of the role's session, for IAM.
        wait: Waits the seconds that it is told, or raises.

    Raises:
        StateFailure: The class of the function's exception, ``Lambda.TooManyRequestsException``,
            ``Lambda.ResourceNotFoundException``, ``Lambda.AWSLambdaException`` where the role may not call it,
            or ``Lambda.Unknown``.
    """
    arn = _function_arn(reference)
    if not role_allows(role_arn, session, "lambda:InvokeFunction", arn):
        raise StateFailure(
            _ACCESS_DENIED,
            f"User: arn:aws:sts::{get_account_id()}:assumed-role/{role_arn.rpartition('/')[2]}/{session} is not "
            f"authorized to perform: lambda:InvokeFunction on resource: {arn} because no identity-based policy allows "
            "the lambda:InvokeFunction action (Service: Lambda, Status Code: 403)",
        )
    function, config, _ = lambda_svc._get_func_record_for_ref(reference)
    if not function or not config:
        raise StateFailure("Lambda.ResourceNotFoundException", f"Function not found: {arn}")
    record = lambda_svc._execution_record_for_config(function, config)
    deadline = time.monotonic() + float(config.get("Timeout") or 3)
    while True:
        answer = lambda_svc._execute_function_with_config_scope(record, event)
        if not answer.get("throttle"):
            return _answer_of(answer), str(config.get("Version") or "$LATEST")
        if answer["body"].get("Reason") != _ACCOUNT_LIMIT or time.monotonic() > deadline:
            raise StateFailure("Lambda.TooManyRequestsException", answer["body"].get("message", ""))
        wait(_QUEUE_SECONDS)


def _answer_of(answer: dict[str, Any]) -> Any:
    body = answer.get("body")
    if answer.get("error"):
        if isinstance(body, dict):
            raise StateFailure(str(body.get("errorType") or "Lambda.Unknown"), json.dumps(body))
        raise StateFailure("Lambda.Unknown", str(body))
    if not isinstance(body, str | bytes):
        return body
    try:
        return json.loads(body)
    except ValueError:
        return body if isinstance(body, str) else body.decode()


def _function_arn(reference: str) -> str:
    """Return the ARN that IAM is asked about, as :func:`call_function` takes functions."""
    try:
        parse_arn(reference)
    except ArnParseError:
        return f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{reference.rpartition(':function:')[2]}"
    return reference
