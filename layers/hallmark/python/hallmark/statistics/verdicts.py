"""Three answers to "is the candidate better?": better, not better, or cannot tell yet and how many more cases would.

With a margin, the difference that nobody would mind, the finding says more: worse, equivalent, not inferior. "Not
significant" is never an answer: it says the same of two equal models and of ten cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from hallmark.errors import InvalidInputError
from hallmark.statistics.distributions import normal_cdf, two_sided_z
from hallmark.statistics.outcomes import Interval, Significance
from hallmark.statistics.power import cases_to_decide
from hallmark.statistics.ranges import level, positive, whole

_STRICTEST = 1e-12


class Answer(StrEnum):
    """Is the candidate better?"""

    BETTER = "better"
    NOT_BETTER = "not_better"
    CANNOT_TELL = "cannot_tell"


class Finding(StrEnum):
    """The most that the cases show."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    """Any difference is smaller than the margin, both ways."""
    NOT_BETTER = "not_better"
    """Not better by the margin; whether it is worse is open."""
    NON_INFERIOR = "non_inferior"
    """Not worse by the margin; whether it is better is open."""
    CANNOT_TELL = "cannot_tell"


_ANSWERS = {
    Finding.BETTER: Answer.BETTER,
    Finding.WORSE: Answer.NOT_BETTER,
    Finding.EQUIVALENT: Answer.NOT_BETTER,
    Finding.NOT_BETTER: Answer.NOT_BETTER,
    Finding.NON_INFERIOR: Answer.CANNOT_TELL,
    Finding.CANNOT_TELL: Answer.CANNOT_TELL,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, the finding, and what they rest on."""

    answer: Answer
    finding: Finding
    is_non_inferior: bool | None
    """Whether "worse by the margin" is ruled out; None without a margin."""
    effect: float
    """Candidate minus baseline, turned so that positive is better."""
    interval: Interval
    p_value: float | None
    margin: float | None
    n: int
    more_cases: int | None
    """While the answer is ``cannot_tell``: so many more would probably decide, if the difference stays as it is; None
    where no number of them would, or the answer is known."""

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        span = (
            f"{self.effect:+.4g} ({self.interval.confidence:.0%} {self.interval.low:+.4g} to {self.interval.high:+.4g})"
        )
        found = f"{_WORDS[self.finding]}: {span}, {self.n:,} cases"
        if self.answer is not Answer.CANNOT_TELL:
            return found
        if self.interval.width in {0.0, math.inf}:
            return f"{found}; all cases agree or are too few: decide by the bounds of the scores"
        if self.more_cases is None:
            advice = (
                "no number of cases would probably decide; name a margin" if self.margin is None else "keep measuring"
            )
            return f"{found}; {advice}"
        return f"{found}; about {self.more_cases:,} more would probably decide"


_LEAST_TO_FORETELL = 10
"""From fewer cases nobody can say how many more would decide."""

_WORDS = {
    Finding.BETTER: "better",
    Finding.WORSE: "worse",
    Finding.EQUIVALENT: "equivalent within the margin",
    Finding.NOT_BETTER: "not better by the margin",
    Finding.NON_INFERIOR: "not worse by the margin, cannot tell yet whether better",
    Finding.CANNOT_TELL: "cannot tell yet",
}


