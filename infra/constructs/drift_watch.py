"""Monitors -> schedule or a person -> workflow -> profiles, judgement, report, events, retraining."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from hallmark.events.drift import (
    BASELINE_CAPTURED,
    DRIFT_CLEARED,
    DRIFT_DETECTED,
    MONITOR_FAILED,
    MONITOR_RECOVERED,
    RETRAINING_SKIPPED,
    RETRAINING_STARTED,
)
from hallmark.events.gates import QUALITY_GATE_REQUESTED
from hallmark.events.published import EVALUATION_REQUESTED
from hallmark.events.reviews import FEEDBACK_RECEIVED, REVIEW_COMPLETED
from hallmark.policy.models import Policy
from infra.constructs.drift_storage import DriftStorage
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.policy_layer import PolicyLayer
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue
from infra.constructs.schedules import ScheduleRole
from infra.constructs.workflows import Workflow

_MINUTE = cdk.Duration.minutes(1)
# Reading 48 MB of captured requests, and what their values become as Python objects.
_PROFILE_TIMEOUT, _PROFILE_MB = cdk.Duration.minutes(10), 2048
_JUDGE_TIMEOUT, _JUDGE_MB = cdk.Duration.minutes(5), 2048


class DriftWatch(Construct):
    """Looks at what monitors of the policy name, and tells what has drifted."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: DriftStorage,
        layers: Layers,
        policy: Policy,
        policy_folder: Path,
        query_evaluations: PythonFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        self._storage = storage
        self._layers = layers
        self._policy = policy.drift
        self._policy_layer = PolicyLayer(self, "Policy", policy=policy, folder=policy_folder)
        self._memory = {
            "DRIFT_TABLE_NAME": storage.table.table_name,
            "DRIFT_BUCKET_NAME": storage.bucket.bucket_name,
        }
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", key=storage.key, alarms=storage.alarms)
        self.workflow = self._add_workflow(query_evaluations)
        self._add_schedules()
        if self._watches("scores"):
            self._add_scores()
        self.query = self._add_questions()

    def _function(
        self,
        construct_id: str,
        name: str,
        description: str,
        *statements: iam.PolicyStatement,
        timeout: cdk.Duration = _MINUTE,
        memory_mb: int = 1024,
        environment: Mapping[str, str],
        encodes: bool = False,
    ) -> PythonFunction:
        return PythonFunction(
            self,
            construct_id,
            name=name,
            description=description,
            layers=self._layers,
            # Each of the two layers has numpy.
            numeric=not encodes,
            scoring=encodes,
            extra_layers=[self._policy_layer.version],
            timeout=timeout,
            memory_mb=memory_mb,
            environment=environment,
            statements=statements,
        )

    def _add_workflow(self, query_evaluations: PythonFunction) -> Workflow:
        storage = self._storage
        account, bus = {"ACCOUNT_ID": cdk.Aws.ACCOUNT_ID}, {"EVENT_BUS_NAME": storage.bus.event_bus_name}
        planning = self._function(
            "PlanDriftWindow",
            "plan_drift_window",
            "Plans which window a monitor looks at, and which files are new",
            storage.allow_table("GetItem"),
            storage.allow_files("GetObject", "profiles"),
            storage.allow_files("PutObject", "plans"),
            storage.allow_missing(),
            storage.allow_key(writes=True),
            self._allow_listing(),
            *self._allow_endpoints(),
            environment={**self._memory, **account},
        )
        profiling = self._function(
            "ProfileWindow",
            "profile_window",
            "Reads a part of a window and keeps what it is like",
            storage.allow_files("GetObject", "plans"),
            storage.allow_files("PutObject", "profiles"),
            storage.allow_key(writes=True),
            *self._allow_reading(),
            *self._allow_asking(query_evaluations),
            timeout=_PROFILE_TIMEOUT,
            memory_mb=_PROFILE_MB,
            encodes=any(monitor.embeds for monitor in self._policy.monitors.values()),
            environment={
                **self._memory,
                **account,
                "QUERY_EVALUATIONS_FUNCTION_NAME": query_evaluations.function.function_name,
            },
        )
        judging = self._function(
            "JudgeDrift",
            "judge_drift",
            "Compares a window with its baseline and says what changed",
            storage.allow_table("GetItem", "PutItem", "Query"),
            storage.allow_files("GetObject", "plans", "profiles", "baselines", "reports"),
            storage.allow_files("PutObject", "profiles", "baselines", "reports"),
            storage.allow_missing(),
            storage.allow_key(writes=True),
            storage.allow_publishing(
                BASELINE_CAPTURED,
                DRIFT_CLEARED,
                DRIFT_DETECTED,
                EVALUATION_REQUESTED,
                MONITOR_FAILED,
                MONITOR_RECOVERED,
                QUALITY_GATE_REQUESTED,
            ),
            timeout=_JUDGE_TIMEOUT,
            memory_mb=_JUDGE_MB,
            environment={**self._memory, **account, **bus},
        )
        retraining = self._function(
            "StartRetraining",
            "start_retraining",
            "Starts the pipeline that drift asks for, as often as policy allows",
            storage.allow_table("GetItem", "PutItem"),
            storage.allow_key(writes=True),
            storage.allow_publishing(RETRAINING_SKIPPED, RETRAINING_STARTED),
            *self._allow_pipelines(),
            environment={"DRIFT_TABLE_NAME": storage.table.table_name, **bus},
        )
        steps = {
            "PlanDriftWindow": planning,
            "ProfileWindow": profiling,
            "JudgeDrift": judging,
            "StartRetraining": retraining,
        }
        return Workflow(
            self,
            "WatchDrift",
            name="watch_drift",
            key=storage.key,
            distributed=True,
            substitutions={
                **{name: step.function.function_arn for name, step in steps.items()},
                "Bucket": storage.bucket.bucket_name,
            },
            statements=[
                iam.PolicyStatement(
                    sid="InvokeSteps",
                    actions=["lambda:InvokeFunction"],
                    resources=[step.function.function_arn for step in steps.values()],
                ),
                storage.allow_files("GetObject", "plans"),
                # Step Functions developer guide, "IAM policies for using Distributed Map states", ResultWriter.
                iam.PolicyStatement(
                    sid="WriteMapResults",
                    actions=[
                        "s3:AbortMultipartUpload",
                        "s3:GetObject",
                        "s3:ListMultipartUploadParts",
                        "s3:PutObject",
                    ],
                    resources=[f"{storage.bucket.bucket_arn}/maps/*"],
                ),
            ],
        )

    def _add_schedules(self) -> None:
        scheduled = {name: monitor for name, monitor in self._policy.monitors.items() if monitor.scheduled}
        if not scheduled:
            return
        starting = ScheduleRole(
            self,
            "Starting",
            statements=[
                self._allow_starting(),
                self.dead_letters.allow_sending(),
                self._storage.allow_key(writes=True),
            ],
        )
        for name, monitor in scheduled.items():
            minutes = round(monitor.every.total_seconds() / 60)
            scheduler.CfnSchedule(
                self,
                f"Schedule{name.title().replace('-', '')}",
                description=f"Looks of the monitor {name}",
                schedule_expression=f"rate({minutes} minute{'s' if minutes > 1 else ''})",
                flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
                target=scheduler.CfnSchedule.TargetProperty(
                    arn=self.workflow.arn,
                    role_arn=starting.role.role_arn,
                    # The window follows from the time that was scheduled, not from when the execution runs.
                    input=cdk.Stack.of(self).to_json_string({"monitor": name, "at": "<aws.scheduler.scheduled-time>"}),
                    dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(
                        arn=self.dead_letters.queue.queue_arn
                    ),
                    retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=3600, maximum_retry_attempts=20
                    ),
                ),
            )

    def _add_scores(self) -> None:
        queue = WorkQueue(
            self, "Scores", key=self._storage.key, dead_letters=self.dead_letters, function_timeout=_MINUTE
        )
        keeping = self._function(
            "KeepScore",
            "keep_score",
            "Keeps the scores of people and of feedback for the monitors that watch them",
            queue.allow_receiving(),
            self.dead_letters.allow_sending(),
            self._storage.allow_table("PutItem"),
            self._storage.allow_key(writes=True),
            memory_mb=512,
            environment={
                "DRIFT_TABLE_NAME": self._storage.table.table_name,
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
        )
        keeping.function.add_event_source(
            sources.SqsEventSource(queue.queue, batch_size=10, max_concurrency=2, report_batch_item_failures=True)
        )
        events.Rule(
            self,
            "ScoresTold",
            description="Scores of people and of production's feedback",
            event_bus=self._storage.bus,
            event_pattern=events.EventPattern(source=["hallmark"], detail_type=[FEEDBACK_RECEIVED, REVIEW_COMPLETED]),
            targets=[targets.SqsQueue(queue.queue, dead_letter_queue=self.dead_letters.queue)],
        )

    def _add_questions(self) -> PythonFunction:
        storage = self._storage
        own = cdk.Stack.of(self).format_arn(
            service="states",
            resource="execution",
            resource_name=f"{self.workflow.machine.attr_name}:*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        return self._function(
            "QueryDrift",
            "query_drift",
            "Tells how monitors stand and what they found",
            storage.allow_table("GetItem", "Query"),
            storage.allow_files("GetObject", "reports"),
            storage.allow_missing(),
            storage.allow_key(writes=False),
            self._allow_starting(),
            iam.PolicyStatement(sid="FollowLooks", actions=["states:DescribeExecution"], resources=[own]),
            environment={**self._memory, "WORKFLOW_ARN": self.workflow.arn},
        )

    def _allow_starting(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(sid="StartLooks", actions=["states:StartExecution"], resources=[self.workflow.arn])

    def _buckets(self) -> list[str]:
        return [f"arn:{cdk.Aws.PARTITION}:s3:::{_filled(name)}" for name in self._policy.data_buckets]

    def _allow_listing(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(sid="ListSources", actions=["s3:ListBucket"], resources=self._buckets())

    def _allow_reading(self) -> Sequence[iam.PolicyStatement]:
        buckets = self._buckets()
        statements = [
            iam.PolicyStatement(
                sid="ReadSources", actions=["s3:GetObject"], resources=[f"{bucket}/*" for bucket in buckets]
            ),
            # Without it a file that is gone cannot be told from one that is denied.
            self._allow_listing(),
        ]
        if self._policy.data_keys:
            statements.append(
                iam.PolicyStatement(
                    sid="DecryptSources", actions=["kms:Decrypt"], resources=list(self._policy.data_keys)
                )
            )
        return statements

    def _watches(self, kind: str) -> bool:
        """Tell whether any monitor has a source of this kind."""
        return any(monitor.source.kind == kind for monitor in self._policy.monitors.values())

    def _allow_asking(self, query_evaluations: PythonFunction) -> Sequence[iam.PolicyStatement]:
        """Return the statements for sources that are no files, where the policy has any."""
        statements = []
        if self._watches("evaluations"):
            statements.append(
                iam.PolicyStatement(
                    sid="AskEvaluations",
                    actions=["lambda:InvokeFunction"],
                    resources=[query_evaluations.function.function_arn],
                )
            )
        if self._watches("metrics"):
            # CloudWatch has no resources for it (service authorization reference).
            statements.append(
                iam.PolicyStatement(sid="ReadMetrics", actions=["cloudwatch:GetMetricData"], resources=["*"])
            )
        if self._watches("scores"):
            statements.append(self._storage.allow_table("Query"))
        return statements

    def _allow_endpoints(self) -> Sequence[iam.PolicyStatement]:
        names = sorted({monitor.endpoint for monitor in self._policy.monitors.values() if monitor.endpoint})
        if not names:
            return []
        own = f"arn:{cdk.Aws.PARTITION}:sagemaker:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}"
        return [
            iam.PolicyStatement(
                sid="DescribeEndpoints",
                actions=["sagemaker:DescribeEndpoint"],
                # Names in ARNs are in lower case.
                resources=[f"{own}:endpoint/{name.lower()}" for name in names],
            )
        ]

    def _allow_pipelines(self) -> Sequence[iam.PolicyStatement]:
        actions = [monitor.retraining() for monitor in self._policy.monitors.values()]
        names = sorted({action.pipeline for action in actions if action is not None})
        if not names:
            return []
        own = f"arn:{cdk.Aws.PARTITION}:sagemaker:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}"
        return [
            iam.PolicyStatement(
                sid="StartPipelines",
                actions=["sagemaker:StartPipelineExecution"],
                resources=[f"{own}:pipeline/{name.lower()}" for name in names],
            )
        ]


def _filled(names: str) -> str:
    return names.replace("{account}", cdk.Aws.ACCOUNT_ID).replace("{region}", cdk.Aws.REGION)
