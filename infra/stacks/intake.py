"""The stack of exchange with other tools: their lineage comes in, Hallmark's goes out."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from constructs import Construct

from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.http_api import HallmarkHttpApi
from infra.constructs.lineage_intake import PATH, LineageIntake
from infra.constructs.lineage_sending import LineageSending
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.policy_layer import PolicyLayer
from infra.constructs.tool_syncs import MLFLOW_PATH, ToolSyncs


class IntakeStack(cdk.Stack):
    """Takes lineage from OpenLineage's clients and from tools that send CloudEvents or facts; sends run events."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        policy: Policy,
        policy_folder: Path,
        platform: Platform,
        shared: LineageStorage,
        query_lineage: PythonFunction,
        api: HallmarkHttpApi,
    ) -> None:
        super().__init__(
            scope, construct_id, description="Hallmark: lineage of other tools", termination_protection=False
        )
        layers = Layers(self, "Layers", platform=platform)
        policy_layer = PolicyLayer(self, "Policy", policy=policy, folder=policy_folder).version
        intake = self.intake = LineageIntake(
            self,
            "Intake",
            storage=shared,
            layers=layers,
            policy_layer=policy_layer,
            policy=policy.lineage,
            api=api,
        )
        syncs = self.syncs = ToolSyncs(
            self,
            "Syncs",
            storage=shared,
            layers=layers,
            policy_layer=policy_layer,
            policy=policy.lineage,
            api=api,
        )
        sending = self.sending = LineageSending(
            self,
            "Sending",
            storage=shared,
            layers=layers,
            policy_layer=policy_layer,
            policy=policy.lineage,
            query_lineage=query_lineage,
        )
        outputs = {
            "ReceiveLineageFunctionName": intake.receiving.function.function_name,
            "LineageIntakeUrl": f"{api.url}{PATH}",
            "LineageIntakeQueueUrl": intake.queue.queue.queue_url,
            "DeadLetterQueueUrlIntake": intake.dead_letters.queue.queue_url,
            "MlflowWebhookUrl": f"{api.url}{MLFLOW_PATH}",
            "SyncQueueUrl": syncs.queue.queue.queue_url,
            "ConnectorsTableName": syncs.table.table_name,
            "DeadLetterQueueUrlSyncs": syncs.dead_letters.queue.queue_url,
            "SendLineageFunctionName": sending.sending.function.function_name,
            "DeadLetterQueueUrlSending": sending.dead_letters.queue.queue_url,
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
