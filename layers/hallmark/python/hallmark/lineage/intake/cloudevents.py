"""CloudEvents 1.0.2 over HTTP: structured, batched and binary mode (CloudEvents, HTTP protocol binding)."""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from hallmark.errors import InvalidInputError

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
_NEEDED = ("id", "source", "specversion", "type")
_VERSION = "1.0"


def is_binary(headers: Mapping[str, str]) -> bool:
    """Tell whether the headers are those of a CloudEvent in binary mode."""
    return "ce-specversion" in headers


def check_binary(headers: Mapping[str, str]) -> None:
    """Check the attributes that stand in the headers.

    Raises:
        InvalidInputError: One is missing.
    """
    _check({name: unquote(headers.get(f"ce-{name}", "")) for name in _NEEDED}, "the header ce-")


def data_of(event: Any, place: str = "") -> Any:
    """Return the data of a CloudEvent in structured mode.

    Raises:
        InvalidInputError: It is none, or carries no JSON.
    """
    prefix = f"{place}." if place else ""
    if not isinstance(event, Mapping):
        raise InvalidInputError(place or "the event", event, "send a CloudEvent: a JSON object")
    _check(event, prefix)
    if "data" in event:
        data = event["data"]
        # JSON data may stand there as text, where the producer's own format was text.
        return _json(data, f"{prefix}data") if isinstance(data, str) else data
    if "data_base64" not in event:
        raise InvalidInputError(f"{prefix}data", None, "put the OpenLineage event or the fact there")
    try:
        text = b64decode(str(event["data_base64"]), validate=True).decode("utf-8")
    except (NotBase64, UnicodeDecodeError):
        raise InvalidInputError(f"{prefix}data_base64", event["data_base64"], "encode JSON in UTF-8") from None
    return _json(text, f"{prefix}data_base64")


def _check(attributes: Mapping[str, Any], prefix: str) -> None:
    for name in _NEEDED:
        value = attributes.get(name)
        if not isinstance(value, str) or not value:
            raise InvalidInputError(f"{prefix}{name}", value, "CloudEvents 1.0 requires it, as a text")
    if attributes["specversion"] != _VERSION:
        raise InvalidInputError(f"{prefix}specversion", attributes["specversion"], f"send version {_VERSION}")


def _json(text: str, field: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise InvalidInputError(field, text, "send JSON") from None
