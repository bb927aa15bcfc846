"""Schedules, webhooks -> queue -> ``sync_tools`` -> hallmark bus: servers of other tools are looked at."""

from __future__ import annotations

from collections.abc import Iterable

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from constructs import Construct

from hallmark.events.reports import LINEAGE_REPORTED
from hallmark.policy.models import LineagePolicy
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.http_api import ApiRoute, HallmarkHttpApi
from infra.constructs.kept import kept_table
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue
from infra.constructs.schedules import ScheduleRole

_SYNC_TIMEOUT = cdk.Duration.minutes(10)
_WEBHOOK_TIMEOUT = cdk.Duration.seconds(15)
MLFLOW_PATH = "/mlflow/{server}"


class ToolSyncs(Construct):
    """What MLflow and Kubeflow know becomes lineage, and stays right when they forget it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: LineageStorage,
        layers: Layers,
        policy_layer: lambda_.ILayerVersion,
        policy: LineagePolicy,
        api: HallmarkHttpApi,
    ) -> None:
        super().__init__(scope, construct_id)
        self._storage, self._layers, self._policy_layer, self._policy = storage, layers, policy_layer, policy
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", key=storage.key, alarms=storage.alarms)
        self.queue = WorkQueue(
            self, "Wakes", key=storage.key, dead_letters=self.dead_letters, function_timeout=_SYNC_TIMEOUT
        )
        self.table = kept_table(self, "Memory", key=storage.key)
        self.syncing = self._add_syncing()
        self.receiving = self._add_receiving()
        # MLflow has no credentials of AWS: the signature of its webhook is checked inside.
        self.route = ApiRoute(
            self, "Webhooks", api=api, method="POST", path=MLFLOW_PATH, function=self.receiving, is_signed=False
        )
        self._add_schedules()

    def _add_syncing(self) -> PythonFunction:
        storage = self._storage
        syncing = PythonFunction(
            self,
            "SyncTools",
            name="sync_tools",
            description="Looks at the servers of other tools",
            layers=self._layers,
            extra_layers=[self._policy_layer],
            timeout=_SYNC_TIMEOUT,
            memory_mb=1024,
            environment={
                "CONNECTORS_TABLE_NAME": self.table.table_name,
                "EVENT_BUS_NAME": storage.bus.event_bus_name,
                "WAKE_QUEUE_URL": self.queue.queue.queue_url,
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
            statements=[
                self.queue.allow_receiving(),
                self._allow_waking("ContinuePass"),
                self.dead_letters.allow_sending(),
                self._allow_memory("BatchGetItem", "BatchWriteItem", "Query"),
                storage.bus.allow_publishing(LINEAGE_REPORTED),
                storage.allow_key(writes=True),
                *self._allow_secrets(
                    server.secret for server in (*self._policy.mlflow, *self._policy.kubeflow) if server.secret
                ),
            ],
        )
        # A pass that the next one overtakes tells the same; a webhook need not wait for a pass.
        syncing.function.add_event_source(
            sources.SqsEventSource(self.queue.queue, batch_size=1, max_concurrency=5, report_batch_item_failures=True)
        )
        return syncing

    def _add_receiving(self) -> PythonFunction:
        return PythonFunction(
            self,
            "ReceiveWebhook",
            name="receive_webhook",
            description="Takes webhooks of MLflow servers",
            layers=self._layers,
            extra_layers=[self._policy_layer],
            timeout=_WEBHOOK_TIMEOUT,
            environment={
                "CONNECTORS_TABLE_NAME": self.table.table_name,
                "WAKE_QUEUE_URL": self.queue.queue.queue_url,
            },
            statements=[
                self._allow_waking("HandOn"),
                self._allow_memory("GetItem", "PutItem"),
                self._storage.allow_key(writes=True),
                *self._allow_secrets(server.secret for server in self._policy.mlflow if server.secret),
            ],
        )

    def _add_schedules(self) -> None:
        named = [("Mlflow", "mlflow", self._policy.mlflow), ("Kubeflow", "kubeflow", self._policy.kubeflow)]
        if not any(servers for _, _, servers in named):
            return
        starting = ScheduleRole(
            self,
            "Starting",
            statements=[
                self._allow_waking("StartPass"),
                self.dead_letters.allow_sending(),
                self._storage.allow_key(writes=True),
            ],
        )
        for title, tool, servers in named:
            for server in servers:
                words = "".join(word.capitalize() for word in server.name.split("-"))
                scheduler.Schedule(
                    self,
                    f"{title}{words}",
                    description=f"Looks at {tool} {server.name}",
                    schedule=scheduler.ScheduleExpression.rate(cdk.Duration.seconds(server.every.total_seconds())),
                    target=targets.SqsSendMessage(
                        self.queue.queue,
                        input=scheduler.ScheduleTargetInput.from_object({tool: {"server": server.name}}),
                        dead_letter_queue=self.dead_letters.queue,
                        role=starting.role,
                    ),
                )

    def _allow_waking(self, sid: str) -> iam.PolicyStatement:
        return iam.PolicyStatement(sid=sid, actions=["sqs:SendMessage"], resources=[self.queue.queue.queue_arn])

    def _allow_memory(self, *actions: str) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="UseMemory", actions=[f"dynamodb:{action}" for action in actions], resources=[self.table.table_arn]
        )

    def _allow_secrets(self, names: Iterable[str]) -> list[iam.PolicyStatement]:
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
