"""The stack of alerts: who is told what."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from constructs import Construct

from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.constructs.alert_engine import AlertEngine
from infra.constructs.alert_storage import AlertStorage
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.notification_queues import CHANNELS, NotificationQueues


class AlertsStack(cdk.Stack):
    """Tells people what falls short, once, until somebody has it."""

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
    ) -> None:
        super().__init__(scope, construct_id, description="Hallmark: who is told what", termination_protection=False)
        storage = AlertStorage(self, "Storage", shared=shared)
        queues = self.queues = NotificationQueues(self, "Notifications", key=storage.key, alarms=storage.alarms)
        engine = self.engine = AlertEngine(
            self,
            "Engine",
            storage=storage,
            queues=queues,
            layers=Layers(self, "Layers", platform=platform),
            policy=policy,
            policy_folder=policy_folder,
            query_lineage=query_lineage,
        )
        outputs = {
            "QueryAlertsFunctionName": engine.query.function.function_name,
            "ActOnAlertsFunctionName": engine.acting.function.function_name,
            "AlertsTableName": storage.table.table_name,
            "DeadLetterQueueUrlAlerts": engine.dead_letters.queue.queue_url,
            "DeadLetterQueueUrlAlertLooks": engine.look_dead_letters.queue.queue_url,
            **{
                f"DeadLetterQueueUrl{name}": queues.dead_letters[kind].queue.queue_url
                for kind, name in CHANNELS.items()
            },
            **{f"NotificationQueueUrl{name}": queues.queues[kind].queue.queue_url for kind, name in CHANNELS.items()},
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
