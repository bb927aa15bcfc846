"""The mirror in SageMaker Lineage: what SageMaker's own entities lack, as few entities as will do.

SageMaker makes trial components for jobs and artifacts for images, S3 addresses and packages by itself (SageMaker
developer guide, lineage-tracking-auto-creation). It records neither content, image digest, commit nor tuning parents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, Protocol

from hallmark.errors import NotFoundError, UnavailableError
from hallmark.lineage.model import EdgeType, Fact, NodeKind, RecordedFact
from hallmark.lineage.references import parse_arn

PATIENCE = timedelta(minutes=10)
"""How long after a fact SageMaker's own entities are still waited for."""

_SUFFIXES = {
    NodeKind.TRAINING_JOB: "aws-training-job",
    NodeKind.PROCESSING_JOB: "aws-processing-job",
    NodeKind.TRANSFORM_JOB: "aws-transform-job",
}
_ENDED = {"Completed", "Failed", "Stopped"}

Entity = Literal["artifact", "association"]


class NewArtifact(NamedTuple):
    """An artifact that SageMaker does not make by itself."""

    source_uri: str
    type: str
    name: str
    properties: Mapping[str, str]


class Link(NamedTuple):
    """An association; an end is an ARN, or the source URI of an artifact."""

    source: str
    target: str
    type: EdgeType
    required: bool
    """Whether an automatic entity that is missing at an end is waited for."""


class Plan(NamedTuple):
    """What a fact adds to SageMaker Lineage."""

    artifacts: list[NewArtifact]
    links: list[Link]


class LineageMirror(Protocol):
    """SageMaker Lineage."""

    def find_artifact(self, source_uri: str) -> str | None:
        """Return the ARN of the artifact with a source URI; None where there is none."""
        ...

    def create_artifact(self, artifact: NewArtifact) -> str:
        """Create an artifact, or find the one that there is; return its ARN."""
        ...

    def associate(self, source_arn: str, target_arn: str, kind: EdgeType) -> bool:
        """Associate two entities; False where they are associated already.

        Raises:
            NotFoundError: One of them does not exist (yet).
        """
        ...


class Budget(Protocol):
    """How many entities may still be made."""

    def take(self, entity: Entity) -> bool:
        """Reserve one entity; False where the budget is spent."""
        ...

    def give_back(self, entity: Entity) -> None:
        """Return a reservation that was not needed."""
        ...


class Mirrored(NamedTuple):
    """What was made of a plan."""

    created: int
    associated: int
    skipped: int
    spent: bool
    """Whether the budget did not allow everything."""


def plan_mirror(fact: Fact) -> Plan:
    """Return what a fact adds; nothing, for what SageMaker knows as well as we do."""
    plan = Plan([], [])
    state = fact.states[0]
    arn = str(state.attributes.get("arn") or "")
    if fact.subject.kind in _SUFFIXES and state.status in _ENDED:
        component = _trial_component(arn, _SUFFIXES[fact.subject.kind])
        for use in state.attributes.get("inputs") or ():
            _add_content(plan, use, component, produced=False)
        for use in state.attributes.get("outputs") or ():
            _add_content(plan, use, component, produced=True)
        image = state.attributes.get("image") or {}
        if image.get("digest") and "@" not in image["uri"]:
            _add_cause(plan, f"{image['uri']}@{image['digest']}", "Image", component, {"digest": image["digest"]})
        _add_commit(plan, state.attributes.get("code"), component)
    elif fact.subject.kind is NodeKind.MODEL_PACKAGE and state.status == "Completed":
        _add_commit(plan, state.attributes.get("code"), arn)
    return plan


