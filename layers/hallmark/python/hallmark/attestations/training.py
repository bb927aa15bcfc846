"""A training job as build provenance (SLSA, provenance v1): what was asked, from what, by whom, and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from hallmark.attestations.statements import PROVENANCE, Resource, Statement, Subject, timestamp
from hallmark.errors import InvalidInputError

BUILD_TYPE = "urn:hallmark:sagemaker-training-job:v1"
"""What ``externalParameters`` and ``internalParameters`` mean (docs/attestations.md)."""


class TrainedModel(BaseModel):
    """A training job that has ended well, as lineage knows it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    arn: str
    region: str
    account: str
    requested: dict[str, Any]
    """What whoever started it asked for: hyperparameters, environment, image, channels …"""
    platform: dict[str, Any]
    """What it ran on: instances, stopping condition."""
    materials: tuple[Resource, ...]
    """What it was made from: data, image, code."""
    products: tuple[Resource, ...]
    """What came of it."""
    started_at: str | None
    ended_at: str | None
    recorded_at: datetime


def training_statement(run: TrainedModel, attestor: str) -> Statement:
    """Return what is signed of a training job.

    Args:
        run: The job.
        attestor: Who says so.

    Raises:
        InvalidInputError: Nothing that came of it has a digest.
    """
    subjects = [Subject(**each.model_dump()) for each in run.products if each.digest]
    if not subjects:
        raise InvalidInputError(
            run.arn, "no digest of what it produced", "lineage lists the content of its output once it may read it"
        )
    metadata = {"invocationId": run.arn, "startedOn": _zulu(run.started_at), "finishedOn": _zulu(run.ended_at)}
    return Statement(
        subject=tuple(subjects),
        predicate_type=PROVENANCE,
        predicate={
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": run.requested,
                "internalParameters": run.platform,
                "resolvedDependencies": [each.model_dump(by_alias=True, exclude_none=True) for each in run.materials],
            },
            "runDetails": {
                "builder": {
                    "id": f"https://sagemaker.{run.region}.amazonaws.com/{run.account}/training-job",
                    "builderDependencies": [{"uri": attestor}],
                },
                "metadata": {name: value for name, value in metadata.items() if value},
            },
        },
    )


def _zulu(text: str | None) -> str | None:
    return timestamp(datetime.fromisoformat(text)) if text else None
