"""SageMaker's and Bedrock's events -> rules -> queue -> ``record_lineage`` -> table -> ``announce_lineage`` -> bus."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from hallmark.events.subscriptions import HALLMARK, HALLMARK_DETAIL_TYPES, SUBSCRIPTIONS
from hallmark.policy.models import LineagePolicy
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue
from infra.constructs.sources import allow_describing, allow_snapshots

_TIMEOUT = cdk.Duration.minutes(2)


class LineageRecording(Construct):
    """Every event that lineage is made of becomes facts, once."""

    def __init__(
        self, scope: Construct, construct_id: str, *, storage: LineageStorage, layers: Layers, policy: LineagePolicy
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
        events.Rule(
            self,
            "HallmarkEvents",
            description="What Hallmark itself found out, and lineage is made of",
            event_bus=storage.bus,
            event_pattern=events.EventPattern(source=[HALLMARK], detail_type=list(HALLMARK_DETAIL_TYPES)),
            targets=[targets.SqsQueue(self.queue.queue, dead_letter_queue=self.dead_letters.queue)],
        )
        self._add_recording(storage, layers, policy)
        self._add_announcing(storage, layers)

    def _add_recording(self, storage: LineageStorage, layers: Layers, policy: LineagePolicy) -> None:
        recording = PythonFunction(
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
            },
            statements=[
                self.queue.allow_receiving(),
                self.dead_letters.allow_sending(),
                storage.allow_recording(),
                storage.allow_key(writes=True),
                storage.allow_manifests(),
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
                iam.PolicyStatement(
                    sid="PublishFacts", actions=["events:PutEvents"], resources=[storage.bus.event_bus_arn]
                ),
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
