"""A verdict that a gate gave, signed as it should be, and the world that it was given of: to be changed by tests."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError

from hallmark.attestations.keeping import Attestation, attest
from hallmark.attestations.statements import OVERRIDE, VERIFICATION_SUMMARY
from hallmark.attestations.verdicts import override_statement, verdict_statement
from hallmark.aws.attestation_keys import KmsStatementKey
from hallmark.aws.promotion_proof import PromotionProof
from hallmark.events.gates import GateOverridden, QualityGateDecided
from hallmark.gates.actions import gate_overridden
from hallmark.gates.applying import verdict_of
from hallmark.gates.evidence import Evidence, Source
from hallmark.gates.judging import Judgement
from hallmark.gates.origins import LineageEvidence, Snapshot
from hallmark.gates.ports import Subject
from hallmark.gates.promoting import Order, PackageState, order_of
from hallmark.gates.requests import GateRequest
from hallmark.gates.settings import GatesPolicy
from hallmark.gates.verdicts import decided_event
from hallmark.people import Person
from tests.fakes.log_files import LogFiles
from tests.fakes.statement_keys import FakeKms
from tests.fakes.told_verdicts import NOON, PACKAGE

REPORT = "s3://reports/runs/s/s-1/report.json"
DIGEST = sha256(b"containers").hexdigest()
ATTESTOR = "urn:hallmark:111122223333:eu-central-1"
KIM = Person(arn="arn:aws:iam::111122223333:user/kim", principal="AIDAKIM")
_POLICY: dict[str, Any] = {
    "stage": "production",
    "models": {"model_package_groups": ["churn"]},
    "criteria": {"traceable": {"kind": "lineage"}},
    "max_evidence_age": "1 day",
}


def policy(**more: Any) -> GatesPolicy:
    return GatesPolicy.model_validate({"gates": {"full": {**_POLICY, **more}}})


def trained_on(*digests: str) -> LineageEvidence:
    return LineageEvidence(
        node=PACKAGE,
        snapshots=tuple(
            Snapshot(name=f"s3://data/{place}", digest=digest, is_snapshot=True, trained_on=True)
            for place, digest in enumerate(digests)
        ),
    )


class Reports:
    """S3 with reports."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {REPORT: b"a report"}

    def get_object(self, **request: Any) -> dict[str, Any]:
        content = self.files.get(f"s3://{request['Bucket']}/{request['Key']}")
        if content is None:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": ""}}, "GetObject")
        return {"Body": io.BytesIO(content)}


class World:
    """All that a proof is held against."""

    def __init__(self) -> None:
        self.kms = FakeKms()
        self.files = LogFiles()
        self.reports = Reports()
        self.origin: LineageEvidence | None = trained_on("a" * 64, "b" * 64)
        self.policy = policy()
        self.package: PackageState | None = PackageState(status="Completed", fingerprint=DIGEST)
        self.now = NOON + timedelta(minutes=5)

    def provenance(self, subject: Subject, *, with_tags: bool) -> LineageEvidence | None:
        return self.origin

    @property
    def key(self) -> KmsStatementKey:
        return KmsStatementKey("key", self.kms)

    @property
    def proof(self) -> PromotionProof:
        return PromotionProof(self.files, self.key, self, self.reports, self.policy)

    def verdict(self, outcome: str = "passed", model: str = PACKAGE) -> QualityGateDecided:
        evidence = Evidence(
            model=model,
            model_name="churn v3",
            group="churn",
            package=model,
            digest=self.package.fingerprint if self.package else "",
            sources=(
                Source(
                    kind="suite",
                    name="s",
                    uri="s3://reports/runs/s/s-1/",
                    document=REPORT,
                    digest=sha256(self.reports.files[REPORT]).hexdigest(),
                    completed_at=NOON - timedelta(hours=1),
                ),
            ),
            lineage=self.origin,
        )
        request = GateRequest(gate="full", model=model, request_id="r", trigger="manual")
        judgement = Judgement(outcome, ())  # type: ignore[arg-type] # one of the three
        return decided_event(verdict_of(request, self.policy.gates["full"], evidence, judgement, NOON))

    def signed(self, told: QualityGateDecided) -> Attestation:
        return attest(
            told.verdict, VERIFICATION_SUMMARY, lambda: verdict_statement(told, ATTESTOR), self.files, self.key
        )

    def overridden(self, told: QualityGateDecided) -> GateOverridden:
        digest = self.package.fingerprint if self.package else ""
        return gate_overridden(told, KIM, "the labels of that week were wrong", NOON, model_digest=digest)

    def signed_override(self, told: GateOverridden) -> Attestation:
        return attest(told.lineage.node.id, OVERRIDE, lambda: override_statement(told, ATTESTOR), self.files, self.key)

    def order(self, told: QualityGateDecided | GateOverridden) -> Order:
        found = order_of(told, self.policy)
        assert found is not None
        return found


Change = Callable[[World], None]
LATER = datetime(2026, 11, 25, tzinfo=UTC)
