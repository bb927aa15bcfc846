"""A completed evaluation as a test result (in-toto, test-result v0.1): each model on each metric is a test."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from hallmark.attestations.statements import MODEL_ID, TEST_RESULT, Resource, Statement, Subject, timestamp

EVALUATION = "urn:hallmark:evaluation"
"""Field of our own (in-toto's parsing rules, extension fields)."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class MeasuredModel(_Frozen):
    """A model that was asked."""

    name: str
    model_id: str
    planned: int
    answered: int
    finding: str | None = None
    """Against the champion, by the primary metric: ``better``, ``worse`` …; None for the champion itself."""
    metrics: dict[str, float | None]


class MeasuredData(_Frozen):
    """A dataset as it was read."""

    name: str
    digest: str
    """SHA-256 of its cases, in hex."""
    cases: int


class MeasuredRun(_Frozen):
    """A run of a suite, as its report tells."""

    execution: str
    run: str
    suite: str
    primary: str
    champion: str | None
    started_at: datetime
    completed_at: datetime
    stopped: str | None
    models: tuple[MeasuredModel, ...]
    data: tuple[MeasuredData, ...]
    report: str
    """URI of the report's file."""
    report_digest: str
    """SHA-256 of it, in hex."""


def evaluation_statement(run: MeasuredRun, attestor: str) -> Statement:
    """Return what is signed of a run.

    A test is a model on the primary metric. It fails where the model is shown to be worse than the champion, passes
    where it is shown not to be; else, and where calls have no answer, it is a warning.

    Args:
        run: The run.
        attestor: Who says so.
    """
    tests: dict[str, list[str]] = {"passedTests": [], "warnedTests": [], "failedTests": []}
    for model in run.models:
        tests[_outcome(model)].append(f"{model.name}: {run.primary}")
    result: Literal["PASSED", "WARNED", "FAILED"] = "PASSED"
    if tests["failedTests"]:
        result = "FAILED"
    elif tests["warnedTests"] or run.stopped:
        result = "WARNED"
    return Statement(
        subject=tuple(
            Subject(name=model.name, uri=model.model_id or None, digest={MODEL_ID: model.model_id or model.name})
            for model in run.models
        ),
        predicate_type=TEST_RESULT,
        predicate={
            "result": result,
            "configuration": [
                Resource(name=f"suite {run.suite}", uri=f"urn:hallmark:policy:evaluation:{run.suite}").model_dump(
                    by_alias=True, exclude_none=True
                ),
                *(
                    Resource(name=each.name, digest={"sha256": _hex(each.digest)}).model_dump(
                        by_alias=True, exclude_none=True
                    )
                    for each in run.data
                ),
            ],
            "url": run.report,
            **tests,
            EVALUATION: _details(run, attestor),
        },
    )


def _outcome(model: MeasuredModel) -> str:
    if model.finding == "worse":
        return "failedTests"
    if model.finding in {"cannot_tell", "not_better"} or model.answered < model.planned:
        return "warnedTests"
    return "passedTests"


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _details(run: MeasuredRun, attestor: str) -> dict[str, Any]:
    return {
        "recorder": {"id": attestor},
        "run": run.run,
        "execution": run.execution,
        "suite": run.suite,
        "champion": run.champion,
        "startedAt": timestamp(run.started_at),
        "completedAt": timestamp(run.completed_at),
        "stopped": run.stopped,
        "report": {"uri": run.report, "digest": {"sha256": run.report_digest}},
        "data": [{"name": each.name, "cases": each.cases} for each in run.data],
        "models": [each.model_dump(mode="json", exclude={"model_id"}) for each in run.models],
    }
