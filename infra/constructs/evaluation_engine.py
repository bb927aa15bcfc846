"""Suites -> schedule, events or a person -> workflow -> models of Bedrock -> scores, comparison, report, event."""

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

from hallmark.events.published import EVALUATION_COMPLETED, EVALUATION_FAILED
from hallmark.policy.models import Policy
from infra.constructs.evaluation_functions import EvaluationFunctions
from infra.constructs.evaluation_storage import EvaluationStorage
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.managed_jobs import POLL_SECONDS, ManagedJobs
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue
from infra.constructs.run_endings import RunEndings
from infra.constructs.schedules import ScheduleRole
from infra.constructs.workflows import Workflow

_START_TIMEOUT = cdk.Duration.minutes(1)


class EvaluationEngine(Construct):
    """Runs suites: by themselves, when something changes, or when someone asks."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: EvaluationStorage,
        layers: Layers,
        policy: Policy,
        policy_folder: Path,
    ) -> None:
        super().__init__(scope, construct_id)
        self._storage = storage
        self._policy = policy
        self._functions = EvaluationFunctions(
            self, storage=storage, layers=layers, policy=policy, policy_folder=policy_folder
        )
        self._table, self._bucket = self._functions.table, self._functions.bucket
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", key=storage.key, alarms=storage.alarms)
        self._jobs = ManagedJobs(
            self,
            "Jobs",
            storage=storage,
            functions=self._functions,
            dead_letters=self.dead_letters,
            policy=policy,
        )
        self.workflow = self._add_workflow(POLL_SECONDS[layers.platform])
        RunEndings(
            self,
            "Endings",
            storage=storage,
            functions=self._functions,
            workflow=self.workflow,
            dead_letters=self.dead_letters,
        )
        self._add_schedules()
        self._add_triggers()
        self.query = self._add_questions()

    def _function(
        self,
        construct_id: str,
        name: str,
        description: str,
        *statements: iam.PolicyStatement,
        timeout: cdk.Duration | None = None,
        memory_mb: int = 1024,
        environment: Mapping[str, str],
    ) -> PythonFunction:
        return self._functions.make(
            self,
            construct_id,
            name,
            description,
            *statements,
            timeout=timeout,
            memory_mb=memory_mb,
            environment=environment,
        )

    def _add_workflow(self, poll_seconds: int) -> Workflow:
        storage = self._storage
        planning = self._function(
            "PlanEvaluation",
            "plan_evaluation",
            "Reads and samples a suite's datasets and plans its run",
            storage.allow_table("GetItem", "PutItem", "UpdateItem"),
            storage.allow_files("PutObject", "plan.json", "report.data.json", "batches/*", "rounds/*"),
            storage.allow_key(writes=True),
            *self._allow_datasets(),
            environment={**self._table, **self._bucket, "ACCOUNT_ID": cdk.Aws.ACCOUNT_ID},
        )
        asking = self._function(
            "AskModels",
            "ask_models",
            "Asks a batch of cases of one model and scores the answers",
            storage.allow_table("BatchGetItem", "BatchWriteItem", "PutItem", "Query", "UpdateItem"),
            storage.allow_files("GetObject", "plan.json", "batches/*", "answers/*", "deployments/*", "results/*"),
            storage.allow_files("PutObject", "results/*"),
            storage.allow_missing(),
            storage.allow_key(writes=True),
            self._functions.allow_models(),
            environment={**self._table, **self._bucket},
        )
        judging = self._function(
            "JudgeAnswers",
            "judge_answers",
            "Lets judges score the answers of a batch",
            storage.allow_table("BatchGetItem", "BatchWriteItem", "PutItem", "Query", "UpdateItem"),
            storage.allow_files("GetObject", "plan.json", "batches/*", "results/*", "judged/*"),
            storage.allow_files("PutObject", "judged/*"),
            storage.allow_missing(),
            storage.allow_key(writes=True),
            self._functions.allow_models(),
            environment={**self._table, **self._bucket},
        )
        deciding = self._function(
            "DecideContinuation",
            "decide_continuation",
            "Looks at the results so far and says whether to go on",
            storage.allow_files("GetObject", "plan.json", "results/*", "judged/*"),
            storage.allow_missing(),
            storage.allow_key(writes=False),
            environment=self._bucket,
        )
        completing = self._function(
            "CompleteEvaluation",
            "complete_evaluation",
            "Compares the models and writes the report",
            storage.allow_table("GetItem", "PutItem", "UpdateItem"),
            storage.allow_files("GetObject", "plan.json", "batches/*", "deployments/*", "results/*", "judged/*"),
            storage.allow_files("PutObject", "report.*", "/cases/*"),
            self._functions.allow_removing_deployments(),
            storage.allow_missing(),
            storage.allow_key(writes=True),
            storage.allow_publishing(EVALUATION_COMPLETED),
            memory_mb=3008,
            environment={**self._table, **self._bucket, "EVENT_BUS_NAME": storage.bus.event_bus_name},
        )
        failing = self._function(
            "FailEvaluation",
            "fail_evaluation",
            "Records why a run failed, and says so",
            storage.allow_table("PutItem", "UpdateItem"),
            storage.allow_files("GetObject", "plan.json", "deployments/*"),
            storage.allow_missing(),
            storage.allow_key(writes=True),
            storage.allow_publishing(EVALUATION_FAILED),
            self._functions.allow_removing_deployments(),
            timeout=cdk.Duration.minutes(1),
            memory_mb=512,
            environment={**self._table, **self._bucket, "EVENT_BUS_NAME": storage.bus.event_bus_name},
        )
        steps = {
            "PlanEvaluation": planning,
            "AskModels": asking,
            "JudgeAnswers": judging,
            "DecideContinuation": deciding,
            "CompleteEvaluation": completing,
            "FailEvaluation": failing,
            **self._jobs.steps,
        }
        maps = f"{storage.bucket.bucket_arn}/runs/*/maps/*"
        return Workflow(
            self,
            "EvaluateSuite",
            name="evaluate_suite",
            key=storage.key,
            distributed=True,
            substitutions={
                **{name: step.function.function_arn for name, step in steps.items()},
                "Bucket": storage.bucket.bucket_name,
                "JobPollSeconds": str(poll_seconds),
            },
            statements=[
                iam.PolicyStatement(
                    sid="InvokeSteps",
                    actions=["lambda:InvokeFunction"],
                    resources=[step.function.function_arn for step in steps.values()],
                ),
                storage.allow_files("GetObject", "rounds/*"),
                # Step Functions developer guide, "IAM policies for using Distributed Map states", ResultWriter.
                iam.PolicyStatement(
                    sid="WriteMapResults",
                    actions=[
                        "s3:AbortMultipartUpload",
                        "s3:GetObject",
                        "s3:ListMultipartUploadParts",
                        "s3:PutObject",
                    ],
                    resources=[maps],
                ),
            ],
        )

    def _add_schedules(self) -> None:
        scheduled = {name: suite for name, suite in self._policy.evaluation.suites.items() if suite.frequency}
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
        for name, suite in scheduled.items():
            scheduler.CfnSchedule(
                self,
                f"Schedule{name.title().replace('-', '')}",
                description=f"Evaluates the suite {name}",
                schedule_expression=suite.frequency or "",
                schedule_expression_timezone=suite.time_zone,
                flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
                target=scheduler.CfnSchedule.TargetProperty(
                    arn=self.workflow.arn,
                    role_arn=starting.role.role_arn,
                    input=cdk.Stack.of(self).to_json_string({"suite": name, "trigger": {"kind": "schedule"}}),
                    dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(
                        arn=self.dead_letters.queue.queue_arn
                    ),
                    retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=3600, maximum_retry_attempts=20
                    ),
                ),
            )

    def _add_triggers(self) -> None:
        queue = WorkQueue(
            self,
            "Triggers",
            key=self._storage.key,
            dead_letters=self.dead_letters,
            function_timeout=_START_TIMEOUT,
        )
        starting = self._function(
            "StartEvaluation",
            "start_evaluation",
            "Starts the suites that an event concerns",
            queue.allow_receiving(),
            self.dead_letters.allow_sending(),
            self._allow_starting(),
            self._storage.allow_key(writes=True),
            timeout=_START_TIMEOUT,
            memory_mb=512,
            environment={
                "ACCOUNT_ID": cdk.Aws.ACCOUNT_ID,
                "WORKFLOW_ARN": self.workflow.arn,
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
        )
        starting.function.add_event_source(
            sources.SqsEventSource(queue.queue, batch_size=10, max_concurrency=2, report_batch_item_failures=True)
        )
        for construct_id, (pattern, bus) in self._patterns().items():
            events.Rule(
                self,
                construct_id,
                description="What a suite of hallmark.yaml is to be run for",
                event_pattern=pattern,
                event_bus=bus,
                targets=[targets.SqsQueue(queue.queue, dead_letter_queue=self.dead_letters.queue)],
            )

    def _patterns(self) -> dict[str, tuple[events.EventPattern, events.IEventBus | None]]:
        suites = self._policy.evaluation.suites.values()
        patterns: dict[str, tuple[events.EventPattern, events.IEventBus | None]] = {
            "Requests": (
                events.EventPattern(source=["hallmark"], detail_type=["EvaluationRequested"]),
                self._storage.bus,
            )
        }
        groups = sorted({group for suite in suites for group in suite.triggers.model_package_groups})
        if groups:
            patterns["ModelPackages"] = (
                events.EventPattern(
                    source=["aws.sagemaker"],
                    detail_type=["SageMaker Model Package State Change"],
                    detail={"ModelPackageGroupName": groups},
                ),
                None,
            )
        if any(suite.triggers.custom_models for suite in suites):
            patterns["CustomModels"] = (
                events.EventPattern(
                    source=["aws.bedrock"],
                    detail_type=["Model Customization Job State Change"],
                    detail={"jobStatus": ["Completed", "COMPLETED"]},
                ),
                None,
            )
        if any(suite.triggers.prompt_changes for suite in suites):
            # CloudFormation user guide, "Managing events with CloudFormation and Amazon EventBridge".
            patterns["Deployments"] = (
                events.EventPattern(
                    source=["aws.cloudformation"],
                    detail_type=["CloudFormation Stack Status Change"],
                    detail={
                        "stack-id": [cdk.Aws.STACK_ID],
                        "status-details": {"status": ["CREATE_COMPLETE", "UPDATE_COMPLETE"]},
                    },
                ),
                None,
            )
        if any(suite.triggers.dataset_changes for suite in suites):
            patterns["Datasets"] = (
                events.EventPattern(
                    source=["aws.s3"],
                    detail_type=["Object Created"],
                    detail={"bucket": {"name": [_filled(name) for name in self._policy.evaluation.data_buckets]}},
                ),
                None,
            )
        return patterns

    def _add_questions(self) -> PythonFunction:
        storage = self._storage
        return self._function(
            "QueryEvaluations",
            "query_evaluations",
            "Starts runs, tells how they stand, and what they found",
            storage.allow_table("GetItem"),
            storage.allow_listing_runs(),
            storage.allow_files("GetObject", "plan.json", "report.*"),
            storage.allow_missing(),
            self._allow_starting(),
            storage.allow_key(writes=False),
            self._functions.allow_models(),
            timeout=cdk.Duration.minutes(1),
            environment={
                **self._table,
                **self._bucket,
                "WORKFLOW_ARN": self.workflow.arn,
                "ACCOUNT_ID": cdk.Aws.ACCOUNT_ID,
            },
        )

    def _allow_starting(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(sid="StartRuns", actions=["states:StartExecution"], resources=[self.workflow.arn])

    def _allow_datasets(self) -> Sequence[iam.PolicyStatement]:
        buckets = [f"arn:{cdk.Aws.PARTITION}:s3:::{_filled(name)}" for name in self._policy.evaluation.data_buckets]
        statements = [
            iam.PolicyStatement(sid="ListDatasets", actions=["s3:ListBucket"], resources=buckets),
            iam.PolicyStatement(
                sid="ReadDatasets", actions=["s3:GetObject"], resources=[f"{bucket}/*" for bucket in buckets]
            ),
        ]
        if self._policy.evaluation.data_keys:
            statements.append(
                iam.PolicyStatement(
                    sid="DecryptDatasets", actions=["kms:Decrypt"], resources=list(self._policy.evaluation.data_keys)
                )
            )
        return statements


def _filled(names: str) -> str:
    return names.replace("{account}", cdk.Aws.ACCOUNT_ID).replace("{region}", cdk.Aws.REGION)
