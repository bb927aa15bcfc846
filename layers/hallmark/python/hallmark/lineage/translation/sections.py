"""The sections that several kinds of resources share: containers, channels, metrics, code, parents, times."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from hallmark.events.resources import Resource, Section
from hallmark.events.times import parse_time
from hallmark.lineage.credentials import without_login, without_secrets, without_secrets_within
from hallmark.lineage.model import EdgeType, NodeKind
from hallmark.lineage.references import code_ref, feature_group_of, parse_arn, resource_ref, sibling_ref
from hallmark.lineage.translation.draft import DataUse, FactDraft, ImageUse
from hallmark.lineage.translation.reading import left_over, take, take_number, take_text, within

# Names under which SDKs, MLflow and CI systems keep them (GitHub Actions, GitLab CI, CodeBuild, Azure Pipelines).
_COMMIT_NAMES = (
    *("git_commit", "git-commit", "gitcommit", "git_sha", "commit", "commit_id", "commitid", "commit_sha"),
    *("mlflow.source.git.commit", "sm_git_commit", "github_sha", "ci_commit_sha", "build_sourceversion"),
    "codebuild_resolved_source_version",
)
_REPOSITORY_NAMES = (
    *("git_repository", "git-repository", "git_repo", "git-repo", "git_url", "repository", "repo", "repository_url"),
    *("mlflow.source.git.repourl", "sm_git_repository", "sm_git_repo", "github_repository", "ci_project_url"),
    *("build_repository_uri", "codebuild_source_repo_url"),
)
_BRANCH_NAMES = (
    *("git_branch", "git-branch", "branch", "mlflow.source.git.branch", "sm_git_branch", "github_ref_name"),
    *("ci_commit_branch", "build_sourcebranchname"),
)


def iso(time: datetime | None) -> str | None:
    """Return a time as it stands in attributes."""
    return time.isoformat().replace("+00:00", "Z") if time is not None else None


def plain(value: Any) -> Any:
    """Return a value of a Describe answer as JSON: times become ISO 8601."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return iso(parse_time(value))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


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
        tags=without_secrets(resource.tags),
    )
    draft.made_by(resource.created_by)


def describe_rest(draft: FactDraft, resource: Resource) -> None:
    """Add what no rule has read, once all have read: unknown fields, and what is left of the known sections."""
    rest = dict(resource.model_extra or {})
    for name, alias in _sections_of(type(resource)):
        remaining = left_over(getattr(resource, name))
        if remaining is not None:
            rest[alias] = remaining
    kept = {name: item for name, item in rest.items() if item is not None}
    draft.note(unrecognised=without_secrets_within(plain(kept)))


@cache
def _sections_of(model: type[Resource]) -> Sequence[tuple[str, str]]:
    found = (Section | None, list[Section] | None)
    return [(name, field.alias or name) for name, field in model.model_fields.items() if field.annotation in found]


def add_image(draft: FactDraft, uri: str | None, digest: str | None = None) -> None:
    """Add a container image."""
    if uri:
        draft.images.append(ImageUse(uri, digest))


def take_source(source: object) -> str | None:
    """Return the URI in a ``DataSource``: S3, or a file system as a URI of its own."""
    for kind in ("S3DataSource", "S3ModelDataSource"):
        uri = take_text(source, kind, "S3Uri")
        if uri:
            return uri
    system = take_text(source, "FileSystemDataSource", "FileSystemId")
    if system:
        kind = take_text(source, "FileSystemDataSource", "FileSystemType") or "EFS"
        return f"{kind.lower()}://{system}{take_text(source, 'FileSystemDataSource', 'DirectoryPath') or ''}"
    return take_text(source, "DatasetSource", "DatasetArn")


def add_input(
    draft: FactDraft, uri: str | None, role: str, as_of: datetime | None, content_type: str | None = None
) -> None:
    """Add what a run reads; from a feature group's offline store, also the feature group."""
    if not uri:
        return
    draft.data.append(
        DataUse(uri=uri, role=role, produced=False, as_of=as_of, listed="inputs", content_type=content_type)
    )
    group = _feature_group(draft, uri)
    if group:
        draft.flows_in(sibling_ref(draft.subject.id, NodeKind.FEATURE_GROUP, group), EdgeType.CONTRIBUTED_TO, role)


