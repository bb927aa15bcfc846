"""What people do by links, buttons and incidents: checked, then handed to the engine."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs

from hallmark.alerts.channels.answering import post_answer, show_done, tell_alone
from hallmark.alerts.channels.pages import HEADERS, confirm_page, done_page, refusal_page
from hallmark.alerts.channels.posting import Poster
from hallmark.alerts.channels.shortening import one_line
from hallmark.alerts.channels.signatures import is_from_pagerduty, is_from_slack
from hallmark.alerts.channels.slack import BUTTONS
from hallmark.alerts.channels.tokens import Grant, Mac, Purpose, TokenError, read_token
from hallmark.errors import InvalidInputError, NotFoundError, UnavailableError

SILENCE_FOR = "2 hours"
_NAME_LENGTH = 80
_PURPOSES: Mapping[str, Purpose] = {"/alerts/ack": "ack", "/alerts/silence": "silence"}
_PRESSES: Mapping[str, Purpose] = {action: purpose for purpose, action in BUTTONS.items()}
_NONE_FIRES = "None of these alerts fires any more."
_INCIDENTS = {"incident.acknowledged": "acknowledged", "incident.resolved": "resolved"}


class Acting(Protocol):
    """The engine."""

    def acknowledge(self, target: str, by: str, reason: str) -> str:
        """Note who has a group; return who has it: whoever was first.

        Raises:
            NotFoundError: Nothing of it fires.
        """
        ...

    def silence(self, match: Mapping[str, str], length: str, by: str, reason: str) -> None:
        """Let nobody be told for a while of what has these labels."""
        ...


class SecretsPort(Protocol):
    """Secrets by name."""

    def read(self, name: str) -> str:
        """Return a secret.

        Raises:
            InvalidInputError: There is none.
            UnavailableError: It cannot be read now.
        """
        ...


class Response(NamedTuple):
    """What the caller is answered."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = {"content-type": "text/plain; charset=utf-8"}

    def to_lambda(self) -> dict[str, Any]:
        """Return what an HTTP API expects of its function."""
        return {"statusCode": self.status, "headers": dict(self.headers), "body": self.body}


class HttpRequest(NamedTuple):
    """A request as an HTTP API hands it over (payload format 2.0)."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


def read_request(event: Mapping[str, Any]) -> HttpRequest:
    """Read a request; header names are lower-case already."""
    raw = event.get("body") or ""
    http = event["requestContext"]["http"]
    return HttpRequest(
        http["method"],
        event["rawPath"],
        event.get("queryStringParameters") or {},
        {name.lower(): value for name, value in event.get("headers", {}).items()},
        b64decode(raw) if event.get("isBase64Encoded") else raw.encode(),
    )


@dataclass(frozen=True)
class Reception:
    """Answers links, buttons and webhooks.

    Args:
        mac: Verifies links.
        acting: Does what is asked.
        secrets: Signing secrets.
        slack_secrets: Names of the secrets with which Slack's apps may sign.
        pagerduty_secrets: Names of the secrets with which PagerDuty's webhooks may be signed.
        clock: The time.
        poster: Answers presses in Slack.
        warn: Is told what went wrong and undoes nothing.
    """

    mac: Mac
    acting: Acting
    secrets: SecretsPort
    slack_secrets: tuple[str, ...]
    pagerduty_secrets: tuple[str, ...]
    clock: Callable[[], datetime]
    poster: Poster
    warn: Callable[[str], None] = lambda _message: None

    def answer(self, request: HttpRequest) -> Response:
        """Answer one request."""
        if request.path in _PURPOSES:
            return self._link(request, _PURPOSES[request.path])
        if request.path == "/alerts/slack":
            return self._slack(request)
        if request.path == "/alerts/pagerduty":
            return self._pagerduty(request)
        return Response(404, "not found")

    def _link(self, request: HttpRequest, purpose: Purpose) -> Response:
        form = {name: values[0] for name, values in parse_qs(request.body.decode(errors="replace")).items()}
        token = (form if request.method == "POST" else request.query).get("token", "")
        try:
            grant = read_token(token, purpose, self.mac, self.clock())
            if request.method != "POST":
                return Response(200, confirm_page(grant, token, SILENCE_FOR), HEADERS)
            by = one_line(form.get("by", ""))[:_NAME_LENGTH] or "somebody"
            self._act(grant, by, f"by the link that was sent to {grant.receiver}")
        except TokenError as refused:
            return Response(403, refusal_page(str(refused)), HEADERS)
        except NotFoundError:
            return Response(409, refusal_page(_NONE_FIRES), HEADERS)
        return Response(200, done_page(grant, by), HEADERS)

    def _slack(self, request: HttpRequest) -> Response:
        now = self.clock()
        signed = (self.secrets.read(name) for name in self.slack_secrets)
        if not any(is_from_slack(request.headers, request.body, secret, now) for secret in signed):
            return Response(401, "the signature is not Slack's, or too old")
        form = parse_qs(request.body.decode(errors="replace"))
        payload = _object((form.get("payload") or [""])[0])
        by = str(_within(payload, "user", "username") or _within(payload, "user", "id") or "somebody in Slack")
        for press in payload.get("actions") or []:
            purpose = _PRESSES.get(press.get("action_id", "")) if isinstance(press, dict) else None
            if purpose is None or not press.get("value"):
                continue
            try:
                grant = read_token(str(press["value"]), purpose, self.mac, now)
                has = self._act(grant, one_line(by)[:_NAME_LENGTH], "by the button in Slack")
            except TokenError as refused:
                return Response(403, str(refused))
            except NotFoundError:
                self._reply(payload, tell_alone(_NONE_FIRES))
                return Response(200, _NONE_FIRES)
            self._reply(payload, show_done(payload.get("message"), purpose, has, now, SILENCE_FOR))
        return Response(200)

    def _reply(self, payload: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        try:
            post_answer(self.poster, payload.get("response_url"), answer)
        except (InvalidInputError, UnavailableError) as error:
            # What was asked is done; Slack would only offer to do it again.
            self.warn(f"the message in Slack does not show what was done: {error}")

    def _pagerduty(self, request: HttpRequest) -> Response:
        signed = (self.secrets.read(name) for name in self.pagerduty_secrets)
        if not any(is_from_pagerduty(request.headers, request.body, secret) for secret in signed):
            return Response(401, "the signature is not PagerDuty's")
        event = _object(request.body.decode(errors="replace")).get("event")
        done = _INCIDENTS.get(str(event.get("event_type"))) if isinstance(event, dict) else None
        group = group_of(str(_within(event, "data", "incident_key") or "")) if done else None
        if group is None:
            return Response(200, "nothing to do")
        by = str(_within(event, "agent", "summary") or "somebody in PagerDuty")
        try:
            self.acting.acknowledge(group, one_line(by)[:_NAME_LENGTH], f"{done} in PagerDuty")
        except NotFoundError:
            return Response(200, "nothing of it fires")
        return Response(200, "done")

    def _act(self, grant: Grant, by: str, reason: str) -> str:
        if grant.purpose == "ack":
            return self.acting.acknowledge(grant.group, by, reason)
        self.acting.silence(grant.match, SILENCE_FOR, by, reason)
        return by


def group_of(incident_key: str) -> str | None:
    """Return the group of an incident (``Notification.thread_key``); None for one that is none of Hallmark's."""
    match = re.fullmatch(r"hallmark/(.+)/\d{8}T\d{6}", incident_key)
    return match[1] if match else None


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _within(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
