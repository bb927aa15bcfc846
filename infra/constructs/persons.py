"""Who people are, apart from what is recorded of them; ``forget_person`` destroys it."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from hallmark.events.erasure import PERSON_FORGOTTEN
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.kept import kept_table
from infra.constructs.lineage_storage import LineageStorage

_RESTORED_DAYS = 7
"""For so long a backup still has who was forgotten; a table that is lost forgets everybody."""


class Persons(Construct):
    """The table of people, the key that seals them, and the key under whose digests they lie."""

    def __init__(self, scope: Construct, construct_id: str, *, storage: LineageStorage, layers: Layers) -> None:
        super().__init__(scope, construct_id)
        self.table = kept_table(self, "Table", key=storage.key, ends_at=None, restored_days=_RESTORED_DAYS)
        # Whoever deletes it forgets everybody, for good.
        self.sealing_key = kms.Key(
            self,
            "SealingKey",
            description="Seals who the people are that Hallmark's records have tokens of",
            enable_key_rotation=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        self.index_key = kms.Key(
            self,
            "IndexKey",
            description="Makes the digests under which people lie",
            key_spec=kms.KeySpec.HMAC_256,
            key_usage=kms.KeyUsage.GENERATE_VERIFY_MAC,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        self._storage = storage
        self._forgets = {
            "PERSON_TABLE_NAME": self.table.table_name,
            "PERSON_INDEX_KEY_ID": self.index_key.key_id,
        }
        self.environment = {**self._forgets, "PERSON_SEALING_KEY_ID": self.sealing_key.key_id}
        """Of functions that keep people, or name them."""
        self.forgetting = self._add_forgetting(layers)

    def allow_keeping(self) -> list[iam.PolicyStatement]:
        """Return the statements that let a function give people tokens; it cannot tell whose a token is."""
        return [
            self._allow_table("KeepPersons", "GetItem", "PutItem"),
            self._allow_sealing("SealPersons", "Encrypt"),
            self._allow_finding(),
        ]

    def allow_naming(self) -> list[iam.PolicyStatement]:
        """Return the statements that let a function tell whose a token is."""
        return [
            self._allow_table("ReadPersons", "GetItem", "BatchGetItem"),
            self._allow_sealing("OpenPersons", "Decrypt"),
            self._allow_finding(),
        ]

    def _add_forgetting(self, layers: Layers) -> PythonFunction:
        storage = self._storage
        return PythonFunction(
            self,
            "ForgetPerson",
            name="forget_person",
            description="Destroys what is kept of a person",
            layers=layers,
            timeout=cdk.Duration.minutes(1),
            environment={
                **self._forgets,
                "ACCOUNT_ID": cdk.Aws.ACCOUNT_ID,
                "EVENT_BUS_NAME": storage.bus.event_bus_name,
            },
            statements=[
                # It writes what is to be told, with the last of what it deletes; who somebody is it cannot read.
                self._allow_table("ForgetPersons", "Query", "DeleteItem", "PutItem"),
                self._allow_finding(),
                storage.bus.allow_publishing(PERSON_FORGOTTEN),
                storage.allow_key(writes=True),
            ],
        )

    def _allow_table(self, sid: str, *actions: str) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid=sid, actions=[f"dynamodb:{action}" for action in actions], resources=[self.table.table_arn]
        )

    def _allow_sealing(self, sid: str, action: str) -> iam.PolicyStatement:
        return iam.PolicyStatement(sid=sid, actions=[f"kms:{action}"], resources=[self.sealing_key.key_arn])

    def _allow_finding(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(sid="FindPersons", actions=["kms:GenerateMac"], resources=[self.index_key.key_arn])
