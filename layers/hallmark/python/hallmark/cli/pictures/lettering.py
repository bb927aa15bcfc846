"""Text that fits: how wide it is, how it is shortened, how it is written in XML."""

from __future__ import annotations

import re
import unicodedata
from html import escape

ELLIPSIS = "…"
# Widths in ems, from the font metrics of Helvetica (Adobe core fonts), rounded up by class of letter.
_NARROW = frozenset("iljtfrI.,:;|!'()[]/\\ -·")
_BROAD = frozenset("mwMW@%…")
_NARROW_EM, _USUAL_EM, _CAPITAL_EM, _BROAD_EM = 0.36, 0.57, 0.7, 0.92
# What XML 1.0 cannot hold, not even escaped (section 2.2, Characters).
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text_width(text: str, size: float) -> float:
    """Return about how wide a text is in a sans-serif font, in the unit of ``size``."""
    return size * sum(_em(letter) for letter in text)


def _em(letter: str) -> float:
    if letter in _NARROW:
        return _NARROW_EM
    if letter in _BROAD:
        return _BROAD_EM
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    return _CAPITAL_EM if letter.isupper() else _USUAL_EM


def fitted(text: str, size: float, width: float) -> str:
    """Return a text no wider than ``width``, with its middle left out where it is: beginning and end tell most."""
    text = " ".join(text.split())
    if text_width(text, size) <= width:
        return text
    keep = len(text)
    while keep > 1:
        keep -= 1
        # A version or a digest stands at the end: keep a little more of that side.
        head = keep * 5 // 12
        short = f"{text[:head].rstrip()}{ELLIPSIS}{text[len(text) - (keep - head) :].lstrip()}"
        if text_width(short, size) <= width:
            return short
    return ELLIPSIS


def xml_text(text: str) -> str:
    """Return a text as it stands in an element or a quoted attribute; what XML cannot hold becomes U+FFFD."""
    return escape(_NOT_XML.sub("\ufffd", text), quote=True)
