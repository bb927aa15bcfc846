"""Plans of runs whose models jobs of AWS ask: what tests of those jobs start from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hallmark.evaluation.cases import Case
from hallmark.evaluation.jobs.planning import plan_jobs
from hallmark.evaluation.jobs.preparing import JobSurroundings
from hallmark.evaluation.plans import Batch, Forecast, Plan
from hallmark.evaluation.runs import Trigger
from hallmark.evaluation.suites import ModelVariant, Suite

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
AROUND = JobSurroundings(
    folder_uri="s3://bucket/runs/s/r/jobs/hm-1/",
    run_uri="s3://bucket/runs/s/r/",
    role_arn="arn:aws:iam::123456789012:role/jobs",
    processing_role_arn="arn:aws:iam::123456789012:role/processing",
    key_arn="arn:aws:kms:eu-west-1:123456789012:key/12345678-1234-1234-1234-123456789012",
    wheel_uri="s3://assets/wheel.zip",
    rubrics=Path("/nowhere"),
)
MODELS = {
    "lite": ModelVariant(model_id="amazon.nova-lite-v1:0", system="Be short."),
    "judge": ModelVariant(model_id="amazon.nova-pro-v1:0"),
    "frozen": ModelVariant(model_id="last-year", precomputed=True),
    "base": ModelVariant(model_id="amazon.nova-lite-v1:0", knowledge_base="KB12345678"),
    "tuned": ModelVariant(
        model_id="arn:aws:bedrock:eu-west-1:123456789012:custom-model/amazon.nova-lite-v1/abcdefghijkl"
    ),
}
FLOW = "arn:aws:sagemaker:eu-west-1:123456789012:flow-definition/reviewers"
COMPUTED = {"engine": "managed", "managed": {"task": "QuestionAndAnswer"}, "scorers": ["Builtin.Accuracy"]}
JUDGED = {
    "engine": "managed",
    "managed": {"evaluator": "judge", "rubrics": ["correctness"]},
    "scorers": ["Builtin.Helpfulness"],
}
PEOPLE = {
    "engine": "managed",
    "managed": {
        "workers": {
            "flow_definition": FLOW,
            "instructions": "Rate it.",
            "metrics": [{"name": "tone"}, {"name": "ok", "rating_method": "ThumbsUpDown", "description": "Is it ok?"}],
        }
    },
    "scorers": ["token_f1"],
}
HEAVY = {"scorers": ["token_f1"], "processing": {"scorers": ["token_f1"], "image": "i:1", "requirements": ["a>=1"]}}


def retrieval(half: str) -> dict[str, Any]:
    return {**JUDGED, "managed": {"evaluator": "judge", "retrieval": half}, "scorers": ["Builtin.Correctness"]}


def suite(model: str, **more: Any) -> Suite:
    given = {"template": "safety", "model_variants": [model], "datasets": ["d"], "scorers": ["token_f1"], **more}
    return Suite.model_validate(given)


def batches(cases: int = 120, size: int = 50) -> tuple[Batch, ...]:
    every = [Case(id=f"c{n}", prompt=f"q {n}", expected=("a",), answers={"last-year": "a"}) for n in range(cases)]
    parts = [tuple(every[start : start + size]) for start in range(0, cases, size)]
    return tuple(Batch(number=n, epoch=0, dataset="d", cases=part) for n, part in enumerate(parts))


def plan_of(settings: Suite, asked: tuple[Batch, ...]) -> Plan:
    models = {name: MODELS[name] for name in settings.model_variants}
    return Plan(
        run="answers-1",
        suite="answers",
        settings=settings,
        models=MODELS,
        asked=settings.model_variants,
        datasets=(),
        batches=len(asked),
        planned=sum(len(batch.cases) for batch in asked),
        jobs=plan_jobs(settings, models, asked),
        handed_over=len(asked),
        rounds=(len(asked),),
        forecast=Forecast(calls=1, expected_usd=0, at_most_usd=0),
        trigger=Trigger(kind="manual"),
        started_at=NOON,
        deadline=NOON + timedelta(hours=1),
    )
