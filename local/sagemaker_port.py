"""What the server needs of the SageMaker stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from local.sagemaker.contract import Listener


class SageMakerPort(Protocol):
    """SageMaker's API as the server hands requests to it; every method may be called from any thread."""

    listeners: list[Listener]

    def handle(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        account: str,
        region: str,
        caller_arn: str,
    ) -> tuple[int, dict[str, str], bytes]:
        """Answer one request whose signature and permission are already checked: status, headers, body.

        ``headers`` have lower-case names. ``caller_arn`` is the ARN of the role session, user or root that signed.
        """
        ...

    def reset(self) -> None:
        """Forget every resource and end every running job."""
        ...

    def close(self) -> None:
        """End every running job and release what the stand-in holds."""
        ...
