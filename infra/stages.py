"""Which stacks make Hallmark."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import aws_cdk as cdk

from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.stacks.alerts import AlertsStack
from infra.stacks.api import ApiStack
from infra.stacks.attestations import AttestationsStack
from infra.stacks.channels import ChannelsStack
from infra.stacks.drift import DriftStack
from infra.stacks.evaluation import EvaluationStack
from infra.stacks.gates import GatesStack
from infra.stacks.intake import IntakeStack
from infra.stacks.ledger import LedgerStack
from infra.stacks.lineage import LineageStack
from infra.stacks.reviews import ReviewsStack


class Hallmark(NamedTuple):
    """The stacks."""

    lineage: LineageStack
    evaluation: EvaluationStack
    gates: GatesStack
    reviews: ReviewsStack
    alerts: AlertsStack
    ledger: LedgerStack
    drift: DriftStack
    api: ApiStack
    channels: ChannelsStack
    intake: IntakeStack
    attestations: AttestationsStack


def add_hallmark(app: cdk.App, *, policy: Policy, policy_folder: Path, platform: Platform) -> Hallmark:
    """Add Hallmark's stacks to an app.

    Args:
        app: The app.
        policy: What the team says.
        policy_folder: Where the policy file is: scorers and rubrics that it names lie beside it.
        platform: Where the functions run.
    """
    lineage = LineageStack(app, "HallmarkLineage", policy=policy, platform=platform)
    evaluation = EvaluationStack(
        app,
        "HallmarkEvaluation",
        policy=policy,
        policy_folder=policy_folder,
        platform=platform,
        shared=lineage.storage,
        recorders=lineage.recorders,
    )
    attestations = AttestationsStack(
        app,
        "HallmarkAttestations",
        policy=policy,
        platform=platform,
        shared=lineage.storage,
        evaluation=evaluation.storage,
        query_lineage=lineage.query,
    )
    gates = GatesStack(
        app,
        "HallmarkGates",
        policy=policy,
        policy_folder=policy_folder,
        platform=platform,
        shared=lineage.storage,
        evaluation=evaluation.storage,
        query_lineage=lineage.query,
        attestations=attestations.storage,
    )
    api = ApiStack(app, "HallmarkApi")
    reviews = ReviewsStack(
        app,
        "HallmarkReviews",
        policy=policy,
        policy_folder=policy_folder,
        platform=platform,
        shared=lineage.storage,
        evaluation=evaluation.storage,
        query_evaluations=evaluation.query,
        api=api.http,
    )
    alerts = AlertsStack(
        app,
        "HallmarkAlerts",
        policy=policy,
        policy_folder=policy_folder,
        platform=platform,
        shared=lineage.storage,
        query_lineage=lineage.query,
    )
    ledger = LedgerStack(
        app,
        "HallmarkLedger",
        policy=policy,
        platform=platform,
        shared=lineage.storage,
        attestations=attestations.storage,
        # Those that only tell: others start runs, too, and whoever may ask for a signature need not be let do that.
        questions={"lineage": lineage.query, "coverage": lineage.coverage},
        query_lineage=lineage.query,
    )
    drift = DriftStack(
        app,
        "HallmarkDrift",
        policy=policy,
        policy_folder=policy_folder,
        platform=platform,
        shared=lineage.storage,
        recorders=lineage.recorders,
        query_evaluations=evaluation.query,
    )
    channels = ChannelsStack(
        app,
        "HallmarkChannels",
        policy=policy,
        policy_folder=policy_folder,
        platform=platform,
        shared=lineage.storage,
        queues=alerts.queues,
        api=api.http,
        acting=alerts.engine.acting_for_channels,
    )
    intake = IntakeStack(
        app,
        "HallmarkIntake",
        policy=policy,
        policy_folder=policy_folder,
        platform=platform,
        shared=lineage.storage,
        query_lineage=lineage.query,
        api=api.http,
    )
    cdk.Tags.of(app).add("application", "hallmark")
    return Hallmark(lineage, evaluation, gates, reviews, alerts, ledger, drift, api, channels, intake, attestations)
