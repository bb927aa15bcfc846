"""What Hallmark publishes on its own bus."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

SOURCE = "hallmark"
LINEAGE_RECORDED = "LineageRecorded"
RECONCILIATION_COMPLETED = "ReconciliationCompleted"
EVALUATION_REQUESTED = "EvaluationRequested"
EVALUATION_COMPLETED = "EvaluationCompleted"
EVALUATION_FAILED = "EvaluationFailed"


class Published(BaseModel):
    """Base of what Hallmark publishes; field ``x_y`` is ``xY`` on the bus."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, defer_build=True
    )

    def to_entry(self, bus_name: str, detail_type: str) -> dict[str, Any]:
        """Return the entry of a PutEvents request."""
        return {
            "EventBusName": bus_name,
            "Source": SOURCE,
            "DetailType": detail_type,
            "Detail": self.model_dump_json(by_alias=True, exclude_none=True),
        }


class LineageRecorded(Published):
    """A fact was recorded. It may be delivered more than once: ``fact_id`` tells a repeat."""

    fact_id: str
    node: str
    """Key of the fact's subject."""
    kind: str
    arn: str
    status: str | None = None
    origin: str
    recorded_at: datetime
    occurred_at: datetime | None = None
    approval_status: str | None = None
    previous_approval_status: str | None = None
    stage: str | None = None
    updated_fields: list[str] | None = None
    """Of a model package: what this change was about, as SageMaker told it. Act on an approval only where
    ``ModelApprovalStatus`` is among them: any later change of an approved package tells of the approval again."""
    config: str | None = None
    pending_config: str | None = None
    edges: int
    """How many edges the fact asserts."""


class ReconciliationCompleted(Published):
    """A sweep has ended: what it listed, found recorded, recorded, and could not read, by kind."""

    since: datetime | None = None
    completed_at: datetime
    listed: dict[str, int]
    skipped: dict[str, int]
    recorded: dict[str, int]
    failed: dict[str, int]


class MeasuredDifference(Published):
    """A model against the champion, by the primary metric, on the cases that both have a score for."""

    value: float
    """Model minus champion, in the unit of the metric."""
    low: float | None = None
    high: float | None = None
    """Ends of the interval around it; None where the cases do not bound it."""
    confidence: float
    margin: float | None = None
    """What was held to be of no matter; None where nothing was."""
    cases: int


class EvaluatedModel(Published):
    """What a run found of one model."""

    name: str
    model_id: str
    answered: int
    planned: int
    metrics: dict[str, float | None]
    """Estimate of each metric; None where no case could be judged."""
    verdict: str | None = None
    """Against the champion, by the primary metric; none for the champion itself."""
    difference: MeasuredDifference | None = None
    """What the verdict rests on; None for the champion, and where the two cannot be compared."""


class EvaluatedDataset(Published):
    """A dataset as a run read it."""

    name: str
    location: str
    digest: str
    cases: int


class EvaluationCompleted(Published):
    """A run of a suite has ended with a report. It may be delivered more than once: ``run`` tells a repeat."""

    execution: str
    """ARN of the workflow's execution: it names the run in lineage."""
    status: str = "Completed"
    run: str
    suite: str
    trigger: str
    source: str = ""
    """What started it, e.g. the ARN of a model package."""
    started_at: datetime
    completed_at: datetime
    champion: str | None = None
    primary: str
    models: list[EvaluatedModel]
    datasets: list[EvaluatedDataset]
    coverage: float
    """Share of the planned calls that were answered."""
    cost_usd: float
    stopped: str | None = None
    """Why it ended before all was asked: its question was decided, or its budget was spent."""
    report: str
    """URI of the report's folder."""
    owners: list[str] = []
    changed_judges: list[str] | None = None
    """Judged metrics whose judge scores the anchors otherwise than in the run before; None where nobody could tell."""


class EvaluationRequested(Published):
    """Something asks for a run of a suite. ``request_id`` makes a repeat the same request."""

    suite: str
    request_id: str
    source: str = ""
    """What caused it: an ARN, or the id of a node."""
    models: list[str] = []
    """Variants to evaluate; all of the suite where there are none."""
    model_id: str | None = None
    """What Converse takes for a model that is none of the variants: it takes part as ``candidate``."""


class EvaluationFailed(Published):
    """A run of a suite has ended without a report."""

    run: str
    suite: str
    failed_at: datetime
    reason: str
