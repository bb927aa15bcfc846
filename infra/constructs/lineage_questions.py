"""``compact_lineage`` on a schedule, ``query_lineage`` on demand: the graph in memory and the answers from it."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from constructs import Construct

from hallmark.policy.models import LineagePolicy
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.lineage_storage import LOG_INDEX, REVERSE_INDEX, LineageStorage
from infra.constructs.persons import Persons
from infra.constructs.queues import DeadLetterQueue
from infra.constructs.schedules import ScheduleRole


class LineageQuestions(Construct):
    """Everything that can be asked of the lineage graph."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: LineageStorage,
        persons: Persons,
        layers: Layers,
        policy: LineagePolicy,
        authors_may_approve: Sequence[str] = (),
    ) -> None:
        super().__init__(scope, construct_id)
        graph_objects = f"{storage.bucket.bucket_arn}/graph/*"
        environment = {
            "LINEAGE_TABLE_NAME": storage.table.table_name,
            "LINEAGE_BUCKET_NAME": storage.bucket.bucket_name,
        }
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", key=storage.key, alarms=storage.alarms)
        compacting = PythonFunction(
            self,
            "CompactLineage",
            name="compact_lineage",
            description="Writes the graph in its compact form",
            layers=layers,
            numeric=True,
            timeout=cdk.Duration.minutes(15),
            memory_mb=2048,
            reserved_concurrency=None,
            environment=environment,
            statements=[
                storage.allow_asking(LOG_INDEX),
                iam.PolicyStatement(
                    sid="WriteGraph", actions=["s3:GetObject", "s3:PutObject"], resources=[graph_objects]
                ),
                _allow_missing(storage),
                storage.allow_key(writes=True),
            ],
        )
        starting = ScheduleRole(
            self,
            "Starting",
            statements=[
                iam.PolicyStatement(
                    sid="StartCompaction",
                    actions=["lambda:InvokeFunction"],
                    resources=[compacting.function.function_arn],
                ),
                self.dead_letters.allow_sending(),
                storage.allow_key(writes=True),
            ],
        )
        scheduler.Schedule(
            self,
            "Compaction",
            description="Writes the graph in its compact form",
            schedule=scheduler.ScheduleExpression.rate(cdk.Duration.seconds(policy.compaction.every.total_seconds())),
            target=targets.LambdaInvoke(
                compacting.function,
                input=scheduler.ScheduleTargetInput.from_object({}),
                dead_letter_queue=self.dead_letters.queue,
                role=starting.role,
            ),
        )
        self.query = PythonFunction(
            self,
            "QueryLineage",
            name="query_lineage",
            description="Answers questions about lineage",
            layers=layers,
            numeric=True,
            timeout=cdk.Duration.minutes(1),
            memory_mb=2048,
            environment={
                **environment,
                **persons.environment,
                "MACHINES": ",".join(policy.machines),
                "AUTHORS_MAY_APPROVE": ",".join(authors_may_approve),
                "REASONS_REQUIRED": "true" if policy.reasons == "required" else "false",
            },
            statements=[
                storage.allow_asking(LOG_INDEX, REVERSE_INDEX),
                iam.PolicyStatement(
                    sid="ReadGraph", actions=["s3:GetObject"], resources=[graph_objects, storage.manifest_objects]
                ),
                _allow_missing(storage),
                *persons.allow_naming(),
                storage.allow_key(writes=False),
            ],
        )


def _allow_missing(storage: LineageStorage) -> iam.PolicyStatement:
    # Without ListBucket, S3 says "access denied" where an object does not exist (S3 API reference, GetObject).
    return iam.PolicyStatement(
        sid="TellMissingFromDenied", actions=["s3:ListBucket"], resources=[storage.bucket.bucket_arn]
    )
