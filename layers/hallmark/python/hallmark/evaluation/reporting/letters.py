"""Letters for what cannot be told apart, and the front of what is neither worse nor dearer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def letters_of(names: Sequence[str], distinct: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return letters such that two names share one exactly where they cannot be told apart.

    The insert-and-absorb algorithm of Piepho (Journal of Computational and Graphical Statistics 13, 2004).

    Args:
        names: From best to worst: the best have the first letters.
        distinct: Pairs that differ significantly.
    """
    columns: list[set[str]] = [set(names)]
    for first, second in distinct:
        inserted: list[set[str]] = []
        for column in columns:
            if first in column and second in column:
                inserted += [column - {first}, column - {second}]
            else:
                inserted.append(column)
        columns = [
            column
            for place, column in enumerate(inserted)
            if not any(
                column < other or (column == other and place > elsewhere)
                for elsewhere, other in enumerate(inserted)
                if elsewhere != place
            )
        ]
    ranks = {name: rank for rank, name in enumerate(names)}
    columns.sort(key=lambda column: sorted(ranks[name] for name in column))
    found = dict.fromkeys(names, "")
    for number, column in enumerate(columns):
        for name in column:
            found[name] += _letter(number)
    return found


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < _ALPHABET else f"{_letter(number // _ALPHABET - 1)}{number % _ALPHABET}"


_ALPHABET = 26


def front_of(
    quality: Mapping[str, float], cost: Mapping[str, float], distinct: Iterable[tuple[str, str]]
) -> frozenset[str]:
    """Return the names that no other dominates: one that costs no more and is distinguishably better.

    Args:
        quality: Turned so that higher is better.
        cost: In any unit.
        distinct: Pairs whose quality differs significantly.
    """
    apart = {frozenset(pair) for pair in distinct}
    return frozenset(
        name
        for name in quality
        if not any(
            quality[other] > quality[name] and cost[other] <= cost[name] and frozenset((name, other)) in apart
            for other in quality
            if other != name and other in cost and name in cost
        )
    )
