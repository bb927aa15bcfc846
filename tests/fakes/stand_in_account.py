"""An account in which the product's own clients meet the SageMaker stand-in, and moto for all other services."""

from __future__ import annotations

import importlib.util
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend

from hallmark.aws import clients
from hallmark.aws.dynamodb import DynamoLineageTable
from local.sagemaker.contract import ResourceChanged
from local.sagemaker.lineage import AutomaticLineage
from local.sagemaker.service import SageMakerService
from local.sagemaker.settings import NO_QUIRKS, SageMakerSettings
from tests.fakes.moto_clients import MotoClients
from tests.fakes.person_account import create_persons
from tests.patience import PATIENCE_SECONDS

ACCOUNT = "123456789012"
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ml"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/training:1"
DATA, MANIFESTS, TABLE = "data", "manifests", "lineage"
RESOURCES = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
_FUNCTIONS = Path(__file__).parents[2] / "functions"
_NO_BEDROCK: dict[str, Any] = {"modelCustomizationJobSummaries": [], "invocationJobSummaries": []}

Refusal = tuple[str, int]


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_kwargs: object) -> Iterator[bytes]:
        yield self._content


@dataclass(frozen=True)
class Queues:
    """URLs of the queues that functions are told of."""

    sweeps: str
    dead_letters: str


