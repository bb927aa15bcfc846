"""Links by which a person acts: signed, for one purpose, for a while."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hallmark.errors import HallmarkError

Purpose = Literal["ack", "silence"]
TOKEN_LENGTH = 4000


class TokenError(HallmarkError):
    """A link that does not hold: forged, cut, made for something else, or too old. The text is for the person."""


class Mac(Protocol):
    """A key that signs and verifies, and never shows itself."""

    def sign(self, message: bytes) -> bytes:
        """Return the message authentication code of a message."""
        ...

    def verify(self, message: bytes, code: bytes) -> bool:
        """Tell whether a code is the message's."""
        ...


class Grant(BaseModel):
    """What whoever holds the link may do."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    purpose: Purpose
    group: str = Field(min_length=1)
    receiver: str = ""
    """Where the link was sent."""
    match: Mapping[str, str] = {}
    """What a silence is to cover."""
    title: str = ""
    """What the page calls it."""
    expires_at: int
    """Seconds since 1970."""


def make_token(grant: Grant, mac: Mac) -> str:
    """Return a token; empty where what it would say is too long for a link."""
    content = json.dumps(grant.model_dump(), separators=(",", ":"), sort_keys=True).encode()
    token = f"{_encode(content)}.{_encode(mac.sign(content))}"
    return token if len(token) <= TOKEN_LENGTH else ""


def read_token(token: str, purpose: Purpose, mac: Mac, now: datetime) -> Grant:
    """Return what a token grants.

    Raises:
        TokenError: It grants nothing for this purpose, now.
    """
    content, code = _parts(token)
    if not mac.verify(content, code):
        raise TokenError("This link was not made by Hallmark, or not all of it arrived: use the newest message's.")
    try:
        grant = Grant.model_validate_json(content)
    except ValidationError as error:
        raise TokenError("This link was made by another version of Hallmark: use the newest message's.") from error
    if grant.purpose != purpose:
        raise TokenError("This link was made for something else.")
    if datetime.fromtimestamp(grant.expires_at, UTC) <= now:
        raise TokenError("This link is too old: use the newest message's, or `hallmark alerts ack`.")
    return grant


def _parts(token: str) -> tuple[bytes, bytes]:
    content, dot, code = token.partition(".")
    try:
        if not dot or len(token) > TOKEN_LENGTH:
            raise ValueError("no token")
        decoded = _decode(content), _decode(code)
    except (ValueError, binascii.Error) as error:
        raise TokenError("This link is not whole: copy all of it, or use the message's button.") from error
    if not all(decoded):
        raise TokenError("This link is not whole: copy all of it, or use the message's button.")
    return decoded


def _encode(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
