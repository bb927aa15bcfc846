"""The sections that several kinds of resources share: containers, channels, metrics, code, credentials, times."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from hallmark.events.resources import Resource
from hallmark.events.times import parse_time
from hallmark.lineage.model import EdgeType, NodeKind
from hallmark.lineage.references import code_ref, resource_ref, sibling_ref
from hallmark.lineage.translation.draft import DataUse, FactDraft, ImageUse

REDACTED = "[redacted]"

_SECRET_NAME = re.compile(
    r"(passw(or)?d|passphrase|secret|credential|api[_-]?key|access[_-]?key|private[_-]?key|(^|[_-])token$)",
    re.IGNORECASE,
)
_COMMIT_NAMES = ("git_commit", "git-commit", "gitcommit", "commit", "commit_id", "commitid", "mlflow.source.git.commit")
_REPOSITORY_NAMES = (
    *("git_repository", "git-repository", "git_repo", "git-repo", "repository", "repo"),
    *("repository_url", "mlflow.source.git.repourl"),
)
_BRANCH_NAMES = ("git_branch", "git-branch", "branch", "mlflow.source.git.branch")


def without_secrets(values: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return hyperparameters or variables with the values of those that are named like credentials left out."""
    if not values:
        return None
    return {name: REDACTED if _SECRET_NAME.search(name) else value for name, value in values.items()}


def iso(time: datetime | None) -> str | None:
    """Return a time as it stands in attributes."""
    return time.isoformat().replace("+00:00", "Z") if time is not None else None


def plain(value: Any) -> Any:
    """Return a value of a Describe answer as JSON: times become ISO 8601."""
    if isinstance(value, datetime):
        return iso(parse_time(value))
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "replace")
    return value


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Return the seconds from start to end, where both are known."""
    return round((end - start).total_seconds(), 3) if start is not None and end is not None else None


def describe_common(draft: FactDraft, resource: Resource, name: str | None, arn: str) -> None:
    """Add what every resource may have."""
    draft.note(
        name=name or arn.rpartition("/")[2],
        arn=arn,
        created_at=iso(resource.creation_time),
        last_modified_at=iso(resource.last_modified_time),
        failure_reason=resource.failure_reason,
        role_arn=resource.role_arn,
        tags=resource.tags,
        unrecognised=plain(resource.model_extra) or None,
    )
    draft.made_by(resource.created_by)


def add_image(draft: FactDraft, uri: str | None, digest: str | None = None) -> None:
    """Add a container image."""
    if uri:
        draft.images.append(ImageUse(uri, digest))


def s3_uri_of(source: Mapping[str, Any] | None) -> str | None:
    """Return the URI in a ``DataSource``: S3, or a file system as a URI of its own."""
    if not source:
        return None
    s3 = source.get("S3DataSource") or source.get("S3ModelDataSource") or {}
    if s3.get("S3Uri"):
        return str(s3["S3Uri"])
    files = source.get("FileSystemDataSource") or {}
    if files.get("FileSystemId"):
        kind = str(files.get("FileSystemType", "efs")).lower()
        return f"{kind}://{files['FileSystemId']}{files.get('DirectoryPath', '')}"
    dataset = source.get("DatasetSource") or {}
    return str(dataset["DatasetArn"]) if dataset.get("DatasetArn") else None


def add_channels(draft: FactDraft, channels: Iterable[Mapping[str, Any]] | None, as_of: datetime | None) -> None:
    """Add the channels of a training job."""
    for channel in channels or ():
        uri = s3_uri_of(channel.get("DataSource"))
        if uri:
            draft.data.append(
                DataUse(
                    uri=uri,
                    role=str(channel.get("ChannelName") or "input"),
                    produced=False,
                    as_of=as_of,
                    listed="inputs",
                    content_type=channel.get("ContentType"),
                )
            )


def add_output(draft: FactDraft, uri: str | None, role: str, as_of: datetime | None) -> None:
    """Add what a run wrote; only once it has ended, since before that it has written nothing that lasts."""
    if uri and draft.ended:
        draft.data.append(DataUse(uri=uri, role=role, produced=True, as_of=as_of, listed="outputs"))


def add_parent(draft: FactDraft, arn: str | None, kind: NodeKind, attribute: str) -> None:
    """Add the job that started this one."""
    if arn:
        parent = resource_ref(arn, kind)
        draft.attributes.setdefault("parent", {})[attribute] = parent.id
        draft.flows_in(parent, EdgeType.ASSOCIATED_WITH, "parent")


def add_pipeline_parent(draft: FactDraft, tags: Mapping[str, str] | None) -> None:
    """Add the pipeline execution that SageMaker's own tags name (``sagemaker:pipeline-execution-arn``)."""
    found = {name.lower(): value for name, value in (tags or {}).items()}
    execution = found.get("sagemaker:pipeline-execution-arn")
    if execution:
        step = found.get("sagemaker:pipeline-step-name", "")
        parent = resource_ref(execution, NodeKind.PIPELINE_EXECUTION)
        draft.attributes.setdefault("parent", {}).update({"pipeline_execution": parent.id})
        if step:
            draft.attributes["parent"]["pipeline_step"] = step
        draft.flows_in(parent, EdgeType.ASSOCIATED_WITH, step or "parent")


