"""From what a job of AWS left to results of cases: the same that the direct engine makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from hallmark.evaluation.cases import Case
from hallmark.evaluation.jobs.batch_inference import read_records
from hallmark.evaluation.jobs.evaluation_outputs import JobAnswer, read_output
from hallmark.evaluation.jobs.events import OUTPUT_SUFFIX
from hallmark.evaluation.jobs.planning import asking_of
from hallmark.evaluation.jobs.preparing import part_name, write_part
from hallmark.evaluation.jobs.scoring_program import heavy_scorers
from hallmark.evaluation.judging import read_rubric
from hallmark.evaluation.plans import (
    Batch,
    Job,
    JobKind,
    Plan,
    call_cost_usd,
    input_tokens_of,
    output_tokens_of,
)
from hallmark.evaluation.ports import Outcome, Progress
from hallmark.evaluation.results import GIVEN, Answer, CaseResult, Failure, FailureKind, Score
from hallmark.evaluation.suites import ModelVariant

Collected = Mapping[tuple[str, int], tuple[CaseResult, ...]]
"""Results by variant and number of the batch."""

DEPLOYED = "Active"
"""Status of a deployment that can be called."""
UNTOLD = "unknown"
"""Stop reason of an answer in an evaluation job, which tells none."""
_ASKED_AGAIN = frozenset({FailureKind.THROTTLED, FailureKind.UNAVAILABLE})


class JobEnd(NamedTuple):
    """How a job ended."""

    status: str
    reason: str
    at: datetime


def output_suffix(kind: JobKind) -> str:
    """Return how the names of the files end in which a job leaves what it found."""
    return {JobKind.EVALUATION: OUTPUT_SUFFIX, JobKind.BATCH_INFERENCE: ".jsonl.out"}.get(kind, ".jsonl")


def collect(
    plan: Plan,
    job: Job,
    batches: Mapping[int, Batch],
    outputs: Mapping[str, bytes],
    end: JobEnd,
    rubrics: Path | None = None,
) -> Collected:
    """Return the results of a job's cases.

    An evaluation job has one for each case: what it left out has failed. A batch inference job has none for what it
    left out or could not answer at the moment, so that Converse is asked for it.

    Args:
        plan: The run.
        job: One of its jobs.
        batches: Its batches by number.
        outputs: What the job wrote, by name.
        end: How it ended.
        rubrics: Folder of the team's rubrics.
    """
    if job.kind is JobKind.EVALUATION:
        return _of_evaluation(plan, job, batches, outputs, end, rubrics)
    if job.kind is JobKind.BATCH_INFERENCE:
        return _of_batch_inference(plan, job, batches, outputs, end)
    if job.kind is JobKind.DEPLOYMENT:
        return {} if end.status == DEPLOYED else _of_nobody(job, batches, end)
    return {_place_of(name): _results(content) for name, content in outputs.items()}


def unscored(plan: Plan, results: Sequence[CaseResult], end: JobEnd) -> tuple[CaseResult, ...]:
    """Return results of which a scoring job said nothing: each answer has a failed score, with the reason.

    Args:
        plan: The run.
        results: As they were before the job.
        end: How it ended.
    """
    reason = f"its job is {end.status}: {end.reason or 'it left nothing of it'}"
    metrics = [metric.name for scorer in heavy_scorers(plan) for metric in scorer.metrics]
    failures = tuple(Score(metric=name, failure=reason) for name in metrics)
    return tuple(
        result.model_copy(
            update={"scores": (*(each for each in result.scores if each.metric not in metrics), *failures)}
        )
        if result.answer is not None
        else result
        for result in results
    )


def progress_of(collected: Collected) -> Progress:
    """Return what a job did and cost, as its run counts it."""
    results = [result for several in collected.values() for result in several]
    answers = [result.answer for result in results if result.answer is not None]
    return Progress(
        answered=len(answers),
        failed=len(results) - len(answers),
        spent_usd=sum(answer.cost_usd or 0.0 for answer in answers),
        input_tokens=sum(answer.input_tokens or 0 for answer in answers),
        output_tokens=sum(answer.output_tokens or 0 for answer in answers),
    )


# --- evaluation jobs --------------------------------------------------------------------------------------------------


def _of_evaluation(
    plan: Plan,
    job: Job,
    batches: Mapping[int, Batch],
    outputs: Mapping[str, bytes],
    end: JobEnd,
    rubrics: Path | None,
) -> Collected:
    people = plan.settings.managed.workers.metrics if plan.settings.managed.workers is not None else ()
    known = {name: read_rubric(name, rubrics) for name in plan.settings.managed.rubrics}
    collected: dict[tuple[str, int], tuple[CaseResult, ...]] = {}
    for place, part in enumerate(job.parts):
        written = write_part(plan, job, part, batches)
        folder = f"/datasets/{part_name(place)}/"
        lines = [line for name, content in outputs.items() if folder in f"/{name}" for line in content.splitlines()]
        found = read_output(lines, written.lines, known, people).answers
        for number in part.batches:
            batch = batches[number]
            collected[job.model, number] = tuple(
                _result(job.model, batch, case, outcome, found[case.id].scores if case.id in found else ())
                for case in batch.cases
                for outcome in [_evaluated(plan, job, case, found.get(case.id), written.refused.get(case.id), end)]
            )
    return collected


def _evaluated(plan: Plan, job: Job, case: Case, answer: JobAnswer | None, refused: str | None, end: JobEnd) -> Outcome:
    if refused is not None:
        return _failed(FailureKind.REFUSED, refused)
    if answer is None:
        told = f"its job is {end.status}: {end.reason}" if end.reason else "its job left nothing of it"
        return _failed(FailureKind.MISSING, told)
    model = plan.models[job.model]
    return Outcome(
        Answer(
            text=answer.text,
            stop_reason=GIVEN if model.precomputed else UNTOLD,
            cost_usd=_cost_usd(plan, model, case, answer.text),
            answered_at=end.at,
        ),
        None,
    )


def _cost_usd(plan: Plan, model: ModelVariant, case: Case, text: str) -> float | None:
    """Return what a case cost, by the length of its texts: an evaluation job counts no tokens."""
    asking = asking_of(plan.settings, plan.models)
    if model.precomputed:
        return asking.evaluation_cost_usd()
    asked = call_cost_usd(model, input_tokens_of(case, model.system), output_tokens_of(text))
    return None if asked is None else asked * asking.prompts_per_case + asking.evaluation_cost_usd()


def _result(model: str, batch: Batch, case: Case, outcome: Outcome, scores: tuple[Score, ...] = ()) -> CaseResult:
    return CaseResult(
        model=model,
        dataset=batch.dataset,
        case=case.id,
        epoch=batch.epoch,
        answer=outcome.answer,
        failure=outcome.failure,
        scores=scores,
    )


def _failed(kind: FailureKind, reason: str) -> Outcome:
    return Outcome(None, Failure(kind=kind, reason=reason))


# --- batch inference --------------------------------------------------------------------------------------------------


def _of_batch_inference(
    plan: Plan, job: Job, batches: Mapping[int, Batch], outputs: Mapping[str, bytes], end: JobEnd
) -> Collected:
    lines = (line for content in outputs.values() for line in content.splitlines())
    found = read_records(lines, plan.models[job.model], end.at).outcomes
    refused = (
        None if found or not end.reason else _failed(FailureKind.REFUSED, f"its job is {end.status}: {end.reason}")
    )
    collected = {}
    for number in job.batches:
        batch = batches[number]
        outcomes = [(case, found.get((number, place), refused)) for place, case in enumerate(batch.cases)]
        collected[job.model, number] = tuple(
            _result(job.model, batch, case, outcome)
            for case, outcome in outcomes
            if outcome is not None and not (outcome.failure is not None and outcome.failure.kind in _ASKED_AGAIN)
        )
    return collected


# --- deployments ------------------------------------------------------------------------------------------------------


def _of_nobody(job: Job, batches: Mapping[int, Batch], end: JobEnd) -> Collected:
    """Return the results of a model that could not be deployed."""
    outcome = _failed(FailureKind.REFUSED, f"the model was not deployed: {end.reason or end.status}")
    return {
        (job.model, number): tuple(_result(job.model, batches[number], case, outcome) for case in batches[number].cases)
        for number in job.batches
    }


# --- scoring ----------------------------------------------------------------------------------------------------------


def _place_of(name: str) -> tuple[str, int]:
    """Return variant and batch of a file ``<model>/<batch>.jsonl``."""
    model, _, number = name.removesuffix(".jsonl").rpartition("/")
    return model, int(number)


def _results(content: bytes) -> tuple[CaseResult, ...]:
    return tuple(CaseResult.model_validate_json(line) for line in content.splitlines() if line)
