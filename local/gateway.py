"""The ASGI application behind the one port: MiniStack's, and beside it the local cloud's own paths."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from local.bedrock.control import answer_control
from local.bedrock_port import BedrockPort
from local.channels.control import answer_channels
from local.channels.server import ChannelServer
from local.envelopes import NotAnEventError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

OWN_PREFIX = "/_local/"
_OF_BEDROCK = "bedrock/"
_OF_CHANNELS = "channels/"
_LOGGER = logging.getLogger(__name__)


class CloudControl(Protocol):
    """What the local cloud's own paths do; each method is called off the event loop."""

    def emit(self, events: list[dict[str, Any]], *, as_is: bool = False) -> int:
        """Publish whole events on the default bus; return how many."""
        ...

    def reset(self) -> None:
        """Empty all state."""
        ...

    def bedrock(self) -> BedrockPort:
        """Return the stand-in of Bedrock."""
        ...

    def channels(self) -> ChannelServer:
        """Return Slack and PagerDuty."""
        ...

    def status(self) -> dict[str, Any]:
        """Return what runs and what is deployed."""
        ...


class Gateway:
    """Hands AWS requests to the emulator as if they had come over HTTPS, and answers ``/_local/...`` itself.

    Args:
        emulator: MiniStack's ASGI application.
        control: What ``/_local/...`` does.
        on_ready: Called once the emulator has started.
    """

    def __init__(self, emulator: AsgiApplication, control: CloudControl, on_ready: Callable[[], None]) -> None:
        self._emulator = emulator
        self._control = control
        self._on_ready = on_ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI says."""
        if scope["type"] == "lifespan":
            await self._emulator(scope, receive, self._announcing(send))
        elif scope["type"] == "http" and scope["path"].startswith(OWN_PREFIX):
            await self._serve_own(scope, receive, send)
        elif scope["type"] == "http":
            # The port speaks plain HTTP on the loopback interface. Bucket and topic policies that demand TLS
            # (aws:SecureTransport) are to behave as they do on AWS, where every SDK speaks HTTPS.
            headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"x-forwarded-proto"]
            await self._emulator({**scope, "headers": [*headers, (b"x-forwarded-proto", b"https")]}, receive, send)
        else:
            await self._emulator(scope, receive, send)

    def _announcing(self, send: Send) -> Send:
        async def announce(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                self._on_ready()

        return announce

    async def _serve_own(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        status, answer = await self._answer_own(scope, body)
        text = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text})

    async def _answer_own(self, scope: Scope, body: bytes) -> tuple[int, dict[str, Any]]:
        if any(name.lower() == b"origin" for name, _ in scope["headers"]):
            return 403, {
                "message": f"{OWN_PREFIX} is not for web pages: a page that you visit must not steer the cloud"
            }
        match scope["method"], scope["path"].removeprefix(OWN_PREFIX):
            case "POST", "events":
                return await self._emit(body)
            case "POST", "reset":
                await asyncio.to_thread(self._control.reset)
                return 200, {}
            case "GET", "status":
                return 200, await asyncio.to_thread(self._control.status)
            case method, path if path.startswith((_OF_BEDROCK, _OF_CHANNELS)):
                return await self._answer_stand_in(method, path, body)
            case method, path:
                return 404, {
                    "message": f"{method} {OWN_PREFIX}{path} does not exist: "
                    "POST events, POST reset, GET status, bedrock/..., channels/..."
                }

    async def _answer_stand_in(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if path.startswith(_OF_CHANNELS):
            return answer_channels(self._control.channels(), method, path.removeprefix(_OF_CHANNELS), body)
        faults = (await asyncio.to_thread(self._control.bedrock)).faults
        return answer_control(faults, method, path.removeprefix(_OF_BEDROCK), body)

    async def _emit(self, body: bytes) -> tuple[int, dict[str, Any]]:
        try:
            request = json.loads(body)
            events, as_is = request["events"], bool(request.get("as_is", False))
        except (ValueError, KeyError, TypeError) as error:
            return 400, {"message": f"the body is not {{'events': [...], 'as_is': false}}: {error}"}
        try:
            published = await asyncio.to_thread(self._control.emit, events, as_is=as_is)
        except NotAnEventError as error:
            return 400, {"message": str(error)}
        return 200, {"published": published}


async def _read_body(receive: Receive) -> bytes:
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)
