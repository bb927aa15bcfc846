"""The lineage of jobs: a trial component, what contributed to it, and what it produced."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from local.sagemaker.contract import Description
from local.sagemaker.lineage.entities import Entity
from local.sagemaker.lineage.maker import EntityMaker, Uses

# A job that failed or still runs has produced nothing that anybody could rely on.
_ENDED_WITH_OUTPUT = {"Completed", "Stopped"}


def make_training_lineage(maker: EntityMaker) -> None:
    """Image and channels contribute to the job; it produces a model, checkpoints and TensorBoard's files.

    The guide says that the model's location is ``S3OutputPath``; the service's answers show ``S3ModelArtifacts``.
    """
    job = maker.change.description
    component = maker.trial_component(
        "TrainingJob", "-aws-training-job", _progress(job, "TrainingJobStatus", "TrainingStartTime", "TrainingEndTime")
    )
    sources = [channel.get("DataSource", {}).get("S3DataSource", {}) for channel in job.get("InputDataConfig", ())]
    inputs = [
        ("Image", job.get("AlgorithmSpecification", {}).get("TrainingImage")),
        *(("DataSet", source.get("S3Uri")) for source in sources),
    ]
    outputs = [
        ("Model", job.get("ModelArtifacts", {}).get("S3ModelArtifacts")),
        ("Checkpoint", job.get("CheckpointConfig", {}).get("S3Uri")),
        ("TensorBoard", job.get("TensorBoardOutputConfig", {}).get("S3OutputPath")),
    ]
    _link(maker, component, inputs, outputs if job["TrainingJobStatus"] in _ENDED_WITH_OUTPUT else ())


def make_processing_lineage(maker: EntityMaker) -> None:
    """Image and inputs (code too) contribute to the job; it produces its outputs."""
    job = maker.change.description
    component = maker.trial_component(
        "ProcessingJob",
        "-aws-processing-job",
        _progress(job, "ProcessingJobStatus", "ProcessingStartTime", "ProcessingEndTime"),
    )
    inputs = [
        ("Image", job.get("AppSpecification", {}).get("ImageUri")),
        *(("DataSet", each.get("S3Input", {}).get("S3Uri")) for each in job.get("ProcessingInputs", ())),
    ]
    results = job.get("ProcessingOutputConfig", {}).get("Outputs", ())
    outputs = [("DataSet", each.get("S3Output", {}).get("S3Uri")) for each in results]
    _link(maker, component, inputs, outputs if job["ProcessingJobStatus"] in _ENDED_WITH_OUTPUT else ())


def make_transform_lineage(maker: EntityMaker) -> None:
    """The input contributes to the job; it produces its output."""
    job = maker.change.description
    component = maker.trial_component(
        "TransformJob",
        "-aws-transform-job",
        _progress(job, "TransformJobStatus", "TransformStartTime", "TransformEndTime"),
    )
    source = job.get("TransformInput", {}).get("DataSource", {}).get("S3DataSource", {})
    outputs = [("DataSet", job.get("TransformOutput", {}).get("S3OutputPath"))]
    ended = job["TransformJobStatus"] in _ENDED_WITH_OUTPUT
    _link(maker, component, [("DataSet", source.get("S3Uri"))], outputs if ended else ())


def _progress(job: Description, status: str, start: str, end: str) -> dict[str, Any]:
    reason = {"Message": job["FailureReason"]} if "FailureReason" in job else {}
    members = {
        "Status": {"PrimaryStatus": job[status], **reason},
        "StartTime": job.get(start),
        "EndTime": job.get(end),
    }
    return {name: value for name, value in members.items() if value is not None}


def _link(
    maker: EntityMaker,
    component: Entity,
    inputs: Iterable[tuple[str, str | None]],
    outputs: Iterable[tuple[str, str | None]],
) -> None:
    for artifact in maker.artifacts(_known(inputs)):
        maker.associate(artifact, component, "ContributedTo")
    for artifact in maker.artifacts(_known(outputs)):
        maker.associate(component, artifact, "Produced")


def _known(uses: Iterable[tuple[str, str | None]]) -> Uses:
    """Return those uses whose URI is known."""
    return [(entity_type, uri) for entity_type, uri in uses if uri]
