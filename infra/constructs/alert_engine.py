"""Violations and alarms -> queue -> ``route_alerts`` -> table -> ``tick_alerts``, to the second -> channels' queues."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as scheduler_targets
from constructs import Construct

from hallmark.events import alerts, drift, gates, published, reviews
from hallmark.events.alerts import ALERT_ACKNOWLEDGED, ALERT_ESCALATED, ALERT_FIRED, ALERT_RESOLVED
from hallmark.policy.models import Policy
from infra.constructs.alert_storage import INHIBITORS_INDEX, LISTS_INDEX, AlertStorage
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.notification_queues import NotificationQueues
from infra.constructs.policy_layer import PolicyLayer
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue
from infra.constructs.schedules import ScheduleRole

_TOLD = (ALERT_ACKNOWLEDGED, ALERT_ESCALATED, ALERT_FIRED, ALERT_RESOLVED)
_TIMEOUT = cdk.Duration.minutes(1)

TOLD_OF = (
    gates.QUALITY_GATE_PASSED,
    gates.QUALITY_GATE_FAILED,
    gates.QUALITY_GATE_INCONCLUSIVE,
    gates.APPROVAL_REQUESTED,
    gates.APPROVAL_DECIDED,
    gates.APPROVAL_EXPIRED,
    gates.MODEL_REJECTED,
    gates.PROMOTION_REFUSED,
    gates.GATE_OVERRIDDEN,
    gates.ENDPOINT_ROLLED_BACK,
    gates.ROLLBACK_FAILED,
    gates.TRAINING_HALTED,
    drift.DRIFT_DETECTED,
    drift.DRIFT_CLEARED,
    drift.MONITOR_FAILED,
    drift.MONITOR_RECOVERED,
    drift.RETRAINING_STARTED,
    drift.RETRAINING_SKIPPED,
    reviews.REVIEW_SCORE_LOW,
    reviews.REVIEW_COMPLETED,
    published.EVALUATION_FAILED,
    published.EVALUATION_COMPLETED,
    alerts.DELIVERY_FAILED,
)
"""Events of Hallmark's own that alerts are made of, beside ``LineageRecorded`` of endpoints; a test compares them with
the table of rules (hallmark/alerts/rules.py)."""


class AlertEngine(Construct):
    """Every violation is told, once, to whom the policy says, until somebody has it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: AlertStorage,
        queues: NotificationQueues,
        layers: Layers,
        policy: Policy,
        policy_folder: Path,
        query_lineage: PythonFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        self._storage, self._layers, self._policy = storage, layers, policy
        self._policy_layer = PolicyLayer(self, "Policy", policy=policy, folder=policy_folder)
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", key=storage.key, alarms=storage.alarms)
        self._incoming = WorkQueue(
            self, "Events", key=storage.key, dead_letters=self.dead_letters, function_timeout=_TIMEOUT
        )
        self.look_dead_letters = DeadLetterQueue(self, "LookDeadLetters", key=storage.key, alarms=storage.alarms)
        self._looks = WorkQueue(
            self, "Looks", key=storage.key, dead_letters=self.look_dead_letters, function_timeout=_TIMEOUT
        )
        self._add_routing()
        self._add_looking(queues, query_lineage)
        self._add_sweep()
        self.query = self._function(
            "QueryAlerts",
            "query_alerts",
            "Tells which alerts fire",
            storage.allow_table("BatchGetItem", "Query"),
            storage.allow_indexes(LISTS_INDEX, INHIBITORS_INDEX),
            storage.shared.allow_key(writes=False),
        )
        acting = (
            storage.allow_table("BatchGetItem", "GetItem", "PutItem", "Query"),
            self._allow_waking(),
            storage.allow_indexes(INHIBITORS_INDEX),
            storage.allow_publishing(*_TOLD),
            storage.shared.allow_key(writes=True),
        )
        self.acting = self._function(
            "ActOnAlerts",
            "act_on_alerts",
            "Acknowledges and silences alerts in people's names",
            *acting,
            environment={"ACCOUNT_ID": cdk.Aws.ACCOUNT_ID},
        )
        # Of its own, so that who may invoke the other one can act in nobody's name but theirs.
        self.acting_for_channels = self._function(
            "ActForChannels", "act_for_channels", "Acknowledges and silences alerts for channels", *acting
        )

    def _function(
        self,
        construct_id: str,
        name: str,
        description: str,
        *statements: iam.PolicyStatement,
        environment: Mapping[str, str] | None = None,
        memory_mb: int = 512,
    ) -> PythonFunction:
        return PythonFunction(
            self,
            construct_id,
            name=name,
            description=description,
            layers=self._layers,
            numeric=True,
            extra_layers=[self._policy_layer.version],
            timeout=_TIMEOUT,
            memory_mb=memory_mb,
            environment={
                "ALERTS_TABLE_NAME": self._storage.table.table_name,
                "EVENT_BUS_NAME": self._storage.bus.event_bus_name,
                "LOOK_QUEUE_URL": self._looks.queue.queue_url,
                **(environment or {}),
            },
            statements=statements,
        )

    def _allow_waking(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="WakeLooks", actions=["sqs:SendMessage"], resources=[self._looks.queue.queue_arn]
        )

    def _add_routing(self) -> None:
        storage = self._storage
        routing = self._function(
            "RouteAlerts",
            "route_alerts",
            "Keeps what events say of conditions",
            self._incoming.allow_receiving(),
            self.dead_letters.allow_sending(),
            self._allow_waking(),
            storage.allow_table("BatchGetItem", "BatchWriteItem", "GetItem", "PutItem"),
            storage.allow_publishing(*_TOLD),
            storage.shared.allow_key(writes=True),
            environment={
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
            memory_mb=1024,
        )
        # Many at a time: what a storm says of one condition is written once a batch.
        routing.function.add_event_source(
            sources.SqsEventSource(
                self._incoming.queue,
                batch_size=100,
                max_batching_window=cdk.Duration.seconds(1),
                max_concurrency=5,
                report_batch_item_failures=True,
            )
        )
        for construct_id, (pattern, bus) in self._patterns().items():
            events.Rule(
                self,
                construct_id,
                description="What alerts are made of",
                event_pattern=pattern,
                event_bus=bus,
                targets=[targets.SqsQueue(self._incoming.queue, dead_letter_queue=self.dead_letters.queue)],
            )

    def _patterns(self) -> dict[str, tuple[events.EventPattern, events.IEventBus | None]]:
        patterns: dict[str, tuple[events.EventPattern, events.IEventBus | None]] = {
            "Violations": (
                events.EventPattern(source=[published.SOURCE], detail_type=list(TOLD_OF)),
                self._storage.bus,
            ),
            "Endpoints": (
                events.EventPattern(
                    source=[published.SOURCE],
                    detail_type=[published.LINEAGE_RECORDED],
                    detail={"kind": ["endpoint"]},
                ),
                self._storage.bus,
            ),
        }
        if self._policy.alerts.alarms:
            names = [
                {"prefix": each.name[:-1]} if each.name.endswith("*") else each.name
                for each in self._policy.alerts.alarms
            ]
            patterns["Alarms"] = (
                events.EventPattern(
                    source=["aws.cloudwatch"],
                    detail_type=["CloudWatch Alarm State Change"],
                    detail={"alarmName": names},
                ),
                None,
            )
        return patterns

    def _add_looking(self, queues: NotificationQueues, query_lineage: PythonFunction) -> None:
        storage = self._storage
        looking = self._function(
            "TickAlerts",
            "tick_alerts",
            "Tells people what is due",
            self._looks.allow_receiving(),
            self.look_dead_letters.allow_sending(),
            self._allow_waking(),
            queues.allow_sending(),
            storage.allow_table("BatchGetItem", "BatchWriteItem", "GetItem", "PutItem", "Query"),
            storage.allow_indexes(LISTS_INDEX, INHIBITORS_INDEX),
            storage.allow_publishing(*_TOLD),
            iam.PolicyStatement(
                sid="AskLineage",
                actions=["lambda:InvokeFunction"],
                resources=[query_lineage.function.function_arn],
            ),
            storage.shared.allow_key(writes=True),
            environment={
                **queues.environment,
                "QUERY_LINEAGE_FUNCTION_NAME": query_lineage.function.function_name,
                "DEAD_LETTER_QUEUE_URL": self.look_dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
            memory_mb=1024,
        )
        looking.function.add_event_source(
            sources.SqsEventSource(self._looks.queue, batch_size=10, max_concurrency=5, report_batch_item_failures=True)
        )

    def _add_sweep(self) -> None:
        starting = ScheduleRole(
            self,
            "Starting",
            statements=[
                self._allow_waking(),
                self.look_dead_letters.allow_sending(),
                self._storage.shared.allow_key(writes=True),
            ],
        )
        scheduler.Schedule(
            self,
            "Sweep",
            description="Wakes the looks at groups that are due",
            schedule=scheduler.ScheduleExpression.rate(cdk.Duration.minutes(1)),
            target=scheduler_targets.SqsSendMessage(
                self._looks.queue,
                input=scheduler.ScheduleTargetInput.from_object({}),
                dead_letter_queue=self.look_dead_letters.queue,
                role=starting.role,
            ),
        )
