"""Gates as functions use them: what they ask, where they keep it, whom they tell."""

from __future__ import annotations

from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.evaluation_runs import DynamoRuns
from hallmark.aws.eventbridge import EventPublisher
from hallmark.aws.gate_lineage import LineageOrigins
from hallmark.aws.gate_models import SageMakerModels
from hallmark.aws.gate_reports import EvaluationReports
from hallmark.aws.gate_table import DynamoVerdicts
from hallmark.aws.lineage_service import LineageService
from hallmark.aws.pipeline_steps import fail_step, succeed_step
from hallmark.events.published import EVALUATION_REQUESTED, EvaluationRequested
from hallmark.gates.applying import Ports
from hallmark.gates.ports import Subject
from hallmark.gates.verdicts import Verdict, decided_event


class GateAnnouncer:
    """Tells the hallmark bus, and the pipeline's step that waits."""

    def __init__(self, bus: str, events: Any, sagemaker: Any) -> None:
        self._bus, self._publisher, self._sagemaker = bus, EventPublisher(events), sagemaker

    def request_evaluation(self, suite: str, subject: Subject, request_id: str) -> None:
        """Ask for a run of a suite on a model."""
        told = EvaluationRequested(
            suite=suite,
            source=subject.package or subject.model,
            request_id=request_id,
            model_id=subject.model_id or None,
        )
        self._publisher.publish([told.to_entry(self._bus, EVALUATION_REQUESTED)])

    def tell(self, verdict: Verdict) -> None:
        """Tell of a verdict, and the pipeline's step where one waits for it."""
        self._publisher.publish([decided_event(verdict).to_entry(self._bus, verdict.detail_type)])
        if verdict.request.callback_token:
            answer_step(self._sagemaker, verdict)


def answer_step(sagemaker: Any, verdict: Verdict) -> None:
    """Let a pipeline's callback step succeed where the gate passed, and fail where it did not."""
    token = verdict.request.callback_token
    if verdict.outcome == "passed":
        parameters = {"verdict": verdict.id, "outcome": verdict.outcome, "summary": verdict.summary[:1024]}
        succeed_step(sagemaker, token, parameters)
    else:
        fail_step(sagemaker, token, verdict.summary)


def make_ports(*, gate_table: str, evaluation_table: str, query_lineage: str, bus: str) -> Ports:
    """Return what gates need, as it lies in AWS."""
    lineage = LineageService(query_lineage, client("lambda"))
    models = SageMakerModels(client("sagemaker"), client("s3"), lineage)
    return Ports(
        registry=models,
        reports=EvaluationReports(DynamoRuns(evaluation_table, client("dynamodb")), client("s3"), models),
        lineage=LineageOrigins(lineage, client("s3")),
        verdicts=DynamoVerdicts(gate_table, client("dynamodb")),
        announcer=GateAnnouncer(bus, client("events"), client("sagemaker")),
    )
