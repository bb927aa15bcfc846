"""A queue with its dead letters, and the alarm that says that some wait."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

MAXIMUM_RECEIVES = 5


class DeadLetterQueue(Construct):
    """Where what cannot be handled waits for a person, for the fourteen days that SQS allows, with an alarm."""

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.IKey, alarms: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=key,
            data_key_reuse=cdk.Duration.hours(1),
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
        )
        alarm = cloudwatch.Alarm(
            self,
            "NotEmpty",
            alarm_description=f"Something that {scope.node.id} could not handle waits in its dead-letter queue: "
            "read the reason with `hallmark dead-letters`, mend it, then redrive.",
            metric=self.queue.metric_approximate_number_of_messages_visible(
                period=cdk.Duration.minutes(1), statistic="Maximum"
            ),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(alarms))
        alarm.add_ok_action(actions.SnsAction(alarms))

    def allow_sending(self) -> iam.PolicyStatement:
        """Return the statement that lets a function put its refusals here."""
        return iam.PolicyStatement(sid="SendDeadLetters", actions=["sqs:SendMessage"], resources=[self.queue.queue_arn])


class WorkQueue(Construct):
    """A queue that one function works off; what fails too often goes to the dead letters."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        key: kms.IKey,
        dead_letters: DeadLetterQueue,
        function_timeout: cdk.Duration,
        delay: cdk.Duration | None = None,
        maximum_receives: int = MAXIMUM_RECEIVES,
    ) -> None:
        super().__init__(scope, construct_id)
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=key,
            data_key_reuse=cdk.Duration.hours(1),
            enforce_ssl=True,
            delivery_delay=delay,
            retention_period=cdk.Duration.days(14),
            # Six times the function's time-out: Lambda developer guide, "Using Lambda with Amazon SQS".
            visibility_timeout=cdk.Duration.seconds(6 * function_timeout.to_seconds()),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters.queue, max_receive_count=maximum_receives),
        )

    def allow_receiving(self) -> iam.PolicyStatement:
        """Return the statement that lets Lambda read the queue in a function's name."""
        return iam.PolicyStatement(
            sid="ReceiveWork",
            actions=["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            resources=[self.queue.queue_arn],
        )
