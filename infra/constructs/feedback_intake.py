"""Feedback: ``receive_feedback`` -> table -> ``join_feedback`` (logs, captures) -> ``export_feedback`` -> datasets."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from hallmark.events.reviews import FEEDBACK_EXPORTED, FEEDBACK_RECEIVED
from infra.constructs.functions import PythonFunction
from infra.constructs.http_api import ApiRoute, HallmarkHttpApi
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue
from infra.constructs.review_functions import ReviewFunctions, every
from infra.constructs.schedules import ScheduleRole

_RECEIVE_TIMEOUT = cdk.Duration.seconds(30)


class FeedbackIntake(Construct):
    """What production says of answers finds its model, and becomes cases."""

    def __init__(
        self, scope: Construct, construct_id: str, *, functions: ReviewFunctions, api: HallmarkHttpApi
    ) -> None:
        super().__init__(scope, construct_id)
        self._functions = functions
        # Its own, so that what lies in it can be sent back to the one queue that it came from.
        self.dead_letters = DeadLetterQueue(
            self, "DeadLetters", key=functions.storage.key, alarms=functions.storage.alarms
        )
        self.queue = WorkQueue(
            self,
            "Messages",
            key=functions.storage.key,
            dead_letters=self.dead_letters,
            function_timeout=_RECEIVE_TIMEOUT,
        )
        self.receiving = self._add_receiving()
        self.route = ApiRoute(
            self, "Route", api=api, method="POST", path="/feedback", function=self.receiving, is_signed=True
        )
        self.joining = self._add_joining()
        self.exporting = self._add_exporting()
        self._add_schedules()

    def _add_receiving(self) -> PythonFunction:
        storage, dead_letters = self._functions.storage, self.dead_letters
        receiving = self._functions.make(
            self,
            "ReceiveFeedback",
            "receive_feedback",
            "Keeps what production says of an answer",
            self.queue.allow_receiving(),
            dead_letters.allow_sending(),
            storage.allow_table("PutItem"),
            storage.allow_key(writes=True),
            storage.allow_publishing(FEEDBACK_RECEIVED),
            timeout=_RECEIVE_TIMEOUT,
            memory_mb=512,
            environment={
                "DEAD_LETTER_QUEUE_URL": dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
        )
        receiving.function.add_event_source(
            sources.SqsEventSource(self.queue.queue, batch_size=10, max_concurrency=5, report_batch_item_failures=True)
        )
        return receiving

    def _add_joining(self) -> PythonFunction:
        storage, feedback = self._functions.storage, self._functions.policy.feedback
        return self._functions.make(
            self,
            "JoinFeedback",
            "join_feedback",
            "Finds the answers that feedback is about",
            storage.allow_table("BatchGetItem", "GetItem", "UpdateItem"),
            storage.allow_listing(),
            storage.allow_writing("feedback"),
            storage.allow_key(writes=True),
            storage.allow_publishing(FEEDBACK_RECEIVED),
            *self._functions.allow_production([*feedback.logs, *feedback.captures.values()]),
            timeout=cdk.Duration.minutes(10),
            memory_mb=1024,
            environment={"REVIEWS_BUCKET_NAME": storage.bucket.bucket_name},
        )

    def _add_exporting(self) -> PythonFunction:
        storage, location = self._functions.storage, self._functions.policy.feedback.export.location
        statements = [storage.allow_writing("datasets/feedback")] if location is None else [_allow_datasets(location)]
        return self._functions.make(
            self,
            "ExportFeedback",
            "export_feedback",
            "Writes corrected answers as datasets",
            storage.allow_table("BatchGetItem", "PutItem", "UpdateItem"),
            storage.allow_listing(),
            *statements,
            storage.allow_key(writes=True),
            storage.allow_publishing(FEEDBACK_EXPORTED),
            timeout=cdk.Duration.minutes(5),
            memory_mb=1024,
            environment={"REVIEWS_BUCKET_NAME": storage.bucket.bucket_name},
            # Two at a time would put the same feedback into two datasets.
            reserved_concurrency=1,
        )

    def _add_schedules(self) -> None:
        feedback, dead_letters = self._functions.policy.feedback, self._functions.dead_letters
        starting = ScheduleRole(
            self,
            "Starting",
            statements=[
                iam.PolicyStatement(
                    sid="JoinAndExport",
                    actions=["lambda:InvokeFunction"],
                    resources=[self.joining.function.function_arn, self.exporting.function.function_arn],
                ),
                dead_letters.allow_sending(),
                self._functions.storage.allow_key(writes=True),
            ],
        )
        self._functions.schedule(
            self,
            "Joining",
            description="Looks for the answers that feedback is about",
            expression=every(feedback.join_every.total_seconds() / 60),
            time_zone="UTC",
            target_arn=self.joining.function.function_arn,
            role=starting.role,
            given={},
        )
        if feedback.export.frequency is not None:
            self._functions.schedule(
                self,
                "Export",
                description="Writes corrected answers as datasets",
                expression=feedback.export.frequency,
                time_zone=feedback.export.time_zone,
                target_arn=self.exporting.function.function_arn,
                role=starting.role,
                given={},
            )


def _allow_datasets(location: str) -> iam.PolicyStatement:
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    folder = f"{bucket}/{prefix.rstrip('/')}/" if prefix.rstrip("/") else f"{bucket}/"
    filled = folder.replace("{account}", cdk.Aws.ACCOUNT_ID).replace("{region}", cdk.Aws.REGION)
    return iam.PolicyStatement(
        sid="WriteDatasets", actions=["s3:PutObject"], resources=[f"arn:{cdk.Aws.PARTITION}:s3:::{filled}*"]
    )
