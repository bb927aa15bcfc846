"""What a function that records may read of the account: descriptions, tags, listings, image digests."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from hallmark.policy.models import LineagePolicy

# Describe operations and the resource each one names (service authorization reference, Amazon SageMaker AI).
_SAGEMAKER_DESCRIBES = {
    "DescribeProcessingJob": "processing-job",
    "DescribeTrainingJob": "training-job",
    "DescribeHyperParameterTuningJob": "hyper-parameter-tuning-job",
    "DescribeTransformJob": "transform-job",
    "DescribeLabelingJob": "labeling-job",
    "DescribeJob": "job",
    "DescribeModel": "model",
    "DescribeModelPackage": "model-package",
    "DescribeModelPackageGroup": "model-package-group",
    "DescribeModelCard": "model-card",
    "DescribeEndpointConfig": "endpoint-config",
    "DescribeEndpoint": "endpoint",
    "DescribeFeatureGroup": "feature-group",
    "DescribePipelineExecution": "pipeline",
    "ListPipelineExecutionSteps": "pipeline",
}
_BEDROCK_GETS = {
    "GetModelCustomizationJob": "model-customization-job",
    "GetModelInvocationJob": "model-invocation-job",
}


def allow_describing() -> list[iam.PolicyStatement]:
    """Return the statements for SageMaker's and Bedrock's own words on each kind of resource."""
    own = f"{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}"
    sagemaker = [
        f"arn:{cdk.Aws.PARTITION}:sagemaker:{own}:{kind}/*" for kind in dict.fromkeys(_SAGEMAKER_DESCRIBES.values())
    ]
    bedrock = [f"arn:{cdk.Aws.PARTITION}:bedrock:{own}:{kind}/*" for kind in dict.fromkeys(_BEDROCK_GETS.values())]
    return [
        iam.PolicyStatement(
            sid="DescribeSageMaker",
            actions=["sagemaker:ListTags", *(f"sagemaker:{action}" for action in _SAGEMAKER_DESCRIBES)],
            resources=sagemaker,
        ),
        iam.PolicyStatement(
            sid="DescribeBedrock",
            actions=["bedrock:ListTagsForResource", *(f"bedrock:{action}" for action in _BEDROCK_GETS)],
            resources=bedrock,
        ),
    ]


def allow_snapshots(policy: LineagePolicy) -> list[iam.PolicyStatement]:
    """Return the statements for listings of the team's data buckets, their checksums, and image digests."""
    buckets = [f"arn:{cdk.Aws.PARTITION}:s3:::{filled(name)}" for name in policy.data_buckets]
    statements = [
        iam.PolicyStatement(sid="ListDatasets", actions=["s3:ListBucketVersions"], resources=buckets),
        iam.PolicyStatement(
            sid="ReadChecksums",
            actions=["s3:GetObject", "s3:GetObjectVersion"],
            resources=[f"{bucket}/*" for bucket in buckets],
        ),
        iam.PolicyStatement(
            sid="ResolveImages",
            actions=["ecr:DescribeImages"],
            resources=[
                f"arn:{cdk.Aws.PARTITION}:ecr:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:repository/{name}"
                for name in policy.image_repositories
            ],
        ),
    ]
    if policy.image_registries:
        # The owner of a registry decides what may be pulled from it; the manifest says the digest, layers are not read.
        statements.append(
            iam.PolicyStatement(
                sid="ResolveOthersImages",
                actions=["ecr:BatchGetImage"],
                resources=[
                    f"arn:{cdk.Aws.PARTITION}:ecr:{cdk.Aws.REGION}:{account}:repository/*"
                    for account in policy.image_registries
                ],
            )
        )
    if policy.data_keys:
        statements.append(
            iam.PolicyStatement(sid="DecryptChecksums", actions=["kms:Decrypt"], resources=list(policy.data_keys))
        )
    return statements


def filled(names: str) -> str:
    """Return names of the policy with the deployment's account and Region in them."""
    return names.replace("{account}", cdk.Aws.ACCOUNT_ID).replace("{region}", cdk.Aws.REGION)


def allow_listing() -> list[iam.PolicyStatement]:
    """Return the statements for listing; AWS has no narrower resource for these (service authorization reference)."""
    return [
        iam.PolicyStatement(
            sid="ListSageMaker",
            actions=[
                "sagemaker:ListProcessingJobs",
                "sagemaker:ListTrainingJobs",
                "sagemaker:ListHyperParameterTuningJobs",
                "sagemaker:ListTransformJobs",
                "sagemaker:ListLabelingJobs",
                "sagemaker:ListJobs",
                "sagemaker:ListModels",
                "sagemaker:ListModelPackageGroups",
                "sagemaker:ListModelPackages",
                "sagemaker:ListModelCards",
                "sagemaker:ListEndpointConfigs",
                "sagemaker:ListEndpoints",
                "sagemaker:ListFeatureGroups",
                "sagemaker:ListPipelines",
                "sagemaker:ListPipelineExecutions",
            ],
            resources=["*"],
        ),
        iam.PolicyStatement(
            sid="ListBedrock",
            actions=["bedrock:ListModelCustomizationJobs", "bedrock:ListModelInvocationJobs"],
            resources=["*"],
        ),
    ]
