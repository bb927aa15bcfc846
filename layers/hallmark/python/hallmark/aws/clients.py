"""Clients: one session a process, made when they are first used, with time-outs well below the functions' own."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from botocore.config import Config
from botocore.session import Session, get_session

_CONNECT_SECONDS = 3
_READ_SECONDS = 20
_ATTEMPTS = 4


@cache
def _session() -> Session:
    return get_session()


@cache
def client(service: str, retry_mode: Literal["standard", "adaptive"] = "standard") -> Any:
    """Return the client of a service.

    Args:
        service: Its name in botocore.
        retry_mode: ``adaptive`` slows down by itself when the service throttles (botocore guide, retries).
    """
    return _session().create_client(
        service,
        config=Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"total_max_attempts": _ATTEMPTS, "mode": retry_mode},
            user_agent_extra="hallmark",
            max_pool_connections=20,
        ),
    )
