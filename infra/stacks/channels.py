"""The stack of channels: how people are told, and how they answer."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from constructs import Construct

from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.http_api import HallmarkHttpApi
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.notification_delivery import NotificationDelivery
from infra.constructs.notification_queues import NotificationQueues


class ChannelsStack(cdk.Stack):
    """Takes notifications to Slack, PagerDuty, mailboxes and chats, and answers back."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        policy: Policy,
        policy_folder: Path,
        platform: Platform,
        shared: LineageStorage,
        queues: NotificationQueues,
        api: HallmarkHttpApi,
        acting: PythonFunction,
    ) -> None:
        super().__init__(scope, construct_id, description="Hallmark: how people are told", termination_protection=False)
        delivery = NotificationDelivery(
            self,
            "Delivery",
            shared=shared,
            queues=queues,
            layers=Layers(self, "Layers", platform=platform),
            policy=policy,
            policy_folder=policy_folder,
            api=api,
            acting=acting,
        )
        outputs = {
            "DeliveriesTableName": delivery.table.table_name,
            "DeadLetterQueueUrlDeliveryFailures": delivery.dead_letters.queue.queue_url,
            **{
                f"ReceiverTopicArn{''.join(part.capitalize() for part in name.split('-'))}": topic.topic_arn
                for name, topic in delivery.topics.items()
            },
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
