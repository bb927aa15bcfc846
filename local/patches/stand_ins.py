"""Services that MiniStack lacks or only echoes, answered by this repository's stand-ins behind the emulator's port.

A stand-in says which IAM action a request takes and on which resources; MiniStack's own dispatch checks the first of
them, this module the others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ministack.app as emulator
from ministack.core import iam_actions, iam_evaluator, router
from ministack.core.responses import get_account_id, get_region

from local.cloud_trail import CloudTrail, ToldCall
from local.patches import bus_policies
from local.patches.replacement import EmulatorChangedError, replace_function

Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Request:
    """A request to a stand-in.

    Attributes:
        method: HTTP method.
        path: Path, percent-decoded.
        query: Query parameters.
        headers: With lower-case names.
        body: The request's body.
        account: Twelve digits.
        region: Region of the endpoint.
    """

    method: str
    path: str
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    body: bytes
    account: str
    region: str

    @property
    def caller_arn(self) -> str:
        """ARN of the role session, user or root that signed."""
        return str(iam_evaluator.caller_arn())


@dataclass(frozen=True)
class StandIn:
    """How a service is answered and authorised.

    Attributes:
        respond: Answers a request whose signature and permission are checked.
        action: The IAM action of a request, e.g. ``bedrock:InvokeModel``; ``None`` where it names no operation.
        resources: ARNs that the caller must be allowed to use, at least one; ``*`` where the action has no resource
            types.
        passed_role: ARN of the role that the request hands to the service, for which the caller needs ``iam:PassRole``;
            ``None`` for no role.
        conditions: The service's own condition keys that a request carries, by action and body.
        call: The operation of a request and its parameters, as CloudTrail tells of them; ``None`` for nothing to tell.
    """

    respond: Callable[[Request], Awaitable[Answer]]
    action: Callable[[Request], str | None]
    resources: Callable[[Request], list[str]]
    passed_role: Callable[[Request], str | None] = lambda _request: None
    conditions: Callable[[str, bytes], Mapping[str, str]] = lambda _action, _body: {}
    call: Callable[[Request], tuple[str, Mapping[str, Any]] | None] = lambda _request: None


_stand_ins: dict[str, StandIn] = {}


def apply() -> None:
    """Let the stand-ins say what IAM checks.

    Raises:
        EmulatorChangedError: MiniStack's tables of services are not where they were.
    """
    for table, entry in ((router.SERVICE_PATTERNS, "sqs"), (emulator.SERVICE_HANDLERS, "sqs")):
        if not isinstance(table, dict) or entry not in table:
            raise EmulatorChangedError(f"MiniStack's table of services has no entry '{entry}' any more")
    replace_function(
        iam_actions,
        "extract_iam_action",
        ("service", "method", "path", "headers", "body", "query_params"),
        _with_action,
    )
    replace_function(
        iam_actions,
        "extract_resource_arn",
        ("service", "method", "path", "headers", "body", "query_params", "region", "account_id"),
        _with_resources,
    )
    replace_function(iam_actions, "request_tag_context", ("service", "iam_action", "body", "params"), _with_conditions)


def install(service: str, stand_in: StandIn, trail: CloudTrail | None = None) -> None:
    """Let ``stand_in`` answer what MiniStack's router takes for ``service``, and ``trail`` tell of it."""
    _stand_ins[service] = stand_in

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, Any]
    ) -> Answer:
        request = Request(method, path, query_params, headers, body, get_account_id(), get_region())
        caller, at = request.caller_arn, datetime.now(UTC)
        denial = _deny_further(service, stand_in, request)
        answer = denial if denial is not None else await stand_in.respond(request)
        if trail is not None and (called := stand_in.call(request)) is not None:
            trail.tell(
                ToldCall(
                    service=service,
                    operation=called[0],
                    parameters=called[1],
                    status=answer[0],
                    answer=answer[2],
                    account=request.account,
                    region=request.region,
                    caller_arn=caller,
                    user_agent=request.headers.get("user-agent", ""),
                    at=at,
                )
            )
        return answer

    emulator.SERVICE_HANDLERS[service] = handle


def _with_action(original: Any) -> Any:
    def extract_iam_action(
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query_params: Mapping[str, Any],
    ) -> Any:
        stand_in = _stand_ins.get(service)
        if stand_in is None:
            return original(service, method, path, headers, body, query_params)
        return stand_in.action(Request(method, path, query_params, headers, body, get_account_id(), get_region()))

    return extract_iam_action


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
        stand_in = _stand_ins.get(service)
        if stand_in is None:
            return original(service, method, path, headers, body, query_params, region, account_id)
        return stand_in.resources(Request(method, path, query_params, headers, body, account_id, region))[0]

    return extract_resource_arn


def _with_conditions(original: Any) -> Any:
    def request_tag_context(service: str, iam_action: str, body: bytes, params: Mapping[str, Any]) -> Any:
        stand_in = _stand_ins.get(service)
        found = original(service, iam_action, body, params)
        told = bus_policies.conditions(iam_action, body) if stand_in is None else stand_in.conditions(iam_action, body)
        return {**found, **told}

    return request_tag_context


def _deny_further(service: str, stand_in: StandIn, request: Request) -> Answer | None:
    """Check what MiniStack's own dispatch has not: the resources after the first, and the role handed over."""
    action, role = stand_in.action(request), stand_in.passed_role(request)
    if action is None:
        return None
    wanted = [(action, arn) for arn in stand_in.resources(request)[1:]]
    if role is not None:
        wanted.append(("iam:PassRole", role))
    key = router.extract_access_key_id(request.headers, request.query) if wanted else ""
    for needed, arn in wanted:
        context: dict[str, Any] = dict(stand_in.conditions(action, request.body))
        if arn == role:
            context["iam:passedtoservice"] = f"{service}.amazonaws.com"
        denied = iam_evaluator.enforce(key, needed, service, request.region, resource_arn=arn, service_context=context)
        if denied is not None:
            answer: Answer = iam_actions.access_denied_response(
                service, needed, iam_evaluator.caller_arn(), "", headers=request.headers, resource_arn=arn
            )
            return answer
    return None
