"""``measure_coverage`` on a schedule and on demand: what AWS lists against what is recorded, with alarms."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from constructs import Construct

from hallmark.policy.models import LineagePolicy
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.lineage_storage import LOG_INDEX, REVERSE_INDEX, LineageStorage
from infra.constructs.queues import DeadLetterQueue
from infra.constructs.schedules import ScheduleRole
from infra.constructs.sources import allow_listing


class LineageCoverage(Construct):
    """Tells how much of the account lineage knows, and alarms where that is too little."""

    def __init__(
        self, scope: Construct, construct_id: str, *, storage: LineageStorage, layers: Layers, policy: LineagePolicy
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", key=storage.key, alarms=storage.alarms)
        bucket = storage.bucket.bucket_arn
        self.measuring = PythonFunction(
            self,
            "MeasureCoverage",
            name="measure_coverage",
            description="Measures how much of the account lineage knows",
            layers=layers,
            numeric=True,
            timeout=cdk.Duration.minutes(15),
            memory_mb=2048,
            environment={
                "LINEAGE_TABLE_NAME": storage.table.table_name,
                "LINEAGE_BUCKET_NAME": storage.bucket.bucket_name,
                "COVERAGE_REQUIRED": ",".join(policy.coverage.required),
                "COVERAGE_WINDOW_SECONDS": str(int(policy.coverage.window.total_seconds())),
                "KNOWN_SOURCES": "\n".join(policy.intake.known_sources),
            },
            statements=[
                storage.allow_asking(LOG_INDEX, REVERSE_INDEX),
                iam.PolicyStatement(sid="ReadGraph", actions=["s3:GetObject"], resources=[f"{bucket}/graph/*"]),
                iam.PolicyStatement(
                    sid="KeepReports", actions=["s3:GetObject", "s3:PutObject"], resources=[f"{bucket}/coverage/*"]
                ),
                # Without ListBucket, S3 says "access denied" where an object does not exist (S3 API reference).
                iam.PolicyStatement(sid="TellMissingFromDenied", actions=["s3:ListBucket"], resources=[bucket]),
                storage.allow_key(writes=True),
                *allow_listing(),
            ],
        )
        starting = ScheduleRole(
            self,
            "Starting",
            statements=[
                iam.PolicyStatement(
                    sid="StartMeasurement",
                    actions=["lambda:InvokeFunction"],
                    resources=[self.measuring.function.function_arn],
                ),
                self.dead_letters.allow_sending(),
                storage.allow_key(writes=True),
            ],
        )
        scheduler.Schedule(
            self,
            "Measurement",
            description="Measures how much of the account lineage knows",
            schedule=scheduler.ScheduleExpression.rate(cdk.Duration.seconds(policy.coverage.every.total_seconds())),
            target=targets.LambdaInvoke(
                self.measuring.function,
                input=scheduler.ScheduleTargetInput.from_object({"ask": "measure", "keep": True}),
                dead_letter_queue=self.dead_letters.queue,
                role=starting.role,
            ),
        )
        below = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
        above = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
        self._alarm(
            storage,
            "CoverageLow",
            "Too few resources have complete lineage: `hallmark coverage` says what is missing, and how to mend it.",
            ("CoveragePercent", "Minimum", below, policy.coverage.alarm_below_percent),
        )
        self._alarm(
            storage,
            "InputsUnmatched",
            "Runs read data that nothing in lineage tells of: `hallmark coverage` lists them.",
            ("InputsUnmatched", "Maximum", above, policy.coverage.unmatched_inputs),
        )

    def _alarm(
        self,
        storage: LineageStorage,
        construct_id: str,
        description: str,
        rule: tuple[str, str, cloudwatch.ComparisonOperator, float],
    ) -> None:
        metric, statistic, comparison, threshold = rule
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            alarm_description=description,
            metric=cloudwatch.Metric(
                namespace="Hallmark",
                metric_name=metric,
                dimensions_map={"service": "measure_coverage"},
                statistic=statistic,
                period=cdk.Duration.days(1),
            ),
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=comparison,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(storage.alarms))
        alarm.add_ok_action(actions.SnsAction(storage.alarms))
