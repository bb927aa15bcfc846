"""EventBridge events in files: reading them, and making them events of the local account."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import botocore.session

Event = dict[str, Any]

_TYPES: dict[str, type] = {"text": str, "an object": dict, "a list": list}
_REQUIRED = {"source": "text", "detail-type": "text", "detail": "an object"}
_OPTIONAL = {
    "version": "text",
    "id": "text",
    "account": "text",
    "time": "text",
    "region": "text",
    "resources": "a list",
}
_ARN = re.compile(
    r"\barn:(?P<partition>aws[a-z-]*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>\d{12}|):"
)
_IMAGE = re.compile(r"\b(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.(?P<suffix>amazonaws\.com(\.cn)?)")


class NotAnEventError(ValueError):
    """What was given is no EventBridge event; the message says where and why."""


def parse_events(text: str, origin: str) -> list[Event]:
    """Read one event, a JSON list of events, or JSON lines.

    Args:
        text: Content of a file.
        origin: Its name, for the message.

    Raises:
        NotAnEventError: The text is no JSON, or one of its values is no event.
    """
    return [read_event(value, place) for place, value in _values(text, origin)]


def read_event(value: object, origin: str = "the event") -> Event:
    """Check that ``value`` is an event as a rule's target receives it ("Events in Amazon EventBridge", user guide).

    ``source``, ``detail-type`` and ``detail`` must be there; the rest of the envelope may be left out.

    Raises:
        NotAnEventError: It is not.
    """
    if not isinstance(value, Mapping):
        raise NotAnEventError(
            f"{origin} is {type(value).__name__}, not an object with 'source', 'detail-type', 'detail'"
        )
    if "DetailType" in value and "detail-type" not in value:
        raise NotAnEventError(
            f"{origin} is an entry of PutEvents ('Source', 'DetailType', 'Detail' as text); "
            "write the event as a rule's target receives it: 'source', 'detail-type', 'detail' as an object"
        )
    for name, expected in {**_REQUIRED, **_OPTIONAL}.items():
        if name not in value:
            if name in _REQUIRED:
                raise NotAnEventError(
                    f"{origin} has no '{name}': an event has 'source', 'detail-type' and 'detail'; "
                    f"this has {sorted(value) or 'no fields'}"
                )
        elif not isinstance(value[name], _TYPES[expected]):
            raise NotAnEventError(f"{origin}: '{name}' is {json.dumps(value[name])[:80]}, which is not {expected}")
    return dict(value)


def localise_event(event: Mapping[str, Any], account: str, region: str) -> Event:
    """Return the event as it would be in ``account`` and ``region``; ``id`` and ``time`` stay as they are.

    The envelope's account and region, the ARNs and the ECR images of that account, and fields whose value is that
    account or that region are changed. ARNs and images of other accounts (AWS's own algorithms) stay. What the
    envelope lacks is added.
    """
    partition = partition_of(region)
    foreign_account = event.get("account", account)
    foreign_region = event.get("region", region)

    def place_arn(match: re.Match[str]) -> str:
        if match["account"] not in {"", foreign_account}:
            return match[0]
        local_region = region if match["region"] else ""
        local_account = account if match["account"] else ""
        return f"arn:{partition}:{match['service']}:{local_region}:{local_account}:"

    def place_image(match: re.Match[str]) -> str:
        if match["account"] != foreign_account:
            return match[0]
        return f"{account}.dkr.ecr.{region}.amazonaws.com{'.cn' if partition == 'aws-cn' else ''}"

    def place(value: Any) -> Any:
        if isinstance(value, str):
            if value in {foreign_account, foreign_region}:
                return account if value == foreign_account else region
            return _IMAGE.sub(place_image, _ARN.sub(place_arn, value))
        if isinstance(value, Mapping):
            return {key: place(item) for key, item in value.items()}
        if isinstance(value, list):
            return [place(item) for item in value]
        return value

    fixed = {"version": "0", "id": str(uuid.uuid4()), "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    changed = {
        "account": account,
        "region": region,
        "resources": place(event.get("resources", [])),
        "detail": place(event["detail"]),
    }
    return {**fixed, **event, **changed}


@cache
def partition_of(region: str) -> str:
    """Return the partition that a region belongs to."""
    partition: str = botocore.session.get_session().get_partition_for_region(region)
    return partition


def _values(text: str, origin: str) -> list[tuple[str, object]]:
    if not text.strip():
        raise NotAnEventError(f"{origin} is empty: give an event, a JSON list of events, or one event a line")
    try:
        whole = json.loads(text)
    except ValueError as error:
        return _lines(text, origin, error)
    if isinstance(whole, list):
        return [(f"{origin}, item {number}", value) for number, value in enumerate(whole, start=1)]
    return [(origin, whole)]


def _lines(text: str, origin: str, whole_error: ValueError) -> list[tuple[str, object]]:
    values: list[tuple[str, object]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values.append((f"{origin}, line {number}", json.loads(line)))
        except ValueError as error:
            # Without a first line that stands alone, the file was meant as one document.
            explained = f"line {number}: {error}" if values else str(whole_error)
            raise NotAnEventError(f"{origin} is neither JSON nor JSON lines: {explained}") from error
    return values
