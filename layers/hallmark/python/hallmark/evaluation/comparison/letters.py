"""Letters for "not distinguishable": models that share one cannot be told apart.

Piepho, An Algorithm for a Letter-Based Representation of All-Pairwise Comparisons, Journal of Computational and
Graphical Statistics 13 (2004): insert a column for each difference that is shown, absorb columns that others contain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import ascii_lowercase, ascii_uppercase

_ALPHABET = ascii_lowercase + ascii_uppercase


def assign_letters(ordered: Sequence[str], distinguishable: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the letters of each name.

    Args:
        ordered: Names, the best first: it gets ``a``.
        distinguishable: Pairs of names that differ; the order in a pair does not matter.

    Returns:
        Two names share a letter if, and only if, their pair is not among the distinguishable ones.
    """
    columns: list[frozenset[str]] = [frozenset(ordered)] if ordered else []
    for one, other in sorted(tuple(sorted(pair)) for pair in distinguishable):
        split: list[frozenset[str]] = []
        for column in columns:
            split += [column - {one}, column - {other}] if one in column and other in column else [column]
        columns = _absorbed(split)
    places = {name: place for place, name in enumerate(ordered)}
    columns.sort(key=lambda column: sorted(places[name] for name in column))
    return {
        name: "".join(_letter(number) for number, column in enumerate(columns) if name in column) for name in ordered
    }


def _absorbed(columns: list[frozenset[str]]) -> list[frozenset[str]]:
    distinct = list(dict.fromkeys(columns))
    return [column for column in distinct if not any(column < other for other in distinct)]


def _letter(number: int) -> str:
    if number < len(_ALPHABET):
        return _ALPHABET[number]
    return f"({number + 1})"
