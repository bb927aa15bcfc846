"""Entries: what the ledger says of a fact, in canonical JSON (RFC 8785)."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any, NamedTuple

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hallmark.ledger.tiles import LogDamagedError

MAXIMUM_INLINE_BYTES = 60_000
"""A longer body is a file of its own: an entry has 65,535 bytes at most (tlog-tiles)."""


class Entry(BaseModel):
    """One entry. Its body stands in it, or in the file that its digest names."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    kind: str = "fact"
    id: str = Field(min_length=1, max_length=512)
    """Tells the entry from all others: the fact's id."""
    recorded_at: str
    """When we learned of it (UTC, microseconds)."""
    body: Any = None
    body_text: str | None = None
    """The body as JSON text, where it has numbers that RFC 8785 does not write (beyond 2**53)."""
    body_sha256: str | None = None
    """Of the file ``content/<digest>``, for a long body."""


class SealedEntry(NamedTuple):
    """An entry as bytes, and its long body, if it has one."""

    content: bytes
    body: bytes | None


def content_path(digest: str) -> str:
    """Return the path of a long body below the log's prefix."""
    return f"content/{digest}"


def write_entry(identifier: str, recorded_at: datetime, body: bytes, *, kind: str = "fact") -> SealedEntry:
    """Write an entry; the same arguments give the same bytes.

    Args:
        identifier: Of the fact.
        recorded_at: When we learned of it.
        body: JSON.
        kind: What the body is.

    Raises:
        ValueError: The body is no JSON.
    """
    head = {"kind": kind, "id": identifier, "recorded_at": f"{recorded_at:%Y-%m-%dT%H:%M:%S.%fZ}"}
    document = json.loads(body)
    try:
        content = rfc8785.dumps({**head, "body": document})
    except rfc8785.CanonicalizationError:
        content = rfc8785.dumps({**head, "body_text": body.decode()})
    if len(content) <= MAXIMUM_INLINE_BYTES:
        return SealedEntry(content, None)
    return SealedEntry(rfc8785.dumps({**head, "body_sha256": hashlib.sha256(body).hexdigest()}), body)


def read_entry(content: bytes, place: str) -> Entry:
    """Read an entry.

    Raises:
        LogDamagedError: It is none; ``place`` says which.
    """
    try:
        return Entry.model_validate_json(content)
    except ValidationError as error:
        raise LogDamagedError(f"{place} is no entry of the ledger: {error.errors()[0]['msg']}") from error


def body_of(entry: Entry, long_body: bytes | None) -> Any:
    """Return the body of an entry.

    Args:
        entry: The entry.
        long_body: The file that it names, where it names one.

    Raises:
        LogDamagedError: The file is missing or another one.
    """
    if entry.body_sha256 is None:
        return entry.body if entry.body_text is None else json.loads(entry.body_text)
    path = content_path(entry.body_sha256)
    if long_body is None:
        raise LogDamagedError(f"{path}, the body of {entry.id}, is missing")
    if hashlib.sha256(long_body).hexdigest() != entry.body_sha256:
        raise LogDamagedError(f"{path}, the body of {entry.id}, was changed")
    return json.loads(long_body)
