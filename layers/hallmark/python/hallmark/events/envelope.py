"""The envelope in which EventBridge delivers, and what is refused at the door."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from hallmark.errors import InvalidInputError
from hallmark.events.subscriptions import RESOURCES
from hallmark.events.times import parse_time

MAXIMUM_EVENT_BYTES = 512 * 1024
"""EventBridge took 256 KB for years and takes just under 1 MB now; a fact must fit a DynamoDB item (400 KB)."""


class Event(NamedTuple):
    """An event of a kind that lineage is made of."""

    id: str
    source: str
    detail_type: str
    resource: str
    """The word for what it tells of: ``training-job``, ``pipeline-step`` …"""
    account: str
    region: str
    time: datetime | None
    resources: tuple[str, ...]
    detail: Mapping[str, Any]


def read_event_text(text: str) -> Any:
    """Read a message's body.

    Raises:
        InvalidInputError: It is too large, or not JSON.
    """
    size = len(text.encode(errors="replace"))
    if size > MAXIMUM_EVENT_BYTES:
        raise InvalidInputError(
            "the event", f"{size:,} bytes", f"an event has {MAXIMUM_EVENT_BYTES:,} bytes at most; send it in parts"
        )
    try:
        event = json.loads(text, parse_constant=_refuse_constant)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(event, ensure_ascii=False).encode()
    except (RecursionError, ValueError) as error:  # UnicodeEncodeError (half a surrogate pair) is a ValueError
        raise InvalidInputError("the event", text, f"send JSON ({error})") from None
    return event


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def read_envelope(raw: object, *, account: str | None = None) -> Event:
    """Read an event as EventBridge delivers it.

    Args:
        raw: The event.
        account: The account whose events are ours; None takes all.

    Raises:
        InvalidInputError: It is no event, of a kind that is not recorded, or of another account.
    """
    if not isinstance(raw, Mapping):
        raise InvalidInputError("the event", raw, "send a JSON object, as EventBridge delivers it")
    source = _text(raw, "source")
    detail_type = _text(raw, "detail-type")
    kinds = RESOURCES.get(source)
    if kinds is None:
        raise InvalidInputError("source", source, f"lineage is recorded from {', '.join(RESOURCES)}")
    if detail_type not in kinds:
        raise InvalidInputError("detail-type", detail_type, f"no lineage is recorded from this event of {source}")
    detail = raw.get("detail")
    if not isinstance(detail, Mapping):
        raise InvalidInputError("detail", detail, "send the event's detail as a JSON object")
    sender = str(raw.get("account") or "")
    if account is not None and sender != account:
        raise InvalidInputError("account", sender, f"only events of account {account} are recorded here")
    return Event(
        id=str(raw.get("id") or ""),
        source=source,
        detail_type=detail_type,
        resource=kinds[detail_type],
        account=sender,
        region=str(raw.get("region") or ""),
        time=_time(raw.get("time")),
        resources=_resources(raw.get("resources")),
        detail=detail,
    )


def _text(raw: Mapping[str, Any], field: str) -> str:
    value = raw.get(field)
    if not isinstance(value, str) or not value:
        raise InvalidInputError(field, value, "send an event as EventBridge delivers it")
    return value


def _resources(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list | tuple) else [value]
    return tuple(item for item in listed if isinstance(item, str) and item)


def _time(value: object) -> datetime | None:
    # The envelope's time only stands in where the detail has none: an odd one is no reason to refuse.
    try:
        return parse_time(value)
    except ValueError:
        return None
