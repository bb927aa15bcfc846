"""Bedrock's control plane and runtime behind the emulator's port; MiniStack's own only echo.

Both sign as ``bedrock``; MiniStack's router tells them apart by the path. Agents stay MiniStack's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local.bedrock.authorisation import action_of, call_of, resources_of, role_passed
from local.bedrock.contract import HttpRequest
from local.bedrock.rest import CONTROL_PLANE, RUNTIME
from local.bedrock_port import BedrockPort
from local.cloud_trail import CloudTrail
from local.patches import stand_ins
from local.patches.stand_ins import Answer, Request, StandIn


def apply(bedrock: Callable[[], BedrockPort], trail: CloudTrail | None = None) -> None:
    """Route Bedrock's requests to what ``bedrock`` gives; :func:`stand_ins.apply` comes before."""
    stand_ins.install(CONTROL_PLANE, _stand_in(CONTROL_PLANE, bedrock), trail)
    stand_ins.install(RUNTIME, _stand_in(RUNTIME, bedrock))


def _stand_in(service: str, bedrock: Callable[[], BedrockPort]) -> StandIn:
    async def respond(request: Request) -> Answer:
        return await bedrock().respond(
            service,
            HttpRequest(
                request.method,
                request.path,
                request.query,
                request.headers,
                request.body,
                request.account,
                request.region,
                request.caller_arn,
            ),
        )

    def action(request: Request) -> str | None:
        return action_of(service, request.method, request.path)

    def resources(request: Request) -> list[str]:
        return resources_of(
            service, request.method, request.path, request.body, account=request.account, region=request.region
        )

    def passed_role(request: Request) -> str | None:
        return role_passed(service, request.method, request.path, request.body)

    def call(request: Request) -> tuple[str, Mapping[str, Any]] | None:
        return call_of(service, request.method, request.path, request.body)

    return StandIn(respond, action, resources, passed_role, call=call)
