"""Which models are not beaten in everything that counts; a model counts as beaten only where that can be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from hallmark.evaluation.comparison.report import ParetoPlace

Wins = AbstractSet[tuple[str, str]]
"""Pairs (better, worse) that are distinguishable."""


def place_on_front(
    models: Sequence[str], values: Mapping[str, Mapping[str, float]], wins: Mapping[str, Wins]
) -> tuple[ParetoPlace, ...]:
    """Place each model on the front, perhaps on it, or behind it.

    Args:
        models: Names of all.
        values: Per column a value of each model, turned so that more is better; columns may lack models.
        wins: Per column the pairs that are distinguishable.

    Returns:
        A model is ``dominated`` if another is at least as good in every column by the estimates, and distinguishably
        better in one: nothing that was measured speaks for it. It is ``possible`` that it is if no column tells the two
        apart. A model that lacks a value in a column is not placed.
    """
    complete = [model for model in models if values and all(model in column for column in values.values())]
    places = []
    for model in complete:
        behind = [other for other in complete if other != model and _is_behind(model, other, values)]
        surely = [other for other in behind if any((other, model) in told for told in wins.values())]
        if surely:
            places.append(ParetoPlace(model=model, state="dominated", by=tuple(surely)))
        elif behind:
            places.append(ParetoPlace(model=model, state="possible", by=tuple(behind)))
        else:
            places.append(ParetoPlace(model=model, state="front"))
    return tuple(places)


def _is_behind(model: str, other: str, values: Mapping[str, Mapping[str, float]]) -> bool:
    gaps = [column[other] - column[model] for column in values.values()]
    return all(gap >= 0 for gap in gaps) and any(gap > 0 for gap in gaps)
