"""The channels behind one loopback port."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlencode

from local.channels.faults import PAGERDUTY, SLACK, ChannelFault, ChannelFaults
from local.channels.pagerduty import PagerDutyEvents
from local.channels.slack import SlackAnswer, SlackMessage, SlackWebhooks

_WEBHOOK = "/slack/services/"
_RESPONSES = "/slack/responses/"
_USES = 5
_ENQUEUE = "/pagerduty/v2/enqueue"
_CHANGE = "/pagerduty/v2/change/enqueue"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
SLACK_SIGNING_SECRET = "local-slack-signing-secret"  # noqa: S105 - of the server in this process alone
PAGERDUTY_SIGNING_SECRET = "local-pagerduty-signing-secret"  # noqa: S105 - likewise


@dataclass
class _Press:
    message: SlackMessage | None
    uses: int = 0


class ChannelServer:
    """Slack and PagerDuty on ``127.0.0.1``, from ``start`` to ``stop``; a context manager.

    Attributes:
        faults: What goes wrong on demand; ``SLACK`` and ``PAGERDUTY`` are the channels.
        slack: The messages that Slack took.
        pagerduty: The incidents that PagerDuty keeps.
        responses: What was sent to the response URLs of Slack's interactions.
    """

    def __init__(self) -> None:
        self.faults = ChannelFaults()
        self.slack = SlackWebhooks()
        self.pagerduty = PagerDutyEvents()
        self.responses: list[dict[str, Any]] = []
        self._pressed: list[_Press] = []
        self._server: ThreadingHTTPServer | None = None
        self._requests: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it answers."""
        if self._server is None:
            raise RuntimeError("the channel server does not run: start it first")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def webhook_url(self, channel: str = "T0/B0/alerts") -> str:
        """Return the URL of one of Slack's webhooks."""
        return f"{self.url}{_WEBHOOK}{channel}"

    def secrets(self) -> dict[str, str]:
        """Return what a team keeps in Secrets Manager to reach these channels, by the secret's name."""
        return {
            "hallmark/slack-webhook": json.dumps({"webhook_url": self.webhook_url()}),
            "hallmark/slack-signing": SLACK_SIGNING_SECRET,
            "hallmark/pagerduty-key": json.dumps({"routing_key": ROUTING_KEY, "events_url": f"{self.url}{_ENQUEUE}"}),
            "hallmark/pagerduty-signing": PAGERDUTY_SIGNING_SECRET,
        }

    def requests(self, channel: str) -> int:
        """Return how many requests reached a channel, whatever became of them."""
        with self._lock:
            return self._requests.get(channel, 0)

    def press(
        self, action_id: str, value: str, *, by: str = "ada", at: float | None = None
    ) -> tuple[dict[str, str], bytes]:
        """Return headers and body of the request that Slack makes when somebody presses a button, signed."""
        pressed = self.slack.message_with(value)
        with self._lock:
            self._pressed.append(_Press(pressed))
            place = len(self._pressed) - 1
        payload: dict[str, Any] = {
            "type": "block_actions",
            "user": {"id": "U0ADA", "username": by, "name": by},
            "response_url": f"{self.url}{_RESPONSES}{place}",
            "actions": [{"type": "button", "action_id": action_id, "value": value}],
            **({"message": {"type": "message", "bot_id": "B0", **pressed.body}} if pressed else {}),
        }
        body = urlencode({"payload": json.dumps(payload)}).encode()
        timestamp = str(int(time.time() if at is None else at))
        signature = hmac.new(SLACK_SIGNING_SECRET.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256)
        return {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": f"v0={signature.hexdigest()}",
        }, body

    def clear(self) -> None:
        """Forget everything that was sent, and let all channels behave."""
        self.faults.clear()
        self.slack.clear()
        self.pagerduty.clear()
        self.responses.clear()
        self._pressed.clear()
        with self._lock:
            self._requests.clear()

    def start(self) -> Self:
        """Take a free port and serve."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="local-channels", daemon=True).start()
        self._server = server
        return self

    def stop(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, path: str, body: bytes) -> tuple[int, Mapping[str, str], bytes, ChannelFault | None]:
        """Answer one POST: status, headers, body, and the fault that it met."""
        channel = SLACK if path.startswith("/slack/") else PAGERDUTY
        with self._lock:
            self._requests[channel] = self._requests.get(channel, 0) + 1
        fault = self.faults.meet(channel)
        if fault is not None and fault.delay_seconds:
            threading.Event().wait(fault.delay_seconds)
        if fault is not None and fault.status is not None:
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            return fault.status, headers, fault.body.encode(), fault
        return *self._ask(path, body), fault

    def _respond(self, place: str, body: bytes) -> SlackAnswer:
        """Take an answer to a press: five at most (docs.slack.dev, "Handling user interaction")."""
        with self._lock:
            press = self._pressed[int(place)] if place.isdecimal() and int(place) < len(self._pressed) else None
            if press is None or press.uses == _USES:
                return SlackAnswer(404, "used_url" if press else "no_service")
            press.uses += 1
            self.responses.append(json.loads(body))
        return self.slack.replace(press.message, body) if press.message else SlackAnswer(200, "ok")

    def _ask(self, path: str, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        if path.startswith(_WEBHOOK):
            said = self.slack.post(path.removeprefix(_WEBHOOK), body)
            headers = {} if said.retry_after is None else {"Retry-After": str(said.retry_after)}
            return said.status, {"Content-Type": "text/html", **headers}, said.text.encode()
        if path.startswith(_RESPONSES):
            said = self._respond(path.removeprefix(_RESPONSES), body)
            return said.status, {"Content-Type": "text/html"}, said.text.encode()
        if path in {_ENQUEUE, _CHANGE}:
            answer = self.pagerduty.enqueue(body) if path == _ENQUEUE else self.pagerduty.enqueue_change(body)
            return answer.status, {"Content-Type": "application/json"}, json.dumps(answer.body).encode()
        return 404, {"Content-Type": "text/html"}, b"no_service"


def _handler(channels: ChannelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, answer, fault = channels.answer(self.path, body)
            if fault is not None and fault.lose_answer:
                self.close_connection = True
                return
            # Whoever asked may have given up by now.
            with suppress(ConnectionError):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            pass

    return Handler