def add_code(
    draft: FactDraft,
    *,
    tags: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    hyperparameters: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    as_of: datetime | None = None,
) -> None:
    """Add the code: a commit where something names one, and the source archive of script mode.

    Looked for in MetadataProperties, then tags, environment and hyperparameters, under the names that MLflow, CI
    systems and the SageMaker SDK use.
    """
    places = (tags, environment, hyperparameters)
    commit = _text(metadata, "CommitId") or _first(places, _COMMIT_NAMES)
    repository = _text(metadata, "Repository") or _first(places, _REPOSITORY_NAMES)
    archive = _unquoted((hyperparameters or {}).get("sagemaker_submit_directory"))
    program = _unquoted((hyperparameters or {}).get("sagemaker_program"))
    code = {
        "repository": repository,
        "commit": commit,
        "branch": _first(places, _BRANCH_NAMES),
        "source_uri": archive,
        "entry_point": program,
    }
    draft.note(code={name: value for name, value in code.items() if value})
    if commit:
        draft.flows_in(code_ref(repository, commit), EdgeType.CONTRIBUTED_TO, "code")
    if archive and archive.startswith("s3://"):
        draft.data.append(DataUse(uri=archive, role="code", produced=False, as_of=as_of, listed="inputs"))


def metric_values(metrics: Iterable[Mapping[str, Any]] | None) -> dict[str, float] | None:
    """Return ``FinalMetricDataList`` as name and value; values that are no numbers of JSON are left out."""
    values = {}
    for metric in metrics or ():
        value = metric.get("Value")
        if isinstance(value, int | float) and value == value and abs(value) != float("inf"):  # noqa: PLR0124 - NaN
            values[str(metric.get("MetricName"))] = float(value)
    return values or None


def cluster(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the machines of a ``ResourceConfig``, ``ClusterConfig`` or ``TransformResources``."""
    if not config:
        return None
    names = {"InstanceType": "instance_type", "InstanceCount": "instance_count", "VolumeSizeInGB": "volume_gb"}
    found = {ours: config[aws] for aws, ours in names.items() if config.get(aws) is not None}
    if config.get("InstanceGroups"):
        found["instance_groups"] = plain(config["InstanceGroups"])
    return found or None


def containers(draft: FactDraft, found: Iterable[Mapping[str, Any]]) -> None:
    """Add the containers of a model or a model package: image, model data, package."""
    described = []
    for container in found:
        artifact = container.get("ModelDataUrl") or s3_uri_of(container.get("ModelDataSource"))
        package = container.get("ModelPackageName")
        described.append(
            {
                name: value
                for name, value in {
                    "image": container.get("Image"),
                    "image_digest": container.get("ImageDigest"),
                    "model_data_url": artifact,
                    "package": package,
                    "environment": without_secrets(container.get("Environment")),
                }.items()
                if value
            }
        )
        add_image(draft, container.get("Image"), container.get("ImageDigest"))
        if artifact:
            draft.data.append(DataUse(uri=artifact, role="model-data", produced=False, as_of=draft.since))
        if package:
            draft.flows_in(
                sibling_ref(draft.subject.id, NodeKind.MODEL_PACKAGE, str(package)), EdgeType.CONTRIBUTED_TO, "package"
            )
    draft.note(containers=described)


def _text(values: Mapping[str, Any] | None, name: str) -> str | None:
    value = (values or {}).get(name)
    return str(value) if value else None


def _first(places: Iterable[Mapping[str, str] | None], names: Iterable[str]) -> str | None:
    for place in places:
        folded = {name.lower(): value for name, value in (place or {}).items()}
        for name in names:
            if folded.get(name):
                return _unquoted(folded[name])
    return None


def _unquoted(text: str | None) -> str | None:
    # The SageMaker SDK sends each hyperparameter as JSON, so a text arrives within quotation marks.
    if text and len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    return text