class StandInAccount:
    """What a test does to the account, and what the product did to it.

    ``refuse`` is asked before each of the product's calls of SageMaker: code and HTTP status of an error, or None.
    """

    def __init__(self, service: SageMakerService, published: list[dict[str, Any]]) -> None:
        self.service = service
        self.calls: list[str] = []
        self.pauses: list[int] = []
        """Seconds by which the product delayed messages; a test does not wait for them."""
        self.refuse: Callable[[str, Mapping[str, Any]], Refusal | None] = lambda _operation, _request: None
        self._published = published
        self._changes: list[ResourceChanged] = []
        self._changed = threading.Condition()
        service.listeners.append(self._hear)
        self._automatic = next(each for each in service.listeners if isinstance(each, AutomaticLineage))
        self.client: Any = boto3.client("sagemaker", region_name=REGION)
        events: Any = self.client.meta.events
        events.register_first("before-send.sagemaker", self._answer)
        self.s3 = boto3.client("s3")
        self.sqs = boto3.client("sqs")
        for bucket in (DATA, MANIFESTS):
            self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self.s3.put_bucket_versioning(Bucket=DATA, VersioningConfiguration={"Status": "Enabled"})
        self.bus = boto3.client("events").create_event_bus(Name="hallmark")["EventBusArn"]
        self.queues = Queues(
            *(self.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("sweeps", "dead-letters"))
        )
        create_table()

    # --- what the product's clients meet ---

    def answer_product(self, request: AWSPreparedRequest, **_kwargs: object) -> AWSResponse:
        """Answer a call of the product's own client."""
        target = _text(request.headers["X-Amz-Target"]).partition(".")[2]
        document = json.loads(_content(request))
        self.calls.append(target)
        refusal = self.refuse(target, document)
        if refusal is not None:
            code, status = refusal
            content = json.dumps({"__type": code, "message": "as the test wants it"}).encode()
            return _response(request, status, {}, content)
        return self._answer(request)

    def hurry(self, params: dict[str, Any], **_kwargs: object) -> None:
        """Let a delayed message come at once."""
        self.pauses.append(params.pop("DelaySeconds", 0))

    def called(self, *operations: str) -> list[str]:
        """Return the product's calls of these operations; a name may be the beginning of several."""
        return [call for call in self.calls if call.startswith(operations)]

    def _answer(self, request: AWSPreparedRequest, **_kwargs: object) -> AWSResponse:
        headers = {name: _text(value) for name, value in request.headers.items()}
        status, answered, content = self.service.handle(
            "POST", "/", headers, _content(request), account=ACCOUNT, region=REGION, caller_arn=ROLE
        )
        return _response(request, status, answered, content)

    # --- what a test does ---

    def put(self, key: str, content: str) -> str:
        self.s3.put_object(Bucket=DATA, Key=key, Body=content.encode())
        return f"s3://{DATA}/{key}"

    def process(self, name: str, script: str, source: str, target: str, **more: Any) -> None:
        """Run a processing job to its end."""
        given = {
            "S3Uri": source,
            "LocalPath": "/opt/ml/processing/input",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        }
        made = {"S3Uri": target, "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
        self.client.create_processing_job(
            ProcessingJobName=name,
            AppSpecification={"ImageUri": IMAGE, "ContainerEntrypoint": ["/bin/sh", "-c", script]},
            ProcessingInputs=[{"InputName": "raw", "S3Input": given}],
            ProcessingOutputConfig={"Outputs": [{"OutputName": "split", "S3Output": made}]},
            ProcessingResources={"ClusterConfig": RESOURCES},
            RoleArn=ROLE,
            **more,
        )
        self.wait_for("processing-job", name, "Completed", "Failed", "Stopped")

    def start_training(self, name: str, script: str, data: str, **more: Any) -> None:
        self.client.create_training_job(
            TrainingJobName=name,
            AlgorithmSpecification=algorithm(script),
            InputDataConfig=[channel(data)],
            OutputDataConfig={"S3OutputPath": f"s3://{DATA}/models"},
            ResourceConfig=RESOURCES,
            StoppingCondition={"MaxRuntimeInSeconds": 60},
            RoleArn=ROLE,
            **more,
        )

    def train(self, name: str, data: str, script: str = "echo weights > /opt/ml/model/weights", **more: Any) -> str:
        """Run a training job to its end; return the URI of its model."""
        self.start_training(name, script, data, **more)
        self.wait_for("training-job", name, "Completed", "Failed", "Stopped")
        described = self.client.describe_training_job(TrainingJobName=name)
        return str(described.get("ModelArtifacts", {}).get("S3ModelArtifacts"))

    def tune(self, name: str, data: str, *values: str) -> None:
        """Run a tuning job with a child for each value of ``x`` to its end."""
        program = b"import sys; print('score=' + sys.argv[-1] + ';'); open('/opt/ml/model/x', 'w').write(sys.argv[-1])"
        self.client.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name,
            HyperParameterTuningJobConfig={
                "Strategy": "Grid",
                "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
                "ResourceLimits": {"MaxParallelTrainingJobs": 2},
                "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "x", "Values": list(values)}]},
            },
            TrainingJobDefinition={
                "AlgorithmSpecification": {
                    "TrainingImage": IMAGE,
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [{"Name": "score", "Regex": "score=(.*?);"}],
                },
                "StaticHyperParameters": {
                    "sagemaker_program": "train.py",
                    "sagemaker_submit_directory": self.put_archive("code.tar.gz", "train.py", program),
                },
                "InputDataConfig": [channel(data)],
                "OutputDataConfig": {"S3OutputPath": f"s3://{DATA}/tuned"},
                "ResourceConfig": RESOURCES,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60},
                "RoleArn": ROLE,
            },
        )
        self.wait_for("hyper-parameter-tuning-job", name, "Completed", "Failed", "Stopped")

    def put_archive(self, key: str, name: str, content: bytes) -> str:
        """Put a gzip-compressed tar archive with one file; return its URI."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        self.s3.put_object(Bucket=DATA, Key=key, Body=buffer.getvalue())
        return f"s3://{DATA}/{key}"

    def run_pipeline(self, name: str, data: str) -> str:
        """Run a pipeline with one training step to its end; return the ARN of its execution."""
        step = {
            "Name": "Fit",
            "Type": "Training",
            "Arguments": {
                "AlgorithmSpecification": algorithm("echo weights > /opt/ml/model/weights"),
                "InputDataConfig": [channel(data)],
                "OutputDataConfig": {"S3OutputPath": f"s3://{DATA}/piped"},
                "ResourceConfig": RESOURCES,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60},
                "RoleArn": ROLE,
            },
        }
        definition = {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": [step]}
        self.client.create_pipeline(PipelineName=name, PipelineDefinition=json.dumps(definition), RoleArn=ROLE)
        arn: str = self.client.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
        self.wait_for("pipeline-execution", arn.rpartition("/")[2], "Succeeded", "Failed", "Stopped")
        return arn

    def register(self, model_data: str, *, approval: str = "Approved") -> str:
        """Register a version of the model ``churn``; return its ARN."""
        arn: str = self.client.create_model_package(
            ModelPackageGroupName="churn",
            ModelApprovalStatus=approval,
            InferenceSpecification={
                "Containers": [{"Image": IMAGE, "ModelDataUrl": model_data}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )["ModelPackageArn"]
        return arn

    def approve(self, package: str) -> None:
        self.client.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")

    def make_model(self, name: str, package: str) -> None:
        self.client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"ModelPackageName": package})

    def deploy(self, endpoint: str, model: str) -> None:
        """Make an endpoint with a config of the model's name, and wait until it is in service."""
        variant = {"VariantName": "all", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        self.client.create_endpoint_config(EndpointConfigName=model, ProductionVariants=[variant])
        self.client.create_endpoint(EndpointName=endpoint, EndpointConfigName=model)
        self.wait_for("endpoint", endpoint, "InService")

    def wait_for(self, kind: str, name: str, *statuses: str) -> None:
        """Wait until a resource was told to have one of these statuses, and its lineage is made."""

        def told() -> bool:
            return any(
                change.kind == kind
                and change.arn.endswith(f"/{name}")
                and ((change.deleted and "Deleted" in statuses) or set(statuses) & _texts(change.description))
                for change in self._changes
            )

        with self._changed:
            assert self._changed.wait_for(told, PATIENCE_SECONDS), f"{kind} {name} never was {statuses}"
        assert self._automatic.flush()

    def _hear(self, change: ResourceChanged) -> None:
        with self._changed:
            self._changes.append(change)
            self._changed.notify_all()

    # --- what a test finds ---

    def events(self) -> list[dict[str, Any]]:
        """Return all events so far, as a rule's target receives them."""
        assert self.service.events.flush()
        return [
            {
                "version": "0",
                "id": str(number),
                "source": entry["Source"],
                "detail-type": entry["DetailType"],
                "account": ACCOUNT,
                "region": REGION,
                "time": _time(entry.get("Time")),
                "resources": list(entry.get("Resources", ())),
                "detail": json.loads(entry["Detail"]),
            }
            for number, entry in enumerate(self._published)
        ]

    def table(self) -> DynamoLineageTable:
        """Return the lineage table, as the product reads it."""
        return DynamoLineageTable(TABLE, clients.client("dynamodb"))

    def take(self, queue: str) -> list[dict[str, Any]]:
        """Take all messages out of a queue."""
        found: list[dict[str, Any]] = []
        while True:
            answer: Any = self.sqs.receive_message(
                QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
            )
            if not answer.get("Messages"):
                return found
            for message in answer["Messages"]:
                self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            found += answer["Messages"]


@dataclass(frozen=True)
class Invocation:
    """What a handler is told of its invocation."""

    remaining_seconds: float = 600
    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:function"
    aws_request_id: str = "request"

    def get_remaining_time_in_millis(self) -> int:
        return round(self.remaining_seconds * 1000)


def load_handler(name: str) -> ModuleType:
    """Load a function as a new execution environment does: nothing is cached yet."""
    spec = importlib.util.spec_from_file_location(f"{name}_handler", _FUNCTIONS / name / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def create_table(name: str = TABLE) -> None:
    """Create an empty lineage table, with the keys and indexes that the stack gives it."""
    names = ("pk", "sk", "target", "log_shard", "log_at")
    boto3.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in names],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": partition, "KeyType": "HASH"},
                    {"AttributeName": sort, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
            for index, partition, sort in (("reverse", "target", "sk"), ("log", "log_shard", "log_at"))
        ],
    )