def mirror(recorded: RecordedFact, target: LineageMirror, budget: Budget, now: datetime) -> Mirrored:
    """Add to SageMaker Lineage what a fact adds; a repeat adds nothing.

    Raises:
        UnavailableError: SageMaker has not made its own entities yet, or did not answer.
    """
    plan = plan_mirror(recorded.fact)
    arns: dict[str, str | None] = {}
    created, spent = _create(plan.artifacts, target, budget, arns) if plan.links else (0, False)
    associated = skipped = 0
    for link in plan.links:
        source, destination = (
            end if end.startswith("arn:") else _end(end, arns, target) for end in (link.source, link.target)
        )
        if source is None or destination is None:
            skipped += 1
            continue
        if not budget.take("association"):
            spent = True
            break
        try:
            new = target.associate(source, destination, link.type)
        except NotFoundError as error:
            budget.give_back("association")
            if link.required and now - recorded.recorded_at < PATIENCE:
                raise UnavailableError(f"SageMaker has not made its own entity yet: {error}") from error
            skipped += 1
            continue
        if new:
            associated += 1
        else:
            budget.give_back("association")
    return Mirrored(created, associated, skipped, spent)


def _create(
    artifacts: list[NewArtifact], target: LineageMirror, budget: Budget, arns: dict[str, str | None]
) -> tuple[int, bool]:
    """Create the artifacts that are missing; return how many, and whether the budget was spent."""
    created = 0
    for artifact in artifacts:
        found = target.find_artifact(artifact.source_uri)
        if found is None:
            if not budget.take("artifact"):
                return created, True
            found = target.create_artifact(artifact)
            created += 1
        arns[artifact.source_uri] = found
    return created, False


def _end(uri: str, arns: dict[str, str | None], target: LineageMirror) -> str | None:
    # SageMaker tracks an address as it was given to the API, with or without a slash at its end.
    if uri not in arns:
        arns[uri] = target.find_artifact(uri) or (target.find_artifact(f"{uri}/") if uri.startswith("s3://") else None)
    return arns[uri]


def _add_content(plan: Plan, use: Mapping[str, Any], component: str, *, produced: bool) -> None:
    if not use.get("digest"):
        return
    uri = str(use["uri"])
    source_uri = f"{uri}#{str(use['digest']).replace(':', '=')}"
    properties = {
        "digest": str(use["digest"]),
        "objects": str(use["objects"]),
        "bytes": str(use["bytes"]),
        "dataset": uri,
    }
    kind = "Model" if produced and use["role"] == "model" else "DataSet"
    plan.artifacts.append(NewArtifact(source_uri, kind, _entity_name(uri, str(use["digest"])), properties))
    plan.links.append(Link(uri, source_uri, EdgeType.DERIVED_FROM, required=False))
    if produced:
        plan.links.append(Link(component, source_uri, EdgeType.PRODUCED, required=True))
    else:
        plan.links.append(Link(source_uri, component, EdgeType.CONTRIBUTED_TO, required=True))


def _add_commit(plan: Plan, code: Mapping[str, Any] | None, effect: str) -> None:
    commit = (code or {}).get("commit")
    if code and commit:
        repository = str(code.get("repository") or "git:")
        properties = {"commit": str(commit), "repository": repository}
        _add_cause(plan, f"{repository}@{commit}", "SourceCode", effect, properties)


def _add_cause(plan: Plan, source_uri: str, kind: str, effect: str, properties: Mapping[str, str]) -> None:
    plan.artifacts.append(NewArtifact(source_uri, kind, _entity_name(source_uri, ""), properties))
    plan.links.append(Link(source_uri, effect, EdgeType.CONTRIBUTED_TO, required=effect.startswith("arn:")))


def _trial_component(arn: str, suffix: str) -> str:
    parsed = parse_arn(arn)
    if parsed is None:
        return arn
    name = f"{parsed.name}-{suffix}".lower()
    return f"arn:{parsed.partition}:sagemaker:{parsed.region}:{parsed.account}:experiment-trial-component/{name}"


def _entity_name(text: str, digest: str) -> str:
    """Return a name that SageMaker takes: letters, digits and single hyphens, 120 at most (CreateArtifact)."""
    words = re.findall(r"[A-Za-z0-9]+", f"{text.rpartition('/')[2]} {digest.removeprefix('sha256:')[:12]}")
    return "-".join(words)[:120].strip("-") or "artifact"
