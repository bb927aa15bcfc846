"""What the channels were sent, and their faults, over HTTP: the paths ``/_local/channels/...``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from local.channels.faults import ChannelFault
from local.channels.server import ChannelServer

_OK, _BAD_REQUEST, _NOT_FOUND = 200, 400, 404
_PATHS = "GET slack, GET pagerduty, PUT faults, DELETE faults, DELETE messages"


class _FaultOrder(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: Literal["slack", "pagerduty"]
    faults: list[ChannelFault]


def answer_channels(channels: ChannelServer, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Answer a request: status, and a JSON object.

    ``GET slack`` tells the messages that were taken, ``GET pagerduty`` the incidents and changes. ``PUT faults`` with
    ``{"channel": "slack", "faults": [{"status": 429, "retry_after": 2}]}`` lets the next requests meet them, ``DELETE
    faults`` none; ``DELETE messages`` forgets everything.

    Args:
        channels: The server.
        method: HTTP method.
        path: What follows ``/_local/channels/``.
        body: The request's body.
    """
    match method, path:
        case "GET", "slack":
            return _OK, {
                "requests": channels.requests("slack"),
                "messages": [
                    {"webhook": message.webhook, "text": message.text, "body": message.body}
                    for message in channels.slack.messages
                ],
            }
        case "GET", "pagerduty":
            return _OK, {
                "requests": channels.requests("pagerduty"),
                "incidents": [asdict(incident) for incident in channels.pagerduty.incidents],
                "changes": channels.pagerduty.changes,
            }
        case "PUT", "faults":
            return _set_faults(channels, body)
        case "DELETE", "faults":
            channels.faults.clear()
            return _OK, {}
        case "DELETE", "messages":
            channels.clear()
            return _OK, {}
    return _NOT_FOUND, {"message": f"{method} channels/{path} does not exist: {_PATHS}"}


def _set_faults(channels: ChannelServer, body: bytes) -> tuple[int, dict[str, Any]]:
    try:
        order = _FaultOrder.model_validate(json.loads(body))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return _BAD_REQUEST, {"message": f"the body is no {{'channel': ..., 'faults': [...]}}: {problems}"}
    except ValueError as error:
        return _BAD_REQUEST, {"message": f"the body is no JSON: {error}"}
    channels.faults.set(order.channel, *order.faults)
    return _OK, {
        "channel": order.channel,
        "faults": [fault.model_dump(exclude_defaults=True) for fault in order.faults],
    }
