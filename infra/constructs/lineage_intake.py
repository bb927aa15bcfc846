"""Other tools -> HTTP API or queue -> ``receive_lineage`` -> hallmark bus -> lineage."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from hallmark.events.reports import LINEAGE_REPORTED
from hallmark.policy.models import LineagePolicy
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.http_api import ApiRoute, HallmarkHttpApi
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue

_TIMEOUT = cdk.Duration.seconds(29)
"""API Gateway waits no longer (HTTP API quotas)."""
PATH = "/api/v1/lineage"
"""Where OpenLineage's clients send to, unless they are told otherwise."""


class LineageIntake(Construct):
    """What OpenLineage's clients, CloudEvents and tools without a standard send becomes lineage."""

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
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", key=storage.key, alarms=storage.alarms)
        self.queue = WorkQueue(
            self, "Messages", key=storage.key, dead_letters=self.dead_letters, function_timeout=_TIMEOUT
        )
        self.receiving = PythonFunction(
            self,
            "ReceiveLineage",
            name="receive_lineage",
            description="Takes lineage from other tools",
            layers=layers,
            extra_layers=[policy_layer],
            timeout=_TIMEOUT,
            memory_mb=1024,
            environment={
                "LINEAGE_TABLE_NAME": storage.table.table_name,
                "EVENT_BUS_NAME": storage.bus.event_bus_name,
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
            statements=[
                self.queue.allow_receiving(),
                self.dead_letters.allow_sending(),
                storage.allow_asking("reverse"),
                storage.allow_key(writes=True),
                storage.bus.allow_publishing(LINEAGE_REPORTED),
            ],
        )
        self.receiving.function.add_event_source(
            sources.SqsEventSource(self.queue.queue, batch_size=10, max_concurrency=5, report_batch_item_failures=True)
        )
        self.route = ApiRoute(self, "Route", api=api, method="POST", path=PATH, function=self.receiving, is_signed=True)
        self._watch_unmatched(storage, policy.intake.unmatched_inputs)

    def _watch_unmatched(self, storage: LineageStorage, most: int) -> None:
        alarm = cloudwatch.Alarm(
            self,
            "InputsUnmatched",
            alarm_description="Runs of other tools read data that nothing in lineage tells of: the log of "
            "receive_lineage has their names. Give them aliases (lineage.aliases in hallmark.yaml), or name them as "
            "known sources (lineage.intake.known_sources).",
            metric=cloudwatch.Metric(
                namespace="Hallmark",
                metric_name="InputsUnmatched",
                dimensions_map={"service": "receive_lineage"},
                statistic="Sum",
                period=cdk.Duration.hours(1),
            ),
            threshold=most,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(storage.alarms))
        alarm.add_ok_action(actions.SnsAction(storage.alarms))
