"""Whether a second run came to the same as the first one: compared from lineage alone."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from hallmark.errors import InvalidInputError
from hallmark.lineage.folding import FoldedNode
from hallmark.lineage.reproduction.writing import TOLERANCE_TAG, final_metrics, seed_of

SEEDED_TOLERANCE = 1e-6
"""With a seed, on a CPU: the same numbers, but for the order in which floating-point sums are taken."""
ACCELERATED_TOLERANCE = 5e-3
"""With a seed, on an accelerator, whose sums have no fixed order."""
UNSEEDED_TOLERANCE = 2e-2
"""Where no seed is known: chance differs from run to run."""
_SMALLEST = 1e-9
"""Metrics nearer than this are the same, whatever their size."""
_ACCELERATED = re.compile(r"ml\.(p|g|trn|inf)\d")
_NAMED = 3


class Outcome(StrEnum):
    """What a second run came to."""

    EXACT = "Exact"
    """Every output has the same bytes."""
    WITHIN_TOLERANCE = "WithinTolerance"
    """The outputs differ in bytes, every metric is as near as the tolerance asks."""
    DIFFERENT = "Different"
    INCONCLUSIVE = "Inconclusive"
    """Nothing could be compared."""


class Tolerance(NamedTuple):
    """How far metrics may lie apart, as a share of the larger one; ``rule`` says where that is from."""

    relative: float
    rule: str

    def allows(self, one: float, other: float) -> bool:
        """Tell whether two values are near enough."""
        return math.isclose(one, other, rel_tol=self.relative, abs_tol=_SMALLEST)


class ComparedMetric(NamedTuple):
    """A metric of both runs; None where one has none."""

    name: str
    first: float | None
    second: float | None
    is_near: bool


class ComparedData(NamedTuple):
    """Data of both runs, by role: whether they are the same (None: nobody could tell), and what differs."""

    role: str
    is_same: bool | None
    text: str


class Judgement(NamedTuple):
    """What a second run came to, and why."""

    outcome: Outcome
    summary: str
    tolerance: Tolerance
    metrics: Sequence[ComparedMetric]
    inputs: Sequence[ComparedData]
    outputs: Sequence[ComparedData]
    conditions: Sequence[str]
    """Conditions of the second run that were others: image, hyperparameters, machines."""


Manifests = Mapping[str, Mapping[str, tuple[str, int]]]
"""Of the contents that are known in full: by node id, each object's identity and size by its key."""


def tolerance_of(first: Mapping[str, Any], asked: str | None) -> Tolerance:
    """Return the tolerance that was asked for, else the one that the rule gives.

    Raises:
        InvalidInputError: What was asked for is no share from 0 to 1.
    """
    if asked is not None:
        try:
            share = float(asked)
        except ValueError:
            share = math.nan
        if not 0 <= share <= 1:
            raise InvalidInputError(TOLERANCE_TAG, asked, "give a share from 0 to 1, e.g. 0.01")
        return Tolerance(share, "as was asked for")
    if seed_of(first) is None:
        return Tolerance(UNSEEDED_TOLERANCE, "no seed is known")
    machine = str((first.get("resources") or {}).get("instance_type") or "")
    if _ACCELERATED.match(machine):
        return Tolerance(ACCELERATED_TOLERANCE, f"a seed is known, {machine} is an accelerator")
    return Tolerance(SEEDED_TOLERANCE, "a seed is known")


def judge(first: FoldedNode, second: FoldedNode, manifests: Manifests, asked: str | None = None) -> Judgement:
    """Compare two runs: conditions, inputs, outputs by digest, and final metrics.

    Args:
        first: The run that was to be reproduced.
        second: The run that was started for it, which has ended.
        manifests: Contents that are known in full, for what differs.
        asked: The tolerance, where one was asked for.

    Raises:
        InvalidInputError: ``asked`` is no tolerance.
    """
    tolerance = tolerance_of(first.attributes, asked)
    one, other = first.attributes, second.attributes
    metrics = _metrics(final_metrics(one), final_metrics(other), tolerance)
    inputs = _data(one, other, "inputs", manifests)
    outputs = _data(one, other, "outputs", manifests)
    conditions = _conditions(one, other)
    outcome, summary = _decide(second, metrics, inputs, outputs, conditions, tolerance)
    doubtful = [each.role for each in inputs if each.is_same is None]
    if doubtful and outcome in {Outcome.EXACT, Outcome.WITHIN_TOLERANCE}:
        summary += f"; whether it read the same is not known of {_listed(doubtful)}"
    return Judgement(outcome, summary, tolerance, metrics, inputs, outputs, conditions)


def _decide(
    second: FoldedNode,
    metrics: Sequence[ComparedMetric],
    inputs: Sequence[ComparedData],
    outputs: Sequence[ComparedData],
    conditions: Sequence[str],
    tolerance: Tolerance,
) -> tuple[Outcome, str]:
    if second.status != "Completed":
        reason = second.attributes.get("failure_reason")
        return Outcome.DIFFERENT, f"the second run is {second.status}{f': {reason}' if reason else ''}"
    others = [*(f"{each.role}: {each.text}" for each in inputs if each.is_same is False), *conditions]
    if others:
        return Outcome.DIFFERENT, f"it ran under other conditions: {_listed(others)}"
    return _by_results(metrics, outputs, tolerance)


