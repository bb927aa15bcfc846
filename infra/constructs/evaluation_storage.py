"""What evaluations keep: runs and calls in a table, plans, results and reports in a bucket, a catalogue for Athena."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.kept import kept_bucket, kept_table
from infra.constructs.lineage_storage import LineageStorage

RUNS_INDEX = "runs"
CASES_PREFIX = "cases"

# Columns of ``cases.parquet`` (hallmark/evaluation/case_table.py), in Hive's types.
COLUMNS = {
    "model": "string",
    "dataset": "string",
    "case_id": "string",
    "epoch": "int",
    "case_group": "string",
    "category": "string",
    "difficulty": "string",
    "case_cluster": "string",
    "copy_of": "string",
    "perturbation": "string",
    "weight": "double",
    "answer": "string",
    "stop_reason": "string",
    "input_tokens": "bigint",
    "output_tokens": "bigint",
    "latency_ms": "double",
    "cost_usd": "double",
    "request_id": "string",
    "failure": "string",
    "failure_reason": "string",
    "scores": "array<struct<metric:string,value:double>>",
}


class EvaluationStorage(Construct):
    """Kept when the stack is deleted, as lineage is."""

    def __init__(self, scope: Construct, construct_id: str, *, shared: LineageStorage) -> None:
        super().__init__(scope, construct_id)
        self.key = shared.key
        self.bus = shared.bus
        self.alarms = shared.alarms
        self.table = kept_table(self, "Table", key=self.key)
        self.table.add_global_secondary_index(
            index_name=RUNS_INDEX,
            partition_key=dynamodb.Attribute(name="listed", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="started_at", type=dynamodb.AttributeType.STRING),
        )
        self.bucket = kept_bucket(self, "Bucket", key=self.key)
        # That it wrote its output is the only sign that an evaluation job of Bedrock gives. Set here, because the
        # construct's own switch brings a function that may change the notifications of every bucket.
        resource = self.bucket.node.default_child
        if not isinstance(resource, s3.CfnBucket):
            raise TypeError(f"the bucket's own resource is a {type(resource).__name__}")
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
        )
        self.database = self._catalogue()

    def _catalogue(self) -> glue.CfnDatabase:
        database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=cdk.Aws.ACCOUNT_ID,
            database_input=glue.CfnDatabase.DatabaseInputProperty(description="What Hallmark's evaluations found"),
        )
        location = f"s3://{self.bucket.bucket_name}/{CASES_PREFIX}/"
        table = glue.CfnTable(
            self,
            "Cases",
            catalog_id=cdk.Aws.ACCOUNT_ID,
            database_name=database.ref,
            table_input=glue.CfnTable.TableInputProperty(
                name="cases",
                description="Every case of every run; name suite and run in the query",
                table_type="EXTERNAL_TABLE",
                parameters={
                    "classification": "parquet",
                    "projection.enabled": "true",
                    # A query names them: Athena lists no partition then (Athena user guide, partition projection).
                    "projection.suite.type": "injected",
                    "projection.run.type": "injected",
                    "storage.location.template": f"{location}suite=${{suite}}/run=${{run}}/",
                },
                partition_keys=[
                    glue.CfnTable.ColumnProperty(name="suite", type="string"),
                    glue.CfnTable.ColumnProperty(name="run", type="string"),
                ],
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    location=location,
                    input_format="org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                    output_format="org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library="org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
                    ),
                    columns=[glue.CfnTable.ColumnProperty(name=name, type=kind) for name, kind in COLUMNS.items()],
                ),
            ),
        )
        table.add_dependency(database)
        return database

    def allow_key(self, *, writes: bool) -> iam.PolicyStatement:
        """Return the statement that lets a function read (and write) what the key encrypts."""
        return iam.PolicyStatement(
            sid="UseKey",
            actions=["kms:Decrypt", "kms:GenerateDataKey"] if writes else ["kms:Decrypt"],
            resources=[self.key.key_arn],
        )

    def allow_table(self, *actions: str) -> iam.PolicyStatement:
        """Return the statement for these operations on the table."""
        return iam.PolicyStatement(
            sid="UseRuns", actions=[f"dynamodb:{action}" for action in actions], resources=[self.table.table_arn]
        )

    def allow_listing_runs(self) -> iam.PolicyStatement:
        """Return the statement that lets a function list runs by time."""
        return iam.PolicyStatement(
            sid="ListRuns", actions=["dynamodb:Query"], resources=[f"{self.table.table_arn}/index/{RUNS_INDEX}"]
        )

    def allow_files(self, action: str, *patterns: str) -> iam.PolicyStatement:
        """Return the statement that lets a function get or put files of runs.

        Args:
            action: ``GetObject`` or ``PutObject``.
            patterns: Below ``runs/<suite>/<run>/``, or from the bucket's root where they begin with ``/``.
        """
        keys = [pattern[1:] if pattern.startswith("/") else f"runs/*/{pattern}" for pattern in patterns]
        return iam.PolicyStatement(
            sid=f"{action.removesuffix('Object')}Files",
            actions=[f"s3:{action}"],
            resources=[f"{self.bucket.bucket_arn}/{key}" for key in keys],
        )

    def allow_missing(self) -> iam.PolicyStatement:
        """Return the statement without which S3 says "access denied" where an object does not exist (GetObject)."""
        return iam.PolicyStatement(
            sid="TellMissingFromDenied", actions=["s3:ListBucket"], resources=[self.bucket.bucket_arn]
        )

    def allow_publishing(self, *detail_types: str) -> iam.PolicyStatement:
        """Return the statement that lets a function tell these events on the hallmark bus."""
        return self.bus.allow_publishing(*detail_types)
