"""Which jobs of AWS take which batches of a run, within what a job may have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from hallmark.evaluation.jobs.batch_inference import PRICE_SHARE
from hallmark.evaluation.plans import Asking, Batch, Job, JobKind, JobPart
from hallmark.evaluation.suites import BEDROCK_PREFIX, Engine, ModelVariant, Suite

PROMPTS_PER_DATASET = 1_000
DATASETS_PER_JOB = 5
DATASETS_PER_HUMAN_JOB = 1
"""Amazon Bedrock endpoints and quotas, model evaluation; none of them can be raised."""
RECORDS_PER_JOB = 50_000
MIN_RECORDS = 100
"""Of a batch inference job (Amazon Bedrock endpoints and quotas, batch inference); the upper bound differs between
models, and this is the most that any takes."""
PERTURBATIONS = 5
"""Bedrock's robustness asks each prompt about five times more (Amazon Bedrock user guide, model evaluation report)."""


def asking_of(suite: Suite, models: Mapping[str, ModelVariant]) -> Asking:
    """Return what the engine of a suite makes of one case.

    Args:
        suite: The suite.
        models: The team's models by name, for the evaluator.
    """
    if suite.engine is Engine.BATCH:
        return Asking(price_share=PRICE_SHARE)
    if suite.engine is Engine.DIRECT:
        return Asking()
    measured = [scorer.name for scorer in suite.scorers if scorer.name.startswith(BEDROCK_PREFIX)]
    evaluator = models[suite.managed.evaluator] if suite.managed.evaluator else None
    return Asking(
        prompts_per_case=1 + PERTURBATIONS * (f"{BEDROCK_PREFIX}Robustness" in measured),
        evaluator=evaluator,
        evaluations=len(measured) + len(suite.managed.rubrics) if evaluator is not None else 0,
    )


def plan_jobs(suite: Suite, models: Mapping[str, ModelVariant], batches: Sequence[Batch]) -> tuple[Job, ...]:
    """Return the jobs of a run.

    Args:
        suite: The suite.
        models: Variants that are asked, by name.
        batches: Those that jobs are to answer, in order; all of them where the engine is direct.
    """
    jobs = [*_deploying(suite, models, batches), *_answering(suite, models, batches)]
    if suite.processing is not None:
        jobs.append(Job(number=len(jobs), kind=JobKind.SCORING))
    return tuple(job.model_copy(update={"number": number}) for number, job in enumerate(jobs))


def is_custom(model: ModelVariant) -> bool:
    """Tell whether a model is a custom one of Bedrock, which is called by its deployment only."""
    return ":custom-model/" in model.model_id and not model.precomputed


def _deploying(suite: Suite, models: Mapping[str, ModelVariant], batches: Sequence[Batch]) -> Iterator[Job]:
    if suite.engine is not Engine.DIRECT:
        return
    for name, model in models.items():
        if is_custom(model):
            for parts in split(batches, sum(len(batch.cases) for batch in batches), None):
                yield Job(number=0, kind=JobKind.DEPLOYMENT, model=name, parts=parts)


def _answering(suite: Suite, models: Mapping[str, ModelVariant], batches: Sequence[Batch]) -> Iterator[Job]:
    if suite.engine is Engine.BATCH:
        for name, model in models.items():
            if not model.precomputed and sum(len(batch.cases) for batch in batches) >= MIN_RECORDS:
                for parts in split(batches, RECORDS_PER_JOB, None):
                    yield Job(number=0, kind=JobKind.BATCH_INFERENCE, model=name, parts=parts)
    elif suite.engine is Engine.MANAGED:
        datasets = DATASETS_PER_HUMAN_JOB if suite.managed.workers else DATASETS_PER_JOB
        for name in models:
            for parts in split(batches, PROMPTS_PER_DATASET, datasets):
                yield Job(number=0, kind=JobKind.EVALUATION, model=name, parts=parts)


def split(batches: Sequence[Batch], cases: int, files: int | None) -> Iterator[tuple[JobPart, ...]]:
    """Yield the parts of each job: consecutive batches, each in one part.

    Args:
        batches: In order.
        cases: How many cases a part may have; with ``files`` None, how many a job may have.
        files: How many parts a job may have; None for as many as there are.
    """
    parts: list[JobPart] = []
    held = 0
    for part, size in _parts(batches, cases):
        if parts and (len(parts) == files or (files is None and held + size > cases)):
            yield tuple(parts)
            parts, held = [], 0
        parts.append(part)
        held += size
    if parts:
        yield tuple(parts)


def _parts(batches: Sequence[Batch], cases: int) -> Iterator[tuple[JobPart, int]]:
    for (dataset, epoch), together in groupby(batches, key=lambda batch: (batch.dataset, batch.epoch)):
        numbers: list[int] = []
        held = 0
        for batch in together:
            if numbers and held + len(batch.cases) > cases:
                yield JobPart(dataset=dataset, epoch=epoch, batches=tuple(numbers)), held
                numbers, held = [], 0
            numbers.append(batch.number)
            held += len(batch.cases)
        yield JobPart(dataset=dataset, epoch=epoch, batches=tuple(numbers)), held