def _by_results(
    metrics: Sequence[ComparedMetric], outputs: Sequence[ComparedData], tolerance: Tolerance
) -> tuple[Outcome, str]:
    if outputs and all(each.is_same for each in outputs):
        return Outcome.EXACT, f"every output has the same bytes ({_listed([each.role for each in outputs])})"
    differing = [f"{each.role}: {each.text}" for each in outputs if not each.is_same]
    far = [each for each in metrics if not each.is_near]
    if far:
        return Outcome.DIFFERENT, (
            f"{_listed([_shown(each) for each in far])}: further apart than {tolerance.relative:g} ({tolerance.rule})"
        )
    if metrics:
        largest = max(_distance(each) for each in metrics)
        return Outcome.WITHIN_TOLERANCE, (
            f"{len(metrics)} metric{'s' if len(metrics) > 1 else ''} within {tolerance.relative:g} ({tolerance.rule}), "
            f"the largest difference is {largest:.2g}" + (f"; other bytes in {_listed(differing)}" if differing else "")
        )
    if any(each.is_same is False for each in outputs):
        return Outcome.DIFFERENT, f"there are no metrics, and other bytes in {_listed(differing)}"
    return Outcome.INCONCLUSIVE, f"there is nothing to compare: no metrics, {_listed(differing) or 'no outputs'}"


def _metrics(first: Mapping[str, float], second: Mapping[str, float], tolerance: Tolerance) -> list[ComparedMetric]:
    return [
        ComparedMetric(name, value, second.get(name), name in second and tolerance.allows(value, second[name]))
        for name, value in sorted(first.items())
    ]


def _shown(metric: ComparedMetric) -> str:
    second = "none" if metric.second is None else f"{metric.second:.6g}"
    return f"{metric.name} was {metric.first:.6g}, is {second}"


def _distance(metric: ComparedMetric) -> float:
    one, other = metric.first or 0.0, metric.second or 0.0
    larger = max(abs(one), abs(other))
    return abs(one - other) / larger if larger else 0.0


def _data(first: Mapping[str, Any], second: Mapping[str, Any], name: str, manifests: Manifests) -> list[ComparedData]:
    others = {use["role"]: use for use in second.get(name) or ()}
    return [_compare(use, others.get(use["role"]), manifests) for use in first.get(name) or ()]


def _compare(use: Mapping[str, Any], other: Mapping[str, Any] | None, manifests: Manifests) -> ComparedData:
    role, digest = str(use["role"]), use.get("digest")
    if other is None:
        return ComparedData(role, False, "the second run has none")
    again = other.get("digest")
    if digest is None or again is None:
        which = "first" if digest is None else "second"
        return ComparedData(role, None, f"the content of the {which} run's is not known")
    if digest == again:
        return ComparedData(role, True, "the same digest")
    one, two = manifests.get(str(use.get("version"))), manifests.get(str(other.get("version")))
    if one is None or two is None:
        return ComparedData(role, False, f"{_short(digest)} was, {_short(again)} is")
    differing = sorted(key for key in one.keys() | two.keys() if one.get(key) != two.get(key))
    if _is_copied(str(digest), str(other.get("uri"))) and _may_be_copies(one, two, differing):
        # S3 gives a copy of an object that was uploaded in parts another ETag: the copies are of the versions.
        return ComparedData(role, True, "a copy of the versions; ETags of what was uploaded in parts tell no content")
    names = [key or "the object" for key in differing]
    return ComparedData(role, False, f"{len(differing)} of {len(one.keys() | two.keys())} objects: {_listed(names)}")


def _is_copied(digest: str, uri: str) -> bool:
    """Tell whether a place is one in which the content of this digest is staged (``writing.py``)."""
    return f"/data/{digest.rpartition(':')[2]}/" in uri


def _may_be_copies(
    one: Mapping[str, tuple[str, int]], two: Mapping[str, tuple[str, int]], differing: Sequence[str]
) -> bool:
    return all(
        key in one and key in two and one[key][1] == two[key][1] and one[key][0].startswith("etag:")
        for key in differing
    )


def _conditions(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    found = []
    digests = [_image_digest(each.get("image") or {}) for each in (first, second)]
    if all(digests) and digests[0] != digests[1]:
        found.append(f"image {_short(digests[0])} was, {_short(digests[1])} is")
    one, other = _parameters(first), _parameters(second)
    names = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    if names:
        found.append(f"hyperparameters {_listed(names)}")
    machines = [(each.get("resources") or {}).get("instance_type") for each in (first, second)]
    if all(machines) and machines[0] != machines[1]:
        found.append(f"{machines[0]} was, {machines[1]} is")
    return found


def _image_digest(image: Mapping[str, Any]) -> str | None:
    return image.get("digest") or str(image.get("uri") or "").partition("@")[2] or None


def _parameters(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyperparameters without those of script mode that say where the code is: the code itself is compared."""
    chosen = told.get("hyperparameters") or {}
    return {name: value for name, value in chosen.items() if name != "sagemaker_submit_directory"}


def _short(digest: object) -> str:
    return str(digest).rpartition(":")[2][:12]


def _listed(items: Sequence[str]) -> str:
    shown = ", ".join(items[:_NAMED])
    return shown if len(items) <= _NAMED else f"{shown} and {len(items) - _NAMED} more"
