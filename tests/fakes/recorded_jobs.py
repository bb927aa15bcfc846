"""Jobs that were started by requests of SageMaker's API, described, recorded, and asked for."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from hallmark.lineage.answering import Answerer
from hallmark.lineage.model import NodeKind
from hallmark.lineage.ports import StoredObject
from hallmark.lineage.questions import Answer, Question
from hallmark.lineage.recording import Surroundings, record_description
from hallmark.lineage.rows import GraphRows
from tests.fakes.memory_store import NOW, KnownContents, KnownImages, MemoryStore, stored, surroundings

PREFIX = "arn:aws:sagemaker:us-east-1:111122223333"
ROLE = "arn:aws:iam::111122223333:role/service-role/training"
IMAGE = "111122223333.dkr.ecr.us-east-1.amazonaws.com/train:latest"
DIGEST = "sha256:" + "ab" * 32
PINNED = f"111122223333.dkr.ecr.us-east-1.amazonaws.com/train@{DIGEST}"
COMMIT = "4f2a9c0e1b7d6a5f3c8e2d1b0a9f8e7d6c5b4a39"
BEGUN = NOW - timedelta(hours=2)
ENDED = NOW - timedelta(hours=1)
TAGS = [
    {"Key": "git_commit", "Value": COMMIT},
    {"Key": "git_repository", "Value": "https://example.com/wine.git"},
    {"Key": "git_dirty", "Value": "false"},
    {"Key": "team", "Value": "wine"},
]


def channel(name: str, uri: str, content_type: str | None = "text/csv") -> dict[str, Any]:
    found: dict[str, Any] = {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": uri,
                "S3DataDistributionType": "FullyReplicated",
                "AttributeNames": ["source-ref"],
            }
        },
        "CompressionType": "None",
        "RecordWrapperType": "None",
        "InputMode": "File",
    }
    return found | ({"ContentType": content_type} if content_type else {})


TRAINING: dict[str, Any] = {
    "TrainingJobName": "wine-train",
    "HyperParameters": {
        "epochs": "3",
        "seed": "7",
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": '"s3://bucket/code/training.tar.gz"',
    },
    "AlgorithmSpecification": {
        "TrainingImage": IMAGE,
        "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "validation:loss", "Regex": "loss=([0-9.]+);"}],
        "EnableSageMakerMetricsTimeSeries": True,
        "ContainerEntrypoint": ["python", "/opt/train.py"],
        "ContainerArguments": ["--verbose"],
    },
    "RoleArn": ROLE,
    "InputDataConfig": [channel("train", "s3://bucket/prepared/train"), channel("extra", "s3://bucket/extra", None)],
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/models", "KmsKeyId": "key-1", "CompressionType": "GZIP"},
    "ResourceConfig": {
        "InstanceType": "ml.m5.large",
        "InstanceCount": 2,
        "VolumeSizeInGB": 30,
        "VolumeKmsKeyId": "key-2",
    },
    "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
    "EnableNetworkIsolation": True,
    "EnableInterContainerTrafficEncryption": False,
    "EnableManagedSpotTraining": True,
    "CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints/wine", "LocalPath": "/opt/ml/checkpoints"},
    "Environment": {"MODE": "fast"},
    "RetryStrategy": {"MaximumRetryAttempts": 2},
    "ExperimentConfig": {"ExperimentName": "wine", "TrialName": "one"},
}

PROCESSING: dict[str, Any] = {
    "ProcessingJobName": "wine-prepare",
    "ProcessingInputs": [
        {
            "InputName": "raw",
            "AppManaged": False,
            "S3Input": {
                "S3Uri": "s3://bucket/raw",
                "LocalPath": "/opt/ml/processing/input/raw",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
                "S3DataDistributionType": "FullyReplicated",
                "S3CompressionType": "None",
            },
        },
        {
            "InputName": "code",
            "S3Input": {
                "S3Uri": "s3://bucket/code/prepare.py",
                "LocalPath": "/opt/ml/processing/input/code",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        },
    ],
    "ProcessingOutputConfig": {
        "Outputs": [
            {
                "OutputName": "train",
                "AppManaged": False,
                "S3Output": {
                    "S3Uri": "s3://bucket/prepared/train",
                    "LocalPath": "/opt/ml/processing/output/train",
                    "S3UploadMode": "EndOfJob",
                },
            },
            {
                "OutputName": "test",
                "S3Output": {
                    "S3Uri": "s3://bucket/prepared/test",
                    "LocalPath": "/opt/ml/processing/output/test",
                    "S3UploadMode": "Continuous",
                },
            },
        ],
        "KmsKeyId": "key-1",
    },
    "ProcessingResources": {
        "ClusterConfig": {
            "InstanceCount": 1,
            "InstanceType": "ml.m5.large",
            "VolumeSizeInGB": 5,
            "VolumeKmsKeyId": "key-2",
        }
    },
    "StoppingCondition": {"MaxRuntimeInSeconds": 900},
    "AppSpecification": {
        "ImageUri": IMAGE,
        "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/prepare.py"],
        "ContainerArguments": ["--seed", "11"],
    },
    "Environment": {"MODE": "fast"},
    "NetworkConfig": {"EnableNetworkIsolation": False, "EnableInterContainerTrafficEncryption": True},
    "RoleArn": ROLE,
}

TRANSFORM: dict[str, Any] = {
    "TransformJobName": "wine-score",
    "ModelName": "Wine-Model",
    "MaxConcurrentTransforms": 2,
    "ModelClientConfig": {"InvocationsTimeoutInSeconds": 60, "InvocationsMaxRetries": 1},
    "MaxPayloadInMB": 6,
    "BatchStrategy": "MultiRecord",
    "Environment": {"MODE": "fast"},
    "TransformInput": {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/raw"}},
        "ContentType": "text/csv",
        "CompressionType": "None",
        "SplitType": "Line",
    },
    "TransformOutput": {
        "S3OutputPath": "s3://bucket/scores",
        "Accept": "text/csv",
        "AssembleWith": "Line",
        "KmsKeyId": "key-1",
    },
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeKmsKeyId": "key-2"},
    "DataProcessing": {"InputFilter": "$[1:]", "OutputFilter": "$", "JoinSource": "Input"},
}

TUNING: dict[str, Any] = {
    "HyperParameterTuningJobName": "wine-tune",
    "HyperParameterTuningJobConfig": {
        "Strategy": "Random",
        "RandomSeed": 5,
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:loss"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {
            "IntegerParameterRanges": [{"Name": "depth", "MinValue": "2", "MaxValue": "8", "ScalingType": "Auto"}]
        },
        "TrainingJobEarlyStoppingType": "Auto",
    },
    "TrainingJobDefinition": {
        "StaticHyperParameters": {"epochs": "3"},
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "validation:loss", "Regex": "loss=([0-9.]+);"}],
        },
        "RoleArn": ROLE,
        "InputDataConfig": [channel("train", "s3://bucket/prepared/train")],
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 900},
        "EnableManagedSpotTraining": False,
        "Environment": {"MODE": "fast"},
    },
}

REQUESTS: Mapping[NodeKind, dict[str, Any]] = {
    NodeKind.TRAINING_JOB: TRAINING,
    NodeKind.PROCESSING_JOB: PROCESSING,
    NodeKind.TRANSFORM_JOB: TRANSFORM,
    NodeKind.TUNING_JOB: TUNING,
}
_WORDS = {
    NodeKind.TRAINING_JOB: "TrainingJob",
    NodeKind.PROCESSING_JOB: "ProcessingJob",
    NodeKind.TRANSFORM_JOB: "TransformJob",
    NodeKind.TUNING_JOB: "HyperParameterTuningJob",
}


def kept(key: str, content: str, version: str = "") -> StoredObject:
    """Return an object that was there before the jobs began."""
    return stored(key, content, version=version, at=BEGUN - timedelta(hours=1))


CONTENTS: dict[str, Sequence[StoredObject]] = {
    "s3://bucket/raw": [kept("a.csv", "raw a", "v1"), kept("b.csv", "raw b", "v2")],
    "s3://bucket/prepared/train": [kept("train.csv", "rows", "v3")],
    "s3://bucket/prepared/test": [kept("test.csv", "few", "v4")],
    "s3://bucket/extra": [kept("more.csv", "more", "v5")],
    "s3://bucket/code/training.tar.gz": [kept("", "archive", "v6")],
    "s3://bucket/code/prepare.py": [kept("", "script", "v7")],
    "s3://bucket/models/wine-train/output/model.tar.gz": [kept("", "model", "v8")],
    "s3://bucket/checkpoints/wine": [kept("1", "checkpoint", "v9")],
    "s3://bucket/scores": [kept("a.csv.out", "scores", "v10")],
}


def describe(kind: NodeKind, request: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return what Describe answers of a job that a request started, once it has completed."""
    word = _WORDS[kind]
    name = str(request[f"{word}Name"])
    answer = {key: copy.deepcopy(value) for key, value in request.items() if key != "Tags"}
    answer |= {
        f"{word}Arn": f"{PREFIX}:{kind.value}/{name.lower()}",
        f"{word}Status": "Completed",
        "CreationTime": BEGUN,
        "LastModifiedTime": ENDED,
    }
    started = {"TrainingJob": "TrainingStartTime", "ProcessingJob": "ProcessingStartTime"}
    answer |= {started.get(word, "TransformStartTime"): BEGUN} if kind is not NodeKind.TUNING_JOB else {}
    match kind:
        case NodeKind.TRAINING_JOB:
            output = f"{request['OutputDataConfig']['S3OutputPath']}/{name}/output/model.tar.gz"
            answer |= {
                "TrainingEndTime": ENDED,
                "ModelArtifacts": {"S3ModelArtifacts": output},
                "FinalMetricDataList": [{"MetricName": "validation:loss", "Value": 0.25, "Timestamp": ENDED}],
            }
        case NodeKind.PROCESSING_JOB:
            answer["ProcessingEndTime"] = ENDED
        case NodeKind.TRANSFORM_JOB:
            answer["TransformEndTime"] = ENDED
        case NodeKind.TUNING_JOB:
            answer["HyperParameterTuningEndTime"] = ENDED
            definition = answer["TrainingJobDefinition"]
            definition.setdefault("StaticHyperParameters", {})["_tuning_objective_metric"] = "validation:loss"
            answer["BestTrainingJob"] = {
                "TrainingJobName": f"{name}-001",
                "TrainingJobArn": f"{PREFIX}:training-job/{name}-001",
                "FinalHyperParameterTuningJobObjectiveMetric": {"MetricName": "validation:loss", "Value": 0.25},
                "TunedHyperParameters": {"depth": "4"},
            }
    return answer | more