def add_output(draft: FactDraft, uri: str | None, role: str, as_of: datetime | None) -> None:
    """Add what a run wrote; only once it has ended, since before that it has written nothing that lasts."""
    if not uri or not draft.ended:
        return
    draft.data.append(DataUse(uri=uri, role=role, produced=True, as_of=as_of, listed="outputs"))
    group = _feature_group(draft, uri)
    if group:
        target = sibling_ref(draft.subject.id, NodeKind.FEATURE_GROUP, group)
        draft.flows_out(target, EdgeType.PRODUCED, role, valid_from=as_of or draft.at)


def _feature_group(draft: FactDraft, uri: str) -> str | None:
    parsed = parse_arn(draft.subject.id)
    return feature_group_of(uri, parsed.account, parsed.region) if parsed else None


def add_channels(draft: FactDraft, channels: Iterable[Section] | None, as_of: datetime | None) -> None:
    """Add the channels of a training job."""
    for channel in channels or ():
        uri = take_source(within(channel, "DataSource"))
        if uri:
            role = take_text(channel, "ChannelName") or "input"
            add_input(draft, uri, role, as_of, take_text(channel, "ContentType"))


def add_parent(draft: FactDraft, arn: str | None, kind: NodeKind, attribute: str) -> None:
    """Add the job that started this one."""
    if arn and parse_arn(arn) is not None:
        parent = resource_ref(arn, kind)
        draft.attributes.setdefault("parent", {})[attribute] = parent.id
        draft.flows_in(parent, EdgeType.ASSOCIATED_WITH, "parent")


def add_pipeline_parent(draft: FactDraft, tags: Mapping[str, str] | None, experiment: Section | None = None) -> None:
    """Add the pipeline execution that started a job.

    SageMaker's own tags name it (``sagemaker:pipeline-execution-arn``). Before the tags are known, the names that a
    pipeline gives do: the job is called ``pipelines-<execution>-<step>-…``, the experiment after the pipeline and the
    trial after the execution (SageMaker developer guide, pipelines-experiments).
    """
    found = {name.lower(): value for name, value in (tags or {}).items()}
    execution = found.get("sagemaker:pipeline-execution-arn") or _named_execution(draft, experiment)
    if execution and parse_arn(execution) is not None:
        step = found.get("sagemaker:pipeline-step-name", "")
        parent = resource_ref(execution, NodeKind.PIPELINE_EXECUTION)
        draft.attributes.setdefault("parent", {}).update({"pipeline_execution": parent.id})
        if step:
            draft.attributes["parent"]["pipeline_step"] = step
        draft.flows_in(parent, EdgeType.ASSOCIATED_WITH, step or "parent")


def _named_execution(draft: FactDraft, experiment: Section | None) -> str | None:
    pipeline, trial = ((experiment or {}).get(name) for name in ("ExperimentName", "TrialName"))
    own = parse_arn(draft.subject.id)
    if own is None or not isinstance(pipeline, str) or not isinstance(trial, str) or not pipeline or not trial:
        return None
    if not own.name.startswith(f"pipelines-{trial.lower()}-"):
        return None
    return f"arn:{own.partition}:sagemaker:{own.region}:{own.account}:pipeline/{pipeline}/execution/{trial}"


def add_code(
    draft: FactDraft,
    *,
    tags: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    hyperparameters: Mapping[str, str] | None = None,
    metadata: Section | None = None,
    as_of: datetime | None = None,
) -> None:
    """Add the code: a commit where something names one, and the source archive of script mode.

    Looked for in MetadataProperties, then tags, environment and hyperparameters, then in the ``git_config`` that the
    SageMaker SDK takes, under the names that MLflow, CI systems and the SDK use.
    """
    git = _git_config(hyperparameters)
    places = (tags, environment, hyperparameters)
    commit = take_text(metadata, "CommitId") or _first(places, _COMMIT_NAMES) or take_text(git, "commit")
    repository = take_text(metadata, "Repository") or _first(places, _REPOSITORY_NAMES) or take_text(git, "repo")
    repository = without_login(repository) if repository else None
    archive = _unquoted((hyperparameters or {}).get("sagemaker_submit_directory"))
    code = {
        "repository": repository,
        "commit": commit,
        "branch": _first(places, _BRANCH_NAMES) or take_text(git, "branch"),
        "source_uri": archive,
        "entry_point": _unquoted((hyperparameters or {}).get("sagemaker_program")),
    }
    draft.note(code={name: value for name, value in code.items() if value})
    if commit:
        draft.flows_in(code_ref(repository, commit), EdgeType.CONTRIBUTED_TO, "code")
    if archive and archive.startswith("s3://"):
        add_input(draft, archive, "code", as_of)


