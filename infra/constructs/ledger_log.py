"""The lineage table's stream -> ``seal_ledger`` -> write-once files, signed checkpoints; questions and rebuilding."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from constructs import Construct

from hallmark.policy.models import Policy
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.lineage_storage import LOG_INDEX, LineageStorage
from infra.constructs.queues import DeadLetterQueue
from infra.constructs.schedules import ScheduleRole

_SECONDS_A_DAY = 86_400
_WRITTEN = ("tile/*", "checkpoint", "checkpoints/*", "sequencer/*", "content/*")


class LedgerLog(Construct):
    """A log that is only added to, and that anybody with the public key can verify."""

    def __init__(
        self, scope: Construct, construct_id: str, *, storage: LineageStorage, layers: Layers, policy: Policy
    ) -> None:
        super().__init__(scope, construct_id)
        self._storage = storage
        self._layers = layers
        self.origin = f"hallmark/{cdk.Aws.ACCOUNT_ID}/{cdk.Aws.REGION}/ledger"
        self.bucket = self._add_bucket(policy)
        self.table = dynamodb.Table(
            self,
            "Index",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=storage.key,
            # It can be made anew from the log.
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.keys = [self._add_key("SigningKey", kms.KeySpec.ECC_NIST_EDWARDS25519, "Signs the ledger's checkpoints")]
        if policy.ledger.post_quantum_signature:
            self.keys.append(self._add_key("CosigningKey", kms.KeySpec.ML_DSA_44, "Cosigns the ledger's checkpoints"))
        self._environment = {
            "LEDGER_BUCKET_NAME": self.bucket.bucket_name,
            "LEDGER_TABLE_NAME": self.table.table_name,
            "LEDGER_ORIGIN": self.origin,
            "LEDGER_KEY_IDS": cdk.Fn.join(",", [key.key_id for key in self.keys]),
        }
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", key=storage.key, alarms=storage.alarms)
        self.sealing = self._add_sealing(policy)
        self._add_sweep(self.sealing)
        self.query = self._add_questions()
        self.rebuilding = self._add_rebuilding()

    def _add_bucket(self, policy: Policy) -> s3.Bucket:
        days = cdk.Duration.days(round(policy.ledger.retention.total_seconds() / _SECONDS_A_DAY))
        lock = s3.ObjectLockRetention
        return s3.Bucket(
            self,
            "Files",
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self._storage.key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            versioned=True,
            object_lock_enabled=True,
            object_lock_default_retention=(
                lock.compliance(days) if policy.ledger.object_lock == "compliance" else lock.governance(days)
            ),
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )

    def _add_key(self, construct_id: str, spec: kms.KeySpec, description: str) -> kms.Key:
        return kms.Key(
            self,
            construct_id,
            description=description,
            key_spec=spec,
            key_usage=kms.KeyUsage.SIGN_VERIFY,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )

    def _allow_files(self, action: str, *paths: str) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid=f"Log{action}",
            actions=[f"s3:{action}"],
            resources=[self.bucket.arn_for_objects(path) for path in paths],
        )

    def _allow_missing(self) -> iam.PolicyStatement:
        # Without it S3 answers 403 where an object does not exist (S3 API reference, GetObject).
        return iam.PolicyStatement(sid="TellMissing", actions=["s3:ListBucket"], resources=[self.bucket.bucket_arn])

    def _allow_table(self, *actions: str) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="UseIndex",
            actions=[f"dynamodb:{action}" for action in actions],
            resources=[self.table.table_arn],
        )

    def _allow_signing(self, *actions: str) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="UseSigningKeys",
            actions=[f"kms:{action}" for action in actions],
            resources=[key.key_arn for key in self.keys],
        )

    def _add_sealing(self, policy: Policy) -> PythonFunction:
        storage = self._storage
        stream_arn = storage.table.table_stream_arn
        if stream_arn is None:
            raise ValueError("the lineage table needs a stream")
        sealing = PythonFunction(
            self,
            "SealLedger",
            name="seal_ledger",
            description="Gives each fact its place in the log, and signs the log",
            layers=self._layers,
            timeout=cdk.Duration.minutes(5),
            memory_mb=1024,
            environment={**self._environment, "LINEAGE_TABLE_NAME": storage.table.table_name},
            statements=[
                iam.PolicyStatement(
                    sid="ReadTableStream",
                    actions=["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
                    resources=[stream_arn],
                ),
                # ListStreams names no single stream (service authorization reference, Amazon DynamoDB).
                iam.PolicyStatement(sid="ListStreams", actions=["dynamodb:ListStreams"], resources=["*"]),
                storage.allow_asking(LOG_INDEX),
                self._allow_files("GetObject", *_WRITTEN),
                self._allow_files("PutObject", *_WRITTEN),
                self._allow_missing(),
                self._allow_table("BatchGetItem", "BatchWriteItem", "GetItem", "PutItem"),
                self._allow_signing("GetPublicKey", "Sign"),
                self.dead_letters.allow_sending(),
                storage.allow_key(writes=True),
            ],
        )
        sealing.function.add_event_source(
            sources.DynamoEventSource(
                storage.table,
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=1_000,
                max_batching_window=cdk.Duration.seconds(policy.ledger.seal_within.total_seconds()),
                bisect_batch_on_error=True,
                retry_attempts=100,
                on_failure=sources.SqsDlq(self.dead_letters.queue),
                filters=[
                    lambda_.FilterCriteria.filter(
                        {
                            "eventName": lambda_.FilterRule.is_equal("INSERT"),
                            "dynamodb": {"Keys": {"sk": {"S": lambda_.FilterRule.is_equal("FACT")}}},
                        }
                    )
                ],
            )
        )
        return sealing

    def _add_sweep(self, sealing: PythonFunction) -> None:
        starting = ScheduleRole(
            self,
            "Starting",
            statements=[
                iam.PolicyStatement(
                    sid="StartSweep", actions=["lambda:InvokeFunction"], resources=[sealing.function.function_arn]
                ),
                self.dead_letters.allow_sending(),
                self._storage.allow_key(writes=True),
            ],
        )
        scheduler.Schedule(
            self,
            "Sweep",
            description="Seals what the stream did not bring",
            schedule=scheduler.ScheduleExpression.rate(cdk.Duration.hours(12)),
            target=targets.LambdaInvoke(
                sealing.function,
                input=scheduler.ScheduleTargetInput.from_object({"sweep": True}),
                dead_letter_queue=self.dead_letters.queue,
                role=starting.role,
            ),
        )

    def _add_questions(self) -> PythonFunction:
        return PythonFunction(
            self,
            "QueryLedger",
            name="query_ledger",
            description="Answers questions about the ledger: how it stands, and proofs",
            layers=self._layers,
            timeout=cdk.Duration.minutes(1),
            environment=self._environment,
            statements=[
                self._allow_files("GetObject", "tile/*", "checkpoint", "checkpoints/*", "content/*"),
                self._allow_missing(),
                self._allow_table("BatchGetItem"),
                self._allow_signing("GetPublicKey"),
                self._storage.allow_key(writes=False),
            ],
        )

    def _add_rebuilding(self) -> PythonFunction:
        storage = self._storage
        return PythonFunction(
            self,
            "RebuildLineage",
            name="rebuild_lineage",
            description="Writes the lineage table anew from the ledger, or compares the two",
            layers=self._layers,
            timeout=cdk.Duration.minutes(5),
            memory_mb=1024,
            environment={
                "LEDGER_BUCKET_NAME": self.bucket.bucket_name,
                "LINEAGE_TABLE_NAME": storage.table.table_name,
            },
            statements=[
                self._allow_files("GetObject", "tile/entries/*", "checkpoint", "content/*"),
                self._allow_missing(),
                iam.PolicyStatement(
                    sid="CompareFacts",
                    actions=["dynamodb:GetItem", "dynamodb:BatchGetItem"],
                    resources=[storage.table.table_arn],
                ),
                storage.allow_recording(),
                storage.allow_key(writes=True),
            ],
        )
