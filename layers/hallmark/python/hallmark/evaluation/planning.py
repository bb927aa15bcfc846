"""From a suite to a plan: datasets are read and sampled, batches made, costs forecast."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from hallmark.errors import InvalidInputError
from hallmark.evaluation.cases import Case
from hallmark.evaluation.datasets.contamination import check_contamination
from hallmark.evaluation.datasets.reading import DataReport, Dataset, digest_of, read_dataset
from hallmark.evaluation.datasets.sampling import draw_sample
from hallmark.evaluation.datasets.templates import with_shots
from hallmark.evaluation.jobs.planning import asking_of, plan_jobs
from hallmark.evaluation.judging import human_score
from hallmark.evaluation.plans import (
    Batch,
    DatasetVersion,
    Forecast,
    Plan,
    SampledStrata,
    affordable_batches,
    batch_size,
    forecast,
    make_batches,
    make_rounds,
)
from hallmark.evaluation.runs import Trigger
from hallmark.evaluation.scorers.perturbations import perturb_cases
from hallmark.evaluation.suites import Engine, EvaluationPolicy, ModelVariant, Sampling, Suite, find_suite
from hallmark.statistics.allocation import Allocation

Objects = Iterable[tuple[str, bytes]]
ReadLocation = Callable[[str], Objects]


class Planned(NamedTuple):
    """A plan and the batches that it counts."""

    plan: Plan
    batches: tuple[Batch, ...]
    anchors: tuple[Case, ...] = ()
    """Answers that people have scored, for the judges."""
    data: Mapping[str, DataReport] = {}
    """What each dataset is like, by its name."""


class PlanRequest(BaseModel):
    """What someone or something wants to be evaluated, as the workflow gets it."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    run: str
    suite: str
    execution: str = ""
    """ARN of the workflow's execution."""
    started_at: datetime
    trigger: Trigger
    models: tuple[str, ...] = ()
    """Variants to ask; all of the suite's where none is named. The champion is always asked."""
    candidates: dict[str, ModelVariant] = {}
    """Models that no policy names, e.g. the one whose customization just completed."""


def plan_run(
    request: PlanRequest,
    policy: EvaluationPolicy,
    *,
    read: ReadLocation,
    output_tokens: Mapping[str, float],
    spreads: Mapping[str, float],
) -> Planned:
    """Plan a run.

    Args:
        request: What is wanted.
        policy: The team's models, datasets and suites.
        read: Yields name and content of the objects at a location.
        output_tokens: Mean output tokens per answer in earlier runs, by variant.
        spreads: Standard deviation of the primary metric in each stratum in the last run, for Neyman's allocation.

    Raises:
        InvalidInputError: There is no such suite or model, a dataset cannot be read or has no case.
    """
    suite = find_suite(policy, request.suite)
    models = _variants(request, suite, policy)
    versions: list[DatasetVersion] = []
    drawn: dict[str, tuple[Case, ...]] = {}
    data: dict[str, DataReport] = {}
    populations: Counter[str] = Counter()
    labels: tuple[str, ...] = ()
    for name in suite.datasets:
        source = policy.datasets[name]
        dataset = read_dataset(read(source.location), source)
        data[name] = DataReport(
            report=dataset.report,
            rejections=dataset.rejections[:_KEPT_REJECTIONS],
            rejected=len(dataset.rejections),
        )
        version, cases, population = _draw(name, source.location, dataset, suite, read, spreads)
        if source.examples is not None and source.shots:
            examples = read_dataset(read(source.examples), source).cases
            cases = with_shots(cases, examples, source.shots)
            # Other examples are other questions: results with them do not compare with earlier ones.
            asked_with = digest_of(with_shots(dataset.cases, examples, source.shots))
            version = version.model_copy(update={"digest": asked_with})
        versions.append(version)
        drawn[name] = cases
        populations.update(population)
        labels += tuple(label for label in source.labels if label not in labels)
    asked = {name: models[name] for name in models}
    size = batch_size(suite, len(asked))
    originals, rounds = _batches(suite, drawn, size)
    copies = tuple(make_batches(_with_flaws(suite, drawn), 1, size, first=len(originals)))
    batches = (*originals, *copies)
    judges = {name: policy.models[name] for name in (suite.judge.models if suite.judge else ())}
    questions = _ORDERS_OF_A_PAIR if suite.judge and suite.judge.pairwise else 1

    def cost_of(first: int | None) -> Forecast:
        asking = asking_of(suite, policy.models)
        return forecast(asked, batches[:first], output_tokens, tuple(judges.values()), questions, asking)

    total = cost_of(None)
    jobs, handed_over = plan_jobs(suite, asked, batches), 0
    if suite.engine is not Engine.DIRECT:
        handed_over = affordable_batches(len(batches), lambda first: cost_of(first).at_most_usd, suite.budget.usd)
        jobs = plan_jobs(suite, asked, batches[:handed_over])
    evaluators = filter(None, [suite.managed.evaluator])
    plan = Plan(
        run=request.run,
        suite=request.suite,
        settings=suite,
        models={**{name: policy.models[name] for name in evaluators}, **judges, **asked},
        asked=tuple(asked),
        datasets=tuple(versions),
        labels=labels,
        strata=_strata(suite.sampling, populations),
        batches=len(batches),
        planned=sum(len(batch.cases) for batch in originals),
        copies=sum(len(batch.cases) for batch in copies),
        jobs=jobs,
        handed_over=handed_over,
        rounds=rounds or (len(batches),),
        forecast=total,
        trigger=request.trigger,
        started_at=request.started_at,
        deadline=request.started_at + suite.budget.time,
    )
    return Planned(plan, batches, _anchors(suite, policy, read), data)


