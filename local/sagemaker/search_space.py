"""Hyperparameters to try: points of the ranges of a tuning job, at random or as a grid."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

Sample = dict[str, str]


def grid_size(ranges: Mapping[str, Any]) -> int:
    """Return the number of points of a grid (API reference: a grid takes categorical ranges alone)."""
    return math.prod(len(entry["Values"]) for entry in ranges.get("CategoricalParameterRanges", []))


def grid(ranges: Mapping[str, Any]) -> Iterator[Sample]:
    """Yield every point of the categorical ranges once."""
    categorical = ranges.get("CategoricalParameterRanges", [])
    names = [entry["Name"] for entry in categorical]
    for values in itertools.product(*(entry["Values"] for entry in categorical)):
        yield dict(zip(names, values, strict=True))


def random_points(ranges: Mapping[str, Any], seed: int | str) -> Iterator[Sample]:
    """Yield points at random without end; the same seed gives the same points."""
    chooser = random.Random(seed)  # noqa: S311 - samples hyperparameters
    while True:
        sample = {e["Name"]: chooser.choice(e["Values"]) for e in ranges.get("CategoricalParameterRanges", [])}
        sample |= {e["Name"]: str(round(_between(chooser, e))) for e in ranges.get("IntegerParameterRanges", [])}
        sample |= {e["Name"]: repr(_between(chooser, e)) for e in ranges.get("ContinuousParameterRanges", [])}
        sample |= {e["Name"]: e["ValueHint"] for e in ranges.get("AutoParameters", [])}
        yield sample


def find_fault(ranges: Mapping[str, Any], strategy: str) -> str | None:
    """Return what is wrong with ``ranges``, in words, or ``None``."""
    for kind in ("IntegerParameterRanges", "ContinuousParameterRanges"):
        if strategy == "Grid" and ranges.get(kind):
            return f"Grid search takes CategoricalParameterRanges alone: leave {kind} out"
        for entry in ranges.get(kind, []):
            fault = _fault_of_range(entry)
            if fault:
                return f"{kind} of {entry['Name']}: {fault}"
    return None


def _fault_of_range(entry: Mapping[str, str]) -> str | None:
    try:
        low, high = float(entry["MinValue"]), float(entry["MaxValue"])
    except ValueError:
        return f"MinValue '{entry['MinValue']}' and MaxValue '{entry['MaxValue']}' must be numbers"
    if low >= high:
        return f"MinValue {low:g} must be less than MaxValue {high:g}"
    scale = entry.get("ScalingType")
    if scale == "Logarithmic" and low <= 0:
        return f"MinValue {low:g} must be greater than 0 for Logarithmic scaling"
    if scale == "ReverseLogarithmic" and not 0 <= low < high < 1:
        return f"MinValue {low:g} and MaxValue {high:g} must lie in 0 <= x < 1 for ReverseLogarithmic scaling"
    return None


def _between(chooser: random.Random, entry: Mapping[str, str]) -> float:
    """Return a value of a range, uniform on its scale (API reference, ContinuousParameterRange)."""
    low, high = float(entry["MinValue"]), float(entry["MaxValue"])
    scale = entry.get("ScalingType", "Auto")
    if scale == "Logarithmic":
        value = math.exp(chooser.uniform(math.log(low), math.log(high)))
    elif scale == "ReverseLogarithmic":
        value = 1 - math.exp(chooser.uniform(math.log(1 - high), math.log(1 - low)))
    else:
        value = chooser.uniform(low, high)
    return min(max(value, low), high)
