"""A model from raw rows to an endpoint, twice: the second time with more data.

    python -m examples.wine_cultivars.workflow --role arn:aws:iam::111122223333:role/SageMakerRole

The data is scikit-learn's copy of the wine recognition data (178 Italian wines of three cultivars, 13 measurements; UCI
Machine Learning Repository, Wine, CC BY 4.0). Everything else is boto3. It runs on SageMaker as it runs on the local
cloud; README.md beside this file says what role it needs and what it leaves behind.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from examples.wine_cultivars.features import MEASUREMENTS

HERE = Path(__file__).parent
PREFIX = "wine-cultivars"
GROUP = "wine-cultivars"
ENDPOINT = "wine-cultivars-live"
BATCHES = 3
LEAST_ACCURACY = 0.8
INSTANCE_TYPE = "ml.m5.large"
CHILDREN, CHILDREN_AT_ONCE = 4, 2
JOB_CODE = ("prepare.py", "evaluate.py", "features.py")
TRAINING_CODE = ("train.py", "inference.py", "features.py")
TIME_LIMIT_SECONDS = 3600
AWS_POLL_SECONDS, LOCAL_POLL_SECONDS = 15.0, 0.2

# The accounts that hold SageMaker's own scikit-learn image (SageMaker Python SDK, image_uri_config/sklearn.json).
IMAGE_ACCOUNTS = {
    "ap-northeast-1": "354813040037",
    "ap-northeast-2": "366743142698",
    "ap-south-1": "720646828776",
    "ap-southeast-1": "121021644041",
    "ap-southeast-2": "783357654285",
    "ca-central-1": "341280168497",
    "eu-central-1": "492215442770",
    "eu-north-1": "662702820516",
    "eu-west-1": "141502667606",
    "eu-west-2": "764974769150",
    "eu-west-3": "659782779980",
    "sa-east-1": "737474898029",
    "us-east-1": "683313688378",
    "us-east-2": "257758044811",
    "us-west-1": "746614075791",
    "us-west-2": "246618743249",
}
IMAGE_NAME = "sagemaker-scikit-learn:1.4-2-cpu-py3"

Say = Callable[[str], None]
Description = Mapping[str, Any]


class WorkflowError(Exception):
    """A step did not end as it should; the message says which and why."""


class Workflow:
    """Everything that is done to ship one version after another.

    Args:
        role: ARN of the role that SageMaker takes.
        run: Ends the names of what may exist once only, so that the workflow can run again in an account.
        image: Container image of all jobs and of the endpoint; None takes SageMaker's own for the Region.
        say: Gets a line for each step.
        session: Where it runs.

    Raises:
        WorkflowError: No image is known for the Region.
    """

    def __init__(
        self,
        role: str,
        *,
        run: str = "",
        image: str | None = None,
        say: Say = print,
        session: boto3.session.Session | None = None,
    ) -> None:
        session = session or boto3.session.Session()
        self._s3: Any = session.client("s3")
        self._sagemaker: Any = session.client("sagemaker")
        self._role, self._run, self._say = role, run, say
        self._region = str(session.region_name)
        self._image = image or _image_of(self._region)
        self.bucket = f"sagemaker-{self._region}-{session.client('sts').get_caller_identity()['Account']}"
        endpoint = str(self._sagemaker.meta.endpoint_url)
        self._poll_seconds = LOCAL_POLL_SECONDS if "127.0.0.1" in endpoint else AWS_POLL_SECONDS
        self._commit, self._repository = _git("rev-parse", "HEAD"), _git("config", "--get", "remote.origin.url")

    def upload_raw(self, batches: int, *, mistaken: Mapping[str, str] | None = None) -> str:
        """Put the first batches of raw rows into the account's default bucket; return where they are.

        Args:
            batches: How many of them.
            mistaken: Labels that somebody wrote wrongly, and what they wrote instead.
        """
        self._make_bucket()
        for batch in range(batches):
            self._put(f"{PREFIX}/raw/batch-{batch + 1}.csv", raw_batch(batch, mistaken or {}).encode())
        uri = f"s3://{self.bucket}/{PREFIX}/raw"
        self._say(f"raw data: {batches} of {BATCHES} batches in {uri}")
        return uri

    def ship(self, version: int, raw: str) -> str:
        """Prepare, tune, evaluate, register, approve and deploy a version; return the ARN of its model package.

        Raises:
            WorkflowError: A step failed or took too long, or the model is not good enough.
        """
        package = self.submit(version, raw)
        self._approve(package, f"{self._place(version)}/evaluation/evaluation.json")
        self.deploy(version, package)
        return package

    def submit(self, version: int, raw: str, *, tested_as: int | None = None) -> str:
        """Prepare, tune, evaluate and register a version, for others to decide on; return its model package's ARN.

        Args:
            version: Its number.
            raw: Where the raw rows are.
            tested_as: The version whose test part it is tested on; its own, if not given.

        Raises:
            WorkflowError: A step failed or took too long.
        """
        place = self._place(version)
        job_code, training_code = self._upload_code()
        self._process(
            f"{PREFIX}-prepare-v{version}{self._run}",
            "prepare.py",
            inputs={"raw": raw, "code": job_code},
            outputs={name: f"{place}/{name}" for name in ("train", "validation", "test", "report")},
        )
        best = self._tune(f"wine-tune-v{version}{self._run}", place, training_code, seed=version)
        artifact = str(best["ModelArtifacts"]["S3ModelArtifacts"])
        self._process(
            f"{PREFIX}-evaluate-v{version}{self._run}",
            "evaluate.py",
            inputs={"model": artifact, "test": f"{self._place(tested_as or version)}/test", "code": job_code},
            outputs={"evaluation": f"{place}/evaluation"},
        )
        return self._register(best, artifact, f"{place}/evaluation/evaluation.json")

    def deploy(self, version: int, package: str) -> None:
        """Let the endpoint serve a version.

        Raises:
            WorkflowError: It does not within the time.
        """
        self._deploy(f"{PREFIX}-v{version}{self._run}", package)

    def _place(self, version: int) -> str:
        return f"s3://{self.bucket}/{PREFIX}/v{version}{self._run}"

    def delete_endpoint(self) -> None:
        """Delete the endpoint: it alone costs money while it does nothing."""
        self._sagemaker.delete_endpoint(EndpointName=ENDPOINT)
        self._say(f"endpoint {ENDPOINT}: deleted")

    # --- data and code ---

    def _make_bucket(self) -> None:
        """Make the bucket that SageMaker's SDK makes for itself, unless it is there."""
        # Only us-east-1 must not be named (S3 API reference, CreateBucket).
        elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
        try:
            self._s3.create_bucket(Bucket=self.bucket, **({} if self._region == "us-east-1" else elsewhere))
        except ClientError as error:
            if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
                raise

    def _upload_code(self) -> tuple[str, str]:
        """Put the code where jobs find it; return the folder of processing jobs and the archive of training jobs."""
        for name in JOB_CODE:
            self._put(f"{PREFIX}/code/jobs/{name}", (HERE / name).read_bytes())
        self._put(f"{PREFIX}/code/training.tar.gz", archive(HERE / name for name in TRAINING_CODE))
        place = f"s3://{self.bucket}/{PREFIX}/code"
        return f"{place}/jobs", f"{place}/training.tar.gz"

    def _put(self, key: str, body: bytes) -> None:
        self._s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    # --- jobs ---

    def _process(self, name: str, script: str, *, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> None:
        self._sagemaker.create_processing_job(
            ProcessingJobName=name,
            RoleArn=self._role,
            AppSpecification={
                "ImageUri": self._image,
                "ContainerEntrypoint": ["python3", f"/opt/ml/processing/input/code/{script}"],
                "ContainerArguments": [
                    argument
                    for option, path in _PATHS[script].items()
                    for argument in (f"--{option}", f"/opt/ml/processing/{path}")
                ],
            },
            ProcessingResources={
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": INSTANCE_TYPE, "VolumeSizeInGB": 5}
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
                for role, uri in inputs.items()
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
            StoppingCondition={"MaxRuntimeInSeconds": 900},
            Tags=self._tags(),
        )
        self._wait(
            f"processing job {name}",
            lambda: self._sagemaker.describe_processing_job(ProcessingJobName=name),
            "ProcessingJobStatus",
            "Completed",
        )

    def _tune(self, name: str, place: str, code: str, *, seed: int) -> Description:
        """Train several forests and return the description of the best one's training job."""
        metrics = ("validation:accuracy", "validation:macro-f1", "validation:log-loss")
        self._sagemaker.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name,
            HyperParameterTuningJobConfig={
                "Strategy": "Random",
                "RandomSeed": seed,
                "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:log-loss"},
                "ResourceLimits": {
                    "MaxNumberOfTrainingJobs": CHILDREN,
                    "MaxParallelTrainingJobs": CHILDREN_AT_ONCE,
                },
                "ParameterRanges": {
                    "IntegerParameterRanges": [
                        {"Name": "n-estimators", "MinValue": "10", "MaxValue": "80"},
                        {"Name": "max-depth", "MinValue": "2", "MaxValue": "8"},
                        {"Name": "min-samples-leaf", "MinValue": "1", "MaxValue": "5"},
                    ]
                },
            },
            TrainingJobDefinition={
                # As the SageMaker SDK writes them: each value is JSON.
                "StaticHyperParameters": {
                    "sagemaker_program": json.dumps("train.py"),
                    "sagemaker_submit_directory": json.dumps(code),
                },
                "AlgorithmSpecification": {
                    "TrainingImage": self._image,
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [{"Name": metric, "Regex": f"{metric}=([0-9.]+);"} for metric in metrics],
                },
                "RoleArn": self._role,
                "InputDataConfig": [
                    {
                        "ChannelName": channel,
                        "DataSource": {
                            "S3DataSource": {
                                "S3DataType": "S3Prefix",
                                "S3Uri": f"{place}/{channel}",
                                "S3DataDistributionType": "FullyReplicated",
                            }
                        },
                        "ContentType": "text/csv",
                    }
                    for channel in ("train", "validation")
                ],
                "OutputDataConfig": {"S3OutputPath": f"{place}/models"},
                "ResourceConfig": {"InstanceType": INSTANCE_TYPE, "InstanceCount": 1, "VolumeSizeInGB": 5},
                "StoppingCondition": {"MaxRuntimeInSeconds": 900},
            },
            Tags=self._tags(),
        )
        described = self._wait(
            f"tuning job {name}",
            lambda: self._sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name),
            "HyperParameterTuningJobStatus",
            "Completed",
        )
        best = described.get("BestTrainingJob")
        if best is None:
            raise WorkflowError(f"tuning job {name} has no best training job: look at its children's logs")
        score = best["FinalHyperParameterTuningJobObjectiveMetric"]
        self._say(f"best of {CHILDREN}: {best['TrainingJobName']}, {score['MetricName']} {score['Value']:.3f}")
        found: Description = self._sagemaker.describe_training_job(TrainingJobName=best["TrainingJobName"])
        return found

    # --- registry ---

    def _register(self, job: Description, artifact: str, report: str) -> str:
        """Register the model as the group's next version, not approved yet; return its ARN."""
        groups = self._sagemaker.list_model_package_groups(NameContains=GROUP)["ModelPackageGroupSummaryList"]
        if GROUP not in {group["ModelPackageGroupName"] for group in groups}:
            self._sagemaker.create_model_package_group(
                ModelPackageGroupName=GROUP,
                ModelPackageGroupDescription="Tells the cultivar of a wine from its chemistry",
                Tags=self._tags(),
            )
        metadata = {
            "GeneratedBy": job["TrainingJobArn"],
            "CommitId": self._commit,
            "Repository": self._repository,
            "ProjectId": PREFIX,
        }
        package = str(
            self._sagemaker.create_model_package(
                ModelPackageGroupName=GROUP,
                ModelPackageDescription=f"forest of {job['TrainingJobName']}",
                InferenceSpecification={
                    "Containers": [
                        {
                            "Image": self._image,
                            "ModelDataUrl": artifact,
                            # Where the image finds the code in the archive (SageMaker inference toolkit).
                            "Environment": {
                                "SAGEMAKER_PROGRAM": "inference.py",
                                "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                            },
                        }
                    ],
                    "SupportedContentTypes": ["text/csv", "application/json"],
                    "SupportedResponseMIMETypes": ["text/csv", "application/json"],
                    "SupportedRealtimeInferenceInstanceTypes": [INSTANCE_TYPE],
                    "SupportedTransformInstanceTypes": [INSTANCE_TYPE],
                },
                ModelApprovalStatus="PendingManualApproval",
                ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": report}}},
                MetadataProperties={name: value for name, value in metadata.items() if value},
                ModelLifeCycle={"Stage": "Development", "StageStatus": "PendingApproval"},
            )["ModelPackageArn"]
        )
        self._wait(
            f"model package {_version_of(package)}",
            lambda: self._sagemaker.describe_model_package(ModelPackageName=package),
            "ModelPackageStatus",
            "Completed",
        )
        return package

    def _approve(self, package: str, report: str) -> None:
        """Approve a package whose evaluation is good enough, and reject any other.

        Raises:
            WorkflowError: It is not good enough.
        """
        bucket, _, key = report.removeprefix("s3://").partition("/")
        found = json.loads(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        accuracy = float(found["multiclass_classification_metrics"]["accuracy"]["value"])
        said = f"accuracy {accuracy:.3f} on {found['dataset']['item_count']} wines of the test part"
        good = accuracy >= LEAST_ACCURACY
        self._sagemaker.update_model_package(
            ModelPackageArn=package,
            ModelApprovalStatus="Approved" if good else "Rejected",
            ApprovalDescription=said,
            ModelLifeCycle={
                "Stage": "Production" if good else "Development",
                "StageStatus": "Approved" if good else "Rejected",
                "StageDescription": said,
            },
        )
        self._say(f"model package {_version_of(package)}: {'Approved' if good else 'Rejected'}, {said}")
        if not good:
            raise WorkflowError(f"model package {package} is below an accuracy of {LEAST_ACCURACY}: {said}")

    # --- endpoint ---

    def _deploy(self, name: str, package: str) -> None:
        """Make model and endpoint config, and make or update the endpoint."""
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
                    "InstanceType": INSTANCE_TYPE,
                    "InitialInstanceCount": 1,
                    "InitialVariantWeight": 1.0,
                }
            ],
            # What it is asked and answers is what monitors of drift look at.
            DataCaptureConfig={
                "EnableCapture": True,
                "InitialSamplingPercentage": 100,
                "DestinationS3Uri": f"s3://{self.bucket}/{PREFIX}/captured",
                "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
                "CaptureContentTypeHeader": {
                    "CsvContentTypes": ["text/csv"],
                    "JsonContentTypes": ["application/json"],
                },
            },
            Tags=self._tags(),
        )
        live = self._sagemaker.list_endpoints(NameContains=ENDPOINT)["Endpoints"]
        if ENDPOINT in {endpoint["EndpointName"] for endpoint in live}:
            self._sagemaker.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName=name)
        else:
            self._sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=name, Tags=self._tags())
        self._wait(
            f"endpoint {ENDPOINT} with {name}",
            lambda: self._sagemaker.describe_endpoint(EndpointName=ENDPOINT),
            "EndpointStatus",
            "InService",
        )

    def _tags(self) -> list[dict[str, str]]:
        tags = {"project": PREFIX, "git_commit": self._commit, "git_repository": self._repository}
        return [{"Key": name, "Value": value} for name, value in tags.items() if value]

    def _wait(self, what: str, describe: Callable[[], Description], field: str, wanted: str) -> Description:
        """Wait until a status is reached, tell each new one, and return the description."""
        deadline = time.monotonic() + TIME_LIMIT_SECONDS
        told = ""
        while True:
            answer = describe()
            status = str(answer[field])
            if status != told:
                self._say(f"{what}: {status}")
                told = status
            if status == wanted:
                return answer
            if status in {"Failed", "Stopped", "RollingBack", "UpdateRollbackFailed"}:
                raise WorkflowError(f"{what} is {status}: {answer.get('FailureReason') or 'no reason is given'}")
            if time.monotonic() > deadline:
                raise WorkflowError(f"{what} is still {status} after {TIME_LIMIT_SECONDS} s")
            time.sleep(self._poll_seconds)


