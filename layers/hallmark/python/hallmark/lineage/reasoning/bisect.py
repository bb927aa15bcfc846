"""Where a metric fell among the versions of a model, and which of the changes there is the likeliest cause.

It is a ranking and no proof: a change that was made elsewhere without harm is less likely to be the cause than one that
was never made elsewhere, and that one less than one that did harm elsewhere, too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from hallmark.errors import InvalidInputError
from hallmark.lineage.difference import compare
from hallmark.lineage.model import NodeKind
from hallmark.lineage.numbering import GROUP_KINDS, MODEL_KINDS, members, trainer_of, versioned_by
from hallmark.lineage.questions import Answer, Candidates, Direction
from hallmark.lineage.reasoned import (
    Better,
    BisectAnswer,
    BisectQuestion,
    Measured,
    Suspect,
    Unknown,
)
from hallmark.lineage.reasoning.decisions import REGISTERED_KINDS
from hallmark.lineage.surveyed import Difference, Section
from hallmark.lineage.view import Moment
from hallmark.statistics.directions import is_lower_better

CAUSES: tuple[Section, ...] = ("data", "interface", "code", "environment", "hyperparameters", "people")
"""Sections of a comparison that may be a cause; metrics, gates and the registry are what came of it."""

RULE = (
    "suspicion = (other steps with the same change that lost at least half as much + 1) / (other steps with it + 2): "
    "a ranking, no proof"
)
_SOURCES = ("gate", "evaluation", "training")
_SECONDS = 25.0
_KNOWN_METRICS = 20


class _Value(NamedTuple):
    value: float
    low: float | None = None
    high: float | None = None
    cases: int | None = None


def answer_bisect(question: BisectQuestion, moment: Moment) -> Answer:
    """Return where the metric fell, and what changed there; where the name tells no node, what may have been meant.

    Raises:
        InvalidInputError: The node has no versions; or nothing tells which way the metric is better.
    """
    found = moment.view.resolve(question.node)
    if isinstance(found, Candidates):
        return found
    versions = _versions(moment, found)
    if versions is None:
        kind = moment.graph.kind(found).value
        raise InvalidInputError("node", question.node, f"a {kind} has no versions: name a group, package or endpoint")
    return _Bisect(moment, question, found, versions).answer()


def _versions(moment: Moment, row: int) -> list[int] | None:
    """Return the versions of a model in their order: of a group by number, of an endpoint as it served them."""
    kind = moment.graph.kind(row)
    if kind is NodeKind.ENDPOINT:
        return _served(moment, row)
    if kind is NodeKind.MODEL:
        packages = moment.into(row, *MODEL_KINDS)
        row, kind = (packages[0].row, packages[0].kind) if packages else (row, kind)
    if kind in GROUP_KINDS or kind in MODEL_KINDS:
        group = versioned_by(moment, row)
        return members(moment, group) if group is not None else None
    return None


def _served(moment: Moment, endpoint: int) -> list[int]:
    """Return the models that an endpoint has served, in the order in which it did; one that came again comes again."""
    graph = moment.graph
    edges, _ = graph.around(np.array([endpoint]), Direction.UP)
    edges = edges[(graph.role_of(edges) == graph.code_of("config")) & (graph.begin_of(edges) <= moment.held)]
    edges = edges[np.lexsort((graph.ranks.of(graph.source_of(edges)), graph.begin_of(edges)))]
    found: list[int] = []
    for config in graph.source_of(edges).tolist():
        for model in moment.into(config, NodeKind.MODEL):
            packages = [link.row for link in moment.into(model.row, *REGISTERED_KINDS)]
            found += [row for row in packages or [model.row] if not found or found[-1] != row]
    return found


class _Bisect:
    def __init__(self, moment: Moment, question: BisectQuestion, subject: int, versions: list[int]) -> None:
        self._moment = moment
        self._question = question
        self._subject = subject
        self._cut = len(versions) > question.limit
        self._versions = versions[-question.limit :]
        self._deadline = time.monotonic() + _SECONDS
        self._metrics: set[str] = set()
        self._better, self._better_from = self._direction()

    def _direction(self) -> tuple[Better, Any]:
        if self._question.better is not None:
            return self._question.better, "asked"
        lower = is_lower_better(self._question.metric)
        if lower is None:
            raise InvalidInputError("better", None, f"say whether a higher or lower {self._question.metric} is better")
        return ("lower" if lower else "higher"), "name"

    # --- values ---

    def _measure(self) -> tuple[str, list[_Value | None]]:
        """Return the values of all versions from one source: the one that has most of them."""
        by_source: dict[str, list[_Value | None]] = {source: [] for source in _SOURCES}
        for row in self._versions:
            for source, values in zip(_SOURCES, self._values(row), strict=True):
                by_source[source].append(values)
        best = max(
            _SOURCES,
            key=lambda source: (sum(value is not None for value in by_source[source]), -_SOURCES.index(source)),
        )
        return best, by_source[best]

    def _values(self, row: int) -> tuple[_Value | None, _Value | None, _Value | None]:
        moment = self._moment
        judged = [row, *(link.row for link in moment.out_of(row, NodeKind.MODEL))]
        verdicts = self._newest({link.row for each in judged for link in moment.out_of(each, NodeKind.VERDICT)})
        runs = [(link.row, link.role) for each in judged for link in moment.out_of(each, NodeKind.EVALUATION)]
        runs.sort(key=lambda each: moment.graph.last_at(np.array([each[0]]))[0], reverse=True)
        evaluated = (self._of_evaluation(moment.attributes(run), role) for run, role in runs)
        gated = (self._of_verdict(moment.attributes(verdict)) for verdict in verdicts)
        trainer = trainer_of(moment, row)
        trained = moment.attributes(trainer).get("metrics") if trainer is not None else None
        return _first(gated), _first(evaluated), self._among(trained or {})

    def _newest(self, rows: set[int]) -> list[int]:
        moment = self._moment
        return sorted(rows, key=lambda row: (moment.node(row).at or moment.time, moment.graph.key(row)), reverse=True)

    def _of_verdict(self, told: Mapping[str, Any]) -> _Value | None:
        return self._among(told.get("criteria") or {})

    def _of_evaluation(self, told: Mapping[str, Any], role: str) -> _Value | None:
        model = (told.get("models") or {}).get(role) or {}
        found = self._among(model.get("metrics") or {})
        answered = model.get("answered")
        if found is not None and found.cases is None and isinstance(answered, int):
            return found._replace(cases=answered)
        return found

    def _among(self, values: Mapping[str, Any]) -> _Value | None:
        """Return the metric's value among some by name."""
        self._metrics |= {str(name) for name in values}
        wanted = _plain(self._question.metric)
        for name, told in sorted(values.items(), key=lambda item: item[0] != self._question.metric):
            if _plain(str(name)) == wanted or _plain(str(name).rpartition(":")[2]) == wanted:
                value = _value(told)
                if value is not None:
                    return value
        return None

    # --- the step ---

    def answer(self) -> BisectAnswer:
        source, values = self._measure()
        known = [place for place, value in enumerate(values) if value is not None]
        good = self._judge(values, known)
        step = self._step(values, known, good)
        summaries = self._moment.summaries(self._versions)
        measured = tuple(
            Measured(
                node=node,
                good=good.get(place),
                **({**value._asdict(), "source": source} if value is not None else {}),
            )
            for place, (node, value) in enumerate(zip(summaries, values, strict=True))
        )
        found: dict[str, Any] = {}
        complete = not self._cut
        if step is not None:
            earlier, later = step
            suspects, whole = self._suspects(values, known, step)
            complete &= whole
            found = {
                "last_good": summaries[earlier],
                "first_bad": summaries[later],
                "drop": self._lost(values, earlier, later),
                "overlapping": _overlap(values[earlier], values[later]),
                "between": tuple(summaries[earlier + 1 : later]),
                "suspects": tuple(suspects),
            }
        return BisectAnswer(
            metric=self._question.metric,
            subject=self._moment.summary(self._subject),
            better=self._better,
            better_from=self._better_from,
            rule=RULE,
            versions=measured,
            metrics_known=() if known else tuple(sorted(self._metrics)[:_KNOWN_METRICS]),
            unknown=tuple(self._unknown(values, known)),
            complete=complete,
            **found,
        )

    def _judge(self, values: Sequence[_Value | None], known: Sequence[int]) -> dict[int, bool]:
        threshold = self._question.threshold
        if threshold is None:
            return {}
        sign = 1 if self._better == "higher" else -1
        return {place: sign * (value.value - threshold) >= 0 for place in known if (value := values[place]) is not None}

    def _step(
        self, values: Sequence[_Value | None], known: Sequence[int], good: Mapping[int, bool]
    ) -> tuple[int, int] | None:
        """Return the places of the last good and the first bad version; None where the metric never fell."""
        steps = list(pairwise(known))
        if good:
            turns = [(earlier, later) for earlier, later in steps if good[earlier] and not good[later]]
            return turns[-1] if turns else None
        drops = [(self._lost(values, *step), step[1], step) for step in steps]
        largest = max(drops, default=None)
        return largest[2] if largest is not None and largest[0] > 0 else None

    def _lost(self, values: Sequence[_Value | None], earlier: int, later: int) -> float:
        before, after = values[earlier], values[later]
        assert before is not None
        assert after is not None
        return (before.value - after.value) * (1 if self._better == "higher" else -1)

    # --- causes ---

    def _suspects(
        self, values: Sequence[_Value | None], known: Sequence[int], step: tuple[int, int]
    ) -> tuple[list[Suspect], bool]:
        differences, whole = self._changes(*step)
        drop = self._lost(values, *step)
        elsewhere: dict[tuple[str, str], list[bool]] = {}
        for earlier, later in pairwise(known):
            if (earlier, later) == step:
                continue
            if time.monotonic() > self._deadline:
                whole = False
                break
            others, compared = self._changes(earlier, later)
            whole &= compared
            harmful = self._lost(values, earlier, later) >= drop / 2
            for change in {(other.section, other.field) for other in others}:
                elsewhere.setdefault(change, []).append(harmful)
        suspects = []
        for difference in differences:
            seen = elsewhere.get((difference.section, difference.field), [])
            suspicion = (sum(seen) + 1) / (len(seen) + 2)
            suspects.append(Suspect(difference=difference, elsewhere=len(seen), dropped=sum(seen), suspicion=suspicion))
        suspects.sort(key=lambda each: (-each.suspicion, CAUSES.index(each.difference.section), each.difference.field))
        return suspects, whole

    def _changes(self, earlier: int, later: int) -> tuple[list[Difference], bool]:
        moment = self._moment
        sides = [moment.view.compared(self._versions[place], moment.held) for place in (earlier, later)]
        compared = compare(moment, *sides)
        return [each for each in compared.differences if each.section in CAUSES], compared.complete

    def _unknown(self, values: Sequence[_Value | None], known: Sequence[int]) -> Iterator[Unknown]:
        if not known:
            what = f"No value of {self._question.metric} is known of any version."
            yield Unknown(what=what, remedy="Ask for a metric that is known, or let a gate or a suite measure it.")
        elif len(known) < len(values):
            what = f"Of {len(values) - len(known)} versions no value is known: they stand in no step."
            yield Unknown(what=what, remedy="Let a gate or a suite measure each version.")


def _value(told: Any) -> _Value | None:
    if isinstance(told, bool):
        return None
    if isinstance(told, int | float):
        return _Value(float(told))
    if not isinstance(told, Mapping):
        return None
    numbers = {
        name: float(number)
        for name in ("value", "estimate", "mean", "low", "high")
        if isinstance(number := told.get(name), int | float) and not isinstance(number, bool)
    }
    value = next((numbers[name] for name in ("value", "estimate", "mean") if name in numbers), None)
    if value is None:
        return None
    cases = told.get("cases")
    return _Value(value, numbers.get("low"), numbers.get("high"), cases if isinstance(cases, int) else None)


def _first(values: Iterator[_Value | None]) -> _Value | None:
    return next((value for value in values if value is not None), None)


def _overlap(before: _Value | None, after: _Value | None) -> bool | None:
    if before is None or after is None or None in {before.low, before.high, after.low, after.high}:
        return None
    assert before.low is not None
    assert before.high is not None
    assert after.low is not None
    assert after.high is not None
    return before.low <= after.high and after.low <= before.high


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
