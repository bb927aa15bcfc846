"""Where attestations lie, and the key that signs them."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from hallmark.policy.models import Policy
from infra.constructs.lineage_storage import LineageStorage

_SECONDS_A_DAY = 86_400
_FILES = ("subjects/*", "envelopes/*")
_REVOCATIONS = "revocations/*"


class AttestationStorage(Construct):
    """Files that are written once and locked as those of the ledger are; a key that never leaves KMS.

    Attributes:
        place: What tells a function where they lie, and which key signs.
        attestor: Who vouches, in statements.
    """

    def __init__(self, scope: Construct, construct_id: str, *, shared: LineageStorage, policy: Policy) -> None:
        super().__init__(scope, construct_id)
        self.shared = shared
        self.attestor = f"urn:hallmark:{cdk.Aws.ACCOUNT_ID}:{cdk.Aws.REGION}"
        days = cdk.Duration.days(round(policy.ledger.retention.total_seconds() / _SECONDS_A_DAY))
        lock = s3.ObjectLockRetention
        self.bucket = s3.Bucket(
            self,
            "Files",
            encryption=s3.BucketEncryption.KMS,
            encryption_key=shared.key,
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
        self.signing_key = kms.Key(
            self,
            "SigningKey",
            description="Signs Hallmark's attestations",
            # Ed25519 signs 4,096 bytes at most in KMS; statements are longer (hallmark/aws/attestation_keys.py).
            key_spec=kms.KeySpec.ECC_NIST_P256,
            key_usage=kms.KeyUsage.SIGN_VERIFY,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        self.place = {
            "ATTESTATION_BUCKET_NAME": self.bucket.bucket_name,
            "ATTESTATION_KEY_ID": self.signing_key.key_id,
        }

    def allow_attesting(self) -> list[iam.PolicyStatement]:
        """Return what lets a function sign statements and keep them."""
        return [
            self._allow_files("GetObject", *_FILES),
            self._allow_files("PutObject", *_FILES),
            self._allow_missing(),
            self.allow_key("GetPublicKey", "Sign"),
        ]

    def allow_revoking(self) -> list[iam.PolicyStatement]:
        """Return what lets a function take attestations back."""
        return [
            self._allow_files("GetObject", "envelopes/*", _REVOCATIONS),
            self._allow_files("PutObject", _REVOCATIONS),
            self._allow_missing(),
            self.allow_key("GetPublicKey", "Sign"),
        ]

    def allow_verifying(self) -> list[iam.PolicyStatement]:
        """Return what lets a function read attestations and have KMS check them."""
        return [*self.allow_reading(), self.allow_key("GetPublicKey", "Verify")]

    def allow_reading(self) -> list[iam.PolicyStatement]:
        """Return what lets a function read attestations."""
        return [self._allow_files("GetObject", *_FILES, _REVOCATIONS), self._allow_missing()]

    def allow_key(self, *actions: str) -> iam.PolicyStatement:
        """Return the statement for these operations with the signing key."""
        return iam.PolicyStatement(
            sid="UseAttestationKey",
            actions=[f"kms:{action}" for action in actions],
            resources=[self.signing_key.key_arn],
        )

    def _allow_files(self, action: str, *paths: str) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid=f"Attestations{action}",
            actions=[f"s3:{action}"],
            resources=[self.bucket.arn_for_objects(path) for path in paths],
        )

    def _allow_missing(self) -> iam.PolicyStatement:
        # Without it S3 answers 403 where an object does not exist (S3 API reference, GetObject).
        return iam.PolicyStatement(
            sid="TellMissingAttestations", actions=["s3:ListBucket"], resources=[self.bucket.bucket_arn]
        )
