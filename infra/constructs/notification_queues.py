"""A queue per kind of channel, each with dead letters of its own: a channel that is down never holds up another one."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.constructs.queues import DeadLetterQueue, WorkQueue

CHANNELS: Mapping[str, str] = {"email": "Email", "slack": "Slack", "amazon_q": "AmazonQ", "pagerduty": "PagerDuty"}
"""Construct of each kind of channel (``ChannelKind`` of hallmark/alerts/notifications.py)."""

DELIVERY_TIMEOUT = cdk.Duration.minutes(1)
"""Of the functions that deliver: what a queue's visibility rests on."""

NOTIFICATION_RECEIVES = 30
"""Tries of a channel that is down: with waits from 5 seconds to 15 minutes between them, six hours."""


class NotificationQueues(Construct):
    """Where notifications wait for their channel, as JSON."""

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.IKey, alarms: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters: Mapping[str, DeadLetterQueue] = {
            kind: DeadLetterQueue(self, f"{name}DeadLetters", key=key, alarms=alarms) for kind, name in CHANNELS.items()
        }
        self.queues: Mapping[str, WorkQueue] = {
            kind: WorkQueue(
                self,
                name,
                key=key,
                dead_letters=self.dead_letters[kind],
                function_timeout=DELIVERY_TIMEOUT,
                maximum_receives=NOTIFICATION_RECEIVES,
            )
            for kind, name in CHANNELS.items()
        }

    @property
    def environment(self) -> Mapping[str, str]:
        """What a function that sends notifications is told: ``EMAIL_QUEUE_URL`` and so on."""
        return {f"{kind.upper()}_QUEUE_URL": queue.queue.queue_url for kind, queue in self.queues.items()}

    def allow_sending(self) -> iam.PolicyStatement:
        """Return the statement that lets a function hand notifications to the channels."""
        return iam.PolicyStatement(
            sid="SendNotifications",
            actions=["sqs:SendMessage"],
            resources=[queue.queue.queue_arn for queue in self.queues.values()],
        )
