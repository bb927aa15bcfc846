"""Runs of Hallmark's own suites: which models were asked, on which data, and what came of it."""

from __future__ import annotations

from hallmark.events.resources import Evaluation, Section
from hallmark.lineage.model import EdgeType
from hallmark.lineage.references import kind_of, parse_arn, resource_ref
from hallmark.lineage.translation.bedrock import model_ref
from hallmark.lineage.translation.draft import FactDraft
from hallmark.lineage.translation.reading import take, take_number, take_text
from hallmark.lineage.translation.sections import add_input, iso, seconds_between


def evaluation(draft: FactDraft, run: Evaluation, arn: str) -> None:
    """Add what a run of a suite found."""
    models = {take_text(model, "name") or "": model for model in run.models or ()}
    draft.note(
        suite=run.suite,
        trigger=run.trigger,
        started_at=iso(run.started_at),
        ended_at=iso(run.completed_at),
        duration_seconds=seconds_between(run.started_at, run.completed_at),
        champion=run.champion,
        primary_metric=run.primary,
        coverage=run.coverage,
        cost_usd=run.cost_usd,
        stopped=run.stopped,
        report=run.report,
        models={name: _found(model) for name, model in models.items()},
        owners=run.owners,
        changed_judges=run.changed_judges,
    )
    datasets: dict[str, Section] = {}
    for name, model in models.items():
        model_id = take_text(model, "modelId")
        if model_id:
            draft.flows_in(model_ref(arn, model_id), EdgeType.CONTRIBUTED_TO, name)
    for dataset in run.datasets or ():
        role = take_text(dataset, "name") or "dataset"
        datasets[role] = {"digest": take_text(dataset, "digest"), "cases": take_number(dataset, "cases")}
        add_input(draft, (take_text(dataset, "location") or "").rstrip("/"), role, run.started_at)
    draft.note(datasets=datasets)
    kind = kind_of(run.source) if run.source and parse_arn(run.source) is not None else None
    if run.source and kind is not None:
        draft.flows_in(resource_ref(run.source, kind), EdgeType.CONTRIBUTED_TO, "trigger")


def _found(model: Section) -> dict[str, object]:
    found = {
        "answered": take_number(model, "answered"),
        "planned": take_number(model, "planned"),
        "metrics": take(model, "metrics"),
        "verdict": take_text(model, "verdict"),
    }
    return {name: value for name, value in found.items() if value is not None}