def empty_table(name: str = TABLE) -> None:
    """Empty the lineage table."""
    boto3.client("dynamodb").delete_table(TableName=name)
    create_table(name)


def channel(uri: str, name: str = "train") -> dict[str, Any]:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}
    return {"ChannelName": name, "DataSource": source}


def algorithm(script: str) -> dict[str, Any]:
    return {
        "TrainingImage": IMAGE,
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["/bin/sh", "-c", script],
    }


def sqs_event(*bodies: str, receives: int = 1) -> dict[str, Any]:
    """Return what Lambda hands a function for messages of a queue."""
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(receives)},
            }
            for number, body in enumerate(bodies)
        ]
    }


def _texts(description: Mapping[str, Any]) -> set[str]:
    return {value for value in description.values() if isinstance(value, str)}


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _content(request: AWSPreparedRequest) -> bytes:
    return request.body if isinstance(request.body, bytes) else str(request.body or "{}").encode()


def _time(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value or datetime.now(UTC).isoformat())


def _response(request: AWSPreparedRequest, status: int, headers: Mapping[str, str], content: bytes) -> AWSResponse:
    given: Any = headers
    body: Any = _Body(content)
    return AWSResponse(request.url, status, given, body)


def _make_writes_atomic(patch: pytest.MonkeyPatch) -> None:
    """Let moto's DynamoDB write one request after the other, as DynamoDB does; it loses counts between threads."""
    lock = RLock()

    def guarded(write: Callable[..., Any]) -> Callable[..., Any]:
        def written(*arguments: Any, **named: Any) -> Any:
            with lock:
                return write(*arguments, **named)

        return written

    for name in ("put_item", "update_item", "delete_item", "transact_write_items"):
        patch.setattr(DynamoDBBackend, name, guarded(getattr(DynamoDBBackend, name)))


