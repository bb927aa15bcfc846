"""What people's scores come to: the mean with its bounds, whether they agree, and whether it is too low.

A mean is judged by a bound and not by itself. Of 100 answers of a model that is right in 87 % of all cases, fewer than
85 are right one time in four; judged by its mean, a good model is accused that often. The upper bound of a one-sided
95 % interval is below the threshold of such a model in 1 of 100 reviews (tests/unit/reviews shows both).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from hallmark.errors import InvalidInputError
from hallmark.reviews.settings import ReviewProgram, ScaleKind
from hallmark.reviews.tasks import Agreement, ReviewOutcome, Score, Task, latest_scores, person_key
from hallmark.statistics.agreement import Scale, krippendorffs_alpha
from hallmark.statistics.intervals import estimate_mean, estimate_rate
from hallmark.statistics.outcomes import Estimate, Interval
from hallmark.statistics.rates import clopper_pearson, wilson

_SCALES = {ScaleKind.FRACTION: Scale.INTERVAL, ScaleKind.LIKERT: Scale.ORDINAL, ScaleKind.THUMBS: Scale.NOMINAL}
_LEAST_UNITS = 2


def judge_review(tasks: Sequence[Task], scores: Sequence[Score], settings: ReviewProgram) -> ReviewOutcome:
    """Return what the scores of a review come to.

    Args:
        tasks: All outputs of the review.
        scores: All scores; of each person's revisions the last one counts.
        settings: Scale, threshold, confidence.
    """
    counted = latest_scores(scores)
    if not counted:
        return ReviewOutcome(judgement="unrated", rated=0, scores=0, no_agreement="nothing was rated")
    weights = {task.id: task.weight for task in tasks}
    by_task: dict[str, list[float]] = defaultdict(list)
    for score in counted:
        by_task[score.task].append(score.fraction)
    estimate = _mean(by_task, weights, settings)
    low, high = max(0.0, estimate.interval.low), min(1.0, estimate.interval.high)
    agreement, reason = _agreement(counted, settings.scale)
    return ReviewOutcome(
        judgement="low" if high < settings.threshold else "good" if low >= settings.threshold else "uncertain",
        rated=len(by_task),
        scores=len(counted),
        mean=estimate.value,
        low=low,
        high=high,
        agreement=agreement,
        no_agreement=reason,
    )


def _mean(by_task: dict[str, list[float]], weights: dict[str, float], settings: ReviewProgram) -> Estimate:
    """Return the mean over outputs: each counts once, by its weight, however many rated it."""
    two_sided = 2 * settings.confidence - 1
    names = sorted(by_task)
    means = [sum(by_task[name]) / len(by_task[name]) for name in names]
    weigh = [weights.get(name, 1.0) for name in names]
    even = max(weigh) - min(weigh) < 1e-12 * max(weigh)
    if len(names) < _LEAST_UNITS:
        return Estimate(means[0], math.nan, Interval(0.0, 1.0, two_sided, "one output tells nothing"), 1)
    if settings.scale is ScaleKind.THUMBS:
        if even and max(map(len, by_task.values())) == 1:
            # Wilson's bounds keep their promise on average; an accusation is to keep it for each true rate.
            bounds = clopper_pearson(round(sum(means)), len(means), two_sided)
            return Estimate(fmean(means), math.nan, bounds, len(means))
        values = [value for name in names for value in by_task[name]]
        each = [weight / len(by_task[name]) for name, weight in zip(names, weigh, strict=True) for _ in by_task[name]]
        return estimate_rate(
            values, weights=each, clusters=[name for name in names for _ in by_task[name]], confidence=two_sided
        )
    found = estimate_mean(means, weights=None if even else weigh, confidence=two_sided)
    if math.isinf(found.interval.low):
        # All outputs got the same mean: scores from 0 to 1 scatter no more than answers that are right or wrong.
        effective = sum(weigh) ** 2 / sum(weight**2 for weight in weigh)
        mean = min(1.0, max(0.0, found.value))
        bounds = wilson(mean * effective, effective, two_sided)
        return Estimate(mean, 0.0, Interval(bounds.low, bounds.high, two_sided, bounds.method), found.n)
    return found


def _agreement(scores: Sequence[Score], scale: ScaleKind) -> tuple[Agreement | None, str]:
    people = sorted({person_key(score.by) for score in scores})
    if len(people) < _LEAST_UNITS:
        return None, "one person rated"
    tasks = sorted({score.task for score in scores})
    rows: list[list[float | None]] = [[None] * len(tasks) for _ in people]
    for score in scores:
        rows[people.index(person_key(score.by))][tasks.index(score.task)] = score.value
    rated_twice = sum(sum(row[column] is not None for row in rows) >= _LEAST_UNITS for column in range(len(tasks)))
    try:
        found = krippendorffs_alpha(rows, _SCALES[scale])
    except InvalidInputError as error:
        return None, str(error)
    bounds = found.interval
    return Agreement(alpha=found.value, low=bounds.low, high=bounds.high, outputs=rated_twice), ""
