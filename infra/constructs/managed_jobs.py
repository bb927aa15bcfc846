"""AWS's own jobs of evaluations: who starts them, waits for them and collects them, and as whom they run."""

from __future__ import annotations

import re
from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from hallmark.evaluation.jobs.events import OUTPUT_SUFFIX
from hallmark.evaluation.plans import JOB_PREFIX
from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.constructs.evaluation_functions import EvaluationFunctions
from infra.constructs.evaluation_storage import EvaluationStorage
from infra.constructs.functions import PythonFunction
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue
from infra.wheel import build_wheel

POLL_SECONDS = {Platform.AWS: 300, Platform.LOCAL: 5}
"""How long the workflow waits for an event before it looks at a job: AWS's events are best effort, and an evaluation
job that fails or is stopped causes none."""
_WAKE_TIMEOUT = cdk.Duration.minutes(1)
_ECR_IMAGE = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.[a-z.]+/(?P<name>[^:@]+)")


class ManagedJobs(Construct):
    """Bedrock's evaluation and batch inference jobs, and SageMaker Processing for heavy scorers.

    Attributes:
        steps: The functions of the workflow, by their name in it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: EvaluationStorage,
        functions: EvaluationFunctions,
        dead_letters: DeadLetterQueue,
        policy: Policy,
    ) -> None:
        super().__init__(scope, construct_id)
        self._storage = storage
        self._functions = functions
        self._policy = policy
        self._wheel = assets.Asset(self, "Wheel", path=str(build_wheel()))
        self.steps = {"StartJob": self._starting(), "AwaitJob": self._awaiting(), "CollectJob": self._collecting()}
        self._add_waking(dead_letters)

    # --- functions ----------------------------------------------------------------------------------------------------

    def _starting(self) -> PythonFunction:
        storage = self._storage
        bedrock, processing = self._bedrock_role(), self._processing_role()
        return self._functions.make(
            self,
            "StartJob",
            "start_job",
            "Writes what a job of AWS reads, and starts it",
            storage.allow_files("GetObject", "plan.json", "batches/*"),
            storage.allow_files("PutObject", "jobs/*/input/*"),
            storage.allow_key(writes=True),
            iam.PolicyStatement(
                sid="StartJobs",
                actions=[
                    "bedrock:CreateEvaluationJob",
                    "bedrock:CreateModelInvocationJob",
                    "bedrock:CreateCustomModelDeployment",
                ],
                resources=[
                    *self._bedrock_jobs(),
                    self._own("bedrock", "custom-model/*"),
                    *self._functions.allow_models().resources,
                ],
            ),
            # A name that is taken is found by listing, which names no single resource.
            iam.PolicyStatement(
                sid="FindJobs",
                actions=["bedrock:ListEvaluationJobs", "bedrock:ListModelInvocationJobs"],
                resources=["*"],
            ),
            iam.PolicyStatement(
                sid="StartProcessing",
                actions=["sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob", "sagemaker:AddTags"],
                resources=[self._processing_jobs()],
            ),
            _allow_passing(bedrock, "bedrock.amazonaws.com", "PassRoleToBedrock"),
            _allow_passing(processing, "sagemaker.amazonaws.com", "PassRoleToProcessing"),
            timeout=cdk.Duration.minutes(5),
            environment={
                **self._functions.bucket,
                "JOBS_ROLE_ARN": bedrock.role_arn,
                "PROCESSING_ROLE_ARN": processing.role_arn,
                "KEY_ARN": storage.key.key_arn,
                "WHEEL_URI": self._wheel.s3_object_url,
            },
        )

    def _awaiting(self) -> PythonFunction:
        storage = self._storage
        return self._functions.make(
            self,
            "AwaitJob",
            "await_job",
            "Leaves word who waits for a job, and stops it when the run's time is over",
            storage.allow_table("PutItem"),
            storage.allow_files("GetObject", "plan.json"),
            storage.allow_key(writes=True),
            self._allow_looking(),
            iam.PolicyStatement(
                sid="StopJobs",
                actions=[
                    "bedrock:StopEvaluationJob",
                    "bedrock:StopModelInvocationJob",
                    "sagemaker:StopProcessingJob",
                ],
                resources=[*self._bedrock_jobs(), self._processing_jobs()],
            ),
            _allow_telling(),
            timeout=cdk.Duration.minutes(1),
            memory_mb=512,
            environment={**self._functions.table, **self._functions.bucket},
        )

    def _collecting(self) -> PythonFunction:
        storage = self._storage
        return self._functions.make(
            self,
            "CollectJob",
            "collect_job",
            "Turns what a job of AWS left into results of cases",
            storage.allow_table("PutItem", "UpdateItem"),
            storage.allow_files("GetObject", "plan.json", "batches/*", "results/*", "jobs/*/output/*"),
            storage.allow_files("PutObject", "answers/*", "deployments/*", "results/*"),
            storage.allow_missing(),
            storage.allow_key(writes=True),
            self._allow_looking(),
            iam.PolicyStatement(
                sid="CleanUpJobs",
                actions=["bedrock:BatchDeleteEvaluationJob"],
                resources=[self._bedrock_jobs()[0]],
            ),
            memory_mb=3008,
            environment={**self._functions.table, **self._functions.bucket},
        )

    def _add_waking(self, dead_letters: DeadLetterQueue) -> None:
        storage = self._storage
        queue = WorkQueue(self, "Events", key=storage.key, dead_letters=dead_letters, function_timeout=_WAKE_TIMEOUT)
        waking = self._functions.make(
            self,
            "WakeJob",
            "wake_job",
            "Wakes the workflow that waits for a job of AWS",
            queue.allow_receiving(),
            dead_letters.allow_sending(),
            storage.allow_table("GetItem"),
            storage.allow_key(writes=True),
            _allow_telling(),
            timeout=_WAKE_TIMEOUT,
            memory_mb=512,
            environment={
                **self._functions.table,
                "DEAD_LETTER_QUEUE_URL": dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
        )
        waking.function.add_event_source(
            sources.SqsEventSource(queue.queue, batch_size=10, max_concurrency=2, report_batch_item_failures=True)
        )
        for construct_id, pattern in self._patterns().items():
            events.Rule(
                self,
                construct_id,
                description="That something came of a job which an evaluation waits for",
                event_pattern=pattern,
                targets=[targets.SqsQueue(queue.queue, dead_letter_queue=dead_letters.queue)],
            )

    def _patterns(self) -> dict[str, events.EventPattern]:
        ours = [{"prefix": JOB_PREFIX}]
        return {
            # No event tells of an evaluation job; the object that it writes at its end does.
            "EvaluationOutput": events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={
                    "bucket": {"name": [self._storage.bucket.bucket_name]},
                    "object": {"key": [{"suffix": OUTPUT_SUFFIX}]},
                },
            ),
            "BatchInference": events.EventPattern(
                source=["aws.bedrock"],
                detail_type=["Batch Inference Job State Change"],
                detail={
                    "batchJobName": ours,
                    "status": ["Completed", "Failed", "Stopped", "PartiallyCompleted", "Expired"],
                },
            ),
            "Processing": events.EventPattern(
                source=["aws.sagemaker"],
                detail_type=["SageMaker Processing Job State Change"],
                detail={"ProcessingJobName": ours, "ProcessingJobStatus": ["Completed", "Failed", "Stopped"]},
            ),
        }

    # --- permissions --------------------------------------------------------------------------------------------------

    def _own(self, service: str, resource: str) -> str:
        return f"arn:{cdk.Aws.PARTITION}:{service}:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:{resource}"

    def _bedrock_jobs(self) -> list[str]:
        return [self._own("bedrock", "evaluation-job/*"), self._own("bedrock", "model-invocation-job/*")]

    def _processing_jobs(self) -> str:
        return self._own("sagemaker", f"processing-job/{JOB_PREFIX}*")

    def _allow_looking(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="LookAtJobs",
            actions=[
                "bedrock:GetEvaluationJob",
                "bedrock:GetModelInvocationJob",
                "bedrock:GetCustomModelDeployment",
                "sagemaker:DescribeProcessingJob",
            ],
            resources=[
                *self._bedrock_jobs(),
                self._own("bedrock", "custom-model-deployment/*"),
                self._processing_jobs(),
            ],
        )

    def _bedrock_role(self) -> iam.Role:
        """Return the role that Bedrock user guide asks for, for model evaluation and for batch inference."""
        role = iam.Role(
            self,
            "BedrockRole",
            description="As whom Bedrock evaluates, and answers batches",
            assumed_by=iam.ServicePrincipal(
                "bedrock.amazonaws.com",
                conditions={
                    "StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID},
                    "ArnLike": {"aws:SourceArn": self._bedrock_jobs()},
                },
            ),
        )
        bucket = self._storage.bucket.bucket_arn
        iam.Policy(
            self,
            "BedrockPermissions",
            statements=[
                self._functions.allow_models("bedrock:InvokeModelWithResponseStream", "bedrock:GetInferenceProfile"),
                iam.PolicyStatement(
                    sid="ReadPrompts", actions=["s3:GetObject"], resources=[f"{bucket}/runs/*/jobs/*/input/*"]
                ),
                iam.PolicyStatement(
                    sid="WriteOutput",
                    actions=["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
                    resources=[f"{bucket}/runs/*/jobs/*/output/*"],
                ),
                iam.PolicyStatement(
                    sid="ListFiles",
                    actions=["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
                    resources=[bucket],
                ),
                self._storage.allow_key(writes=True),
                *self._allow_knowledge_bases(),
            ],
        ).attach_to_role(role)
        # Bedrock encrypts what it keeps of a job while it runs (Bedrock user guide, "Data encryption for model
        # evaluation jobs").
        self._storage.key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LetBedrockEncryptJobs",
                principals=[iam.ServicePrincipal("bedrock.amazonaws.com")],
                actions=["kms:GenerateDataKey", "kms:Decrypt", "kms:DescribeKey"],
                resources=["*"],
                conditions={
                    "StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID},
                    "ArnLike": {"aws:SourceArn": self._bedrock_jobs()},
                },
            )
        )
        return role

    def _allow_knowledge_bases(self) -> Sequence[iam.PolicyStatement]:
        named = {model.knowledge_base for model in self._policy.evaluation.models.values()} - {None}
        resources = [self._own("bedrock", f"knowledge-base/{name}") for name in sorted(filter(None, named))]
        if not resources:
            return []
        return [
            iam.PolicyStatement(
                sid="AskKnowledgeBases",
                actions=["bedrock:Retrieve", "bedrock:RetrieveAndGenerate"],
                resources=resources,
            )
        ]

    def _processing_role(self) -> iam.Role:
        role = iam.Role(
            self,
            "ProcessingRole",
            description="As whom SageMaker Processing runs heavy scorers",
            assumed_by=iam.ServicePrincipal(
                "sagemaker.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}}
            ),
        )
        bucket = self._storage.bucket.bucket_arn
        iam.Policy(
            self,
            "ProcessingPermissions",
            statements=[
                iam.PolicyStatement(
                    sid="ReadRun",
                    actions=["s3:GetObject"],
                    resources=[
                        f"{bucket}/runs/*/{name}" for name in ("plan.json", "batches/*", "results/*", "jobs/*/input/*")
                    ],
                ),
                iam.PolicyStatement(
                    sid="ReadWheel", actions=["s3:GetObject"], resources=[self._wheel.bucket.arn_for_objects("*.zip")]
                ),
                iam.PolicyStatement(
                    sid="WriteOutput", actions=["s3:PutObject"], resources=[f"{bucket}/runs/*/jobs/*/output/*"]
                ),
                iam.PolicyStatement(
                    sid="ListFiles", actions=["s3:ListBucket"], resources=[bucket, self._wheel.bucket.bucket_arn]
                ),
                iam.PolicyStatement(
                    sid="WriteJobLogs",
                    actions=["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                    resources=[self._own("logs", "log-group:/aws/sagemaker/ProcessingJobs*")],
                ),
                self._storage.allow_key(writes=True),
                *self._allow_images(),
            ],
        ).attach_to_role(role)
        return role

    def _allow_images(self) -> Sequence[iam.PolicyStatement]:
        images = {
            suite.processing.image for suite in self._policy.evaluation.suites.values() if suite.processing is not None
        }
        found = [match for image in sorted(images) if (match := _ECR_IMAGE.match(image))]
        if not found:
            return []
        return [
            # Names no single resource (Amazon ECR, actions of the service authorization reference).
            iam.PolicyStatement(sid="LogInToEcr", actions=["ecr:GetAuthorizationToken"], resources=["*"]),
            iam.PolicyStatement(
                sid="PullImages",
                actions=["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                resources=[
                    f"arn:{cdk.Aws.PARTITION}:ecr:{image['region']}:{image['account']}:repository/{image['name']}"
                    for image in found
                ],
            ),
        ]


def _allow_passing(role: iam.Role, service: str, sid: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid,
        actions=["iam:PassRole"],
        resources=[role.role_arn],
        conditions={"StringEquals": {"iam:PassedToService": service}},
    )


def _allow_telling() -> iam.PolicyStatement:
    # A task token says whose it is; the action takes no resource (Step Functions, service authorization reference).
    return iam.PolicyStatement(sid="TellTasks", actions=["states:SendTaskSuccess"], resources=["*"])
