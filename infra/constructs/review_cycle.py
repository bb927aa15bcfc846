"""Schedule, person or drift report -> ``request_reviews`` -> tasks -> people -> ``complete_reviews`` -> bus."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from hallmark.events.drift import DRIFT_DETECTED
from hallmark.events.reviews import REVIEW_COMPLETED, REVIEW_NOTED, REVIEW_REQUESTED, REVIEW_SCORE_LOW
from infra.constructs.evaluation_storage import EvaluationStorage
from infra.constructs.functions import PythonFunction
from infra.constructs.queues import MAXIMUM_RECEIVES, WorkQueue
from infra.constructs.review_functions import ReviewFunctions, every
from infra.constructs.schedules import ScheduleRole

_REQUEST_TIMEOUT = cdk.Duration.minutes(10)
"""A week of logs is read in one call."""


class ReviewCycle(Construct):
    """Samples of outputs become tasks; scores of people become a mean with bounds, and an event."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        functions: ReviewFunctions,
        evaluation: EvaluationStorage,
        query_evaluations: PythonFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        self._functions = functions
        storage = functions.storage
        self.queue = WorkQueue(
            self,
            "Requests",
            key=storage.key,
            dead_letters=functions.dead_letters,
            function_timeout=_REQUEST_TIMEOUT,
        )
        self._add_requesting(evaluation, query_evaluations)
        self.completing = self._add_completing()
        self._add_schedules()
        self.query = functions.make(
            self,
            "QueryReviews",
            "query_reviews",
            "Shows reviews, takes scores and notes",
            storage.allow_table("BatchGetItem", "GetItem", "PutItem", "Query", "UpdateItem"),
            storage.allow_listing(),
            storage.allow_writing("scores"),
            storage.allow_key(writes=True),
            storage.allow_publishing(REVIEW_COMPLETED, REVIEW_NOTED, REVIEW_SCORE_LOW),
            iam.PolicyStatement(
                sid="AskForReviews", actions=["sqs:SendMessage"], resources=[self.queue.queue.queue_arn]
            ),
            timeout=cdk.Duration.minutes(1),
            memory_mb=1024,
            numeric=True,
            environment={
                "REVIEWS_BUCKET_NAME": storage.bucket.bucket_name,
                "REQUEST_QUEUE_URL": self.queue.queue.queue_url,
            },
        )

    def _add_requesting(self, evaluation: EvaluationStorage, query_evaluations: PythonFunction) -> None:
        storage, dead_letters = self._functions.storage, self._functions.dead_letters
        programs = self._functions.policy.programs.values()
        locations = [program.source.location for program in programs if program.source.kind != "evaluation"]
        requesting = self._functions.make(
            self,
            "RequestReviews",
            "request_reviews",
            "Samples outputs for people to rate",
            self.queue.allow_receiving(),
            dead_letters.allow_sending(),
            storage.allow_table("BatchWriteItem", "GetItem", "PutItem"),
            storage.allow_key(writes=True),
            storage.allow_publishing(REVIEW_REQUESTED),
            iam.PolicyStatement(
                sid="AskForRuns",
                actions=["lambda:InvokeFunction"],
                resources=[query_evaluations.function.function_arn],
            ),
            evaluation.allow_files("GetObject", "plan.json", "batches/*", "results/*", "judged/*"),
            evaluation.allow_missing(),
            *self._functions.allow_production(locations),
            timeout=_REQUEST_TIMEOUT,
            memory_mb=2048,
            numeric=True,
            environment={
                "REVIEWS_BUCKET_NAME": storage.bucket.bucket_name,
                "EVALUATION_BUCKET_NAME": evaluation.bucket.bucket_name,
                "QUERY_EVALUATIONS_FUNCTION_NAME": query_evaluations.function.function_name,
                "DEAD_LETTER_QUEUE_URL": dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
        )
        requesting.function.add_event_source(
            sources.SqsEventSource(self.queue.queue, batch_size=1, max_concurrency=2, report_batch_item_failures=True)
        )
        events.Rule(
            self,
            "Drift",
            description="Drift reports that ask for a review",
            event_bus=storage.bus,
            event_pattern=events.EventPattern(
                source=["hallmark"], detail_type=[DRIFT_DETECTED], detail={"actions": ["review"]}
            ),
            targets=[targets.SqsQueue(self.queue.queue, dead_letter_queue=dead_letters.queue)],
        )

    def _add_completing(self) -> PythonFunction:
        storage = self._functions.storage
        return self._functions.make(
            self,
            "CompleteReviews",
            "complete_reviews",
            "Ends reviews that have expired, and tells what people said",
            storage.allow_table("BatchGetItem", "GetItem", "Query", "UpdateItem"),
            storage.allow_listing(),
            storage.allow_writing("scores"),
            storage.allow_key(writes=True),
            storage.allow_publishing(REVIEW_COMPLETED, REVIEW_SCORE_LOW),
            timeout=cdk.Duration.minutes(5),
            memory_mb=1024,
            numeric=True,
            environment={"REVIEWS_BUCKET_NAME": storage.bucket.bucket_name},
        )

    def _add_schedules(self) -> None:
        policy, dead_letters = self._functions.policy, self._functions.dead_letters
        starting = ScheduleRole(
            self,
            "Starting",
            statements=[
                iam.PolicyStatement(
                    sid="AskForReviews", actions=["sqs:SendMessage"], resources=[self.queue.queue.queue_arn]
                ),
                iam.PolicyStatement(
                    sid="EndReviews",
                    actions=["lambda:InvokeFunction"],
                    resources=[self.completing.function.function_arn],
                ),
                dead_letters.allow_sending(),
                self._functions.storage.allow_key(writes=True),
            ],
        )
        self._functions.schedule(
            self,
            "Completion",
            description="Looks for reviews that have expired",
            expression=every(policy.check_every.total_seconds() / 60),
            time_zone="UTC",
            target_arn=self.completing.function.function_arn,
            role=starting.role,
            given={},
        )
        for name, program in policy.programs.items():
            if program.frequency is not None:
                self._functions.schedule(
                    self,
                    f"Schedule{name.title().replace('-', '')}",
                    description=f"Asks for the review {name}",
                    expression=program.frequency,
                    time_zone=program.time_zone,
                    target_arn=self.queue.queue.queue_arn,
                    role=starting.role,
                    # The time makes each occasion one review, however often the schedule delivers it.
                    given={"program": name, "key": "<aws.scheduler.scheduled-time>"},
                )
