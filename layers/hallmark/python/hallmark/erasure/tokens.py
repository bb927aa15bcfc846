"""Tokens of people: each under a random key of its own, without which nobody can tell, or guess, whose it is.

A token is the first 128 bits of HMAC-SHA256 (RFC 2104) over a trait under its key. The key lies, sealed, beside the
trait: whoever may open the seal can check that a token is that trait's and nobody else's, and once both are destroyed
the token is a random number.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from typing import NamedTuple

from hallmark.errors import InvalidInputError
from hallmark.pseudonyms import Trait, plain_name

INDEX_MESSAGE = b"hallmark persons 1"
"""What the key in KMS, which never leaves it, makes the key of the index from."""
KEY_BYTES = 32
_TOKEN_BYTES = 16
_LONGEST = 2_000
"""Letters of a trait: what is sealed has 4,096 bytes at most (KMS API reference, Encrypt)."""


class Identity(NamedTuple):
    """What is sealed: what somebody is called, and the key that makes its token."""

    text: str
    key: bytes

    @property
    def token(self) -> str:
        """Return the token."""
        code = hmac.digest(self.key, plain_name(self.text).encode(), hashlib.sha256)
        return f"person-{code[:_TOKEN_BYTES].hex()}"

    def to_bytes(self) -> bytes:
        """Return what is sealed."""
        return json.dumps({"text": self.text, "key": b64encode(self.key).decode()}, ensure_ascii=False).encode()


def make_identity(trait: Trait, key: bytes) -> Identity:
    """Return the identity of a trait under a new key.

    Raises:
        InvalidInputError: The trait is longer than any name is.
    """
    if not trait.text or len(trait.text) > _LONGEST:
        shown = f"{len(trait.text)} characters"
        raise InvalidInputError("the name of a person", shown, f"send a name of 1 to {_LONGEST} characters")
    return Identity(trait.text, key)


def read_identity(token: str, opened: bytes) -> Identity:
    """Read what a seal held, and check that the token is made of it.

    Raises:
        InvalidInputError: It is not what the token was made of: somebody changed the table.
    """
    try:
        told = json.loads(opened)
        identity = Identity(str(told["text"]), b64decode(told["key"], validate=True))
    except (KeyError, TypeError, ValueError):
        identity = None
    if identity is None or not hmac.compare_digest(identity.token, token):
        raise InvalidInputError("persons", token, "what is kept under this token is not its own: restore the table")
    return identity


class IndexKeys(NamedTuple):
    """Where a trait lies: digests under the key of the index, which name nobody."""

    person: str
    trait: str


def index_keys(trait: Trait, key: bytes) -> IndexKeys:
    """Return where a trait of a person lies.

    Args:
        trait: Of the person.
        key: Of the index.
    """
    return IndexKeys(_digest(key, trait.person), _digest(key, f"{trait.person}\0{plain_name(trait.text)}"))


def _digest(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), hashlib.sha256).hex()
