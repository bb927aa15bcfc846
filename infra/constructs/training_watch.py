"""Training jobs that begin -> queue -> ``start_watch`` -> workflow: look at an interval, stop what should not go on."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from hallmark.events.gates import TRAINING_HALTED
from hallmark.policy.models import Policy
from infra.constructs.functions import PythonFunction
from infra.constructs.gate_functions import GateFunctions, allow_steps, sagemaker_arns
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue
from infra.constructs.sources import filled
from infra.constructs.workflows import Workflow

_TIMEOUT = cdk.Duration.minutes(1)
_MAXIMUM_LOOKS = 1_500
"""Ten events of the history each, and as many again for retries, stay below 25,000 (Step Functions quotas)."""
_LOG_GROUP = "/aws/sagemaker/TrainingJobs"


class TrainingWatch(Construct):
    """Watches the training jobs that ``gates.watches`` names.

    Attributes:
        dead_letters: Events that could not be handled.
        workflow: What watches one job.
    """

    def __init__(self, scope: Construct, construct_id: str, *, functions: GateFunctions, policy: Policy) -> None:
        super().__init__(scope, construct_id)
        self._functions, self._policy = functions, policy
        storage = functions.storage
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", key=storage.key, alarms=storage.alarms)
        self.workflow = self._add_workflow()
        self._add_starting()

    def _add_workflow(self) -> Workflow:
        storage = self._functions.storage
        steps = {"InspectTraining": self._inspecting(), "HaltTraining": self._halting()}
        workflow = Workflow(
            self,
            "WatchTraining",
            name="watch_training",
            key=storage.key,
            substitutions={
                **{name: step.function.function_arn for name, step in steps.items()},
                "MaximumLooks": str(_MAXIMUM_LOOKS),
            },
            statements=[allow_steps(steps)],
        )
        workflow.allow_continuing()
        workflow.alarm_on_failure(
            storage.alarms, "A training job is not watched any more: see the failed execution of WatchTraining."
        )
        return workflow

    def _inspecting(self) -> PythonFunction:
        storage = self._functions.storage
        log_group = f"arn:{cdk.Aws.PARTITION}:logs:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:log-group:{_LOG_GROUP}"
        return self._functions.make(
            self,
            "InspectTraining",
            "Looks at a training job's metric",
            storage.allow_table("GetItem", "PutItem"),
            _allow_describing(),
            # Metrics have no resources (service authorization reference, Amazon CloudWatch).
            iam.PolicyStatement(sid="ReadMetrics", actions=["cloudwatch:GetMetricData"], resources=["*"]),
            iam.PolicyStatement(
                sid="ReadLogs", actions=["logs:FilterLogEvents"], resources=[log_group, f"{log_group}:*"]
            ),
            *self._allow_checkpoints(),
            environment=self._functions.table,
        )

    def _allow_checkpoints(self) -> list[iam.PolicyStatement]:
        """Return the statements for evaluations beside checkpoints, where a watch reads any."""
        if all(watch.checkpoints is None for watch in self._policy.gates.watches.values()):
            return []
        buckets = [f"arn:{cdk.Aws.PARTITION}:s3:::{filled(name)}" for name in self._policy.lineage.data_buckets]
        statements = [
            iam.PolicyStatement(sid="ListCheckpoints", actions=["s3:ListBucket"], resources=buckets),
            iam.PolicyStatement(
                sid="ReadCheckpoints", actions=["s3:GetObject"], resources=[f"{bucket}/*" for bucket in buckets]
            ),
        ]
        if self._policy.lineage.data_keys:
            keys = list(self._policy.lineage.data_keys)
            statements.append(iam.PolicyStatement(sid="DecryptCheckpoints", actions=["kms:Decrypt"], resources=keys))
        return statements

    def _halting(self) -> PythonFunction:
        storage = self._functions.storage
        return self._functions.make(
            self,
            "HaltTraining",
            "Stops a training job, and tells why",
            storage.allow_table("GetItem", "PutItem"),
            storage.allow_publishing(TRAINING_HALTED),
            _allow_describing(),
            iam.PolicyStatement(
                sid="StopTraining",
                actions=["sagemaker:StopTrainingJob"],
                resources=sagemaker_arns("training-job/*"),
            ),
            environment={**self._functions.table, **self._functions.bus},
        )

    def _add_starting(self) -> None:
        storage = self._functions.storage
        queue = WorkQueue(self, "Jobs", key=storage.key, dead_letters=self.dead_letters, function_timeout=_TIMEOUT)
        starting = self._functions.make(
            self,
            "StartWatch",
            "Begins to watch a training job",
            queue.allow_receiving(),
            self.dead_letters.allow_sending(),
            iam.PolicyStatement(sid="StartWatches", actions=["states:StartExecution"], resources=[self.workflow.arn]),
            timeout=_TIMEOUT,
            environment={
                "WATCH_WORKFLOW_ARN": self.workflow.arn,
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
        )
        starting.function.add_event_source(
            sources.SqsEventSource(queue.queue, batch_size=10, max_concurrency=2, report_batch_item_failures=True)
        )
        events.Rule(
            self,
            "Running",
            description="That a training job runs",
            event_pattern=events.EventPattern(
                source=["aws.sagemaker"],
                detail_type=["SageMaker Training Job State Change"],
                detail={"TrainingJobStatus": ["InProgress"]},
            ),
            targets=[targets.SqsQueue(queue.queue, dead_letter_queue=self.dead_letters.queue)],
        )


def _allow_describing() -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid="DescribeTraining",
        actions=["sagemaker:DescribeTrainingJob"],
        resources=sagemaker_arns("training-job/*"),
    )
