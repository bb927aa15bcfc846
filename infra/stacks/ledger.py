"""The stack of the ledger: what was recorded, so that nobody can change it unseen."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import Construct

from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.constructs.functions import Layers
from infra.constructs.ledger_log import LedgerLog
from infra.constructs.lineage_storage import LineageStorage


class LedgerStack(cdk.Stack):
    """Seals every fact in a signed, append-only log."""

    def __init__(
        self, scope: Construct, construct_id: str, *, policy: Policy, platform: Platform, shared: LineageStorage
    ) -> None:
        super().__init__(
            scope, construct_id, description="Hallmark: what was recorded, provably", termination_protection=False
        )
        log = LedgerLog(self, "Ledger", storage=shared, layers=Layers(self, "Layers", platform=platform), policy=policy)
        outputs = {
            "LedgerBucketName": log.bucket.bucket_name,
            "LedgerOrigin": log.origin,
            "QueryLedgerFunctionName": log.query.function.function_name,
            "RebuildLineageFunctionName": log.rebuilding.function.function_name,
            "SealLedgerFunctionName": log.sealing.function.function_name,
            "DeadLetterQueueUrlLedger": log.dead_letters.queue.queue_url,
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
