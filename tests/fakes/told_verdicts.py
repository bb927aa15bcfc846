"""Verdicts as gates tell them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hallmark.events.gates import QualityGateDecided

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PACKAGE = "arn:aws:sagemaker:eu-central-1:111122223333:model-package/churn/3"
ENDPOINT = "arn:aws:sagemaker:eu-central-1:111122223333:endpoint/churn"


def verdict(gate: str, stage: str, outcome: str, **more: Any) -> QualityGateDecided:
    """Return a verdict on a package, with whatever else a test says of it."""
    return QualityGateDecided.model_validate(
        {
            "verdict": "hallmark:verdict/v1",
            "outcome": outcome,
            "gate": gate,
            "stage": stage,
            "model": PACKAGE,
            "model_name": "churn v3",
            "group": "churn",
            "criteria": [],
            "action": "none",
            "decided_at": NOON,
            "trigger": "manual",
            "summary": "as expected",
            "lineage": {"node": {"kind": "verdict", "id": "hallmark:verdict/v1"}, "at": NOON},
            **more,
        }
    )
