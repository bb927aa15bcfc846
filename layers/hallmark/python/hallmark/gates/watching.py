"""When a training job is to be stopped: rules over the curve of one metric, without AWS and without a clock."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Literal, NamedTuple

from hallmark.gates.curves import Curve, Point
from hallmark.gates.watch_settings import (
    Better,
    ChampionRule,
    DivergenceRule,
    PlateauRule,
    Rule,
    ThresholdRule,
    TrainingWatch,
)

_LINE_CHARACTERS = 2_000
_PIPELINE_TAG = "sagemaker:pipeline-execution-arn"
"""SageMaker's own, on each job that a pipeline starts."""
_NOT_A_NUMBER = r"\s*[-+]?(?:nan|inf(?:inity)?)\b"


class Finding(NamedTuple):
    """Why a job is to be stopped."""

    rule: Literal["threshold", "champion", "plateau", "divergence"]
    reason: str
    value: float | None = None
    threshold: float | None = None
    step: float | None = None


class Seen(NamedTuple):
    """What a look at a job showed.

    Attributes:
        curve: The metric so far.
        champion: The champion's curve; empty where there is none.
        not_a_number: A line of the log that tells of NaN or infinity in the place of the metric.
        silent_seconds: Time since the last value; None before the first.
    """

    curve: Curve
    champion: Curve = ()
    not_a_number: str | None = None
    silent_seconds: float | None = None


class StartedJob(NamedTuple):
    """A training job, as far as it says which watches are for it."""

    names: tuple[str, ...]
    tags: Mapping[str, str] = MappingProxyType({})
    image: str = ""
    """Its training image, or the name of its algorithm."""

    @property
    def pipeline(self) -> str:
        """Return the name of the pipeline that started it; empty where none did."""
        _, _, path = self.tags.get(_PIPELINE_TAG, "").partition(":pipeline/")
        return path.partition("/")[0]


def is_watched(watch: TrainingWatch, job: StartedJob) -> bool:
    """Tell whether a job is one of those that the watch is for."""
    wanted = watch.jobs
    return (
        any(_fits(name, wanted.names) for name in job.names)
        and all(key in job.tags and fnmatchcase(job.tags[key], value) for key, value in wanted.tags.items())
        and (not wanted.pipelines or (job.pipeline != "" and _fits(job.pipeline, wanted.pipelines)))
        and (not wanted.images or _fits(job.image, wanted.images))
    )


