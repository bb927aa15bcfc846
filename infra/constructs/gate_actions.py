"""Verdicts on the bus -> queue -> ``follow_verdict`` -> promotion or rollback; and people's words between the two."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from hallmark.events.attestations import ATTESTATION_SIGNED
from hallmark.events.gates import (
    APPROVAL_DECIDED,
    APPROVAL_EXPIRED,
    APPROVAL_REQUESTED,
    ENDPOINT_ROLLED_BACK,
    GATE_OVERRIDDEN,
    MODEL_PROMOTED,
    MODEL_REJECTED,
    PROMOTION_REFUSED,
    QUALITY_GATE_FAILED,
    QUALITY_GATE_INCONCLUSIVE,
    QUALITY_GATE_PASSED,
    REGISTRY_APPROVED,
    REGISTRY_REJECTED,
    ROLLBACK_FAILED,
    STAGE_WAITING,
)
from hallmark.events.published import SOURCE
from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.constructs.attestation_storage import AttestationStorage
from infra.constructs.evaluation_storage import EvaluationStorage
from infra.constructs.functions import PythonFunction
from infra.constructs.gate_functions import GateFunctions, allow_steps, sagemaker_arns
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue
from infra.constructs.workflows import Workflow

_TIMEOUT = cdk.Duration.minutes(1)
_POLL_SECONDS = {Platform.AWS: 30, Platform.LOCAL: 1}
_MAXIMUM_LOOKS = 240
"""Two hours on AWS: a blue/green deployment may take eight, the one of a rollback has no policy that lets it wait."""


class GateActions(Construct):
    """What follows a verdict.

    Attributes:
        dead_letters: Verdicts that could not be followed.
        decide: The function that the command line asks in a person's name.
        attesting: The function that signs verdicts and overrides.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        functions: GateFunctions,
        policy: Policy,
        query_lineage: lambda_.IFunction,
        evaluation: EvaluationStorage,
        attestations: AttestationStorage,
        platform: Platform,
    ) -> None:
        super().__init__(scope, construct_id)
        self._evaluation = evaluation
        self._attestations = attestations
        self._functions = functions
        self._policy = policy
        self._storage = functions.storage
        self._query_lineage = query_lineage
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", key=self._storage.key, alarms=self._storage.alarms)
        self.attesting = self._add_attesting()
        promotion = self._add_promotion()
        rollback = self._add_rollback(_POLL_SECONDS[platform])
        self._add_following(promotion, rollback)
        self.decide = self._add_deciding()

    # --- promotion ----------------------------------------------------------------------------------------------------

    def _add_promotion(self) -> Workflow:
        functions, storage = self._functions, self._storage
        steps = {
            "PlanPromotion": functions.make(
                self,
                "PlanPromotion",
                "Looks at the registry before anything is done with a model",
                storage.allow_table("GetItem", "Query"),
                _allow_reading_packages(),
                environment=functions.table,
                numeric=True,
            ),
            "RequestApproval": functions.make(
                self,
                "RequestApproval",
                "Asks a person to approve or reject",
                storage.allow_table("GetItem", "PutItem", "UpdateItem"),
                storage.allow_publishing(APPROVAL_REQUESTED),
                _allow_reading_packages(),
                _allow_telling(),
                environment={**functions.table, **functions.bus},
            ),
            "ExpireApproval": functions.make(
                self,
                "ExpireApproval",
                "Ends the wait for a person's word",
                storage.allow_table("GetItem", "UpdateItem"),
                storage.allow_publishing(APPROVAL_EXPIRED),
                environment={**functions.table, **functions.bus},
            ),
            "SetModelStage": functions.make(
                self,
                "SetModelStage",
                "Moves a model in the registry by a proof; nothing else may",
                storage.allow_table("GetItem", "Query"),
                storage.allow_publishing(MODEL_PROMOTED, MODEL_REJECTED, PROMOTION_REFUSED),
                _allow_reading_packages(),
                *self._allow_moving(),
                *self._allow_proving(),
                self._allow_asking(),
                environment={
                    **functions.table,
                    **functions.bus,
                    **self._attestations.place,
                    "QUERY_LINEAGE_FUNCTION_NAME": self._query_lineage.function_name,
                },
                numeric=True,
            ),
            "AttestVerdict": self.attesting,
        }
        workflow = Workflow(
            self,
            "PromoteModel",
            name="promote_model",
            key=storage.key,
            substitutions={name: step.function.function_arn for name, step in steps.items()},
            statements=[allow_steps(steps)],
        )
        workflow.alarm_on_failure(
            storage.alarms, "A verdict could not be acted on: see the failed execution of the workflow PromoteModel."
        )
        return workflow

    def _add_attesting(self) -> PythonFunction:
        functions, storage = self._functions, self._storage
        queue = WorkQueue(self, "Causes", key=storage.key, dead_letters=self.dead_letters, function_timeout=_TIMEOUT)
        attesting = functions.make(
            self,
            "AttestVerdict",
            "Signs verdicts and overrides as they are kept",
            queue.allow_receiving(),
            self.dead_letters.allow_sending(),
            storage.allow_table("GetItem"),
            storage.allow_publishing(ATTESTATION_SIGNED),
            *self._attestations.allow_attesting(),
            timeout=_TIMEOUT,
            environment={
                **functions.table,
                **functions.bus,
                **self._attestations.place,
                "ATTESTOR": self._attestations.attestor,
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
            numeric=True,
        )
        attesting.function.add_event_source(
            sources.SqsEventSource(queue.queue, batch_size=10, max_concurrency=2, report_batch_item_failures=True)
        )
        events.Rule(
            self,
            "Attested",
            description="What is signed of gates: verdicts that say passed or failed, and overrides",
            event_bus=storage.bus,
            event_pattern=events.EventPattern(
                source=[SOURCE], detail_type=[QUALITY_GATE_PASSED, QUALITY_GATE_FAILED, GATE_OVERRIDDEN]
            ),
            targets=[targets.SqsQueue(queue.queue, dead_letter_queue=self.dead_letters.queue)],
        )
        return attesting

    def _allow_proving(self) -> list[iam.PolicyStatement]:
        """Return what lets a role check a signed verdict, and the reports that it rests on."""
        buckets = [f"arn:{cdk.Aws.PARTITION}:s3:::{_filled(name)}" for name in self._policy.lineage.data_buckets]
        statements = [
            *self._attestations.allow_verifying(),
            self._evaluation.allow_files("GetObject", "report.json"),
            self._evaluation.allow_missing(),
            iam.PolicyStatement(
                sid="ReadQualityReports", actions=["s3:GetObject"], resources=[f"{bucket}/*" for bucket in buckets]
            ),
            iam.PolicyStatement(sid="TellMissingReports", actions=["s3:ListBucket"], resources=buckets),
        ]
        if self._policy.lineage.data_keys:
            keys = list(self._policy.lineage.data_keys)
            statements.append(iam.PolicyStatement(sid="DecryptReports", actions=["kms:Decrypt"], resources=keys))
        return statements

    def _allow_moving(self) -> list[iam.PolicyStatement]:
        """Return what no other role may do: to move a package to a stage of the policy, and to reject one.

        Keys of conditions: service authorization reference, Amazon SageMaker AI, UpdateModelPackage.
        """
        gates = self._policy.gates.gates.values()
        groups = sorted({group for gate in gates for group in gate.models.model_package_groups})
        if not groups:
            return []
        packages = sagemaker_arns(*(f"model-package/{group}/*" for group in groups))
        return [
            iam.PolicyStatement(
                sid="PromoteModels",
                actions=["sagemaker:UpdateModelPackage"],
                resources=packages,
                conditions={
                    "StringEquals": {
                        "sagemaker:ModelLifeCycle:stage": sorted({gate.registry_stage for gate in gates}),
                        "sagemaker:ModelLifeCycle:stageStatus": [REGISTRY_APPROVED, STAGE_WAITING],
                    },
                    "StringEqualsIfExists": {"sagemaker:ModelApprovalStatus": REGISTRY_APPROVED},
                },
            ),
            iam.PolicyStatement(
                sid="RejectModels",
                actions=["sagemaker:UpdateModelPackage"],
                resources=packages,
                conditions={
                    "StringEquals": {"sagemaker:ModelApprovalStatus": REGISTRY_REJECTED},
                    "Null": {"sagemaker:ModelLifeCycle:stage": "true"},
                },
            ),
        ]

    def _add_deciding(self) -> PythonFunction:
        storage = self._storage
        return self._functions.make(
            self,
            "DecidePromotion",
            "Takes a person's word: approve, reject, override",
            storage.allow_table("GetItem", "PutItem", "UpdateItem"),
            storage.allow_listing(),
            storage.allow_publishing(APPROVAL_DECIDED, GATE_OVERRIDDEN),
            _allow_reading_packages(),
            _allow_telling(),
            environment={**self._functions.table, **self._functions.bus, "ACCOUNT_ID": cdk.Aws.ACCOUNT_ID},
            # Verdicts are read with what they are computed with.
            numeric=True,
        )

    # --- rollback -----------------------------------------------------------------------------------------------------

    def _add_rollback(self, poll_seconds: int) -> Workflow:
        functions, storage = self._functions, self._storage
        # Longer than the workflow waits, so that no second rollback begins before it gave up.
        lasts = cdk.Duration.hours(4)
        steps = {
            "PlanRollback": functions.make(
                self,
                "PlanRollback",
                "Finds the configuration that an endpoint is put back to",
                storage.allow_table("PutItem", "DeleteItem"),
                iam.PolicyStatement(
                    sid="LookAtEndpoints",
                    actions=["sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig"],
                    resources=sagemaker_arns("endpoint/*", "endpoint-config/*"),
                ),
                self._allow_asking(),
                environment={
                    **functions.table,
                    "QUERY_LINEAGE_FUNCTION_NAME": self._query_lineage.function_name,
                    "ROLLBACK_SECONDS": str(int(lasts.to_seconds())),
                },
                timeout=cdk.Duration.minutes(5),
            ),
            "CompleteRollback": functions.make(
                self,
                "CompleteRollback",
                "Tells how a rollback ended",
                storage.allow_table("DeleteItem"),
                storage.allow_publishing(ENDPOINT_ROLLED_BACK, ROLLBACK_FAILED),
                environment={**functions.table, **functions.bus},
            ),
        }
        workflow = Workflow(
            self,
            "RollBackEndpoint",
            name="roll_back_endpoint",
            key=storage.key,
            substitutions={
                **{name: step.function.function_arn for name, step in steps.items()},
                "PollSeconds": str(poll_seconds),
                "MaximumLooks": str(_MAXIMUM_LOOKS),
            },
            statements=[
                allow_steps(steps),
                iam.PolicyStatement(
                    sid="UpdateEndpoints",
                    actions=["sagemaker:UpdateEndpoint"],
                    resources=[*self._endpoints(), *sagemaker_arns("endpoint-config/*")],
                ),
                iam.PolicyStatement(
                    sid="LookAtEndpoints", actions=["sagemaker:DescribeEndpoint"], resources=self._endpoints()
                ),
            ],
        )
        workflow.alarm_on_failure(
            storage.alarms, "An endpoint was not rolled back: see the failed execution of RollBackEndpoint."
        )
        return workflow

    def _endpoints(self) -> list[str]:
        """Return the endpoints that may be rolled back: those that gates name; all where a gate names models only."""
        gates = [gate for gate in self._policy.gates.gates.values() if gate.action_on_failure == "roll_back"]
        names = {name for gate in gates for name in gate.models.endpoints}
        if not names or any(gate.models.model_package_groups for gate in gates):
            names = {"*"}
        return sagemaker_arns(*(f"endpoint/{name}" for name in sorted(names)))

    # --- verdicts -----------------------------------------------------------------------------------------------------

    def _add_following(self, promotion: Workflow, rollback: Workflow) -> None:
        storage = self._storage
        queue = WorkQueue(self, "Verdicts", key=storage.key, dead_letters=self.dead_letters, function_timeout=_TIMEOUT)
        following = self._functions.make(
            self,
            "FollowVerdict",
            "Starts what follows a verdict",
            queue.allow_receiving(),
            self.dead_letters.allow_sending(),
            storage.allow_table("GetItem", "PutItem"),
            iam.PolicyStatement(
                sid="StartActions", actions=["states:StartExecution"], resources=[promotion.arn, rollback.arn]
            ),
            self._allow_asking(),
            timeout=_TIMEOUT,
            environment={
                **self._functions.table,
                "PROMOTION_WORKFLOW_ARN": promotion.arn,
                "ROLLBACK_WORKFLOW_ARN": rollback.arn,
                "QUERY_LINEAGE_FUNCTION_NAME": self._query_lineage.function_name,
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
            numeric=True,
        )
        following.function.add_event_source(
            sources.SqsEventSource(queue.queue, batch_size=10, max_concurrency=2, report_batch_item_failures=True)
        )
        events.Rule(
            self,
            "Told",
            description="What gates said of models, and who overrode them",
            event_bus=storage.bus,
            event_pattern=events.EventPattern(
                source=[SOURCE],
                detail_type=[QUALITY_GATE_PASSED, QUALITY_GATE_FAILED, QUALITY_GATE_INCONCLUSIVE, GATE_OVERRIDDEN],
            ),
            targets=[targets.SqsQueue(queue.queue, dead_letter_queue=self.dead_letters.queue)],
        )

    def _allow_asking(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="AskLineage", actions=["lambda:InvokeFunction"], resources=[self._query_lineage.function_arn]
        )


def _allow_reading_packages() -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid="ReadPackages",
        actions=["sagemaker:DescribeModelPackage", "sagemaker:DescribePipelineExecution"],
        resources=sagemaker_arns("model-package/*", "pipeline/*"),
    )


def _filled(names: str) -> str:
    return names.replace("{account}", cdk.Aws.ACCOUNT_ID).replace("{region}", cdk.Aws.REGION)


def _allow_telling() -> iam.PolicyStatement:
    # A token names a task of any state machine (service authorization reference, AWS Step Functions).
    return iam.PolicyStatement(sid="TellTasks", actions=["states:SendTaskSuccess"], resources=["*"])
