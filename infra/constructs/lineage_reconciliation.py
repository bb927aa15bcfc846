"""Schedule -> queue -> ``reconcile_lineage``: finds what no event told. The same code fills in an account's past."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from constructs import Construct

from hallmark.events.published import RECONCILIATION_COMPLETED
from hallmark.policy.models import LineagePolicy
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.persons import Persons
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue
from infra.constructs.schedules import ScheduleRole
from infra.constructs.sources import allow_describing, allow_listing, allow_snapshots

_TIMEOUT = cdk.Duration.minutes(10)


class LineageReconciliation(Construct):
    """Compares the account with what is recorded, on a schedule and on demand."""

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
            self, "Sweeps", key=storage.key, dead_letters=self.dead_letters, function_timeout=_TIMEOUT
        )
        starting = ScheduleRole(
            self,
            "Starting",
            statements=[
                iam.PolicyStatement(
                    sid="StartSweep", actions=["sqs:SendMessage"], resources=[self.queue.queue.queue_arn]
                ),
                self.dead_letters.allow_sending(),
                storage.allow_key(writes=True),
            ],
        )
        scheduler.Schedule(
            self,
            "Schedule",
            description="Starts a reconciliation sweep",
            schedule=scheduler.ScheduleExpression.rate(
                cdk.Duration.seconds(policy.reconciliation.every.total_seconds())
            ),
            target=targets.SqsSendMessage(
                self.queue.queue,
                input=scheduler.ScheduleTargetInput.from_object({}),
                dead_letter_queue=self.dead_letters.queue,
                role=starting.role,
            ),
        )
        reconciling = self.reconciling = PythonFunction(
            self,
            "ReconcileLineage",
            name="reconcile_lineage",
            description="Records the lineage of resources that no event told of",
            layers=layers,
            timeout=_TIMEOUT,
            environment={
                "ACCOUNT_ID": cdk.Aws.ACCOUNT_ID,
                "LINEAGE_TABLE_NAME": storage.table.table_name,
                "LINEAGE_BUCKET_NAME": storage.bucket.bucket_name,
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
                "RECONCILIATION_QUEUE_URL": self.queue.queue.queue_url,
                "EVENT_BUS_NAME": storage.bus.event_bus_name,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
                "SNAPSHOT_OBJECT_LIMIT": str(policy.snapshot.objects),
                "SNAPSHOT_CHECKSUM_LIMIT": str(policy.snapshot.checksums),
                "MACHINES": ",".join(policy.machines),
                **persons.environment,
            },
            statements=[
                self.queue.allow_receiving(),
                iam.PolicyStatement(
                    sid="ContinueSweep", actions=["sqs:SendMessage"], resources=[self.queue.queue.queue_arn]
                ),
                self.dead_letters.allow_sending(),
                storage.allow_recording(),
                storage.allow_asking(),
                iam.PolicyStatement(
                    sid="ReadCursor", actions=["dynamodb:GetItem"], resources=[storage.table.table_arn]
                ),
                storage.bus.allow_publishing(RECONCILIATION_COMPLETED),
                storage.allow_key(writes=True),
                storage.allow_manifests(),
                *persons.allow_keeping(),
                *allow_listing(),
                *allow_describing(),
                *allow_snapshots(policy),
            ],
        )
        # One sweep at a time: SQS wakes two instances at the least, the cursor lets them take turns.
        reconciling.function.add_event_source(
            sources.SqsEventSource(self.queue.queue, batch_size=1, max_concurrency=2, report_batch_item_failures=True)
        )
