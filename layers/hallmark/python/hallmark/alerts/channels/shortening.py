"""Keeping texts within what a channel takes: never by failing, and never without saying that something was left out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

ELLIPSIS = "…"
# Lone surrogates cannot be sent as UTF-8; control characters are no text.
_UNSENDABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def clean(text: str) -> str:
    """Return a text without what cannot be sent: control characters and halves of characters become ``?``."""
    return _UNSENDABLE.sub("?", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    """Return a text on one line."""
    return " ".join(clean(text).split())


def length(text: str) -> int:
    """Return how long a text is in UTF-16 code units: never less than in characters, whichever a channel counts."""
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


def clip(text: str, most: int, escape: Callable[[str], str] = str) -> str:
    """Return a text in at most ``most`` UTF-16 units, with an ellipsis where it goes on.

    Args:
        text: Whatever it is.
        most: Units, once it is escaped.
        escape: What becomes of each character; no escape is cut in half.
    """
    if len(text) <= most and length(whole := escape(text)) <= most:
        return whole
    kept: list[str] = []
    left = most - length(ELLIPSIS)
    for letter in text:
        left -= length(escape(letter))
        if left < 0:
            break
        kept.append(escape(letter))
    return "".join(kept).rstrip() + ELLIPSIS


def clip_bytes(text: str, most: int) -> str:
    """Return a text in at most ``most`` bytes of UTF-8, with an ellipsis where it goes on."""
    encoded = text.encode()
    if len(encoded) <= most:
        return text
    return encoded[: most - len(ELLIPSIS.encode())].decode(errors="ignore") + ELLIPSIS


def first(values: Sequence[str], most: int) -> list[str]:
    """Return the first values, and how many were left out where some were."""
    if len(values) <= most:
        return list(values)
    return [*values[:most], f"{ELLIPSIS} and {len(values) - most} more"]


def to_ascii(text: str) -> str:
    """Return a text on one line in printable ASCII: accents are dropped, what has no such form becomes ``?``."""
    spelled = unicodedata.normalize("NFKD", one_line(text).translate(_SPELLED))
    plain = "".join(letter for letter in spelled if not unicodedata.combining(letter))
    return "".join(letter if " " <= letter <= "~" else "?" for letter in plain)


_SPELLED = {
    ord(letter): plain
    for letter, plain in {
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{HORIZONTAL ELLIPSIS}": "...",
        "\N{MIDDLE DOT}": "-",
        "\N{RIGHTWARDS ARROW}": "->",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
        "\N{MULTIPLICATION SIGN}": "x",
    }.items()
}
