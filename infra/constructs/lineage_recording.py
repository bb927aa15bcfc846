"""SageMaker's and Bedrock's events -> rules -> queue -> ``record_lineage`` -> table -> ``announce_lineage`` -> bus."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from hallmark.events.calls import API_CALL_DETAIL_TYPE
from hallmark.events.published import LINEAGE_RECORDED
from hallmark.events.subscriptions import CALL_SUBSCRIPTIONS, HALLMARK, HALLMARK_DETAIL_TYPES, S3, SUBSCRIPTIONS
from hallmark.policy.models import LineagePolicy
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.persons import Persons
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue
from infra.constructs.sources import allow_describing, allow_snapshots, filled

_TIMEOUT = cdk.Duration.minutes(2)


class LineageRecording(Construct):
    """Every event that lineage is made of becomes facts, once."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: LineageStorage,
        persons: Persons,
        layers: Layers,
        policy: LineagePolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", key=storage.key, alarms=storage.alarms)
        self.queue = WorkQueue(
            self, "Events", key=storage.key, dead_letters=self.dead_letters, function_timeout=_TIMEOUT
        )
        for source, detail_types in SUBSCRIPTIONS.items():
            events.Rule(
                self,
                f"{source.removeprefix('aws.').capitalize()}Events",
                description=f"What {source} tells of the origin of models",
                event_pattern=events.EventPattern(source=[source], detail_type=list(detail_types)),
                targets=[targets.SqsQueue(self.queue.queue, dead_letter_queue=self.dead_letters.queue)],
            )
        for source, calls in CALL_SUBSCRIPTIONS.items():
            events.Rule(
                self,
                f"{source.removeprefix('aws.').capitalize()}Calls",
                description=f"Who changed something of {source}, as CloudTrail tells",
                event_pattern=events.EventPattern(
                    source=[source],
                    detail_type=[API_CALL_DETAIL_TYPE],
                    detail={"eventName": list(calls), **(_of_buckets(policy) if source == S3 else {})},
                ),
                targets=[targets.SqsQueue(self.queue.queue, dead_letter_queue=self.dead_letters.queue)],
            )
        events.Rule(
            self,
            "HallmarkEvents",
            description="What Hallmark itself found out, and lineage is made of",
            event_bus=storage.bus,
            event_pattern=events.EventPattern(source=[HALLMARK], detail_type=list(HALLMARK_DETAIL_TYPES)),
            targets=[targets.SqsQueue(self.queue.queue, dead_letter_queue=self.dead_letters.queue)],
        )
        self._add_recording(storage, persons, layers, policy)
        self._add_announcing(storage, layers)
        if policy.reasons == "required":
            self._add_alarm(storage)

    def _add_alarm(self, storage: LineageStorage) -> None:
        alarm = cloudwatch.Alarm(
            self,
            "ReasonsMissing",
            alarm_description="Somebody changed something and did not say why: `hallmark reasons` lists it; say why in "
            "the tag hallmark:reason, in the approval's description, or in a note on the action.",
            metric=cloudwatch.Metric(
                namespace="Hallmark",
                metric_name="ReasonsMissing",
                dimensions_map={"service": "record_lineage"},
                period=cdk.Duration.minutes(5),
                statistic="Sum",
            ),
            threshold=0,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(storage.alarms))

    def _add_recording(self, storage: LineageStorage, persons: Persons, layers: Layers, policy: LineagePolicy) -> None:
        recording = self.recording = PythonFunction(
            self,
            "RecordLineage",
            name="record_lineage",
            description="Records the lineage that a SageMaker or Bedrock event tells of",
            layers=layers,
            timeout=_TIMEOUT,
            environment={
                "ACCOUNT_ID": cdk.Aws.ACCOUNT_ID,
                "LINEAGE_TABLE_NAME": storage.table.table_name,
                "LINEAGE_BUCKET_NAME": storage.bucket.bucket_name,
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
                "SNAPSHOT_OBJECT_LIMIT": str(policy.snapshot.objects),
                "SNAPSHOT_CHECKSUM_LIMIT": str(policy.snapshot.checksums),
                "MACHINES": ",".join(policy.machines),
                **persons.environment,
            },
            statements=[
                self.queue.allow_receiving(),
                self.dead_letters.allow_sending(),
                storage.allow_recording(),
                storage.allow_key(writes=True),
                storage.allow_manifests(),
                *persons.allow_keeping(),
                *allow_describing(),
                *allow_snapshots(policy),
            ],
        )
        recording.function.add_event_source(
            sources.SqsEventSource(
                self.queue.queue,
                batch_size=10,
                max_concurrency=10,
                report_batch_item_failures=True,
            )
        )

    def _add_announcing(self, storage: LineageStorage, layers: Layers) -> None:
        stream_arn = storage.table.table_stream_arn
        if stream_arn is None:
            raise ValueError("the lineage table needs a stream")
        announcing = PythonFunction(
            self,
            "AnnounceLineage",
            name="announce_lineage",
            description="Publishes LineageRecorded for each new fact",
            layers=layers,
            timeout=cdk.Duration.minutes(1),
            environment={
                "EVENT_BUS_NAME": storage.bus.event_bus_name,
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
            },
            statements=[
                iam.PolicyStatement(
                    sid="ReadTableStream",
                    actions=["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
                    resources=[stream_arn],
                ),
                # ListStreams names no single stream (service authorization reference, Amazon DynamoDB).
                iam.PolicyStatement(sid="ListStreams", actions=["dynamodb:ListStreams"], resources=["*"]),
                storage.bus.allow_publishing(LINEAGE_RECORDED),
                self.dead_letters.allow_sending(),
                storage.allow_key(writes=True),
            ],
        )
        announcing.function.add_event_source(
            sources.DynamoEventSource(
                storage.table,
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=100,
                bisect_batch_on_error=True,
                retry_attempts=10,
                report_batch_item_failures=True,
                on_failure=sources.SqsDlq(self.dead_letters.queue),
                filters=[
                    lambda_.FilterCriteria.filter(
                        {
                            "eventName": lambda_.FilterRule.is_equal("INSERT"),
                            "dynamodb": {"Keys": {"sk": {"S": lambda_.FilterRule.is_equal("FACT")}}},
                        }
                    )
                ],
            )
        )


def _of_buckets(policy: LineagePolicy) -> dict[str, Any]:
    """Return what narrows calls to the buckets that hold the team's data."""
    names = [filled(name) for name in policy.data_buckets]
    return {"requestParameters": {"bucketName": [{"wildcard": name} if "*" in name else name for name in names]}}
