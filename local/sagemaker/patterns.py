"""The regular expressions of AWS's service models (written for Java) as Python's ``re`` understands them."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache
from itertools import groupby

_BMP_END = 0x10000
_SURROGATES = range(0xD800, 0xE000)
_JAVA_SURROGATE_PAIRS = r"\uD800\uDC00-\uDBFF\uDFFF"
_PROPERTY = re.compile(r"\\p\{(\w+)\}")
# Java reads "$" with a quantifier as the anchor alone; the length is checked from "min" and "max".
_QUANTIFIED_END = re.compile(r"\$\{\d+,\d+\}$")


@cache
def _category_ranges() -> dict[str, str]:
    """Return, for each major Unicode category (L, M, N, P, S, Z), its ranges as the inside of a character class."""
    ranges: dict[str, list[str]] = {}
    plane = [character for character in map(chr, range(_BMP_END)) if ord(character) not in _SURROGATES]
    for category, run in groupby(plane, key=lambda character: unicodedata.category(character)[0]):
        members = list(run)
        # A run may jump over the surrogates; its ends are still in order, and no surrogate occurs in a Python string.
        ranges.setdefault(category, []).append(f"\\u{ord(members[0]):04x}-\\u{ord(members[-1]):04x}")
    # Beyond the basic plane a letter, a mark and a symbol are not told apart.
    ranges["L"].append(f"\\U{_BMP_END:08x}-\\U{sys.maxunicode:08x}")
    return {category: "".join(parts) for category, parts in ranges.items()}


@cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of a service model; match it with ``fullmatch``, as Java's ``matches`` does."""
    translated = _QUANTIFIED_END.sub("$", pattern)
    translated = translated.replace(_JAVA_SURROGATE_PAIRS, f"\\U{_BMP_END:08x}-\\U{sys.maxunicode:08x}")

    def property_ranges(match: re.Match[str]) -> str:
        name = match[1]
        return "a-zA-Z0-9" if name == "Alnum" else _category_ranges()[name]

    return re.compile(_PROPERTY.sub(property_ranges, translated))
