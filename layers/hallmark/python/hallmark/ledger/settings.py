"""Section ``ledger`` of ``hallmark.yaml``."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hallmark.durations import Duration


class LedgerPolicy(BaseModel):
    """How the ledger is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    object_lock: Literal["governance", "compliance"] = "governance"
    """Whether somebody with ``s3:BypassGovernanceRetention`` may remove its files before their time. ``compliance``:
    nobody may, not even the account's root (Amazon S3 user guide, object-lock)."""
    retention: Duration = Field(default=timedelta(days=3_650), ge=timedelta(days=1))
    """How long each file is locked: ten years, as Article 18 of the EU AI Act asks of documentation."""
    seal_within: Duration = Field(default=timedelta(seconds=30), ge=timedelta(0), le=timedelta(minutes=1))
    """How long facts are gathered before they are sealed together."""
    post_quantum_signature: bool = False
    """Whether checkpoints are cosigned with ML-DSA-44, where KMS of the Region has it."""
