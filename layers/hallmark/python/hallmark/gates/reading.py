"""What a criterion asks of the evidence: a question for statistics, or an answer that needs none."""

from __future__ import annotations

import math
from datetime import datetime
from itertools import permutations
from typing import NamedTuple

from hallmark.events.gates import Outcome
from hallmark.gates.criteria import (
    PRIMARY,
    AbsoluteCriterion,
    BiasCriterion,
    CoverageCriterion,
    Criterion,
    DriftCriterion,
    FreshnessCriterion,
    LineageCriterion,
    OperationalCriterion,
    RelativeCriterion,
    SafetyCriterion,
)
from hallmark.gates.evidence import ChampionEvidence, Evidence, MetricEvidence, Source
from hallmark.gates.provenance import tell_drift, tell_lineage
from hallmark.gates.settings import Gate
from hallmark.gates.told import Told
from hallmark.gates.uncertainty import Difference, Measured, Statement
from hallmark.statistics.directions import is_lower_better

__all__ = ["Question", "Told", "question_of"]

_PER_1000 = 1000


class Question(NamedTuple):
    """Statements that must all lie on one side of a threshold."""

    metric: str
    statements: tuple[Statement, ...]
    at_least: float | None = None
    at_most: float | None = None
    what: str = ""
    """What is compared, for people."""
    comparison: str = ""
    baseline: float | None = None
    cases: int | None = None
    unit: str = ""
    factor: float = 1.0
    """The statements are multiplied by it where they are shown."""
    chances: int = 1
    """How many of the statements can be on the wrong side by chance at a time: what choosing the worst one costs."""
    doubts: tuple[str, ...] = ()
    """Why it cannot be met, whatever the statements say; it can be missed."""

    def shown_as(self, value: float) -> float:
        """Return a number as it is shown."""
        return value * self.factor


class _Missing(Exception):  # noqa: N818 - no error: the evidence is not there, and the reader says so
    pass


def question_of(criterion: Criterion, gate: Gate, evidence: Evidence, now: datetime) -> Question | Told:
    """Return what a criterion asks; where the evidence is missing, stale or incomparable it cannot be told."""
    reader = _Reader(gate, evidence, now)
    try:
        return reader.ask(criterion)
    except _Missing as missing:
        return Told("inconclusive", str(missing), metric=getattr(criterion, "metric", ""))


