"""JSON documents as they pass between states."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local.step_functions.failures import DATA_LIMIT_EXCEEDED, StateFailure

PAYLOAD_BYTES = 262_144  # "Quotas", developer guide: input or output of a task, state or execution, as UTF-8

Document = Mapping[str, Any]


def to_text(value: Any) -> str:
    """Return the compact JSON text of a value."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def limited_text(value: Any, what: str) -> str:
    """Return the JSON text of a value that passes from one state to the next.

    Args:
        value: A JSON value.
        what: What it is, for the failure's cause.

    Raises:
        StateFailure: ``States.DataLimitExceeded`` where it has more than 262,144 bytes.
    """
    text = to_text(value)
    if len(text) > PAYLOAD_BYTES // 4 and len(text.encode()) > PAYLOAD_BYTES:
        raise StateFailure(
            DATA_LIMIT_EXCEEDED,
            f"{what} has {len(text.encode())} bytes, more than the {PAYLOAD_BYTES} that pass between states",
        )
    return text


def timestamp(moment: datetime | None = None) -> str:
    """Return a moment, now when left out, as Step Functions writes it: UTC, milliseconds, ``Z``."""
    text = (moment or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
