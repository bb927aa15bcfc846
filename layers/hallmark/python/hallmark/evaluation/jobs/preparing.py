"""From a job of the plan to the files that it reads and the request that creates it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from hallmark.evaluation.cases import Case
from hallmark.evaluation.datasets.writing import WrittenDataset, write_conversations, write_prompts
from hallmark.evaluation.jobs.batch_inference import BatchJobOrder, batch_job_request, write_records
from hallmark.evaluation.jobs.evaluation_metrics import custom_metric_definition
from hallmark.evaluation.jobs.evaluation_requests import EvaluationJobOrder, JobDataset, evaluation_job_request
from hallmark.evaluation.jobs.processing_requests import (
    PROGRAM,
    ProcessingJobOrder,
    processing_job_request,
    program_of,
)
from hallmark.evaluation.judging import read_rubric
from hallmark.evaluation.plans import Batch, Job, JobKind, JobPart, Plan
from hallmark.evaluation.suites import BEDROCK_PREFIX

RECORDS = "records.jsonl"


class JobSurroundings(NamedTuple):
    """Where a job reads and writes, and as whom it runs."""

    folder_uri: str
    """Of the job, with ``/`` at its end: it reads below ``input/`` and writes below ``output/``."""
    run_uri: str
    """Of the run, with ``/`` at its end."""
    role_arn: str
    """As which Bedrock's jobs run."""
    processing_role_arn: str
    key_arn: str
    wheel_uri: str
    rubrics: Path
    """Folder of the team's rubrics."""


class Prepared(NamedTuple):
    """What a job needs to begin."""

    files: Mapping[str, bytes]
    """What it reads, by name below its folder ``input/``."""
    request: Mapping[str, Any]


def prepare_job(plan: Plan, job: Job, batches: Mapping[int, Batch], around: JobSurroundings) -> Prepared:
    """Return what a job reads and the request that creates it; the same for each attempt.

    Args:
        plan: The run.
        job: One of its jobs.
        batches: Its batches by number.
        around: Where it reads and writes.

    Raises:
        InvalidInputError: A rubric is missing, or cannot be told to an evaluator.
    """
    if job.kind is JobKind.EVALUATION:
        return _evaluation(plan, job, batches, around)
    if job.kind is JobKind.BATCH_INFERENCE:
        return _batch_inference(plan, job, batches, around)
    if job.kind is JobKind.DEPLOYMENT:
        return Prepared({}, _deployment(plan, job))
    return _scoring(plan, job, around)


def part_name(place: int) -> str:
    """Return the name of a part of an evaluation job, which stands in the path of its output."""
    return f"part-{place}"


def cases_of(part: JobPart, batches: Mapping[int, Batch]) -> list[Case]:
    """Return the cases of a part, in order."""
    return [case for number in part.batches for case in batches[number].cases]


def write_part(plan: Plan, job: Job, part: JobPart, batches: Mapping[int, Batch]) -> WrittenDataset:
    """Return a part in Bedrock's format; the same when it is written and when its output is read."""
    model = plan.models[job.model]
    identifier = model.model_id if model.precomputed else None
    cases = cases_of(part, batches)
    if plan.settings.managed.retrieval is not None:
        return write_conversations(cases, identifier=identifier)
    return write_prompts(cases, system=model.system, identifier=identifier)


def _evaluation(plan: Plan, job: Job, batches: Mapping[int, Batch], around: JobSurroundings) -> Prepared:
    settings, name = plan.settings.managed, job.name(plan.run)
    files, datasets = {}, []
    for place, part in enumerate(job.parts):
        written = write_part(plan, job, part, batches)
        if written.lines:
            files[f"{part_name(place)}.jsonl"] = written.content
            uri = f"{around.folder_uri}input/{part_name(place)}.jsonl"
            datasets.append(JobDataset(name=part_name(place), uri=uri))
    measured = [each.name for each in plan.settings.scorers if each.name.startswith(BEDROCK_PREFIX)]
    order = EvaluationJobOrder(
        job_name=name,
        description=f"Run {plan.run} of the suite {plan.suite}"[:200],
        role_arn=around.role_arn,
        key_arn=around.key_arn,
        output_uri=f"{around.folder_uri}output/",
        model=plan.models[job.model],
        task=settings.task,
        retrieval=settings.retrieval,
        datasets=tuple(datasets),
        metrics=tuple(measured),
        evaluator_model_id=plan.models[settings.evaluator].model_id if settings.evaluator else None,
        custom_metrics=tuple(
            custom_metric_definition(rubric, read_rubric(rubric, around.rubrics)) for rubric in settings.rubrics
        ),
        workers=settings.workers,
    )
    return Prepared(files, evaluation_job_request(order))


def _batch_inference(plan: Plan, job: Job, batches: Mapping[int, Batch], around: JobSurroundings) -> Prepared:
    model = plan.models[job.model]
    records = b"".join(write_records([batches[number] for number in job.batches], model))
    order = BatchJobOrder(
        job_name=job.name(plan.run),
        model_id=model.model_id,
        role_arn=around.role_arn,
        key_arn=around.key_arn,
        input_uri=f"{around.folder_uri}input/{RECORDS}",
        output_uri=f"{around.folder_uri}output/",
        timeout=max(plan.settings.budget.time, timedelta(hours=24)),
    )
    return Prepared({RECORDS: records}, batch_job_request(order))


def _deployment(plan: Plan, job: Job) -> Mapping[str, Any]:
    """Return the request that deploys a custom model (Bedrock API reference, CreateCustomModelDeployment)."""
    name = job.name(plan.run)
    return {
        "modelDeploymentName": name,
        "clientRequestToken": name,
        "modelArn": plan.models[job.model].model_id,
        "description": f"For the run {plan.run}, which removes it at its end",
    }


def _scoring(plan: Plan, job: Job, around: JobSurroundings) -> Prepared:
    processing = plan.settings.processing
    if processing is None:
        raise ValueError("a scoring job needs the suite's section processing")
    order = ProcessingJobOrder(
        job_name=job.name(plan.run),
        role_arn=around.processing_role_arn,
        key_arn=around.key_arn,
        program_uri=f"{around.folder_uri}input/",
        wheel_uri=around.wheel_uri,
        run_uri=around.run_uri,
        output_uri=f"{around.folder_uri}output/",
        processing=processing,
    )
    return Prepared({PROGRAM: program_of(processing)}, processing_job_request(order))