def judge(
    effect: float,
    interval: Interval,
    n: int,
    *,
    margin: float | None = None,
    p_value: float | None = None,
    higher_is_better: bool = True,
) -> Verdict:
    """Say what an interval of a difference shows; all that it says holds together at its confidence.

    An interval without width says nothing: all cases agree, and how far others would be is unknown.

    Args:
        effect: Candidate minus baseline.
        interval: Of the effect, two-sided.
        n: Cases that it rests on.
        margin: The difference that nobody would mind, above 0; None if there is none.
        p_value: Of the hypothesis of no difference, adjusted for the other questions asked; better and worse then
            also need it to be at most one minus the confidence.
        higher_is_better: False turns the effect and its interval round (latency, cost).

    Raises:
        InvalidInputError: The effect is not in the interval or not finite, or another argument is out of range.
    """
    whole("n", n, least=1)
    _refuse_senseless(effect, interval, margin, p_value)
    turned, shown = (effect, interval) if higher_is_better else (-effect, _turned(interval))
    significant = p_value is None or p_value <= 1 - interval.confidence + 1e-12
    finding = _find(shown, margin, significant=significant)
    answer = _ANSWERS[finding]
    return Verdict(
        answer=answer,
        finding=finding,
        is_non_inferior=None if margin is None else shown.width > 0 and shown.low > -margin,
        effect=turned,
        interval=shown,
        p_value=p_value,
        margin=margin,
        n=n,
        more_cases=_more_cases(turned, shown, n, margin, p_value) if answer is Answer.CANNOT_TELL else None,
    )


def judge_significance(
    found: Significance,
    *,
    margin: float | None = None,
    adjusted_p: float | None = None,
    higher_is_better: bool = True,
) -> Verdict:
    """Say what a paired test with an interval shows.

    Args:
        found: A two-sided test that has an interval.
        margin: The difference that nobody would mind.
        adjusted_p: Its p-value adjusted for other questions; its own without.
        higher_is_better: False for latency, cost and the like.

    Raises:
        InvalidInputError: The test has no interval.
    """
    if found.interval is None:
        raise InvalidInputError("found.interval", None, "use a test that has an interval, e.g. paired_t or mcnemar")
    p_value = found.p_value if adjusted_p is None else adjusted_p
    return judge(
        found.effect, found.interval, found.n, margin=margin, p_value=p_value, higher_is_better=higher_is_better
    )


def _turned(interval: Interval) -> Interval:
    return Interval(-interval.high, -interval.low, interval.confidence, interval.method)


def _refuse_senseless(effect: float, interval: Interval, margin: float | None, p_value: float | None) -> None:
    slack = 1e-9 * max(1.0, abs(effect))
    if not math.isfinite(effect) or not interval.low - slack <= effect <= interval.high + slack:
        where = f"{interval.low} to {interval.high}"
        raise InvalidInputError("effect", effect, f"give the effect to which the interval belongs, which is {where}")
    level("1 - interval.confidence", 1 - interval.confidence)
    if margin is not None:
        positive("margin", margin)
    if p_value is not None and not 0 <= p_value <= 1:
        raise InvalidInputError("p_value", p_value, "give a probability from 0 to 1")


def _find(shown: Interval, margin: float | None, *, significant: bool) -> Finding:
    if shown.width == 0:
        return Finding.CANNOT_TELL
    if significant and shown.low > 0:
        return Finding.BETTER
    if significant and shown.high < 0:
        return Finding.WORSE
    if margin is None:
        return Finding.CANNOT_TELL
    if shown.high < margin:
        return Finding.EQUIVALENT if shown.low > -margin else Finding.NOT_BETTER
    return Finding.NON_INFERIOR if shown.low > -margin else Finding.CANNOT_TELL


def _more_cases(effect: float, shown: Interval, n: int, margin: float | None, p_value: float | None) -> int | None:
    """Fewest cases, beyond those that there are, after which the interval excludes a value that decides."""
    if n < _LEAST_TO_FORETELL or not math.isfinite(shown.width) or shown.width == 0:
        return None
    alpha = 1 - shown.confidence
    error = shown.width / (2 * two_sided_z(shown.confidence))
    single = 2 * normal_cdf(-abs(effect) / error)
    # An adjusted p-value asks more of the difference from 0 than the interval does: by as much as it was raised.
    strict = alpha if p_value is None or p_value <= single else max(alpha * single / p_value, _STRICTEST)
    needed = [cases_to_decide(effect, error, n, alpha=strict)]
    if margin is not None and effect < margin:
        needed.append(cases_to_decide(effect, error, n, boundary=margin, alpha=alpha))
    possible = [cases for cases in needed if cases is not None]
    return max(1, min(possible) - n) if possible else None