_PATHS = {
    "prepare.py": {"input": "input/raw", "output": "output"},
    "evaluate.py": {"model": "input/model", "test": "input/test", "output": "output/evaluation"},
}
"""Where each processing script finds and leaves its files, below ``/opt/ml/processing``."""


def raw_batch(batch: int, mistaken: Mapping[str, str] | None = None) -> str:
    """Return every third wine, from number ``batch`` on, as CSV with a header; ``mistaken`` changes labels."""
    from sklearn.datasets import load_wine  # noqa: PLC0415 - it takes seconds to import, and is needed here alone

    wine = load_wine()
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*MEASUREMENTS, "cultivar"])
    for row in range(batch, len(wine.data), BATCHES):
        label = str(int(wine.target[row]))
        writer.writerow([*wine.data[row].tolist(), (mistaken or {}).get(label, label)])
    return text.getvalue()


def archive(files: Iterable[Path]) -> bytes:
    """Return a tar.gz of files; the same code has the same bytes, since neither times nor owners are in it."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for file in files:
            content = file.read_bytes()
            entry = tarfile.TarInfo(file.name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)


def _image_of(region: str) -> str:
    if region not in IMAGE_ACCOUNTS:
        raise WorkflowError(
            f"no scikit-learn image is known here for {region}: give one with --image "
            "(SageMaker developer guide, Docker registry paths)"
        )
    return f"{IMAGE_ACCOUNTS[region]}.dkr.ecr.{region}.amazonaws.com/{IMAGE_NAME}"


def _version_of(package: str) -> str:
    return "/".join(package.split("/")[-2:])


def _git(*arguments: str) -> str:
    """Return what git says of this checkout; nothing where there is none."""
    try:
        found = subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def main() -> int:
    """Ship two versions, the second with more data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--role", required=True, help="ARN of the role that SageMaker takes")
    parser.add_argument("--image", help="container image; SageMaker's own scikit-learn image, if not given")
    parser.add_argument(
        "--run", default=f"-{datetime.now(UTC):%m%d-%H%M%S}", help="end of the names of jobs and models; the time"
    )
    parser.add_argument("--delete", action="store_true", help="delete the endpoint at the end")
    arguments = parser.parse_args()
    try:
        workflow = Workflow(arguments.role, run=arguments.run, image=arguments.image)
        for version, batches in ((1, 2), (2, 3)):
            workflow.ship(version, workflow.upload_raw(batches))
        if arguments.delete:
            workflow.delete_endpoint()
    except (WorkflowError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