def round_lines(plan: Plan) -> Iterator[list[bytes]]:
    """Yield what each round asks, one JSON object for a batch and a model; all models get the same batch together."""
    first = 0
    for batches in plan.rounds:
        yield [
            json.dumps({"model": model, "batch": number}).encode()
            for number in range(first, first + batches)
            for model in plan.asked
        ]
        first += batches


_ORDERS_OF_A_PAIR = 2
_KEPT_REJECTIONS = 10_000


def _anchors(suite: Suite, policy: EvaluationPolicy, read: ReadLocation) -> tuple[Case, ...]:
    """Return the judges' anchors.

    Raises:
        InvalidInputError: One has no answer, or no score from 0 to 1.
    """
    if suite.judge is None or suite.judge.anchors is None:
        return ()
    source = policy.datasets[suite.judge.anchors]
    cases = read_dataset(read(source.location), source).cases
    for case in cases:
        if not case.answers or human_score(case) is None:
            remedy = (
                'give the answer as {"answers": {"<model>": "..."}} and the people\'s score as {"expected": ["0.75"]}'
            )
            raise InvalidInputError(f"datasets.{suite.judge.anchors}", case.id, remedy)
    return cases


def _variants(request: PlanRequest, suite: Suite, policy: EvaluationPolicy) -> dict[str, ModelVariant]:
    known = {name: policy.models[name] for name in suite.model_variants} | dict(request.candidates)
    for name in request.models:
        if name not in known:
            raise InvalidInputError("models", name, f"name variants of the suite ({', '.join(known)})")
    wanted = {*request.models, *request.candidates} or set(known)
    if suite.champion is not None:
        wanted.add(suite.champion)
    return {name: variant for name, variant in known.items() if name in wanted}


def _draw(
    name: str,
    location: str,
    dataset: Dataset,
    suite: Suite,
    read: ReadLocation,
    spreads: Mapping[str, float],
) -> tuple[DatasetVersion, tuple[Case, ...], dict[str, int]]:
    population: dict[str, int] = {}
    cases: Sequence[Case] = dataset.cases
    notes: list[str] = []
    if dataset.rejections:
        notes.append(f"{len(dataset.rejections):,} lines were rejected, the first: {dataset.rejections[0]}")
    if not cases:
        reason = notes[0] if notes else "it has no line"
        raise InvalidInputError(f"datasets.{name}", location, f"there is no case to ask: {reason}")
    if suite.contamination is not None:
        report = check_contamination(cases, read(suite.contamination.training_data), suite.contamination)
        notes.append(report.summary)
        if suite.contamination.exclude:
            cases = [case for case in cases if case.id not in report.contaminated]
        if not cases:
            raise InvalidInputError(
                f"datasets.{name}",
                location,
                f"all its cases stand in the training data, and are excluded: {report.summary}",
            )
    if suite.sampling is not None:
        sample = draw_sample(cases, suite.sampling, spreads)
        notes.extend(sample.report.warnings)
        cases, population = sample.cases, sample.report.population
    sharing = _sharing(cases)
    if sharing:
        together = (
            f"{sharing:,} of {len(cases):,} cases share their context with others, or a cluster that the dataset "
            "names: intervals and tests count clusters, not cases"
        )
        looking = "; they are asked all at once, as no test of clusters stays valid under looking (early_stopping)"
        notes.append(together + (looking if suite.comparison.early_stopping else ""))
    version = DatasetVersion(
        name=name,
        location=location,
        digest=dataset.digest,
        cases=len(dataset.cases),
        drawn=len(cases),
        rejected=len(dataset.rejections),
        notes=tuple(notes),
    )
    return version, tuple(cases), population


def _sharing(cases: Sequence[Case]) -> int:
    """Return how many cases of a dataset share their cluster with others."""
    clusters = Counter(label for case in cases if (label := case.shares) is not None)
    return sum(count for count in clusters.values() if count > 1)


def _batches(suite: Suite, drawn: Mapping[str, Sequence[Case]], size: int) -> tuple[tuple[Batch, ...], tuple[int, ...]]:
    """Return the batches, and how many are asked before each look; no such numbers where nobody looks."""
    if not suite.comparison.early_stopping or any(_sharing(cases) for cases in drawn.values()):
        return tuple(make_batches(drawn, suite.repeats, size)), ()
    seed = suite.sampling.seed if suite.sampling is not None else 0
    return make_rounds(drawn, suite.repeats, size, suite.comparison.look_every, seed)


def _with_flaws(suite: Suite, drawn: Mapping[str, Sequence[Case]]) -> dict[str, tuple[Case, ...]]:
    """Return copies with flaws of some cases of each dataset; the same in every run of the same cases."""
    wanted = suite.robustness
    if wanted is None:
        return {}
    copies = {}
    for name, cases in drawn.items():
        chance = random.Random(f"{wanted.seed}/{name}")  # noqa: S311 - a sample, no secret
        chosen = chance.sample(cases, min(wanted.cases, len(cases)))
        copies[name] = tuple(
            perturb_cases(chosen, wanted.perturbations, seed=wanted.seed, copies=wanted.copies, share=wanted.share)
        )
    return copies


def _strata(sampling: Sampling | None, populations: Mapping[str, int]) -> SampledStrata | None:
    if sampling is None or sampling.by is None or sampling.allocation is Allocation.PROPORTIONAL:
        return None
    total = sum(populations.values())
    return SampledStrata(by=sampling.by, shares={name: size / total for name, size in populations.items()})
