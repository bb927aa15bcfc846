"""What ``hallmark.yaml`` may say. Every field has a default that a small team can live with."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hallmark.alerts.settings import AlertsPolicy
from hallmark.drift.settings import DriftPolicy
from hallmark.durations import Duration
from hallmark.evaluation.suites import EvaluationPolicy
from hallmark.gates.settings import GatesPolicy
from hallmark.ledger.settings import LedgerPolicy
from hallmark.lineage.connectors.settings import ConnectorsPolicy
from hallmark.lineage.coverage.settings import CoveragePolicy
from hallmark.lineage.intake.settings import ForeignLineagePolicy
from hallmark.reviews.settings import ReviewsPolicy


def _matching(pattern: str, remedy: str) -> AfterValidator:
    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(remedy)
        return value

    return AfterValidator(check)


BucketPattern = Annotated[
    str,
    _matching(
        r"[a-z0-9*{][a-z0-9.*{}-]{1,80}",
        "write a bucket's name (lower-case letters, digits, dots, hyphens); {account}, {region}, * may be in it",
    ),
]
RepositoryPattern = Annotated[
    str, _matching(r"[a-z0-9*][a-z0-9._/*-]{0,255}", "write the name of an ECR repository; * may be in it")
]
RegistryAccount = Annotated[
    str, _matching(r"\d{12}|\*", "write the account (12 digits) that an ECR registry is of, or *")
]
MachinePattern = Annotated[
    str, _matching(r"[^,\s]{1,512}", "write the name of an IAM user, or an ARN; * may be in it, a comma may not")
]
KeyArn = Annotated[
    str,
    _matching(
        r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+",
        "write the ARN of a KMS key: arn:aws:kms:REGION:ACCOUNT:key/ID",
    ),
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class SnapshotPolicy(_Section):
    """How much of a dataset is looked at."""

    objects: int = Field(default=10_000, ge=1, le=1_000_000)
    """Objects listed per dataset; a larger one is marked as partial, with the count."""
    checksums: int = Field(default=100, ge=0, le=10_000)
    """Objects per dataset whose stored checksum is read, one call each; beyond it the ETag identifies the content."""


class ReconciliationPolicy(_Section):
    """How often the account is compared with what was recorded."""

    every: Duration = timedelta(hours=1)


class CompactionPolicy(_Section):
    """How often the graph is written in its compact form, for wide and deep questions."""

    every: Duration = timedelta(minutes=15)


class MirrorPolicy(_Section):
    """How much is written into SageMaker Lineage.

    It allows 6,000 artifacts and 6,000 associations of your own an account (SageMaker developer guide,
    lineage-tracking-manual-creation).
    """

    enabled: bool = True
    delay: Duration = Field(default=timedelta(minutes=2), le=timedelta(minutes=15))
    """SageMaker makes its own entities within this time; SQS delays a message for 15 minutes at most."""
    artifacts: int = Field(default=3_000, ge=0, le=6_000)
    associations: int = Field(default=3_000, ge=0, le=6_000)


class LineagePolicy(ForeignLineagePolicy, ConnectorsPolicy):
    """What lineage may read, and how much of it; which other tools it is exchanged with."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    data_buckets: tuple[BucketPattern, ...] = ("sagemaker-{region}-{account}",)
    """Buckets whose listings are read for content snapshots."""
    data_keys: tuple[KeyArn, ...] = ()
    """KMS keys that encrypt objects in those buckets; needed only to read their checksums."""
    image_repositories: tuple[RepositoryPattern, ...] = ("*",)
    """ECR repositories of this account in which image digests are looked up."""
    image_registries: tuple[RegistryAccount, ...] = ("*",)
    """Other accounts whose registries are asked for them, where they let their images be pulled: AWS's containers."""
    snapshot: SnapshotPolicy = SnapshotPolicy()
    reconciliation: ReconciliationPolicy = ReconciliationPolicy()
    compaction: CompactionPolicy = CompactionPolicy()
    mirror: MirrorPolicy = MirrorPolicy()
    coverage: CoveragePolicy = CoveragePolicy()
    reasons: Literal["required", "optional"] = "optional"
    """Whether people must say why they change something (tag ``hallmark:reason``); what lacks one raises an alarm."""
    machines: tuple[MachinePattern, ...] = ()
    """Users of IAM that no person works as: their names or ARNs; ``*`` may be in them."""


class Policy(_Section):
    """The whole of ``hallmark.yaml``."""

    lineage: LineagePolicy = LineagePolicy()
    evaluation: EvaluationPolicy = EvaluationPolicy()
    gates: GatesPolicy = GatesPolicy()
    drift: DriftPolicy = DriftPolicy()
    reviews: ReviewsPolicy = ReviewsPolicy()
    alerts: AlertsPolicy = AlertsPolicy()
    ledger: LedgerPolicy = LedgerPolicy()
