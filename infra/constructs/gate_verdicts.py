"""Events, pipelines and people -> queue -> ``request_quality_gate`` -> workflow ``apply_quality_gate`` -> verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from hallmark.events.gates import QUALITY_GATE_FAILED, QUALITY_GATE_INCONCLUSIVE, QUALITY_GATE_PASSED
from hallmark.events.published import EVALUATION_REQUESTED
from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.constructs.evaluation_storage import RUNS_INDEX, EvaluationStorage
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.gate_storage import GateStorage
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue
from infra.constructs.workflows import Workflow

LOOK_SECONDS = {Platform.AWS: 60, Platform.LOCAL: 2}
"""How long the workflow waits before it looks for missing evidence again."""
_REQUEST_TIMEOUT = cdk.Duration.minutes(1)


class GateVerdicts(Construct):
    """Everything that asks for verdicts, and what gives them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: GateStorage,
        evaluation: EvaluationStorage,
        query_lineage: PythonFunction,
        layers: Layers,
        policy_layer: lambda_.ILayerVersion,
        policy: Policy,
    ) -> None:
        super().__init__(scope, construct_id)
        self._storage = storage
        self._evaluation = evaluation
        self._query_lineage = query_lineage
        self._layers = layers
        self._policy = policy
        self._policy_layer = policy_layer
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", key=storage.key, alarms=storage.alarms)
        self.applying = self._add_applying()
        self.workflow = self._add_workflow()
        self.queue = self._add_requests()
        self._add_rules()
        self.query = self._add_questions()

    def _function(
        self,
        name: str,
        description: str,
        *statements: iam.PolicyStatement,
        timeout: cdk.Duration,
        memory_mb: int,
        environment: Mapping[str, str],
    ) -> PythonFunction:
        return PythonFunction(
            self,
            name.title().replace("_", ""),
            name=name,
            description=description,
            layers=self._layers,
            # The bounds of rates and means are computed with it.
            numeric=True,
            extra_layers=[self._policy_layer],
            timeout=timeout,
            memory_mb=memory_mb,
            environment=environment,
            statements=statements,
        )

    def _add_applying(self) -> PythonFunction:
        storage, evaluation = self._storage, self._evaluation
        buckets = [f"arn:{cdk.Aws.PARTITION}:s3:::{_filled(name)}" for name in self._policy.lineage.data_buckets]
        own = f"arn:{cdk.Aws.PARTITION}:sagemaker:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}"
        statements = [
            storage.allow_table("GetItem", "PutItem"),
            storage.allow_key(writes=True),
            storage.allow_publishing(
                EVALUATION_REQUESTED, QUALITY_GATE_PASSED, QUALITY_GATE_FAILED, QUALITY_GATE_INCONCLUSIVE
            ),
            iam.PolicyStatement(
                sid="ListRuns",
                actions=["dynamodb:Query"],
                resources=[f"{evaluation.table.table_arn}/index/{RUNS_INDEX}"],
            ),
            evaluation.allow_files("GetObject", "report.json"),
            evaluation.allow_missing(),
            iam.PolicyStatement(
                sid="AskLineage",
                actions=["lambda:InvokeFunction"],
                resources=[self._query_lineage.function.function_arn],
            ),
            iam.PolicyStatement(
                sid="DescribePackages", actions=["sagemaker:DescribeModelPackage"], resources=[f"{own}:model-package/*"]
            ),
            iam.PolicyStatement(
                # Listing names no single resource (service authorization reference, Amazon SageMaker).
                sid="ListPackages",
                actions=["sagemaker:ListModelPackages"],
                resources=["*"],
            ),
            iam.PolicyStatement(
                sid="ReadQualityReports",
                actions=["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"],
                resources=[f"{bucket}/*" for bucket in buckets],
            ),
            iam.PolicyStatement(sid="TellMissingReports", actions=["s3:ListBucket"], resources=buckets),
            allow_answering_steps(),
        ]
        if self._policy.lineage.data_keys:
            keys = list(self._policy.lineage.data_keys)
            statements.append(iam.PolicyStatement(sid="DecryptReports", actions=["kms:Decrypt"], resources=keys))
        return self._function(
            "apply_quality_gate",
            "Judges a model by a gate, once its evidence is there",
            *statements,
            timeout=cdk.Duration.minutes(3),
            memory_mb=1024,
            environment={
                "GATE_TABLE_NAME": storage.table.table_name,
                "EVALUATION_TABLE_NAME": evaluation.table.table_name,
                "QUERY_LINEAGE_FUNCTION_NAME": self._query_lineage.function.function_name,
                "EVENT_BUS_NAME": storage.bus.event_bus_name,
                "LOOK_SECONDS": str(LOOK_SECONDS[self._layers.platform]),
            },
        )

    def _add_workflow(self) -> Workflow:
        workflow = Workflow(
            self,
            "ApplyQualityGateWorkflow",
            name="apply_quality_gate",
            key=self._storage.key,
            substitutions={
                "ApplyQualityGate": self.applying.function.function_arn,
                "LookSeconds": str(LOOK_SECONDS[self._layers.platform]),
            },
            statements=[
                iam.PolicyStatement(
                    sid="InvokeSteps",
                    actions=["lambda:InvokeFunction"],
                    resources=[self.applying.function.function_arn],
                )
            ],
        )
        workflow.alarm_on_failure(
            self._storage.alarms,
            "A gate could not judge: see the failed execution of ApplyQualityGate, mend it, and ask again.",
        )
        return workflow

    def _add_requests(self) -> WorkQueue:
        queue = WorkQueue(
            self,
            "Requests",
            key=self._storage.key,
            dead_letters=self.dead_letters,
            function_timeout=_REQUEST_TIMEOUT,
        )
        requesting = self._function(
            "request_quality_gate",
            "Asks gates for a verdict where an event concerns them",
            queue.allow_receiving(),
            self.dead_letters.allow_sending(),
            self._allow_starting(),
            self._storage.allow_key(writes=True),
            allow_answering_steps(),
            timeout=_REQUEST_TIMEOUT,
            memory_mb=512,
            environment={
                "WORKFLOW_ARN": self.workflow.arn,
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
        )
        requesting.function.add_event_source(
            sources.SqsEventSource(queue.queue, batch_size=10, max_concurrency=2, report_batch_item_failures=True)
        )
        return queue

    def _add_rules(self) -> None:
        gates = self._policy.gates.gates.values()
        hallmark = ["EvaluationCompleted", "DriftDetected", "QualityGateRequested"]
        self._rule("Hallmark", self._storage.bus, {"source": ["hallmark"], "detail_type": hallmark})
        groups = sorted({group for gate in gates for group in gate.models.model_package_groups})
        if groups:
            detail: dict[str, Any] = {"ModelPackageGroupName": [_pattern(group) for group in groups]}
            kinds = ["SageMaker Model Package State Change"]
            self._rule("Packages", None, {"source": ["aws.sagemaker"], "detail_type": kinds, "detail": detail})
        if any(gate.models.endpoints for gate in gates):
            detail = {"EndpointStatus": ["IN_SERVICE", "InService"]}
            kinds = ["SageMaker Endpoint State Change"]
            self._rule("Endpoints", None, {"source": ["aws.sagemaker"], "detail_type": kinds, "detail": detail})

    def _rule(self, construct_id: str, bus: events.IEventBus | None, pattern: Mapping[str, Any]) -> None:
        events.Rule(
            self,
            construct_id,
            description="What gates of hallmark.yaml are to be asked for",
            event_pattern=events.EventPattern(**pattern),
            event_bus=bus,
            targets=[targets.SqsQueue(self.queue.queue, dead_letter_queue=self.dead_letters.queue)],
        )

    def _add_questions(self) -> PythonFunction:
        return self._function(
            "query_gates",
            "Asks gates for verdicts, and shows what they said",
            self._storage.allow_table("GetItem"),
            self._storage.allow_listing(),
            self._storage.allow_key(writes=False),
            self._allow_starting(),
            timeout=cdk.Duration.minutes(1),
            memory_mb=512,
            environment={"GATE_TABLE_NAME": self._storage.table.table_name, "WORKFLOW_ARN": self.workflow.arn},
        )

    def _allow_starting(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(sid="StartGates", actions=["states:StartExecution"], resources=[self.workflow.arn])


def allow_answering_steps() -> iam.PolicyStatement:
    """Return the statement for the answer to a callback step: a token names no resource (service authorization)."""
    return iam.PolicyStatement(
        sid="AnswerPipelineSteps",
        actions=["sagemaker:SendPipelineExecutionStepFailure", "sagemaker:SendPipelineExecutionStepSuccess"],
        resources=["*"],
    )


def _pattern(name: str) -> Any:
    return {"wildcard": name} if "*" in name else name


def _filled(names: str) -> str:
    return names.replace("{account}", cdk.Aws.ACCOUNT_ID).replace("{region}", cdk.Aws.REGION)
