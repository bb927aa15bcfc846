"""What evaluations and training jobs were, as their own records tell: what attestations are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from hallmark.attestations.evaluations import MeasuredData, MeasuredModel, MeasuredRun
from hallmark.attestations.statements import Resource, snapshot_resource
from hallmark.attestations.training import TrainedModel
from hallmark.aws.failures import calling, describe_error
from hallmark.aws.lineage_service import LineageService
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.evaluation.runs import Run, RunStatus
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import (
    Candidates,
    Direction,
    ShowAnswer,
    ShowQuestion,
    TraceAnswer,
    TracedEdge,
    TraceQuestion,
)

if TYPE_CHECKING:
    from hallmark.evaluation.comparison.report import Report

_REQUESTED = (
    "hyperparameters",
    "environment",
    "entrypoint",
    "arguments",
    "algorithm",
    "inputs",
    "outputs",
    "experiment",
    "tuning_job",
    "automl_job",
    "spot",
)
_PLATFORM = ("resources", "stopping_condition", "created_by", "billable_seconds", "image")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_DIRTY = ("-dirty", "+dirty")
_DATA = frozenset({NodeKind.DATASET, NodeKind.DATASET_VERSION})


# --- evaluations ------------------------------------------------------------------------------------------------------


def measured_run(run: Run, s3: Any) -> MeasuredRun:
    """Return a completed run as its report tells.

    Args:
        run: The run, as its record has it.
        s3: Client.

    Raises:
        InvalidInputError: It has no report that can be read.
        UnavailableError: S3 did not answer.
    """
    if run.status is not RunStatus.COMPLETED or run.report is None:
        raise InvalidInputError("run", run.run, f"it is {run.status.value}: only a run with a report is attested")
    uri = f"{run.report}report.json"
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        with calling(f"reading {uri}"):
            content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        raise UnavailableError(f"reading {uri}: {describe_error(error)}") from error
    from hallmark.evaluation.comparison.report import read_report  # noqa: PLC0415 - most that is attested is no run

    return _measured(read_report(content), run, uri, sha256(content).hexdigest())


def _measured(report: Report, run: Run, uri: str, digest: str) -> MeasuredRun:
    coverage = {each.model: each for each in report.coverage}
    findings = {each.candidate: each.finding.value for each in report.answers}
    return MeasuredRun(
        execution=run.execution,
        run=report.run,
        suite=report.suite,
        primary=report.primary,
        champion=report.champion,
        started_at=report.started_at,
        completed_at=report.completed_at,
        stopped=report.stopped,
        models=tuple(
            MeasuredModel(
                name=model.name,
                model_id=model.model_id,
                planned=coverage[model.name].planned,
                answered=coverage[model.name].answered,
                finding=findings.get(model.name),
                metrics={
                    each.metric: each.value
                    for each in report.estimates
                    if each.model == model.name and each.part is None
                },
            )
            for model in report.models
        ),
        data=tuple(MeasuredData(name=each.name, digest=each.digest, cases=each.drawn) for each in report.data),
        report=uri,
        report_digest=digest,
    )


# --- training jobs ----------------------------------------------------------------------------------------------------


def shown_node(lineage: LineageService, node: str) -> ShowAnswer:
    """Return what lineage knows of a node.

    Raises:
        UnavailableError: It knows nothing of it yet.
    """
    shown = lineage.ask(ShowQuestion(node=node))
    if isinstance(shown, Candidates) or not isinstance(shown, ShowAnswer):
        raise UnavailableError(f"lineage does not know {node} (yet): ask again in a minute")
    return shown


def trained_model(shown: ShowAnswer, lineage: LineageService) -> TrainedModel:
    """Return a training job as lineage knows it.

    Args:
        shown: The job.
        lineage: Is asked what went in, and what came out.

    Raises:
        InvalidInputError: It is no training job, or has not ended well.
        UnavailableError: Lineage did not answer.
    """
    key, told = shown.node.key, shown.attributes
    if shown.node.kind is not NodeKind.TRAINING_JOB or shown.node.status != "Completed" or shown.node.at is None:
        raise InvalidInputError(
            key, f"{shown.node.kind.value} {shown.node.status}", "provenance is of a completed training job"
        )
    arn = str(told.get("arn") or key.partition("@")[0])
    _, _, _, region, account, _ = arn.split(":", 5)
    sources = _around(lineage, key, Direction.UP)
    products = _around(lineage, key, Direction.DOWN)
    return TrainedModel(
        arn=arn,
        region=region,
        account=account,
        requested={name: told[name] for name in _REQUESTED if told.get(name) not in (None, "", {}, [])},
        platform={name: told[name] for name in _PLATFORM if told.get(name) not in (None, "", {}, [])},
        materials=tuple(
            found for edge, kind in sources if (found := _material(edge.source, kind, edge.role)) is not None
        ),
        products=tuple(
            snapshot_resource(edge.target, edge.role or None)
            for edge, kind in products
            if kind in _DATA and edge.type.value == "Produced"
        ),
        started_at=_text(told, "started_at"),
        ended_at=_text(told, "ended_at"),
        recorded_at=shown.node.at,
    )


def _around(lineage: LineageService, key: str, direction: Direction) -> Sequence[tuple[TracedEdge, NodeKind]]:
    """Return the edges of a node in one direction, with the kind of what is at their other end, in order."""
    answer = lineage.ask(TraceQuestion(node=key, direction=direction, depth=1))
    if not isinstance(answer, TraceAnswer):
        raise UnavailableError(f"lineage does not know {key} (yet): ask again in a minute")
    kinds = {node.key: node.kind for node in answer.nodes}
    up = direction is Direction.UP
    edges = [edge for edge in answer.edges if (edge.target if up else edge.source) == key]
    return sorted(
        ((edge, kinds[edge.source if up else edge.target]) for edge in edges),
        key=lambda found: (found[0].source, found[0].target, found[0].role),
    )


def _material(key: str, kind: NodeKind, role: str) -> Resource | None:
    if kind in _DATA:
        return snapshot_resource(key, role or None)
    if kind is NodeKind.IMAGE:
        _, _, digest = key.partition("@sha256:")
        return Resource(name="image", uri=f"docker://{key}", digest={"sha256": digest} if digest else None)
    if kind is NodeKind.CODE:
        return _code(key)
    if kind in {NodeKind.FEATURE_GROUP, NodeKind.MODEL_PACKAGE, NodeKind.CUSTOM_MODEL, NodeKind.FOUNDATION_MODEL}:
        return Resource(name=role or None, uri=key)
    return None


def _code(key: str) -> Resource:
    if not key.startswith("git:"):
        return snapshot_resource(key, "code")
    repository, _, commit = key.removeprefix("git:").rpartition("@")
    clean = commit
    for mark in _DIRTY:
        clean = clean.removesuffix(mark)
    dirty = clean != commit
    return Resource(
        name="code",
        uri=f"git+{repository}@{clean}" if repository else f"git:{clean}",
        # A commit with changes beside it is not the code that ran.
        digest={"gitCommit": clean} if _COMMIT.fullmatch(clean) and not dirty else None,
        annotations={"uncommittedChanges": True} if dirty else None,
    )


def _text(told: Mapping[str, Any], name: str) -> str | None:
    found = told.get(name)
    return found if isinstance(found, str) and found else None
