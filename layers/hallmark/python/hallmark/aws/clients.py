"""Clients: one session a process, made when they are first used, with time-outs well below the functions' own."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import cache
from threading import Lock
from typing import Any, Literal

from botocore.config import Config
from botocore.session import Session, get_session
from botocore.useragent import UserAgentString
from botocore.utils import parse_timestamp

from hallmark.aws.whole_bodies import write_transactions_whole

_CONNECT_SECONDS = 3
_READ_SECONDS = 20
_ATTEMPTS = 4
_POOL_CONNECTIONS = 40
"""As many calls as a function makes at a time: four messages with eight checksums each, and the rest."""

DYNAMODB_SECONDS = 24
"""The longest that one call of DynamoDB takes: three attempts with 2 s to connect and 5 s to read, and the waits."""
_DYNAMODB = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"total_max_attempts": 3, "mode": "standard"},
    # A third of what a large transaction costs, and every request of ours is held against the model by its tests.
    parameter_validation=False,
)

RetryMode = Literal["standard", "adaptive"]

_making = Lock()


def client(service: str, retry_mode: RetryMode = "standard") -> Any:
    """Return the client of a service.

    Args:
        service: Its name in botocore.
        retry_mode: ``adaptive`` slows down by itself when the service throttles (botocore guide, retries).
    """
    # Clients may be shared by threads, a session may not while it makes one (boto3 guide, multithreading).
    with _making:
        return _client(service, retry_mode)


def make_client(service: str, config: Config) -> Any:
    """Return a client with a configuration of its own, for what must not be repeated or may take longer."""
    with _making:
        return _session().create_client(service, config=config)


@cache
def _session() -> Session:
    session = get_session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_parse_timestamp)
    return session


def _parse_timestamp(value: Any) -> datetime:
    # botocore's own parser takes a hundred times as long for the time of each object in a listing.
    if isinstance(value, str):
        with suppress(ValueError):
            time = datetime.fromisoformat(value)
            if time.tzinfo is not None:
                return time
    told: datetime = parse_timestamp(value)
    return told


def _user_agent() -> str:
    """Return botocore's user agent, which tells CloudTrail whether a function calls.

    Made anew for each call, with all that the client uses, it takes a quarter of the CPU of a small call.
    """
    return UserAgentString.from_environment().to_string()


@cache
def _client(service: str, retry_mode: RetryMode) -> Any:
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"total_max_attempts": _ATTEMPTS, "mode": retry_mode},
        user_agent=_user_agent(),
        user_agent_extra="hallmark",
        max_pool_connections=_POOL_CONNECTIONS,
    )
    if service != "dynamodb":
        return _session().create_client(service, config=config)
    dynamodb = _session().create_client(service, config=config.merge(_DYNAMODB))
    write_transactions_whole(dynamodb)
    return dynamodb
