"""The stack of evaluations: what runs keep, and what runs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import aws_cdk as cdk
from constructs import Construct

from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.constructs.evaluation_engine import EvaluationEngine
from infra.constructs.evaluation_storage import EvaluationStorage
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.own_data import OwnDataListing


class EvaluationStack(cdk.Stack):
    """Runs the suites of ``hallmark.yaml`` against models of Bedrock."""

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
    ) -> None:
        super().__init__(
            scope, construct_id, description="Hallmark: how good every model is", termination_protection=False
        )
        storage = self.storage = EvaluationStorage(self, "Storage", shared=shared)
        engine = EvaluationEngine(
            self,
            "Engine",
            storage=storage,
            layers=Layers(self, "Layers", platform=platform),
            policy=policy,
            policy_folder=policy_folder,
        )
        self.query = engine.query
        OwnDataListing(self, "OwnData", bucket=storage.bucket, folder="runs", recorders=recorders)
        outputs = {
            "QueryEvaluationsFunctionName": engine.query.function.function_name,
            "EvaluationTableName": storage.table.table_name,
            "EvaluationBucketName": storage.bucket.bucket_name,
            "EvaluationWorkflowArn": engine.workflow.arn,
            "EvaluationDatabaseName": storage.database.ref,
            "DeadLetterQueueUrlEvaluation": engine.dead_letters.queue.queue_url,
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
