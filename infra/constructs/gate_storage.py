"""What gates keep: requests, verdicts, approvals, in one table."""

from __future__ import annotations

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.kept import kept_table
from infra.constructs.lineage_storage import LineageStorage

LISTING_INDEX = "listing"
"""All items of a kind by time: ``listed`` is ``verdicts``, ``approvals`` …, ``listed_at`` an ISO time."""
MODEL_INDEX = "model"
"""All items about a model by time: ``model`` is what the request named, ``listed_at`` as above."""


class GateStorage(Construct):
    """Kept when the stack is deleted, as lineage is."""

    def __init__(self, scope: Construct, construct_id: str, *, shared: LineageStorage) -> None:
        super().__init__(scope, construct_id)
        self.key = shared.key
        self.bus = shared.bus
        self.alarms = shared.alarms
        self.table = kept_table(self, "Table", key=self.key, ends_at=None)
        for index, partition in ((LISTING_INDEX, "listed"), (MODEL_INDEX, "model")):
            self.table.add_global_secondary_index(
                index_name=index,
                partition_key=dynamodb.Attribute(name=partition, type=dynamodb.AttributeType.STRING),
                sort_key=dynamodb.Attribute(name="listed_at", type=dynamodb.AttributeType.STRING),
            )

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
            sid="UseGates", actions=[f"dynamodb:{action}" for action in actions], resources=[self.table.table_arn]
        )

    def allow_listing(self) -> iam.PolicyStatement:
        """Return the statement that lets a function list by time and by model."""
        return iam.PolicyStatement(
            sid="ListGates",
            actions=["dynamodb:Query"],
            resources=[f"{self.table.table_arn}/index/{index}" for index in (LISTING_INDEX, MODEL_INDEX)],
        )

    def allow_publishing(self, *detail_types: str) -> iam.PolicyStatement:
        """Return the statement that lets a function tell these events on the hallmark bus."""
        return self.bus.allow_publishing(*detail_types)
