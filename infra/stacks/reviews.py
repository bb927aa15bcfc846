"""The stack of reviews and feedback: what people say of answers."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from constructs import Construct

from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.constructs.evaluation_storage import EvaluationStorage
from infra.constructs.feedback_intake import FeedbackIntake
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.http_api import HallmarkHttpApi
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.queues import DeadLetterQueue
from infra.constructs.review_cycle import ReviewCycle
from infra.constructs.review_functions import ReviewFunctions
from infra.constructs.review_storage import ReviewStorage


class ReviewsStack(cdk.Stack):
    """Lets people rate samples of answers, and takes what production says of them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        policy: Policy,
        policy_folder: Path,
        platform: Platform,
        shared: LineageStorage,
        evaluation: EvaluationStorage,
        query_evaluations: PythonFunction,
        api: HallmarkHttpApi,
    ) -> None:
        super().__init__(
            scope, construct_id, description="Hallmark: what people say of answers", termination_protection=False
        )
        storage = ReviewStorage(self, "Storage", shared=shared)
        dead_letters = DeadLetterQueue(self, "DeadLetters", key=storage.key, alarms=storage.alarms)
        functions = ReviewFunctions(
            self,
            storage=storage,
            layers=Layers(self, "Layers", platform=platform),
            policy=policy,
            policy_folder=policy_folder,
            dead_letters=dead_letters,
        )
        cycle = ReviewCycle(
            self, "Cycle", functions=functions, evaluation=evaluation, query_evaluations=query_evaluations
        )
        intake = self.intake = FeedbackIntake(self, "Feedback", functions=functions, api=api)
        outputs = {
            "QueryReviewsFunctionName": cycle.query.function.function_name,
            "CompleteReviewsFunctionName": cycle.completing.function.function_name,
            "ReceiveFeedbackFunctionName": intake.receiving.function.function_name,
            "JoinFeedbackFunctionName": intake.joining.function.function_name,
            "ExportFeedbackFunctionName": intake.exporting.function.function_name,
            "FeedbackQueueUrl": intake.queue.queue.queue_url,
            "ReviewsTableName": storage.table.table_name,
            "ReviewsBucketName": storage.bucket.bucket_name,
            "DeadLetterQueueUrlReviews": dead_letters.queue.queue_url,
            "DeadLetterQueueUrlFeedback": intake.dead_letters.queue.queue_url,
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
