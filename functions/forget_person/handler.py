"""Destroys what is kept of a person, in the name of whoever asks; whose name that is, STS says."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.caller_proof import verify_caller
from hallmark.aws.clients import client
from hallmark.aws.eventbridge import BusPublisher
from hallmark.aws.person_table import PersonSettings
from hallmark.erasure.forgetting import forget, read_request
from hallmark.runtime.observability import logger


class ForgettingSettings(PersonSettings):
    """What the function is told by its deployment."""

    account_id: str
    event_bus_name: str


@cache
def settings() -> ForgettingSettings:
    """Read the settings once per execution environment."""
    return ForgettingSettings.from_environment()


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Forget a person; return how many tokens stand for nobody any more."""
    asked = read_request(event.get("message"))
    person = verify_caller(event["message"], event.get("proof"), client("sts"), settings().account_id)
    bus = BusPublisher(settings().event_bus_name, client("events"))
    done = forget(asked, person, settings().person_table(), bus, datetime.now(UTC))
    logger.warning("a person was forgotten", forgetting=done.id, tokens=done.tokens)
    return {"forgetting": done.id, "tokens": done.tokens, "by": person.arn, "reason": asked.reason}
