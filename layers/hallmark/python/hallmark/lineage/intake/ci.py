"""A run of a CI pipeline as a fact: which commit it built, what it read, made and started.

What GitHub Actions, GitLab CI/CD and Jenkins say of themselves stands in variables of the environment that they set
(their references of default, predefined and built-in variables).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from hallmark.errors import InvalidInputError
from hallmark.lineage.references import kind_of, parse_arn

Environment = Mapping[str, str]

STATUSES: Mapping[str, str] = {
    "inprogress": "InProgress",
    "running": "InProgress",
    "completed": "Completed",
    "success": "Completed",
    "unstable": "Completed",
    "failed": "Failed",
    "failure": "Failed",
    "stopped": "Stopped",
    "canceled": "Stopped",
    "cancelled": "Stopped",
    "aborted": "Stopped",
    "not_built": "Stopped",
}
"""Hallmark's word for each that a CI tool has: ``job.status``, ``CI_JOB_STATUS``, ``currentBuild.currentResult``."""


class Pipeline(NamedTuple):
    """A run of a pipeline."""

    tool: str
    name: str
    """What the tool calls the run: an address without its scheme, so that it is unique among servers."""
    title: str
    repository: str
    commit: str
    branch: str
    url: str
    attributes: dict[str, Any]
    """``job``, ``trigger``, ``actor`` …, as far as the tool says them."""
    status: str | None = None
    """As the tool has it, where it says so itself."""
    started_at: str | None = None


class Artifact(NamedTuple):
    """A file that the run made: where it lies, and its content."""

    uri: str
    digest: str | None
    role: str = "artifact"


def read_pipeline(environment: Environment) -> Pipeline:
    """Read which run of which pipeline this is.

    Raises:
        InvalidInputError: It is none of the three tools, or a variable is missing that they always set.
    """
    if environment.get("GITHUB_ACTIONS") == "true":
        return _github(environment)
    if environment.get("GITLAB_CI") == "true":
        return _gitlab(environment)
    if environment.get("JENKINS_URL") or environment.get("BUILD_TAG", "").startswith("jenkins-"):
        return _jenkins(environment)
    raise InvalidInputError(
        "the environment",
        "no GITHUB_ACTIONS, GITLAB_CI or JENKINS_URL",
        "run this in a job of GitHub Actions, GitLab CI/CD or Jenkins; other tools send facts (docs/intake.md)",
    )


