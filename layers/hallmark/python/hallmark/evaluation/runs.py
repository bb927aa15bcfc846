"""Runs as they are listed: where each stands, what it took, why it ended."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

MODEL_ID_PROPERTY = "hallmark:model-id"
"""Property (CustomerMetadataProperties) of a model package that names what Converse takes for it."""


class RunStatus(StrEnum):
    """Where a run stands."""

    PLANNING = "planning"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"


class Trigger(BaseModel):
    """Why a run was started."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    kind: Literal["schedule", "manual", "model_package", "custom_model", "dataset_changed", "prompt_changed", "gate"]
    source: str = ""
    """ARN of what changed, or of who asked."""


class Run(BaseModel):
    """A run as ``hallmark runs`` shows it."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

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
