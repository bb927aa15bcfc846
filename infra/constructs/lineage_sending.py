"""``LineageRecorded`` -> queue -> ``send_lineage`` -> an OpenLineage endpoint, SageMaker Catalog."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from hallmark.events.published import LINEAGE_RECORDED, SOURCE
from hallmark.policy.models import LineagePolicy
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.queues import DeadLetterQueue, WorkQueue

_TIMEOUT = cdk.Duration.minutes(1)
_DELAY = cdk.Duration.seconds(30)
"""What is told of a node in several events comes within it, and is sent as one."""
_RECEIVES = 30
"""Tries of an endpoint that is away: six minutes between them, three hours."""
KINDS = (
    *("processing-job", "training-job", "hyper-parameter-tuning-job", "transform-job", "labeling-job", "automl-job"),
    *("job", "pipeline-execution", "model-customization-job", "model-invocation-job", "evaluation", "run"),
    *("model", "model-package", "endpoint-config", "endpoint", "verdict", "approval", "override", "model-version"),
    "custom-model",
)
"""``SENT_KINDS`` of hallmark/lineage/exports/sending.py."""


class LineageSending(Construct):
    """What lineage learns goes to who the policy names; each by messages of its own, so that none holds up another."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: LineageStorage,
        layers: Layers,
        policy_layer: lambda_.ILayerVersion,
        policy: LineagePolicy,
        query_lineage: PythonFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", key=storage.key, alarms=storage.alarms)
        self.queue = WorkQueue(
            self,
            "Messages",
            key=storage.key,
            dead_letters=self.dead_letters,
            function_timeout=_TIMEOUT,
            delay=_DELAY,
            maximum_receives=_RECEIVES,
        )
        self.sending = PythonFunction(
            self,
            "SendLineage",
            name="send_lineage",
            description="Sends OpenLineage run events",
            layers=layers,
            numeric=True,
            extra_layers=[policy_layer],
            timeout=_TIMEOUT,
            environment={
                "QUERY_LINEAGE_FUNCTION_NAME": query_lineage.function.function_name,
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(_RECEIVES),
            },
            statements=[
                self.queue.allow_receiving(),
                self.dead_letters.allow_sending(),
                storage.allow_key(writes=True),
                iam.PolicyStatement(
                    sid="AskLineage",
                    actions=["lambda:InvokeFunction"],
                    resources=[query_lineage.function.function_arn],
                ),
                *self._allow_targets(policy),
            ],
        )
        self.sending.function.add_event_source(
            sources.SqsEventSource(self.queue.queue, batch_size=5, max_concurrency=2, report_batch_item_failures=True)
        )
        names = [name for name in ("openlineage", "catalog") if getattr(policy, name) is not None]
        if names:
            self._add_rule(storage, names)

    def _add_rule(self, storage: LineageStorage, names: list[str]) -> None:
        node = events.EventField.from_path("$.detail.node")
        events.Rule(
            self,
            "Recorded",
            description="What others are told of",
            event_bus=storage.bus,
            event_pattern=events.EventPattern(
                source=[SOURCE], detail_type=[LINEAGE_RECORDED], detail={"kind": list(KINDS)}
            ),
            targets=[
                targets.SqsQueue(
                    self.queue.queue,
                    message=events.RuleTargetInput.from_object({"target": name, "node": node}),
                    dead_letter_queue=self.dead_letters.queue,
                )
                for name in names
            ],
        )

    def _allow_targets(self, policy: LineagePolicy) -> list[iam.PolicyStatement]:
        stack, found = cdk.Stack.of(self), []
        if policy.openlineage is not None and policy.openlineage.secret is not None:
            # Secrets Manager puts six characters of its own behind the name (its user guide, "What's in a secret").
            arn = stack.format_arn(
                service="secretsmanager",
                resource="secret",
                resource_name=f"{policy.openlineage.secret}-??????",
                arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
            )
            found.append(
                iam.PolicyStatement(sid="ReadSecrets", actions=["secretsmanager:GetSecretValue"], resources=[arn])
            )
        if policy.catalog is not None:
            arn = stack.format_arn(service="datazone", resource="domain", resource_name=policy.catalog.domain)
            found.append(iam.PolicyStatement(sid="PostLineage", actions=["datazone:PostLineageEvent"], resources=[arn]))
        return found
