"""Runs as they are listed: where each stands, what it took, why it ended."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from hallmark.evaluation.plans import Trigger


class RunStatus(StrEnum):
    """Where a run stands."""

    PLANNING = "planning"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"


class Run(BaseModel):
    """A run as ``hallmark runs`` shows it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run: str
    suite: str
    status: RunStatus
    trigger: Trigger
    started_at: datetime
    ended_at: datetime | None = None
    execution: str = ""
    """ARN of the workflow's execution."""
    reason: str | None = None
    """Why it failed, or stopped early."""
    models: tuple[str, ...] = ()
    planned: int = 0
    """Calls of all models."""
    answered: int = 0
    failed: int = 0
    spent_usd: float = 0.0
    budget_usd: float = 0.0
    expected_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    deadline: datetime | None = None
    report: str | None = None
    """URI of the report's folder in S3."""
    verdict: str | None = None