def _git_config(hyperparameters: Mapping[str, str] | None) -> object:
    text = (hyperparameters or {}).get("git_config")
    if not text:
        return None
    try:
        found = json.loads(text)
        return json.loads(found) if isinstance(found, str) else found
    except (RecursionError, ValueError):
        return None  # somebody else's hyperparameter of that name: it is kept as it is


def metric_values(metrics: Iterable[Section] | None) -> dict[str, float] | None:
    """Return ``FinalMetricDataList`` as name and value; values that are no numbers of JSON are left out."""
    values = {}
    for metric in metrics or ():
        value = take_number(metric, "Value")
        name = take_text(metric, "MetricName")
        if value is not None and name:
            values[name] = float(value)
            take(metric, "Timestamp")
    return values or None


def cluster(config: Section | None) -> dict[str, Any] | None:
    """Return the machines of a ``ResourceConfig``, ``ClusterConfig`` or ``TransformResources``."""
    names = {"InstanceType": "instance_type", "InstanceCount": "instance_count", "VolumeSizeInGB": "volume_gb"}
    found = {ours: value for aws, ours in names.items() if (value := take(config, aws)) is not None}
    groups = take(config, "InstanceGroups")
    if groups:
        found["instance_groups"] = plain(groups)
    return found or None


def containers(draft: FactDraft, found: Iterable[Section]) -> None:
    """Add the containers of a model or a model package: image, model data, package."""
    described = []
    for container in found:
        artifact = take_text(container, "ModelDataUrl") or take_source(within(container, "ModelDataSource"))
        package = take_text(container, "ModelPackageName")
        image = take_text(container, "Image")
        digest = take_text(container, "ImageDigest")
        variables = take(container, "Environment")
        data_input = take_text(container, "ModelInput", "DataInputConfig")
        described.append(
            {
                name: value
                for name, value in {
                    "image": image,
                    "image_digest": digest,
                    "model_data_url": artifact,
                    "package": package,
                    "data_input": data_input,
                    "environment": without_secrets_within(plain(variables)),
                }.items()
                if value
            }
        )
        add_image(draft, image, digest)
        if artifact:
            draft.data.append(DataUse(uri=artifact, role="model-data", produced=False, as_of=draft.since))
        if package:
            draft.flows_in(
                sibling_ref(draft.subject.id, NodeKind.MODEL_PACKAGE, package), EdgeType.CONTRIBUTED_TO, "package"
            )
    draft.note(containers=described)


def as_texts(value: object) -> dict[str, str] | None:
    """Return a section of texts (static hyperparameters, variables); None for anything else."""
    if not isinstance(value, dict) or not value:
        return None
    return {str(name): item if isinstance(item, str) else json.dumps(plain(item)) for name, item in value.items()}


def _first(places: Iterable[Mapping[str, str] | None], names: Iterable[str]) -> str | None:
    for place in places:
        folded = {name.lower(): value for name, value in (place or {}).items()}
        for name in names:
            found = (_unquoted(folded.get(name)) or "").strip()
            if found and len(found) <= _NAME_LENGTH:
                return found
    return None


_NAME_LENGTH = 500


def _unquoted(text: str | None) -> str | None:
    # The SageMaker SDK sends each hyperparameter as JSON, so a text arrives within quotation marks. The attribute
    # ``hyperparameters`` keeps them: "5" and 5 are two values to the job, and a comparison must tell them apart.
    if text and len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    return text
