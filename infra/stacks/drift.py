"""The stack of monitors: what they keep, and what looks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import aws_cdk as cdk
from constructs import Construct

from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.constructs.drift_storage import DriftStorage
from infra.constructs.drift_watch import DriftWatch
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.own_data import OwnDataListing


class DriftStack(cdk.Stack):
    """Looks at what the monitors of ``hallmark.yaml`` name."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        policy: Policy,
        policy_folder: Path,
        platform: Platform,
        shared: LineageStorage,
        recorders: Sequence[PythonFunction],
        query_evaluations: PythonFunction,
    ) -> None:
        super().__init__(
            scope, construct_id, description="Hallmark: whether production has drifted", termination_protection=False
        )
        storage = DriftStorage(self, "Storage", shared=shared)
        watch = DriftWatch(
            self,
            "Watch",
            storage=storage,
            layers=Layers(self, "Layers", platform=platform),
            policy=policy,
            policy_folder=policy_folder,
            query_evaluations=query_evaluations,
        )
        OwnDataListing(self, "OwnData", bucket=storage.bucket, folder="reports", recorders=recorders)
        outputs = {
            "QueryDriftFunctionName": watch.query.function.function_name,
            "DriftTableName": storage.table.table_name,
            "DriftBucketName": storage.bucket.bucket_name,
            "DriftWorkflowArn": watch.workflow.arn,
            "DeadLetterQueueUrlDrift": watch.dead_letters.queue.queue_url,
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