class _Reader:
    def __init__(self, gate: Gate, evidence: Evidence, now: datetime) -> None:
        self._gate, self._evidence, self._now = gate, evidence, now

    def ask(self, criterion: Criterion) -> Question | Told:  # noqa: PLR0911 - one case a kind
        match criterion:
            case AbsoluteCriterion():
                return self._absolute(criterion)
            case SafetyCriterion():
                _, metric = self._metric(criterion.metric, criterion.suite)
                return self._about(metric, _sure(metric), at_most=criterion.at_most)
            case OperationalCriterion():
                return self._operational(criterion)
            case RelativeCriterion():
                return self._relative(criterion)
            case BiasCriterion():
                return self._bias(criterion)
            case CoverageCriterion():
                return self._coverage(criterion)
            case DriftCriterion():
                return tell_drift(criterion, self._evidence)
            case LineageCriterion():
                return tell_lineage(criterion, self._evidence)
            case FreshnessCriterion():
                return self._freshness(criterion)

    def _absolute(self, criterion: AbsoluteCriterion) -> Question:
        _, metric = self._metric(criterion.metric, criterion.suite)
        if criterion.group is None:
            measured = _sure(metric)
        else:
            if criterion.group not in metric.groups:
                known = ", ".join(sorted(metric.groups)) or "none"
                reason = metric.silent_groups.get(criterion.group, f"it tells apart: {known}")
                raise _Missing(f"{metric.name} says nothing of the group {criterion.group}: {reason}")
            measured = metric.groups[criterion.group]
        what = f"group {criterion.group}" if criterion.group else ""
        return self._about(metric, measured, at_least=criterion.at_least, at_most=criterion.at_most, what=what)

    @staticmethod
    def _about(
        metric: MetricEvidence,
        measured: Measured,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        what: str = "",
    ) -> Question:
        return Question(metric.name, (measured,), at_least, at_most, what)

    def _operational(self, criterion: OperationalCriterion) -> Question:
        if criterion.measure == "cost_per_1000_requests_usd":
            _, metric = self._metric("cost", criterion.suite)
            return Question(
                "cost", (_sure(metric),), at_most=criterion.at_most / _PER_1000, unit="USD", factor=_PER_1000
            )
        percentile = criterion.measure.split("_")[1]
        _, metric = self._metric("latency", criterion.suite)
        measured = metric.percentiles.get(percentile)
        if measured is None:
            raise _Missing(f"no {percentile} of the latency was measured: let the suite score latency")
        return Question("latency", (measured,), at_most=criterion.at_most, what=percentile, unit="ms")

    def _relative(self, criterion: RelativeCriterion) -> Question | Told:
        source, metric = self._metric(criterion.metric, criterion.suite)
        against = [
            each
            for each in source.against
            if each.metric == metric.name and criterion.champion in {None, each.champion}
        ]
        if not against:
            named = criterion.champion or "a champion"
            raise _Missing(f"{source.name} does not compare the model with {named} on {metric.name}")
        found = against[0]
        if found.incomparable:
            raise _Missing(f"cannot be compared with {found.champion}: {'; '.join(found.incomparable)}")
        if found.champion == "":
            return Told("passed", "it is the champion itself, or the first that could be one", metric=metric.name)
        statement = _against(found, metric)
        lower = self._is_lower_better(metric)
        margin = criterion.not_worse_by
        return Question(
            metric.name,
            (statement,),
            at_least=None if lower else -margin,
            at_most=margin if lower else None,
            what=f"difference from {found.champion}",
            comparison="not_worse_by",
            baseline=found.champion_value,
        )

    def _bias(self, criterion: BiasCriterion) -> Question:
        _, metric = self._metric(criterion.metric, criterion.suite)
        wanted = criterion.groups or tuple(sorted({*metric.groups, *metric.silent_groups}))
        told = {name: metric.groups[name] for name in wanted if name in metric.groups}
        if len(told) < 2:  # noqa: PLR2004 - a gap is between two
            reasons = "; ".join(f"{name}: {why}" for name, why in sorted(metric.silent_groups.items()))
            raise _Missing(f"{metric.name} was not measured for two groups" + (f" ({reasons})" if reasons else ""))
        silent = [
            f"nothing is known of the group {name}: {metric.silent_groups.get(name, 'it has no cases')}"
            for name in wanted
            if name not in told
        ]
        # Both orders of each pair: a gap is large whichever group is ahead.
        gaps = tuple(Difference(told[one], told[other]) for one, other in permutations(sorted(told), 2))
        largest = max(gaps, key=lambda gap: gap.value)
        names = {id(measured): name for name, measured in told.items()}
        ahead, behind = names[id(largest.first)], names[id(largest.second)]
        return Question(
            metric.name,
            gaps,
            at_most=criterion.at_most,
            what=f"largest gap, {ahead} over {behind}",
            cases=sum(measured.cases for measured in told.values()),
            # Of the two orders of a pair, one at most is above a gap.
            chances=len(gaps) // 2,
            doubts=tuple(silent),
        )

    def _coverage(self, criterion: CoverageCriterion) -> Told:
        names = [criterion.suite] if criterion.suite else list(self._gate.suites)
        worst: Told | None = None
        for name in names:
            source = self._fresh(name)
            if source.coverage is None or not source.coverage.planned:
                raise _Missing(f"{name} does not say how many cases were planned")
            share = source.coverage.answered / source.coverage.planned
            said = f"{name}: {source.coverage.answered:,} of {source.coverage.planned:,} planned calls were answered"
            outcome: Outcome = "passed" if share >= criterion.at_least else "failed"
            found = Told(
                outcome,
                said,
                value=share,
                cases=source.coverage.planned,
                threshold=criterion.at_least,
                comparison="at_least",
            )
            worst = found if worst is None or share < (worst.value or 0.0) else worst
        if worst is None:
            raise _Missing("the gate has no suite whose coverage could be looked at")
        return worst

    def _freshness(self, criterion: FreshnessCriterion) -> Told:
        names = [*self._gate.suites] or [source.name for source in self._evidence.sources]
        if not names:
            raise _Missing("there is no evidence whose age could be told")
        limit = criterion.at_most.total_seconds()
        ages = {name: self._age(self._source(name)) for name in names}
        name, oldest = max(ages.items(), key=lambda item: item[1])
        outcome: Outcome = "passed" if oldest <= limit else "inconclusive"
        hours = oldest / 3600
        return Told(
            outcome,
            f"the oldest evidence, {name}, is {hours:.1f} hours old; {limit / 3600:.1f} are allowed",
            value=hours,
            threshold=limit / 3600,
            comparison="at_most",
        )

    # --- where it is found ---

    def _metric(self, name: str, suite: str | None) -> tuple[Source, MetricEvidence]:
        """Find a metric in the suite that is named, else in the first source that has it."""
        names = [suite] if suite else [*self._gate.suites, "package"]
        reasons = []
        for each in names:
            source = self._evidence.source(each)
            if source is None:
                if each in self._evidence.missing_suites:
                    reasons.append(f"{each}: {self._evidence.missing_suites[each]}")
                continue
            wanted = source.primary if name == PRIMARY else name
            found = source.find(wanted) if wanted else None
            if found is not None:
                self._fresh(each)
                return source, found
            reasons.append(f"{each} did not measure {name}")
        problems = [*reasons, *self._evidence.problems]
        raise _Missing(f"nothing measured {name} of this model" + (f": {'; '.join(problems)}" if problems else ""))

    def _source(self, name: str) -> Source:
        source = self._evidence.source(name)
        if source is None:
            raise _Missing(f"{name}: {self._evidence.missing_suites.get(name, 'there is no report')}")
        return source

    def _fresh(self, name: str) -> Source:
        source = self._source(name)
        limit = self._gate.max_evidence_age
        if limit is not None and self._age(source) > limit.total_seconds():
            hours = self._age(source) / 3600
            raise _Missing(f"{name} is stale: {hours:.1f} hours old, {limit.total_seconds() / 3600:.1f} are allowed")
        return source

    def _age(self, source: Source) -> float:
        if source.completed_at is None:
            raise _Missing(f"{source.name} does not say when it was made")
        return (self._now - source.completed_at).total_seconds()

    @staticmethod
    def _is_lower_better(metric: MetricEvidence) -> bool:
        if metric.lower_is_better is not None:
            return metric.lower_is_better
        return bool(is_lower_better(metric.name))


def _sure(metric: MetricEvidence) -> Measured:
    if metric.measured is not None:
        return metric.measured
    if metric.value is None or not math.isfinite(metric.value):
        raise _Missing(f"{metric.name} has no finite value")
    raise _Missing(
        f"{metric.name} is {metric.value:.4g}, and nothing says how sure that is: let the report give counts of cases, "
        "a confusion matrix or a standard deviation (docs/gates.md)"
    )


def _against(found: ChampionEvidence, metric: MetricEvidence) -> Statement:
    if found.difference is not None:
        return found.difference
    if found.apart is None:
        raise _Missing(f"nothing says how sure the difference from {found.champion} is")
    return Difference(_sure(metric), found.apart)
