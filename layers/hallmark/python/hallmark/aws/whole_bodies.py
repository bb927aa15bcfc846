"""Requests of DynamoDB that are written in one go.

A request of DynamoDB is its parameters as JSON (AWS JSON 1.0 protocol, Smithy specification), blobs in base64.
botocore walks through every value of a transaction twice: once for the tables in it (for endpoints by account id, which
are told by ARNs; ours are names), once to copy it. For a hundred items that is most of what the call costs.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

_BODY = "hallmark_body"
_OPERATION = "TransactWriteItems"


def write_transactions_whole(client: Any) -> None:
    """Let a client of DynamoDB, one that validates no parameters, write each TransactWriteItems in one go."""
    # The last event before botocore looks into the parameters: the token that makes a repetition of the call harmless
    # is among them by then.
    client.meta.events.register("before-endpoint-resolution.dynamodb", _take_parameters)
    client.meta.events.register(f"before-call.dynamodb.{_OPERATION}", _put_body)


def _take_parameters(model: Any, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    if model.name == _OPERATION:
        context[_BODY] = json.dumps(params, separators=(",", ":"), default=_blob).encode()
        params.clear()


def _put_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    params["body"] = context.pop(_BODY)


def _blob(value: bytes) -> str:
    return b64encode(value).decode()