@contextmanager
def stand_in_account(scratch: Path, patch: pytest.MonkeyPatch) -> Iterator[StandInAccount]:
    """Give the product's clients an account, and the functions the environment of their deployment in it."""
    clients._client.cache_clear()
    clients._session.cache_clear()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        # An address that moto does not answer for: every handler of a request is asked, moto's too.
        "AWS_ENDPOINT_URL_SAGEMAKER": "http://sagemaker.stand-in",
        "POWERTOOLS_SERVICE_NAME": "hallmark",
        "POWERTOOLS_METRICS_NAMESPACE": "Hallmark",
        "ACCOUNT_ID": ACCOUNT,
        "LINEAGE_TABLE_NAME": TABLE,
        "LINEAGE_BUCKET_NAME": MANIFESTS,
        "EVENT_BUS_NAME": "hallmark",
        "MIRROR_ARTIFACT_BUDGET": "100",
        "MIRROR_ASSOCIATION_BUDGET": "100",
    }.items():
        patch.setenv(name, value)
    published: list[dict[str, Any]] = []
    _make_writes_atomic(patch)
    with mock_aws():
        moto = MotoClients()
        service = SageMakerService(
            SageMakerSettings(scratch=scratch, quirks=NO_QUIRKS, stop_grace_seconds=2.0),
            s3=lambda region, _account: moto.client("s3", region),
            ecr=lambda region, _account: moto.client("ecr", region),
            publish=lambda entry, _account, _region: published.append(dict(entry)),
            environment_of_role=lambda _role, region, _account: {"AWS_REGION": region},
        )
        account = StandInAccount(service, published)
        for name, value in create_persons(REGION).items():
            patch.setenv(name, value)
        patch.setenv("RECONCILIATION_QUEUE_URL", account.queues.sweeps)
        patch.setenv("DEAD_LETTER_QUEUE_URL", account.queues.dead_letters)
        emitter = clients._session().get_component("event_emitter")
        emitter.register_first("before-send.sagemaker", account.answer_product)
        emitter.register_first("before-call.bedrock", _list_nothing)
        emitter.register_first("provide-client-params.sqs.SendMessage", account.hurry)
        yield account
        service.close()
    clients._client.cache_clear()
    clients._session.cache_clear()


def _list_nothing(**_kwargs: object) -> tuple[AWSResponse, dict[str, Any]]:
    return AWSResponse("https://bedrock.stand-in", 200, HTTPHeaders(), None), dict(_NO_BEDROCK)
