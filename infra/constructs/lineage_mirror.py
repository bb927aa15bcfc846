"""``LineageRecorded`` -> queue with a delay -> ``mirror_lineage`` -> SageMaker Lineage, within a budget."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from hallmark.events.published import LINEAGE_RECORDED, SOURCE
from hallmark.policy.models import LineagePolicy
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue

_TIMEOUT = cdk.Duration.minutes(2)


class LineageMirror(Construct):
    """Adds to SageMaker Lineage what SageMaker itself does not record."""

    def __init__(
        self, scope: Construct, construct_id: str, *, storage: LineageStorage, layers: Layers, policy: LineagePolicy
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", key=storage.key, alarms=storage.alarms)
        queue = WorkQueue(
            self,
            "Facts",
            key=storage.key,
            dead_letters=self.dead_letters,
            function_timeout=_TIMEOUT,
            delay=cdk.Duration.seconds(policy.mirror.delay.total_seconds()),
        )
        events.Rule(
            self,
            "LineageRecorded",
            description="New facts, for the mirror in SageMaker Lineage",
            event_bus=storage.bus,
            event_pattern=events.EventPattern(source=[SOURCE], detail_type=[LINEAGE_RECORDED]),
            targets=[targets.SqsQueue(queue.queue, dead_letter_queue=self.dead_letters.queue)],
        )
        own = f"arn:{cdk.Aws.PARTITION}:sagemaker:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}"
        mirroring = PythonFunction(
            self,
            "MirrorLineage",
            name="mirror_lineage",
            description="Adds snapshots, digests, commits and missing associations to SageMaker Lineage",
            layers=layers,
            timeout=_TIMEOUT,
            environment={
                "LINEAGE_TABLE_NAME": storage.table.table_name,
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
                "MIRROR_ARTIFACT_BUDGET": str(policy.mirror.artifacts),
                "MIRROR_ASSOCIATION_BUDGET": str(policy.mirror.associations),
            },
            statements=[
                queue.allow_receiving(),
                self.dead_letters.allow_sending(),
                iam.PolicyStatement(
                    sid="ReadFactsAndBudget",
                    actions=["dynamodb:GetItem", "dynamodb:UpdateItem"],
                    resources=[storage.table.table_arn],
                ),
                storage.allow_key(writes=True),
                iam.PolicyStatement(
                    sid="AddToLineage",
                    actions=[
                        "sagemaker:CreateArtifact",
                        "sagemaker:DescribeArtifact",
                        "sagemaker:UpdateArtifact",
                        "sagemaker:AddAssociation",
                    ],
                    resources=[f"{own}:{entity}/*" for entity in _LINEAGE_ENTITIES],
                ),
                # Lists name no single entity (service authorization reference, Amazon SageMaker AI).
                iam.PolicyStatement(
                    sid="FindLineage",
                    actions=["sagemaker:ListArtifacts", "sagemaker:ListAssociations"],
                    resources=["*"],
                ),
            ],
        )
        mirroring.function.add_event_source(
            sources.SqsEventSource(queue.queue, batch_size=10, max_concurrency=2, report_batch_item_failures=True)
        )


_LINEAGE_ENTITIES = ("artifact", "experiment-trial-component")
