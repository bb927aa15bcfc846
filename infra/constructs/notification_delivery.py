"""Queues of channels -> ``deliver_notification``, one for each kind -> Slack, PagerDuty, e-mail, Amazon Q."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from hallmark.events.alerts import DELIVERY_FAILED
from hallmark.events.gates import ENDPOINT_ROLLED_BACK, MODEL_PROMOTED
from hallmark.events.published import SOURCE
from hallmark.policy.models import Policy
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.http_api import ApiRoute, HallmarkHttpApi
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.notification_queues import (
    CHANNELS,
    DELIVERY_TIMEOUT,
    NOTIFICATION_RECEIVES,
    NotificationQueues,
)
from infra.constructs.policy_layer import PolicyLayer
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue

_LEAST_CONCURRENCY = 2
"""An event source mapping takes no less (Lambda developer guide); a line in the table spaces what they send."""


class NotificationDelivery(Construct):
    """Each kind of channel has a queue, a mapping, a function and a role of its own: none holds up another one."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: LineageStorage,
        queues: NotificationQueues,
        layers: Layers,
        policy: Policy,
        policy_folder: Path,
        api: HallmarkHttpApi,
        acting: PythonFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        self._shared, self._layers, self._queues, self._api = shared, layers, queues, api
        self._receivers = policy.alerts.receivers
        self._policy_layer = PolicyLayer(self, "Policy", policy=policy, folder=policy_folder)
        self.table = dynamodb.Table(
            self,
            "Deliveries",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=shared.key,
            time_to_live_attribute="forgotten_at",
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        # Links live for a week, and so need the key: nothing is lost with it but those.
        self.mac_key = kms.Key(
            self,
            "LinkKey",
            description="Signs the links in Hallmark's messages",
            key_spec=kms.KeySpec.HMAC_256,
            key_usage=kms.KeyUsage.GENERATE_VERIFY_MAC,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.topics = {
            name: self._topic(name, receiver.email.addresses if receiver.email else ())
            for name, receiver in self._receivers.items()
            if receiver.channel in {"email", "amazon_q"}
        }
        used = {receiver.channel for receiver in self._receivers.values()}
        self.functions = {kind: self._deliver(kind) for kind in CHANNELS if kind in used}
        self.receiving = self._receive(acting)
        self.dead_letters = DeadLetterQueue(self, "FailureDeadLetters", key=shared.key, alarms=shared.alarms)
        self._tell_operations()
        keys = [each.pagerduty.routing_key_secret for each in self._receivers.values() if each.pagerduty]
        if keys:
            self._announce_changes(list(dict.fromkeys(keys)))

    def _topic(self, receiver: str, addresses: Sequence[str]) -> sns.Topic:
        topic = sns.Topic(
            self,
            f"Topic-{receiver}",
            display_name=f"Hallmark {receiver}",
            master_key=self._shared.key,
            enforce_ssl=True,
        )
        for address in addresses:
            topic.add_subscription(subscriptions.EmailSubscription(address))
        return topic

    def _deliver(self, kind: str) -> PythonFunction:
        queue, dead_letters = self._queues.queues[kind], self._queues.dead_letters[kind]
        own = {name: receiver for name, receiver in self._receivers.items() if receiver.channel == kind}
        topics = {name: self.topics[name].topic_arn for name in own if name in self.topics}
        secrets = [receiver.slack.webhook_secret for receiver in own.values() if receiver.slack]
        secrets += [receiver.pagerduty.routing_key_secret for receiver in own.values() if receiver.pagerduty]
        delivering = PythonFunction(
            self,
            f"DeliverNotification{CHANNELS[kind]}",
            name="deliver_notification",
            description=f"Hands notifications to {CHANNELS[kind]}",
            layers=self._layers,
            numeric=True,
            extra_layers=[self._policy_layer.version],
            timeout=DELIVERY_TIMEOUT,
            memory_mb=512,
            environment={
                "DELIVERIES_TABLE_NAME": self.table.table_name,
                "QUEUE_URL": queue.queue.queue_url,
                "DEAD_LETTER_QUEUE_URL": dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(NOTIFICATION_RECEIVES),
                "EVENT_BUS_NAME": self._shared.bus.event_bus_name,
                "MAC_KEY_ID": self.mac_key.key_arn,
                "API_URL": self._api.url,
                "TOPICS": cdk.Stack.of(self).to_json_string(topics),
            },
            statements=[
                queue.allow_receiving(),
                iam.PolicyStatement(
                    sid="PostponeWork", actions=["sqs:ChangeMessageVisibility"], resources=[queue.queue.queue_arn]
                ),
                dead_letters.allow_sending(),
                iam.PolicyStatement(
                    sid="UseDeliveries",
                    actions=["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"],
                    resources=[self.table.table_arn],
                ),
                self._shared.bus.allow_publishing(DELIVERY_FAILED),
                iam.PolicyStatement(sid="SignLinks", actions=["kms:GenerateMac"], resources=[self.mac_key.key_arn]),
                self._shared.allow_key(writes=True),
                *self._allow_topics([self.topics[name] for name in topics]),
                *self._allow_secrets(secrets),
            ],
        )
        delivering.function.add_event_source(
            sources.SqsEventSource(
                queue.queue, batch_size=1, max_concurrency=_LEAST_CONCURRENCY, report_batch_item_failures=True
            )
        )
        return delivering

    def _receive(self, acting: PythonFunction) -> PythonFunction:
        channels = list(self._receivers.values())
        slack = {each.slack.signing_secret for each in channels if each.slack and each.slack.signing_secret}
        pagerduty = {
            each.pagerduty.webhook_secret for each in channels if each.pagerduty and each.pagerduty.webhook_secret
        }
        receiving = PythonFunction(
            self,
            "ReceiveAction",
            name="receive_action",
            description="Does what people ask by links, buttons and incidents",
            layers=self._layers,
            numeric=True,
            timeout=cdk.Duration.seconds(29),
            memory_mb=512,
            environment={
                "ACT_FOR_CHANNELS_FUNCTION_NAME": acting.function.function_name,
                "MAC_KEY_ID": self.mac_key.key_arn,
                "SLACK_SECRETS": json.dumps(sorted(slack)),
                "PAGERDUTY_SECRETS": json.dumps(sorted(pagerduty)),
            },
            statements=[
                iam.PolicyStatement(
                    sid="ActForChannels", actions=["lambda:InvokeFunction"], resources=[acting.function.function_arn]
                ),
                iam.PolicyStatement(sid="VerifyLinks", actions=["kms:VerifyMac"], resources=[self.mac_key.key_arn]),
                *self._allow_secrets(sorted(slack | pagerduty)),
            ],
        )
        routes = [
            ("GET", "/alerts/ack"),
            ("POST", "/alerts/ack"),
            ("GET", "/alerts/silence"),
            ("POST", "/alerts/silence"),
        ]
        routes += [("POST", "/alerts/slack")] if slack else []
        routes += [("POST", "/alerts/pagerduty")] if pagerduty else []
        for method, path in routes:
            name = f"{method.capitalize()}{path.rsplit('/', 1)[1].capitalize()}"
            # Who gets a message has no credentials of AWS: its token, or the channel's signature, is checked inside.
            ApiRoute(self, name, api=self._api, method=method, path=path, function=receiving, is_signed=False)
        return receiving

    def _allow_topics(self, topics: Sequence[sns.ITopic]) -> list[iam.PolicyStatement]:
        arns = [topic.topic_arn for topic in topics]
        return [iam.PolicyStatement(sid="PublishToTopics", actions=["sns:Publish"], resources=arns)] if arns else []

    def _allow_secrets(self, names: Sequence[str]) -> list[iam.PolicyStatement]:
        # Secrets Manager puts six characters of its own behind the name (its user guide, "What's in a secret").
        arns = [
            cdk.Stack.of(self).format_arn(
                service="secretsmanager",
                resource="secret",
                resource_name=f"{name}-??????",
                arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
            )
            for name in dict.fromkeys(names)
        ]
        read = iam.PolicyStatement(sid="ReadSecrets", actions=["secretsmanager:GetSecretValue"], resources=arns)
        return [read] if arns else []

    def _tell_operations(self) -> None:
        """Tell the operations topic of a channel that fails: it is no channel of the policy's."""
        field = events.EventField.from_path
        text = (
            f"Hallmark could not reach {field('$.detail.channel')} in {field('$.detail.attempts')} attempts "
            f"(group {field('$.detail.group')}): {field('$.detail.reason')}"
        )
        events.Rule(
            self,
            "DeliveryFailed",
            description="A channel does not take notifications",
            event_bus=self._shared.bus,
            event_pattern=events.EventPattern(source=[SOURCE], detail_type=[DELIVERY_FAILED]),
            targets=[
                targets.SnsTopic(
                    self._shared.alarms,
                    message=events.RuleTargetInput.from_text(text),
                    dead_letter_queue=self.dead_letters.queue,
                )
            ],
        )

    def _announce_changes(self, keys: Sequence[str]) -> None:
        """Tell PagerDuty what changed in production, beside its incidents."""
        queue = WorkQueue(
            self,
            "Changes",
            key=self._shared.key,
            dead_letters=self.dead_letters,
            function_timeout=DELIVERY_TIMEOUT,
        )
        announcing = PythonFunction(
            self,
            "AnnounceChange",
            name="announce_change",
            description="Tells PagerDuty what changed in production",
            layers=self._layers,
            timeout=DELIVERY_TIMEOUT,
            memory_mb=256,
            environment={
                "ROUTING_KEY_SECRETS": json.dumps(list(keys)),
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
            statements=[
                queue.allow_receiving(),
                self.dead_letters.allow_sending(),
                self._shared.allow_key(writes=True),
                *self._allow_secrets(keys),
            ],
        )
        announcing.function.add_event_source(
            sources.SqsEventSource(
                queue.queue, batch_size=1, max_concurrency=_LEAST_CONCURRENCY, report_batch_item_failures=True
            )
        )
        events.Rule(
            self,
            "ProductionChanged",
            description="A model was promoted, or an endpoint put back",
            event_bus=self._shared.bus,
            event_pattern=events.EventPattern(source=[SOURCE], detail_type=[MODEL_PROMOTED, ENDPOINT_ROLLED_BACK]),
            targets=[targets.SqsQueue(queue.queue, dead_letter_queue=self.dead_letters.queue)],
        )
