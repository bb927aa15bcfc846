"""What recording may see of the data that Hallmark itself gives to jobs: files of runs, windows that drifted."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.functions import PythonFunction


class OwnDataListing(Construct):
    """Lets functions that record take snapshots in a bucket of another stack, which is made after theirs."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        bucket: s3.IBucket,
        folder: str,
        recorders: Sequence[PythonFunction],
    ) -> None:
        super().__init__(scope, construct_id)
        policy = iam.Policy(
            self,
            "Permissions",
            statements=[
                iam.PolicyStatement(
                    sid="ListOwnData",
                    actions=["s3:ListBucketVersions"],
                    resources=[bucket.bucket_arn],
                    conditions={"StringLike": {"s3:prefix": f"{folder}/*"}},
                ),
                iam.PolicyStatement(
                    sid="ReadOwnChecksums",
                    actions=["s3:GetObject", "s3:GetObjectVersion"],
                    resources=[f"{bucket.bucket_arn}/{folder}/*"],
                ),
            ],
        )
        for recorder in recorders:
            policy.attach_to_role(recorder.role)
