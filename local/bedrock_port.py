"""What the server needs of the Bedrock stand-in."""

from __future__ import annotations

from typing import Protocol

from local.bedrock.contract import HttpRequest
from local.bedrock.faults import Faults
from local.bedrock.human_evaluation import Workers


class BedrockPort(Protocol):
    """Bedrock's APIs as the server hands requests to them."""

    faults: Faults
    workers: Workers

    async def respond(self, service: str, request: HttpRequest) -> tuple[int, dict[str, str], bytes]:
        """Answer one request to ``bedrock`` or ``bedrock-runtime``: status, headers, body."""
        ...

    def reset(self) -> None:
        """Forget every resource, fault and count, and end every running job."""
        ...

    def close(self) -> None:
        """End every running job and every thread."""
        ...
