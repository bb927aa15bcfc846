"""Text that models and people wrote, made harmless: it can neither break a report nor act in it."""

from __future__ import annotations

import html
import re
import unicodedata

_BIDIRECTIONAL = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)}
_MARKUP = re.compile(r"[\\`*_{}\[\]<>|~$&]")
_REFERENCE = re.compile(r"[@#!%&~^](?=\w)|:(?=//)|www(?=\.)", re.IGNORECASE)
"""What forges turn into mentions, references and links, even where it is escaped."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
"""These hold in raw HTML too, which a backslash does not."""
_NOTHING_WIDE = "\u200b"
"""Zero-width space: it stands between the mark and the name, and there is no reference."""


def clean(text: str) -> str:
    """Make control characters visible: none can hide text or turn its direction round."""
    return "".join(_visible(character) for character in text.replace("\r\n", "\n"))


def _visible(character: str) -> str:
    if character in "\n\t":
        return character
    if character in _BIDIRECTIONAL or unicodedata.category(character) in {"Cc", "Cs", "Co"}:
        return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"  # noqa: PLR2004
    return character


def in_html(text: str) -> str:
    """Write text into HTML, in an element or between quotes of an attribute."""
    return html.escape(clean(text), quote=True)


def in_markdown(text: str) -> str:
    """Write text into one line of Markdown: no markup, no link, no mention of anybody, no HTML comes of it."""
    line = " ".join(clean(text).split())
    apart = _REFERENCE.sub(lambda found: found.group() + _NOTHING_WIDE, line)
    return _MARKUP.sub(lambda found: _ENTITIES.get(found.group(), f"\\{found.group()}"), apart)


def shortened(text: str, characters: int) -> str:
    """Cut text off after so many characters."""
    return text if len(text) <= characters else f"{text[: characters - 1].rstrip()}…"