def _fits(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def judge(watch: TrainingWatch, seen: Seen) -> Finding | None:
    """Return why the job is to be stopped, by the first rule that says so; None where it may go on."""
    for rule in watch.rules:
        if isinstance(rule, DivergenceRule):
            found = _not_a_number(rule, watch.metric, seen)
            if found is not None:
                return found
    if not seen.curve or seen.curve[-1].step < watch.min_steps:
        return None
    judged = [point for point in seen.curve if point.step >= watch.min_steps]
    for rule in watch.rules:
        found = _by_rule(rule, watch, judged, seen)
        if found is not None:
            return found
    return None


def _by_rule(rule: Rule, watch: TrainingWatch, judged: Curve, seen: Seen) -> Finding | None:
    match rule:
        case ThresholdRule():
            return _beyond_threshold(rule, watch.metric, judged)
        case ChampionRule():
            return _behind_champion(rule, watch, judged, seen.champion)
        case PlateauRule():
            return _on_plateau(rule, watch, judged)
        case DivergenceRule():
            return _diverged(rule, watch, judged, seen)


def _beyond_threshold(rule: ThresholdRule, metric: str, judged: Curve) -> Finding | None:
    last = _last(judged, rule.patience, rule.after)
    if rule.at_most is not None:
        limit, words, fails = rule.at_most, "above", all(point.value > rule.at_most for point in last)
    else:
        limit = rule.at_least if rule.at_least is not None else -math.inf
        words, fails = "below", all(point.value < limit for point in last)
    if not last or not fails:
        return None
    return Finding(
        "threshold",
        f"{metric} was {words} {limit:g} at each of the last {rule.patience} values; the last is {last[-1].value:g}",
        last[-1].value,
        limit,
        last[-1].step,
    )


def _behind_champion(rule: ChampionRule, watch: TrainingWatch, judged: Curve, champion: Curve) -> Finding | None:
    last = _last(judged, rule.patience, rule.after)
    if not last or not champion:
        return None
    limit = 0.0
    for point in last:
        best = value_at(champion, point.step)
        if best is None:
            return None
        limit = best + rule.margin * abs(best) * (1 if watch.better == "lower" else -1)
        if not _is_better(limit, point.value, watch.better):
            return None
    best_now = value_at(champion, last[-1].step)
    return Finding(
        "champion",
        f"{watch.metric} is {last[-1].value:g} at step {last[-1].step:g}, where the champion's was {best_now:g}: "
        f"worse by more than {rule.margin:.0%} at each of the last {rule.patience} values",
        last[-1].value,
        limit,
        last[-1].step,
    )


def _on_plateau(rule: PlateauRule, watch: TrainingWatch, judged: Curve) -> Finding | None:
    last = _last(judged, rule.patience, rule.after)
    before = judged[: -rule.patience]
    if not last or not before:
        return None
    best_before, best_since = _best(before, watch.better), _best(last, watch.better)
    gain = (best_before - best_since) if watch.better == "lower" else (best_since - best_before)
    if gain > rule.improvement:
        return None
    return Finding(
        "plateau",
        f"{watch.metric} has not improved by more than {rule.improvement:g} on {best_before:g} within the last "
        f"{rule.patience} values",
        last[-1].value,
        best_before,
        last[-1].step,
    )


def _diverged(rule: DivergenceRule, watch: TrainingWatch, judged: Curve, seen: Seen) -> Finding | None:
    if rule.silence is not None and seen.silent_seconds is not None:
        allowed = rule.silence.total_seconds()
        if seen.silent_seconds > allowed:
            reason = f"{watch.metric} has had no value for {seen.silent_seconds:.0f} s ({allowed:.0f} s are allowed)"
            return Finding("divergence", reason, None, None, judged[-1].step)
    last = judged[-rule.patience :]
    if len(judged) <= rule.patience:
        return None
    best = _best(judged[: -rule.patience], watch.better)
    limit = _explosion_limit(best, rule, watch.better)
    if limit is None or not all(_is_better(limit, point.value, watch.better) for point in last):
        return None
    return Finding(
        "divergence",
        f"{watch.metric} is {last[-1].value:g}, after {best:g} at best: more than {rule.factor:g} times as bad at each "
        f"of the last {rule.patience} values",
        last[-1].value,
        limit,
        last[-1].step,
    )


def _not_a_number(rule: DivergenceRule, metric: str, seen: Seen) -> Finding | None:
    if not rule.not_a_number or seen.not_a_number is None:
        return None
    step = seen.curve[-1].step if seen.curve else None
    return Finding("divergence", f"{metric} is not a number: {seen.not_a_number[:200]}", None, None, step)


def _explosion_limit(best: float, rule: DivergenceRule, better: Better) -> float | None:
    """Return the value beyond which the metric has exploded; a factor says nothing of a best value of 0."""
    if best == 0 and rule.least_change == 0:
        return None
    grows = (better == "lower") == (best > 0)
    limit = best * rule.factor if grows else best / rule.factor
    least = best + rule.least_change if better == "lower" else best - rule.least_change
    return max(limit, least) if better == "lower" else min(limit, least)


def _last(judged: Curve, patience: int, after: float) -> Curve:
    """Return the last ``patience`` points from step ``after`` on; none where there are fewer."""
    last = judged[-patience:]
    return last if len(last) == patience and last[0].step >= after else ()


def _best(points: Curve, better: Better) -> float:
    values = [point.value for point in points]
    return min(values) if better == "lower" else max(values)


def _is_better(left: float, right: float, better: Better) -> bool:
    return left < right if better == "lower" else left > right


def value_at(curve: Curve, step: float) -> float | None:
    """Return a curve's value at a step, on the straight line between its neighbours; its last one after its end.

    None before its first step, where nothing is known of it.
    """
    if not curve or step < curve[0].step:
        return None
    place = bisect_left(curve, step, key=lambda point: point.step)
    if place == len(curve):
        return curve[-1].value
    right = curve[place]
    if right.step == step:
        return right.value
    left = curve[place - 1]
    share = (step - left.step) / (right.step - left.step)
    return left.value + share * (right.value - left.value)


def is_better_job(final: float, champions_final: float | None, better: Better) -> bool:
    """Tell whether a completed job is the new champion."""
    return champions_final is None or _is_better(final, champions_final, better)


def make_curve(values: Mapping[float, float], steps: Mapping[float, float], start: float) -> list[Point]:
    """Join a metric with the metric that tells the step, by time.

    Args:
        values: The metric: seconds since the epoch to value.
        steps: The step likewise; empty where a step is a second since ``start``.
        start: When the training began, in seconds since the epoch.

    Returns:
        The curve. Of several values at one step the last one counts; a value before the first known step does not.
    """
    found: dict[float, float] = {}
    times = sorted(steps)
    for at, value in sorted(values.items()):
        if not times:
            found[max(0.0, at - start)] = value
            continue
        place = bisect_left(times, at)
        known = at if at in steps else (times[place - 1] if place else None)
        if known is not None:
            found[steps[known]] = value
    return [Point(step, value) for step, value in sorted(found.items())]


def find_not_a_number(lines: Iterable[str], pattern: str) -> str | None:
    """Return the first line of a log that has NaN or infinity where a metric's value should be.

    Args:
        lines: Lines of the log.
        pattern: The metric's regular expression: its first group is the value (API reference, MetricDefinition). Many
            take digits only, so what stands before the group is looked for, too.
    """
    try:
        whole = re.compile(pattern)
        # What stands before the group is no expression of its own where the group is inside another one.
        before = re.compile(f"(?:{pattern.partition('(')[0]}){_NOT_A_NUMBER}", re.IGNORECASE)
    except re.error:
        return None
    named = bool(pattern.partition("(")[0].strip())
    for line in lines:
        text = line[:_LINE_CHARACTERS]
        match = whole.search(text)
        if match is not None and whole.groups and _is_odd(match[1]):
            return text
        if named and before.search(text):
            return text
    return None


def _is_odd(text: str | None) -> bool:
    try:
        return text is not None and not math.isfinite(float(text))
    except ValueError:
        return False