class Recorded:
    """A lineage of jobs, and whatever answers questions about it."""

    def __init__(
        self,
        contents: Mapping[str, Sequence[StoredObject]] | None = None,
        *,
        digests: Mapping[str, str] | None = None,
        object_limit: int = 10_000,
    ) -> None:
        self.store = MemoryStore()
        self.contents = KnownContents(CONTENTS if contents is None else contents)
        self.surroundings: Surroundings = surroundings(
            self.store,
            contents=self.contents,
            images=KnownImages({IMAGE: DIGEST} if digests is None else digests),
            object_limit=object_limit,
        )

    def record(
        self, kind: NodeKind, request: Mapping[str, Any], tags: Sequence[Mapping[str, str]] = (), **more: Any
    ) -> str:
        """Record a job that a request started; return its ARN."""
        answer = describe(kind, request, **more)
        arn = str(answer[f"{_WORDS[kind]}Arn"])
        told = {tag["Key"]: tag["Value"] for tag in tags}
        record_description(kind.value, arn, answer, self.surroundings, tags=told)
        return arn

    def record_model(self, name: str) -> None:
        """Record a model."""
        arn = f"{PREFIX}:model/{name.lower()}"
        record_description("model", arn, {"ModelName": name, "ModelArn": arn, "CreationTime": BEGUN}, self.surroundings)

    def ask(self, question: Question) -> Answer:
        """Answer a question."""
        rows = GraphRows()
        rows.add(self.store.since(None))
        return Answerer(rows, self.store, self.clock).answer(question)

    def clock(self) -> datetime:
        """Return the time."""
        return NOW
