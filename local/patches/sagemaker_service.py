"""SageMaker's API behind the emulator's port; MiniStack has none.

Each operation is authorised under IAM as ``sagemaker:<operation>`` on the resources that it names. The runtime API
(``InvokeEndpoint``) has another host and is signed for the same service.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ministack.core import iam_actions, router

from local.cloud_trail import CloudTrail
from local.envelopes import partition_of
from local.patches import stand_ins
from local.patches.stand_ins import Answer, Request, StandIn
from local.sagemaker_authorisation import condition_keys, resource_arns
from local.sagemaker_port import SageMakerPort

_SERVICE = "sagemaker"
_TARGET_PREFIX = "SageMaker."
_INVOCATION = re.compile(r"/endpoints/(?P<endpoint>[^/]+)/invocations")


def apply(sagemaker: Callable[[], SageMakerPort], trail: CloudTrail | None = None) -> None:
    """Route SageMaker's requests to what ``sagemaker`` gives; :func:`stand_ins.apply` comes before."""
    router.SERVICE_PATTERNS[_SERVICE] = {
        "target_prefixes": [_TARGET_PREFIX],
        "host_patterns": [r"api\.sagemaker\.", r"runtime\.sagemaker\."],
        "credential_scope": _SERVICE,
    }
    iam_actions.SERVICE_TO_IAM_NAMESPACE[_SERVICE] = _SERVICE

    async def respond(request: Request) -> Answer:
        return await asyncio.to_thread(_answer, sagemaker, request, request.caller_arn)

    stand_ins.install(_SERVICE, StandIn(respond, _action, _resources, conditions=_conditions, call=_call), trail)


def _answer(sagemaker: Callable[[], SageMakerPort], request: Request, caller_arn: str) -> Answer:
    return sagemaker().handle(
        request.method,
        request.path,
        request.headers,
        request.body,
        account=request.account,
        region=request.region,
        caller_arn=caller_arn,
    )


def _action(request: Request) -> str | None:
    operation = _operation(request)
    return f"{_SERVICE}:{operation}" if operation else None


def _invoked(request: Request) -> str | None:
    """Return the name of the endpoint that a request to the runtime API invokes."""
    match = _INVOCATION.fullmatch(request.path)
    return match["endpoint"] if match else None


def _operation(request: Request) -> str:
    if _invoked(request) is not None:
        return "InvokeEndpoint"
    return request.headers.get("x-amz-target", "").removeprefix(_TARGET_PREFIX)


def _call(request: Request) -> tuple[str, Mapping[str, Any]] | None:
    return None if _invoked(request) is not None else (_operation(request), _parameters(request.body) or {})


def _conditions(action: str, body: bytes) -> Mapping[str, str]:
    return condition_keys(action.partition(":")[2], _parameters(body) or {})


def _parameters(body: bytes) -> dict[str, Any] | None:
    try:
        parameters = json.loads(body or b"{}")
    except ValueError:
        return None
    return parameters if isinstance(parameters, dict) else None


def _resources(request: Request) -> list[str]:
    invoked, partition = _invoked(request), partition_of(request.region)
    if invoked is not None:
        # ARNs of endpoints are in lower case (service authorization reference, condition keys and resources).
        return [f"arn:{partition}:sagemaker:{request.region}:{request.account}:endpoint/{invoked.lower()}"]
    parameters = _parameters(request.body)
    if parameters is None:
        return ["*"]
    return resource_arns(_operation(request), parameters, request.account, request.region, partition)
