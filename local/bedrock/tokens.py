"""Counting tokens: the served models have no vocabulary of sub-words, so a rule stands for one.

A token is a run of up to six letters or digits, or one other visible character. The counts of a forwarded model are
its server's own.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\w{1,6}|[^\w\s]")


def count_tokens(text: str) -> int:
    """Return the number of tokens of ``text``."""
    return len(_TOKEN.findall(text))


def cut_to_tokens(text: str, limit: int) -> str | None:
    """Return the first ``limit`` tokens of ``text`` as they stand in it, or ``None`` where it has no more."""
    for number, match in enumerate(_TOKEN.finditer(text)):
        if number == limit:
            return text[: match.start()].rstrip()
    return None
