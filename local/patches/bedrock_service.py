"""Bedrock's control plane and runtime behind the emulator's port; MiniStack's own only echo.

Both sign as ``bedrock``; MiniStack's router tells them apart by the path. Agents stay MiniStack's.
"""

from __future__ import annotations

from collections.abc import Callable

from local.bedrock.authorisation import action_of, resources_of, role_passed
from local.bedrock.contract import HttpRequest
from local.bedrock.rest import CONTROL_PLANE, RUNTIME
from local.bedrock_port import BedrockPort
from local.patches import stand_ins
from local.patches.stand_ins import Answer, Request, StandIn


def apply(bedrock: Callable[[], BedrockPort]) -> None:
    """Route Bedrock's requests to what ``bedrock`` gives; :func:`stand_ins.apply` comes before."""
    for service in (CONTROL_PLANE, RUNTIME):
        stand_ins.install(service, _stand_in(service, bedrock))


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

    return StandIn(respond, action, resources, passed_role)
