"""Slack's and PagerDuty's HTTP: what is sent, and what their answers mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from hallmark.alerts.channels.messages import Change, Message
from hallmark.alerts.channels.pagerduty import render_change, render_pagerduty
from hallmark.alerts.channels.slack import render_slack
from hallmark.errors import InvalidInputError, UnavailableError

EVENTS_URL = "https://events.pagerduty.com/v2/enqueue"
SHORTENED = 4_000
"""Characters of a message that Slack found too long."""
_ROUTING_KEY_LENGTH = 32
_TOO_MANY = 429
_SERVER_FAULTS_FROM = 500
_GOOD = range(200, 300)
_REASON_LENGTH = 300
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class WaitError(UnavailableError):
    """A channel does not take a message now.

    Args:
        reason: What it said.
        seconds: When it will, where it said so.
    """

    def __init__(self, reason: str, seconds: float | None) -> None:
        super().__init__(reason)
        self.seconds = seconds


class TurnError(WaitError):
    """It is not a message's turn: others are before it, or the channel asked all of them for time."""


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    body: str
    retry_after_seconds: float | None = None


class Poster(Protocol):
    """HTTP."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post a body and return the answer, whatever its status.

        Raises:
            UnavailableError: No answer came.
        """
        ...


class Target(NamedTuple):
    """Where a message goes; no part of it may be shown."""

    url: str
    routing_key: str = ""
    is_interactive: bool = False

    def __repr__(self) -> str:
        """Say nothing."""
        return "Target(…)"


def read_target(channel: str, name: str, secret: str) -> Target:
    """Read a secret: a plain value, or JSON with ``webhook_url``, or ``routing_key`` and ``events_url``.

    Raises:
        InvalidInputError: It is none; its value is not shown.
    """
    told = _json(secret) or {"webhook_url" if channel == "slack" else "routing_key": secret.strip()}
    if channel == "slack":
        target = Target(str(told.get("webhook_url", "")))
    else:
        target = Target(str(told.get("events_url") or EVENTS_URL), str(told.get("routing_key", "")))
        if len(target.routing_key) != _ROUTING_KEY_LENGTH:
            raise InvalidInputError(
                f"the secret {name}", "(not shown)", "put PagerDuty's integration key in it: 32 characters"
            )
    if not is_safe(target.url):
        raise InvalidInputError(
            f"the secret {name}", "(not shown)", "put a webhook's URL in it that begins with https://"
        )
    return target


def post_slack(poster: Poster, target: Target, message: Message) -> None:
    """Post a message to a webhook; one that is too long is shortened further, once.

    Raises:
        InvalidInputError: Slack will never take it.
        WaitError: It does not now.
        UnavailableError: No answer came: it may have been taken, or not.
    """
    body = render_slack(message, is_interactive=target.is_interactive)
    answer = _post(poster, target, body)
    if answer.status in _GOOD:
        return
    if "msg_blocks_too_long" in answer.body or "msg_too_long" in answer.body:
        body = render_slack(message, total=SHORTENED, is_interactive=target.is_interactive)
        answer = _post(poster, target, body)
    _check("Slack", answer, target)


def post_pagerduty(poster: Poster, target: Target, message: Message) -> None:
    """Send an event to PagerDuty; the same key ends what it began.

    Raises:
        InvalidInputError: PagerDuty will never take it.
        WaitError: It does not now.
        UnavailableError: No answer came; the deduplication key makes a repeat harmless.
    """
    _check("PagerDuty", _post(poster, target, {"routing_key": target.routing_key, **render_pagerduty(message)}), target)


def post_change(poster: Poster, target: Target, change: Change) -> None:
    """Send a change event to PagerDuty, to the service whose alerts have the same key.

    Raises:
        InvalidInputError: PagerDuty will never take it.
        WaitError: It does not now.
        UnavailableError: No answer came.
    """
    address = target._replace(url=target.url.replace("/v2/enqueue", "/v2/change/enqueue"))
    _check("PagerDuty", _post(poster, address, {"routing_key": target.routing_key, **render_change(change)}), address)


def _post(poster: Poster, target: Target, body: Mapping[str, Any]) -> Answer:
    return poster.post(target.url, json.dumps(body).encode(), {"Content-Type": "application/json"})


def _check(channel: str, answer: Answer, target: Target) -> None:
    if answer.status in _GOOD:
        return
    said = answer.body
    for secret in (target.url, urlsplit(target.url).path.strip("/"), target.routing_key):
        said = said.replace(secret, "(not shown)") if secret else said
    reason = f"{channel} answered {answer.status} {said[:_REASON_LENGTH]}".strip()
    if answer.status == _TOO_MANY or answer.status >= _SERVER_FAULTS_FROM:
        raise WaitError(reason, answer.retry_after_seconds)
    raise InvalidInputError("the message", "(kept here)", f"{reason}: mend what it names, then redrive")


def is_safe(url: str) -> bool:
    """Tell whether nobody on the way can read what is sent there: TLS, or this machine alone."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        )
    except ValueError:
        return False


def _json(secret: str) -> dict[str, Any]:
    try:
        told = json.loads(secret)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
