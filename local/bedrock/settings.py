"""What the stand-in is told."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


def _openai_base_url() -> str:
    url = os.environ.get("HALLMARK_OPENAI_BASE_URL", "").rstrip("/")
    if url and not url.startswith(("http://", "https://")):
        raise ValueError(f"HALLMARK_OPENAI_BASE_URL is '{url}', which is no URL: write e.g. http://127.0.0.1:11434/v1")
    return url


@dataclass(frozen=True)
class BedrockSettings:
    """Settings of the stand-in.

    Attributes:
        openai_base_url: Server of the models ``openai.<name>``; empty for none (``HALLMARK_OPENAI_BASE_URL``).
        openai_api_key: Its key; empty for none (``HALLMARK_OPENAI_API_KEY``).
        parallel_requests: Requests that are answered at the same time.
        stop_grace_seconds: Time that a reset waits for running jobs.
        log_seconds: How long invocation logs are gathered before they are written.
        state_seconds: Time that a state of a job without work in it stays visible.
    """

    openai_base_url: str = field(default_factory=_openai_base_url)
    openai_api_key: str = field(default_factory=lambda: os.environ.get("HALLMARK_OPENAI_API_KEY", ""))
    parallel_requests: int = 64
    stop_grace_seconds: float = 5.0
    log_seconds: float = 0.5
    state_seconds: float = 0.02
