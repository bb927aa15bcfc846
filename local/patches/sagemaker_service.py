"""SageMaker's API behind the emulator's port; MiniStack has none.

Each operation is authorised under IAM as ``sagemaker:<operation>`` on the resources that it names.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import ministack.app as emulator
from ministack.core import iam_actions, iam_evaluator, router
from ministack.core.responses import get_account_id, get_region

from local.envelopes import partition_of
from local.patches.replacement import EmulatorChangedError, replace_function
from local.sagemaker_authorisation import resource_arns
from local.sagemaker_port import SageMakerPort

_SERVICE = "sagemaker"
_BEDROCK_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:[a-z0-9-]*:[0-9]*:[a-z-]+/[A-Za-z0-9._:/-]+")
_TARGET_PREFIX = "SageMaker."
_Answer = tuple[int, dict[str, str], bytes]


def apply(sagemaker: Callable[[], SageMakerPort]) -> None:
    """Route SageMaker's requests to what ``sagemaker`` gives.

    Raises:
        EmulatorChangedError: MiniStack's tables of services are not where they were.
    """
    for table, entry in ((router.SERVICE_PATTERNS, "sqs"), (emulator.SERVICE_HANDLERS, "sqs")):
        if not isinstance(table, dict) or entry not in table:
            raise EmulatorChangedError(f"MiniStack's table of services has no entry '{entry}' any more")
    router.SERVICE_PATTERNS[_SERVICE] = {
        "target_prefixes": [_TARGET_PREFIX],
        "host_patterns": [r"api\.sagemaker\."],
        "credential_scope": _SERVICE,
    }
    iam_actions.SERVICE_TO_IAM_NAMESPACE[_SERVICE] = _SERVICE

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, Any]
    ) -> _Answer:
        denial = _deny_further_resources(headers, body, query_params)
        if denial is not None:
            return denial
        return await asyncio.to_thread(_answer, sagemaker, method, path, headers, body)

    emulator.SERVICE_HANDLERS[_SERVICE] = handle
    replace_function(
        iam_actions,
        "extract_resource_arn",
        ("service", "method", "path", "headers", "body", "query_params", "region", "account_id"),
        _with_resources,
    )


def _answer(
    sagemaker: Callable[[], SageMakerPort], method: str, path: str, headers: Mapping[str, str], body: bytes
) -> _Answer:
    return sagemaker().handle(
        method,
        path,
        headers,
        body,
        account=get_account_id(),
        region=get_region(),
        caller_arn=iam_evaluator.caller_arn(),
    )


def _with_resources(original: Any) -> Any:
    def extract_resource_arn(
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query_params: Mapping[str, Any],
        region: str,
        account_id: str,
    ) -> Any:
        if service == _SERVICE:
            return _resources(headers, body, account_id, region)[0]
        found = original(service, method, path, headers, body, query_params, region, account_id)
        # MiniStack finds no resource in what Bedrock's operations on jobs name: the ARN is in the path or the body.
        named = _BEDROCK_ARN.search(unquote(path) + body.decode(errors="replace")) if service == "bedrock" else None
        return named[0] if named is not None and found == "*" else found

    return extract_resource_arn


def _deny_further_resources(headers: Mapping[str, str], body: bytes, query_params: Mapping[str, Any]) -> _Answer | None:
    """Check the resources after the first, which MiniStack's own dispatch has checked."""
    account, region = get_account_id(), get_region()
    action = f"{_SERVICE}:{_operation(headers)}"
    for arn in _resources(headers, body, account, region)[1:]:
        key = router.extract_access_key_id(headers, query_params)
        denied = iam_evaluator.enforce(key, action, _SERVICE, region, resource_arn=arn)
        if denied is not None:
            answer: _Answer = iam_actions.access_denied_response(
                _SERVICE, action, iam_evaluator.caller_arn(), "", headers=headers, resource_arn=arn
            )
            return answer
    return None


def _operation(headers: Mapping[str, str]) -> str:
    return headers.get("x-amz-target", "").removeprefix(_TARGET_PREFIX)


def _resources(headers: Mapping[str, str], body: bytes, account: str, region: str) -> list[str]:
    try:
        parameters = json.loads(body or b"{}")
    except ValueError:
        return ["*"]
    if not isinstance(parameters, dict):
        return ["*"]
    return resource_arns(_operation(headers), parameters, account, region, partition_of(region))
