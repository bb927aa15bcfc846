"""All models in all respects: what they do, what they cost, how they are run; with ranks and what can be told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Literal

from hallmark.evaluation.comparison.comparing import CORRECTION_NAMES, Contest, correct
from hallmark.evaluation.comparison.corpora import jackknife
from hallmark.evaluation.comparison.estimating import Estimator, latency_quantiles
from hallmark.evaluation.comparison.evidence import EvaluatedModel, EvaluationResults
from hallmark.evaluation.comparison.gathering import COST, LATENCY, Gathered
from hallmark.evaluation.comparison.letters import assign_letters
from hallmark.evaluation.comparison.pareto import Wins, place_on_front
from hallmark.evaluation.comparison.report import Cell, Column, Coverage, Estimate, Matrix, Quantile
from hallmark.evaluation.comparison.spans import as_span
from hallmark.evaluation.comparison.weighting import Weighting
from hallmark.evaluation.metrics import Direction, Metric, MetricKind
from hallmark.statistics.rates import wilson
from hallmark.statistics.resampling import mean_of_sums

Part = Literal["technical", "business", "operational"]

_BY_UNIT: Mapping[str, Metric] = {"ms": LATENCY, "s": LATENCY, "USD": COST}
_FACTS: tuple[tuple[str, str, Part], ...] = (
    ("licence", "Licence", "business"),
    ("support", "Support", "business"),
    ("deployment", "Deployment", "operational"),
    ("monitoring", "Monitoring", "operational"),
    ("scaling", "Scaling", "operational"),
)
_TAIL = 0.95
_LEAST = 2


class MatrixMaker:
    """Makes the matrix of a run."""

    def __init__(
        self,
        evidence: EvaluationResults,
        gathered: Gathered,
        weighting: Weighting,
        contest: Contest,
        estimates: Mapping[tuple[str, str], Estimate],
    ) -> None:
        self._evidence = evidence
        self._gathered = gathered
        self._weighting = weighting
        self._contest = contest
        self._estimates = estimates
        self._wins: dict[str, Wins] = {}

    def make(self, coverage: tuple[Coverage, ...]) -> Matrix:
        """Return the matrix and the Pareto front over quality, cost and latency."""
        columns = [*self._quality(), *self._measurements(), self._throughput(), self._coverage(coverage)]
        columns += [self._fact(*fact) for fact in _FACTS]
        kept = [column for column in columns if any(cell.value is not None or cell.text for cell in column.cells)]
        order = ("technical", "business", "operational")
        kept.sort(key=lambda column: order.index(column.dimension))
        chosen = self._pareto_columns(kept)
        return Matrix(
            columns=tuple(kept),
            pareto_columns=tuple(column.name for column in chosen),
            pareto=place_on_front(
                [model.name for model in self._evidence.models],
                {column.name: _turned(column) for column in chosen},
                self._wins,
            ),
        )

    def _pareto_columns(self, columns: list[Column]) -> list[Column]:
        primary = self._evidence.primary.name
        wanted = [primary]
        for unit in ("USD", "ms", "s"):
            wanted += [column.name for column in columns if column.unit == unit and column.lettered_by][:1]
        return [column for name in dict.fromkeys(wanted) for column in columns if column.name == name]

    def _quality(self) -> Iterator[Column]:
        for measured in self._evidence.metrics:
            metric = measured.metric
            found = {model: each for (model, name), each in self._estimates.items() if name == metric.name}
            yield self._column(metric, "business" if metric.unit == "USD" else "technical", found.get)
            if metric.kind is MetricKind.UNBOUNDED:
                yield self._tail(metric, {model: each.quantiles for model, each in found.items()})

    def _measurements(self) -> Iterator[Column]:
        own = {_BY_UNIT[each.metric.unit].name for each in self._evidence.metrics if each.metric.unit in _BY_UNIT}
        confidence = self._evidence.settings.confidence
        for metric, dimension in ((LATENCY, "technical"), (COST, "business")):
            if metric.name in own:
                continue
            estimator = Estimator(metric, None, self._weighting, self._evidence)

            def estimate(model: str, metric: Metric = metric, estimator: Estimator = estimator) -> Estimate:
                return estimator.estimate(model, self._gathered.scores.get((model, metric.name)), None)

            yield self._column(metric, "business" if dimension == "business" else "technical", estimate)
            if metric is LATENCY:
                tails = {
                    each.name: latency_quantiles(self._gathered, each.name, confidence)
                    for each in self._evidence.models
                }
                yield self._tail(metric, tails)

    def _column(self, metric: Metric, dimension: Part, estimate: Callable[[str], Estimate | None]) -> Column:
        names = [model.name for model in self._evidence.models]
        found = {name: each for name in names if (each := estimate(name)) is not None and each.value is not None}
        values = {name: each.value for name, each in found.items() if each.value is not None}
        wins = self._tell_apart(metric, list(values))
        self._wins[metric.name] = wins
        ordered = sorted(
            values, key=lambda name: -values[name] if metric.direction is Direction.HIGHER else values[name]
        )
        letters = assign_letters(ordered, wins)
        cells = []
        for name in names:
            if name not in values:
                cells.append(Cell(model=name))
                continue
            better = sum(1 for other in values if (other, name) in wins)
            worse = sum(1 for other in values if (name, other) in wins)
            cells.append(
                Cell(
                    model=name,
                    value=values[name],
                    span=found[name].span,
                    rank=1 + sum(1 for other in values if metric.is_better(values[other], values[name])),
                    best_rank=1 + better,
                    worst_rank=len(values) - worse,
                    letters=letters[name] if len(values) > 1 else "",
                )
            )
        correction = CORRECTION_NAMES[self._evidence.settings.correction]
        return Column(
            name=metric.name,
            title=metric.title,
            dimension=dimension,
            kind="measured",
            unit=metric.unit,
            is_rate=metric.kind is MetricKind.BINARY,
            higher_is_better=metric.direction is Direction.HIGHER,
            lettered_by=f"paired tests of all pairs of models, correction over the pairs: {correction}",
            cells=tuple(cells),
        )

    def _tell_apart(self, metric: Metric, names: list[str]) -> Wins:
        """Return the pairs (better, worse) that the cases tell apart."""
        found = self._contest.test(metric, [(second, first) for first, second in combinations(names, 2)])
        sure = {pair: paired for pair, paired in found.items() if paired.p_value is not None}
        adjusted = correct([paired.p_value or 0.0 for paired in sure.values()], self._evidence.settings.correction)
        alpha = 1 - self._evidence.settings.confidence
        wins = set()
        for ((candidate, baseline), paired), p_value in zip(sure.items(), adjusted, strict=True):
            if p_value <= alpha + 1e-12 and paired.difference:
                is_better = metric.is_better(paired.difference, 0.0)
                wins.add((candidate, baseline) if is_better else (baseline, candidate))
        return frozenset(wins)

    def _tail(self, metric: Metric, quantiles: Mapping[str, tuple[Quantile, ...]]) -> Column:
        cells = []
        for model in self._evidence.models:
            found = [each for each in quantiles.get(model.name, ()) if each.probability == _TAIL]
            cells.append(
                Cell(model=model.name, value=found[0].value, span=found[0].span) if found else Cell(model=model.name)
            )
        return Column(
            name=f"{metric.name}:p95",
            title=f"{metric.title}, p95",
            dimension="technical",
            kind="measured",
            unit=metric.unit,
            higher_is_better=metric.direction is Direction.HIGHER,
            cells=_ranked(cells, higher_is_better=metric.direction is Direction.HIGHER),
        )

    def _throughput(self) -> Column:
        cells = []
        for model in self._evidence.models:
            rows = self._gathered.throughput.get(model.name)
            if rows is None or len(rows) < _LEAST:
                cells.append(Cell(model=model.name))
                continue
            interval = jackknife(rows, mean_of_sums, self._evidence.settings.confidence)
            speed = float(mean_of_sums(rows.sum(axis=0, keepdims=True))[0])
            cells.append(Cell(model=model.name, value=speed, span=as_span(interval, 0.0)))
        return Column(
            name="answer:throughput",
            title="Throughput of one stream",
            dimension="technical",
            kind="measured",
            unit="tokens/s",
            higher_is_better=True,
            cells=_ranked(cells, higher_is_better=True),
        )

    def _coverage(self, coverage: tuple[Coverage, ...]) -> Column:
        cells = [
            Cell(
                model=each.model,
                value=each.share,
                span=as_span(wilson(each.answered, asked, self._evidence.settings.confidence)),
            )
            if (asked := each.planned - each.not_asked) > 0 and each.not_asked == 0
            else Cell(model=each.model, value=each.share)
            for each in coverage
        ]
        return Column(
            name="answer:coverage",
            title="Answered of planned",
            dimension="technical",
            kind="measured",
            is_rate=True,
            higher_is_better=True,
            cells=_ranked(cells, higher_is_better=True),
        )

    def _fact(self, name: str, title: str, dimension: Part) -> Column:
        return Column(
            name=f"fact:{name}",
            title=title,
            dimension=dimension,
            kind="fact",
            cells=tuple(Cell(model=model.name, text=_fact_of(model, name)) for model in self._evidence.models),
        )


def _fact_of(model: EvaluatedModel, name: str) -> str | None:
    found: str | None = getattr(model.facts, name)
    return found


def _ranked(cells: list[Cell], *, higher_is_better: bool) -> tuple[Cell, ...]:
    values = [cell.value for cell in cells if cell.value is not None]

    def rank(value: float) -> int:
        return 1 + sum(1 for other in values if (other > value if higher_is_better else other < value))

    return tuple(cell if cell.value is None else cell.model_copy(update={"rank": rank(cell.value)}) for cell in cells)


def _turned(column: Column) -> dict[str, float]:
    sign = 1.0 if column.higher_is_better else -1.0
    return {cell.model: sign * cell.value for cell in column.cells if cell.value is not None}
