"""Whose data a snapshot holds: ``record_subjects`` keeps tokens, ``find_subject`` finds who saw a person's data."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from hallmark.events.subjects import SUBJECTS_RECORDED
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.kept import kept_bucket
from infra.constructs.lineage_storage import LineageStorage


class SubjectTokens(Construct):
    """Tokens of people in a bucket of their own, under a key that never leaves KMS."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: LineageStorage,
        layers: Layers,
        query_lineage: PythonFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        self._storage = storage
        self._layers = layers
        self.bucket = kept_bucket(self, "Files", key=storage.key)
        # Whoever deletes it makes all tokens meaningless, for good: that is what forgets everybody.
        self.key = kms.Key(
            self,
            "TokenKey",
            description="Makes the tokens of the people whose data are in snapshots",
            key_spec=kms.KeySpec.HMAC_256,
            key_usage=kms.KeyUsage.GENERATE_VERIFY_MAC,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        self._environment = {
            "SUBJECT_BUCKET_NAME": self.bucket.bucket_name,
            "SUBJECT_KEY_ID": self.key.key_id,
        }
        self.recording = self._add_recording()
        self.finding = self._add_finding(query_lineage)

    def _add_recording(self) -> PythonFunction:
        storage = self._storage
        return PythonFunction(
            self,
            "RecordSubjects",
            name="record_subjects",
            description="Records whose data a snapshot holds, as tokens",
            layers=self._layers,
            numeric=True,
            timeout=cdk.Duration.minutes(1),
            environment={**self._environment, "EVENT_BUS_NAME": storage.bus.event_bus_name},
            statements=[
                self._allow_files("GetObject"),
                self._allow_files("PutObject"),
                self._allow_missing(),
                self._allow_tokens(),
                storage.bus.allow_publishing(SUBJECTS_RECORDED),
                storage.allow_key(writes=True),
            ],
        )

    def _add_finding(self, query_lineage: PythonFunction) -> PythonFunction:
        return PythonFunction(
            self,
            "FindSubject",
            name="find_subject",
            description="Finds the snapshots and models that saw a person's data",
            layers=self._layers,
            numeric=True,
            timeout=cdk.Duration.minutes(5),
            environment={**self._environment, "QUERY_LINEAGE_FUNCTION_NAME": query_lineage.function.function_name},
            statements=[
                self._allow_files("GetObject"),
                self._allow_missing(),
                self._allow_tokens(),
                iam.PolicyStatement(
                    sid="AskLineage",
                    actions=["lambda:InvokeFunction"],
                    resources=[query_lineage.function.function_arn],
                ),
                self._storage.allow_key(writes=False),
            ],
        )

    def _allow_files(self, action: str) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid=f"Subjects{action}",
            actions=[f"s3:{action}"],
            resources=[self.bucket.arn_for_objects(path) for path in ("tokens/*", "manifests/*")],
        )

    def _allow_missing(self) -> iam.PolicyStatement:
        # To list, and since S3 answers 403 where an object does not exist without it (S3 API reference, GetObject).
        return iam.PolicyStatement(sid="ListSubjects", actions=["s3:ListBucket"], resources=[self.bucket.bucket_arn])

    def _allow_tokens(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(sid="MakeTokens", actions=["kms:GenerateMac"], resources=[self.key.key_arn])
