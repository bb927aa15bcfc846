"""Words of a text, as ROUGE and the match of embeddings count them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from hallmark.evaluation.scorers.stemming import stem

_LONGEST_UNSTEMMED = 3
_ASCII_WORDS = re.compile(r"[a-z0-9]+")
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # iteration mark, closing mark, zero of Han
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),  # Han, extension A
    (0x4E00, 0x9FFF),  # Han
    (0xF900, 0xFAFF),  # Han, compatibility
    (0x20000, 0x3FFFF),  # Han, further extensions
)
"""Scripts that write words without spaces between them: each of their letters is a token of its own."""


def ascii_words(text: str) -> list[str]:
    """Return runs of a-z and 0-9, as rouge-score does: "größer" becomes ``gr``, ``er``; Japanese has no word."""
    return _ASCII_WORDS.findall(text.lower())


class _Spacing(dict[int, str]):
    """For ``str.translate``: letters, marks and digits as they are, letters of unspaced scripts apart, else a space."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        if unicodedata.category(letter)[0] not in "LMN":
            spaced = " "
        elif any(first <= code <= last for first, last in _UNSPACED):
            spaced = f" {letter} "
        else:
            spaced = letter
        self[code] = spaced
        return spaced


_SPACING = _Spacing()


def unicode_words(text: str) -> list[str]:
    """Return the words of a text in any script: runs of letters, marks and digits.

    Letters are composed and folded first (NFKC and Unicode's case folding): "é" is one letter however it is written,
    and a full-width letter is a letter. On ASCII it gives what ``ascii_words`` gives.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.translate(_SPACING).split()


def stemmed(words: Iterable[str]) -> list[str]:
    """Return words with those of more than three letters stemmed (the rules are for English)."""
    return [stem(word) if len(word) > _LONGEST_UNSTEMMED else word for word in words]
