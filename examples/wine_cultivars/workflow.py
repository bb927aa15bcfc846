"""A model from raw rows to an endpoint, twice: the second time with more data.

    python examples/wine_cultivars/workflow.py --role arn:aws:iam::111122223333:role/SageMakerRole

Uses scikit-learn's wine data (178 Italian wines of three cultivars, 13 measurements; UCI Machine Learning Repository,
Wine, CC BY 4.0) and nothing but boto3. It runs on SageMaker as it does on the local cloud: on AWS it takes about forty
minutes and costs around a dollar, and it leaves an endpoint behind that costs money until you delete it (--delete). The
role must let SageMaker read and write the default bucket.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError
from sklearn.datasets import load_wine

HERE = Path(__file__).parent
PREFIX = "wine-cultivars"
GROUP = "wine-cultivars"
ENDPOINT = "wine-cultivars-live"
POLL_SECONDS = {"local": 0.2, "aws": 15.0}
TIME_LIMIT_SECONDS = 3600

# Account of SageMaker's own scikit-learn image in us-east-1 (SageMaker developer guide, Docker registry paths).
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"

Say = Callable[[str], None]


class Workflow:
    """Everything that is done to ship one version after another."""

    def __init__(self, role: str, *, say: Say = print, session: boto3.session.Session | None = None) -> None:
        session = session or boto3.session.Session()
        self._s3: Any = session.client("s3")
        self._sagemaker: Any = session.client("sagemaker")
        self._role = role
        self._say = say
        account = session.client("sts").get_caller_identity()["Account"]
        self.bucket = f"sagemaker-{session.region_name}-{account}"
        self._region = session.region_name
        self._local = "127.0.0.1" in (self._sagemaker.meta.endpoint_url or "")
        self._commit, self._repository = _git("rev-parse", "HEAD"), _git("config", "--get", "remote.origin.url")

    def upload_raw(self, batches: int) -> str:
        """Put the first batches of raw rows (of three) into the bucket; return where they are."""
        try:
            where = (
                {}
                if self._region == "us-east-1"
                else {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
            )
            self._s3.create_bucket(Bucket=self.bucket, **where)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                raise
        wine = load_wine()
        header = [name.replace("/", "_") for name in wine.feature_names] + ["cultivar"]
        for batch in range(batches):
            rows = [
                [*row, label]
                for number, (row, label) in enumerate(zip(wine.data, wine.target, strict=True))
                if number % 3 == batch
            ]
            text = io.StringIO(newline="")
            csv.writer(text).writerows([header, *rows])
            self._s3.put_object(
                Bucket=self.bucket, Key=f"{PREFIX}/raw/batch-{batch + 1}.csv", Body=text.getvalue().encode()
            )
        self._say(f"raw data: {batches} of 3 batches in s3://{self.bucket}/{PREFIX}/raw")
        return f"s3://{self.bucket}/{PREFIX}/raw"

    def ship(self, version: int, raw: str) -> str:
        """Prepare, tune, evaluate, register, approve and deploy a version; return the ARN of its model package."""
        prefix = f"s3://{self.bucket}/{PREFIX}/v{version}"
        code = self._upload_code(version)
        self._process(
            f"{PREFIX}-prepare-v{version}",
            "prepare.py",
            {"raw": raw},
            {name: f"{prefix}/prepared/{name}" for name in ("train", "test", "report")},
        )
        best = self._tune(f"wine-tune-v{version}", f"{prefix}/prepared", f"{prefix}/models", code)
        artifact = self._sagemaker.describe_training_job(TrainingJobName=best)["ModelArtifacts"]["S3ModelArtifacts"]
        self._process(
            f"{PREFIX}-evaluate-v{version}",
            "evaluate.py",
            {"model": artifact, "test": f"{prefix}/prepared/test"},
            {"evaluation": f"{prefix}/evaluation"},
        )
        package = self._register(best, artifact, f"{prefix}/evaluation/evaluation.json")
        self._approve(package)
        self._deploy(version, package)
        return package

    def _upload_code(self, version: int) -> str:
        # Without times and owners in it, the archive of the same code has the same bytes.
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w") as tar:
            entry = tarfile.TarInfo("train.py")
            entry.size = (HERE / "train.py").stat().st_size
            tar.addfile(entry, io.BytesIO((HERE / "train.py").read_bytes()))
        key = f"{PREFIX}/v{version}/code/source.tar.gz"
        self._s3.put_object(Bucket=self.bucket, Key=key, Body=gzip.compress(plain.getvalue(), mtime=0))
        for script in ("prepare.py", "evaluate.py"):
            self._s3.put_object(Bucket=self.bucket, Key=f"{PREFIX}/code/{script}", Body=(HERE / script).read_bytes())
        return f"s3://{self.bucket}/{key}"

    def _process(self, name: str, script: str, inputs: dict[str, str], outputs: dict[str, str]) -> None:
        target = "/opt/ml/processing/output" if len(outputs) > 1 else f"/opt/ml/processing/output/{next(iter(outputs))}"
        arguments = ["--output", target]
        for role in inputs:
            arguments += [f"--{role}", f"/opt/ml/processing/input/{role}"]
        all_inputs = {**inputs, "code": f"s3://{self.bucket}/{PREFIX}/code/{script}"}
        self._sagemaker.create_processing_job(
            ProcessingJobName=name,
            RoleArn=self._role,
            AppSpecification={
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["python3", f"/opt/ml/processing/input/code/{script}"],
                "ContainerArguments": arguments,
            },
            ProcessingResources={
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}
            },
            ProcessingInputs=[
                {
                    "InputName": role,
                    "S3Input": {
                        "S3Uri": uri,
                        "LocalPath": f"/opt/ml/processing/input/{role}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
                for role, uri in all_inputs.items()
            ],
            ProcessingOutputConfig={
                "Outputs": [
                    {
                        "OutputName": role,
                        "S3Output": {
                            "S3Uri": uri,
                            "LocalPath": f"/opt/ml/processing/output/{role}",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                    for role, uri in outputs.items()
                ]
            },
            Tags=self._tags(),
        )
        self._wait(
            name,
            lambda: self._sagemaker.describe_processing_job(ProcessingJobName=name),
            "ProcessingJobStatus",
            "Completed",
        )

    def _tune(self, name: str, data: str, models: str, code: str) -> str:
        self._sagemaker.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name,
            HyperParameterTuningJobConfig={
                "Strategy": "Random",
                "RandomSeed": 7,
                "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:f1"},
                "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
                "ParameterRanges": {
                    "IntegerParameterRanges": [
                        {"Name": "n-estimators", "MinValue": "5", "MaxValue": "60"},
                        {"Name": "max-depth", "MinValue": "2", "MaxValue": "8"},
                    ]
                },
            },
            TrainingJobDefinition={
                "StaticHyperParameters": {
                    "sagemaker_program": "train.py",
                    "sagemaker_submit_directory": code,
                },
                "AlgorithmSpecification": {
                    "TrainingImage": IMAGE,
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [
                        {"Name": "validation:accuracy", "Regex": "validation:accuracy=([0-9.]+);"},
                        {"Name": "validation:f1", "Regex": "validation:f1=([0-9.]+);"},
                    ],
                },
                "RoleArn": self._role,
                "InputDataConfig": [
                    {
                        "ChannelName": channel,
                        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{data}/{channel}"}},
                        "ContentType": "text/csv",
                    }
                    for channel in ("train", "test")
                ],
                "OutputDataConfig": {"S3OutputPath": models},
                "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
                "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            },
            Tags=self._tags(),
        )
        described = self._wait(
            name,
            lambda: self._sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name),
            "HyperParameterTuningJobStatus",
            "Completed",
        )
        best = described["BestTrainingJob"]
        score = best["FinalHyperParameterTuningJobObjectiveMetric"]
        self._say(f"best of 4: {best['TrainingJobName']} with {score['MetricName']} {score['Value']:.3f}")
        return str(best["TrainingJobName"])

    def _register(self, job: str, artifact: str, report: str) -> str:
        try:
            self._sagemaker.create_model_package_group(
                ModelPackageGroupName=GROUP, ModelPackageGroupDescription="Tells the cultivar of a wine"
            )
        except ClientError as error:
            if "already exists" not in str(error):
                raise
        metadata = {"GeneratedBy": self._sagemaker.describe_training_job(TrainingJobName=job)["TrainingJobArn"]}
        if self._commit:
            metadata["CommitId"] = self._commit
        if self._repository:
            metadata["Repository"] = self._repository
        package = self._sagemaker.create_model_package(
            ModelPackageGroupName=GROUP,
            InferenceSpecification={
                "Containers": [{"Image": IMAGE, "ModelDataUrl": artifact}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            ModelApprovalStatus="PendingManualApproval",
            ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": report}}},
            MetadataProperties=metadata,
        )["ModelPackageArn"]
        self._wait(
            f"model package {package.rpartition('/')[2]}",
            lambda: self._sagemaker.describe_model_package(ModelPackageName=package),
            "ModelPackageStatus",
            "Completed",
        )
        return str(package)

    def _approve(self, package: str) -> None:
        self._sagemaker.update_model_package(
            ModelPackageArn=package, ModelApprovalStatus="Approved", ApprovalDescription="scores well on the test part"
        )
        self._say(f"model package {package.rpartition('/')[2]}: Approved")

    def _deploy(self, version: int, package: str) -> None:
        name = f"{PREFIX}-v{version}"
        self._sagemaker.create_model(
            ModelName=name,
            PrimaryContainer={"ModelPackageName": package},
            ExecutionRoleArn=self._role,
            Tags=self._tags(),
        )
        self._sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {
                    "VariantName": "AllTraffic",
                    "ModelName": name,
                    "InstanceType": "ml.m5.large",
                    "InitialInstanceCount": 1,
                    "InitialVariantWeight": 1.0,
                }
            ],
            Tags=self._tags(),
        )
        live = self._sagemaker.list_endpoints(NameContains=ENDPOINT)["Endpoints"]
        change = self._sagemaker.update_endpoint if live else self._sagemaker.create_endpoint
        change(EndpointName=ENDPOINT, EndpointConfigName=name)
        self._wait(
            f"endpoint {ENDPOINT}",
            lambda: self._sagemaker.describe_endpoint(EndpointName=ENDPOINT),
            "EndpointStatus",
            "InService",
        )

    def delete_endpoint(self) -> None:
        """Delete the endpoint, which alone costs money."""
        self._sagemaker.delete_endpoint(EndpointName=ENDPOINT)

    def _tags(self) -> list[dict[str, str]]:
        tags = {"project": "wine-cultivars", "git_commit": self._commit, "git_repository": self._repository}
        return [{"Key": name, "Value": value} for name, value in tags.items() if value]

    def _wait(self, what: str, describe: Callable[[], dict[str, Any]], field: str, wanted: str) -> dict[str, Any]:
        deadline = time.monotonic() + TIME_LIMIT_SECONDS
        while True:
            answer = describe()
            if answer[field] == wanted:
                self._say(f"{what}: {wanted}")
                return answer
            if answer[field] in {"Failed", "Stopped"}:
                raise SystemExit(f"{what}: {answer[field]}: {answer.get('FailureReason', '')}")
            if time.monotonic() > deadline:
                raise SystemExit(f"{what}: still {answer[field]} after {TIME_LIMIT_SECONDS} s")
            time.sleep(POLL_SECONDS["local" if self._local else "aws"])


def _git(*arguments: str) -> str:
    try:
        found = subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def main() -> None:
    """Ship two versions, the second with more data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--role", required=True, help="ARN of the role that SageMaker takes")
    parser.add_argument("--delete", action="store_true", help="delete the endpoint at the end")
    arguments = parser.parse_args()
    workflow = Workflow(arguments.role)
    for version, batches in ((1, 2), (2, 3)):
        workflow.ship(version, workflow.upload_raw(batches))
    if arguments.delete:
        workflow.delete_endpoint()


if __name__ == "__main__":
    main()
