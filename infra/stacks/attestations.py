"""The stack of attestations: what was found, signed in words that other tools know."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import Construct

from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.constructs.attestation_signing import AttestationSigning
from infra.constructs.attestation_storage import AttestationStorage
from infra.constructs.evaluation_storage import EvaluationStorage
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.lineage_storage import LineageStorage


class AttestationsStack(cdk.Stack):
    """Keeps and signs attestations; gates sign their verdicts with the same key."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        policy: Policy,
        platform: Platform,
        shared: LineageStorage,
        evaluation: EvaluationStorage,
        query_lineage: PythonFunction,
    ) -> None:
        super().__init__(
            scope, construct_id, description="Hallmark: what was found, signed", termination_protection=False
        )
        storage = self.storage = AttestationStorage(self, "Storage", shared=shared, policy=policy)
        signing = AttestationSigning(
            self,
            "Signing",
            storage=storage,
            evaluation=evaluation,
            query_lineage=query_lineage,
            layers=Layers(self, "Layers", platform=platform),
        )
        outputs = {
            "AttestationBucketName": storage.bucket.bucket_name,
            "AttestRunFunctionName": signing.attesting.function.function_name,
            "QueryAttestationsFunctionName": signing.query.function.function_name,
            "RevokeAttestationFunctionName": signing.revoking.function.function_name,
            "DeadLetterQueueUrlAttestations": signing.dead_letters.queue.queue_url,
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
