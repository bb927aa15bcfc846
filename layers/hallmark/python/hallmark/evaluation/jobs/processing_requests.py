"""The request for a Processing job that runs heavy scorers (SageMaker API reference, CreateProcessingJob)."""

from __future__ import annotations

import shlex
from typing import Any

from pydantic import BaseModel, ConfigDict

from hallmark.evaluation.suites import Processing

_INPUT = "/opt/ml/processing/input"
_OUTPUT = "/opt/ml/processing/output"
PROGRAM = "score.sh"
"""Name of what the container runs; an entrypoint itself may have 256 characters only."""


class ProcessingJobOrder(BaseModel):
    """Everything that the job is told."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    job_name: str
    role_arn: str
    key_arn: str | None
    wheel_uri: str
    """Of this package."""
    program_uri: str
    """Of the folder of the program, with ``/`` at its end."""
    run_uri: str
    """Of the run's folder, with ``/`` at its end."""
    output_uri: str
    processing: Processing


def processing_job_request(order: ProcessingJobOrder) -> dict[str, Any]:
    """Return the request."""
    processing = order.processing
    cluster: dict[str, Any] = {
        "InstanceCount": 1,
        "InstanceType": processing.instance_type,
        "VolumeSizeInGB": processing.volume_gb,
    }
    output: dict[str, Any] = {
        "Outputs": [
            {
                "OutputName": "results",
                "S3Output": {"S3Uri": order.output_uri, "LocalPath": _OUTPUT, "S3UploadMode": "EndOfJob"},
            }
        ]
    }
    if order.key_arn is not None:
        cluster["VolumeKmsKeyId"] = output["KmsKeyId"] = order.key_arn
    return {
        "ProcessingJobName": order.job_name,
        "RoleArn": order.role_arn,
        "AppSpecification": {
            "ImageUri": processing.image,
            "ContainerEntrypoint": ["bash", f"{_INPUT}/program/{PROGRAM}"],
        },
        "ProcessingResources": {"ClusterConfig": cluster},
        "StoppingCondition": {"MaxRuntimeInSeconds": int(processing.time.total_seconds())},
        "ProcessingInputs": [
            _given("program", order.program_uri),
            _given("wheel", order.wheel_uri),
            _given("plan", f"{order.run_uri}plan.json"),
            _given("batches", f"{order.run_uri}batches/"),
            _given("results", f"{order.run_uri}results/"),
        ],
        "ProcessingOutputConfig": output,
    }


def program_of(processing: Processing) -> bytes:
    """Return what the container runs: install the package where the image does not bring it, then score.

    A machine that has the package already needs no network. The wheel comes in an archive, which keeps its name.
    """
    install = "python3 -m pip install --quiet --no-input"
    lines = [
        "set -e",
        "if ! python3 -c 'import hallmark' 2>/dev/null; then",
        f"  python3 -m zipfile -e {_INPUT}/wheel/*.zip /tmp/hallmark",
        f'  {install} "$(echo /tmp/hallmark/*.whl)[evaluation]"',
        "fi",
        *([f"{install} {' '.join(map(shlex.quote, processing.requirements))}"] if processing.requirements else []),
        "exec python3 -m hallmark.evaluation.jobs.scoring_program",
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _given(name: str, uri: str) -> dict[str, Any]:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": f"{_INPUT}/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3DataDistributionType": "FullyReplicated",
        },
    }