def pipeline_fact(
    pipeline: Pipeline,
    *,
    at: datetime,
    status: str | None = None,
    reason: str | None = None,
    inputs: Sequence[str] = (),
    artifacts: Sequence[Artifact] = (),
    outputs: Sequence[str] = (),
    started: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the fact of a run (``fact.schema.json``).

    Args:
        pipeline: Which run.
        at: The time.
        status: How it stands, in the tool's word or in Hallmark's.
        reason: Why it ran, in a person's words.
        inputs: What it read: URIs of data, ARNs.
        artifacts: Files that it made.
        outputs: What else it made: ARNs of models, URIs of images with their digests.
        started: ARNs of jobs and pipeline executions that it started.

    Raises:
        InvalidInputError: The status is none, or a name tells nothing that lineage knows.
    """
    flows = [_flow(_node("--input", each), "in", "ContributedTo", "input") for each in inputs]
    if pipeline.commit:
        code = {"kind": "code", "id": f"git:{pipeline.repository}@{pipeline.commit}"}
        flows.append(_flow(code, "in", "ContributedTo", "code"))
    flows += [
        _flow({"kind": "dataset", "id": each.uri, "digest": each.digest}, "out", "Produced", each.role)
        for each in artifacts
    ]
    flows += [_flow(_node("--output", each), "out", "Produced", "output") for each in outputs]
    flows += [_flow(_node("--started", each), "out", "ContributedTo", "started") for each in started]
    told = _status(status or pipeline.status)
    attributes = {
        "name": pipeline.title,
        "url": pipeline.url,
        "code": {"repository": pipeline.repository, "commit": pipeline.commit, "branch": pipeline.branch},
        "started_at": pipeline.started_at,
        "reason": reason,
        **pipeline.attributes,
    }
    fact = {
        "tool": pipeline.tool,
        "node": {"kind": "run", "id": f"{pipeline.tool}:{pipeline.name}"},
        "at": at.isoformat(),
        "status": told,
        "attributes": {name: value for name, value in attributes.items() if value},
        "flows": flows,
    }
    return fact if pipeline.started_at is None else {**fact, "since": pipeline.started_at}


def artifact_uri(pipeline: Pipeline, path: str) -> str:
    """Return where a file of the run lies that was put nowhere else: with the run itself."""
    return f"{pipeline.tool}://{pipeline.name}/artifacts/{path.lstrip('./')}"


def _github(environment: Environment) -> Pipeline:
    server = _needed(environment, "GITHUB_SERVER_URL").rstrip("/")
    repository = f"{server}/{_needed(environment, 'GITHUB_REPOSITORY')}"
    attempt = environment.get("GITHUB_RUN_ATTEMPT") or "1"
    url = f"{repository}/actions/runs/{_needed(environment, 'GITHUB_RUN_ID')}/attempts/{attempt}"
    return Pipeline(
        tool="github-actions",
        name=_without_scheme(url),
        title=f"{environment.get('GITHUB_WORKFLOW') or 'workflow'} #{environment.get('GITHUB_RUN_NUMBER') or '?'}",
        repository=repository,
        commit=_needed(environment, "GITHUB_SHA"),
        branch=environment.get("GITHUB_REF_NAME") or environment.get("GITHUB_REF") or "",
        url=url,
        attributes=_told(
            environment,
            job="GITHUB_JOB",
            trigger="GITHUB_EVENT_NAME",
            actor="GITHUB_TRIGGERING_ACTOR",
            author="GITHUB_ACTOR",
            workflow="GITHUB_WORKFLOW_REF",
        ),
    )


def _gitlab(environment: Environment) -> Pipeline:
    url = _needed(environment, "CI_PIPELINE_URL")
    return Pipeline(
        tool="gitlab-ci",
        name=_without_scheme(url),
        title=f"{environment.get('CI_PROJECT_PATH') or 'pipeline'} #{_needed(environment, 'CI_PIPELINE_ID')}",
        repository=_needed(environment, "CI_PROJECT_URL"),
        commit=_needed(environment, "CI_COMMIT_SHA"),
        branch=environment.get("CI_COMMIT_REF_NAME") or "",
        url=url,
        attributes=_told(
            environment,
            job="CI_JOB_NAME",
            stage="CI_JOB_STAGE",
            job_url="CI_JOB_URL",
            trigger="CI_PIPELINE_SOURCE",
            actor="GITLAB_USER_LOGIN",
        ),
        # Only in after_script does a job know how it ended.
        status=environment.get("CI_JOB_STATUS") or None,
        started_at=environment.get("CI_PIPELINE_CREATED_AT") or None,
    )


def _jenkins(environment: Environment) -> Pipeline:
    url = _needed(environment, "BUILD_URL").rstrip("/")
    return Pipeline(
        tool="jenkins",
        name=_without_scheme(url),
        title=f"{_needed(environment, 'JOB_NAME')} #{_needed(environment, 'BUILD_NUMBER')}",
        repository=re.sub(r"^(https?://)[^/@]+@", r"\1", environment.get("GIT_URL") or ""),
        commit=environment.get("GIT_COMMIT") or "",
        branch=environment.get("GIT_BRANCH") or environment.get("BRANCH_NAME") or "",
        url=url,
        attributes=_told(
            environment, job="JOB_NAME", actor="BUILD_USER_ID", author="CHANGE_AUTHOR", worker="NODE_NAME"
        ),
    )


def _needed(environment: Environment, name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        remedy = "the CI tool sets it in every job (Jenkins: where its own URL is configured); pass it on to this one"
        raise InvalidInputError(f"the variable {name}", value, remedy)
    return value


def _told(environment: Environment, **names: str) -> dict[str, Any]:
    return {name: environment[variable] for name, variable in names.items() if environment.get(variable)}


def _status(word: str | None) -> str | None:
    if word is None:
        return None
    try:
        return STATUSES[word.strip().lower()]
    except KeyError:
        raise InvalidInputError("--status", word, f"take one of {', '.join(STATUSES)}") from None


def _node(option: str, name: str) -> dict[str, Any]:
    """Return the node that a name means: an ARN of SageMaker's or Bedrock's, an image with its digest, else data."""
    kind = kind_of(name)
    if kind is not None:
        return {"kind": kind.value, "id": name}
    if re.fullmatch(r"[\w.:/-]+@sha256:[0-9a-f]{64}", name):
        return {"kind": "image", "id": name}
    if parse_arn(name) is None and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://\S", name):
        remedy = "write a URI (s3://…), an ARN of SageMaker or Bedrock, or an image with its digest (…@sha256:…)"
        raise InvalidInputError(option, name, remedy)
    return {"kind": "dataset", "id": name}


def _flow(node: Mapping[str, Any], direction: str, kind: str, role: str) -> dict[str, Any]:
    return {"node": dict(node), "direction": direction, "type": kind, "role": role}


def _without_scheme(url: str) -> str:
    return re.sub(r"^https?://([^/@]+@)?", "", url)
