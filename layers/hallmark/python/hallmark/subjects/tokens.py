"""Tokens of the people (data subjects) whose records are in a snapshot of data.

A token is the first 64 bits of HMAC-SHA256 (RFC 2104) over a person's identifier, under a key that only Hallmark's
functions have. A file of tokens is sorted, so that one token is looked up by reading a few kilobytes of it.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable

from hallmark.errors import InvalidInputError

TOKEN_BYTES = 8
KEY_MESSAGE = b"hallmark subject tokens 1"
"""What the key in KMS, which never leaves it, makes the key of tokens from."""
_TOKENS = 1 << (8 * TOKEN_BYTES)
_LONGEST_IDENTIFIER = 1_000
_DEVIATIONS = 8

ReadRange = Callable[[int, int], bytes]
"""Returns the bytes of a file from one offset up to (not with) another one."""


def plain_identifier(identifier: str) -> str:
    """Return an identifier as it is compared: Unicode form NFKC, no blanks around it, no difference of case.

    Raises:
        InvalidInputError: It is empty, or longer than an identifier is.
    """
    plain = unicodedata.normalize("NFKC", identifier).strip().casefold()
    if not plain or len(plain) > _LONGEST_IDENTIFIER:
        shown = f"{len(plain)} characters"
        raise InvalidInputError("subject", shown, f"send an identifier of 1 to {_LONGEST_IDENTIFIER} characters")
    return plain


def token_of(identifier: str, key: bytes) -> bytes:
    """Return the token of a person.

    Raises:
        InvalidInputError: It is no identifier.
    """
    return hmac.digest(key, plain_identifier(identifier).encode(), hashlib.sha256)[:TOKEN_BYTES]


def token_file(identifiers: Iterable[str], key: bytes) -> bytes:
    """Return the tokens of some people, each once, sorted: ``8 x people`` bytes.

    Raises:
        InvalidInputError: One of them is no identifier.
    """
    return b"".join(sorted({token_of(identifier, key) for identifier in identifiers}))


def holds_token(token: bytes, count: int, read: ReadRange) -> bool:
    """Tell whether a file of ``count`` tokens has this one.

    Tokens are uniform: the place of one among ``n`` is binomial, with a deviation of at most ``sqrt(n) / 2``. Eight
    deviations on each side are read first, and more only where the token does not lie between the ends of these.
    """
    if count == 0:
        return False
    place = count * int.from_bytes(token) // _TOKENS
    reach = _DEVIATIONS * (math.isqrt(count) // 2 + 1)
    while True:
        start, end = max(0, place - reach), min(count, place + reach + 1)
        content = read(start * TOKEN_BYTES, end * TOKEN_BYTES)
        found = [content[offset : offset + TOKEN_BYTES] for offset in range(0, len(content), TOKEN_BYTES)]
        if (start == 0 or found[0] <= token) and (end == count or token <= found[-1]):
            position = bisect_left(found, token)
            return position < len(found) and found[position] == token
        reach *= 4


def false_positive_bound(tokens: int) -> float:
    """Return how likely it is at most that a person of whom nothing is recorded is found among so many tokens.

    The union bound over tokens that are uniform for whoever has no key: ``n / 2**64``.
    """
    return min(1.0, tokens / _TOKENS)
