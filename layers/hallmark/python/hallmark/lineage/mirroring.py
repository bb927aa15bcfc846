"""The mirror in SageMaker Lineage: what SageMaker's own entities lack, as few entities as will do.

SageMaker makes trial components for jobs and artifacts for images, S3 addresses and packages by itself (SageMaker
developer guide, lineage-tracking-auto-creation). It knows an address, not what lay there; a tag, not the image behind
it; neither commits nor feature groups, tuning parents, or which model a transform job used. Entities that others make
are limited (lineage-tracking-manual-creation), so the mirror has a budget and takes no more than it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol

from hallmark.errors import HallmarkError, NotFoundError, UnavailableError
from hallmark.lineage.model import Edge, EdgeType, Fact, NodeKind, NodeRef, RecordedFact
from hallmark.lineage.references import image_ref, parse_arn

PATIENCE = timedelta(minutes=10)
"""How long after a fact SageMaker's own entities are waited for; then the mirror does without.

The SageMaker SDK for Python waits for two minutes; a message that comes back does so after twelve.
"""

TRIAL_COMPONENTS: Mapping[NodeKind, str] = {
    NodeKind.TRAINING_JOB: "aws-training-job",
    NodeKind.PROCESSING_JOB: "aws-processing-job",
    NodeKind.TRANSFORM_JOB: "aws-transform-job",
}
"""Kinds of jobs for which SageMaker makes a trial component, and what its name ends with (SageMaker SDK for Python)."""

_CAUSES: Mapping[NodeKind, str] = {
    NodeKind.FEATURE_GROUP: "FeatureGroup",
    NodeKind.TUNING_JOB: "HyperParameterTuningJob",
    NodeKind.AUTOML_JOB: "AutoMLJob",
    NodeKind.MODEL: "Model",
}
"""What SageMaker makes no entity for, and the type of the artifact that stands for it."""

_ENDED = {"Completed", "Failed", "Stopped"}
_WITH_OUTPUT = {"Completed", "Stopped"}
_NOTHING: Mapping[str, str] = MappingProxyType({})
_NAME_LENGTH = 120
_PROPERTY_LENGTH = 4096
_METADATA_LENGTH = 1024
"""SageMaker API reference, CreateArtifact."""

Entity = Literal["artifact", "association"]


class NewArtifact(NamedTuple):
    """An artifact that SageMaker does not make by itself."""

    source_uri: str
    type: str
    name: str
    properties: Mapping[str, str]
    metadata: Mapping[str, str] = _NOTHING
    """``CommitId``, ``Repository``, ``GeneratedBy``."""


class Own(NamedTuple):
    """An artifact that SageMaker makes by itself, under one of these addresses; waited for, where it surely comes."""

    source_uris: tuple[str, ...]
    is_awaited: bool = True


class Component(NamedTuple):
    """The trial component that SageMaker makes for a job."""

    arn: str


End = NewArtifact | Own | Component


class Link(NamedTuple):
    """An association from cause to effect."""

    source: End
    target: End
    type: EdgeType


class Plan(NamedTuple):
    """What a fact adds to SageMaker Lineage: associations with their ends, and properties of an artifact of its own."""

    links: list[Link]
    described: Own | None = None
    properties: Mapping[str, str] = _NOTHING


class LimitReachedError(HallmarkError):
    """The account may have no more entities of a kind: whoever else makes them has used them up."""


class NotMadeError(UnavailableError):
    """The service said no for now: nothing was made, so what was reserved is free again."""


class LineageMirror(Protocol):
    """SageMaker Lineage. Every method raises UnavailableError where it cannot know what became of a request."""

    def find_artifact(self, source_uri: str) -> str | None:
        """Return the ARN of the artifact with a source URI; None where there is none."""
        ...

    def create_artifact(self, artifact: NewArtifact) -> tuple[str, bool]:
        """Create an artifact, or find the one that there is; return its ARN, and whether it was made now.

        Raises:
            LimitReachedError: The account may have no more.
            NotMadeError: The service takes no request now.
        """
        ...

    def associate(self, source_arn: str, target_arn: str, kind: EdgeType) -> bool:
        """Associate two entities; False where they are associated already.

        Raises:
            LimitReachedError: The account may have no more.
            NotFoundError: One of them does not exist (yet).
            NotMadeError: The service takes no request now.
        """
        ...

    def describe(self, artifact_arn: str, properties: Mapping[str, str]) -> bool:
        """Add properties to an artifact; False where it has them already."""
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

    artifacts: int = 0
    associations: int = 0
    described: int = 0
    skipped: int = 0
    """Associations whose other end SageMaker has not made."""
    spent: bool = False
    """Whether the budget, or the account's own limit, did not allow everything."""


def may_add(kind: NodeKind, status: str | None) -> bool:
    """Tell whether a fact of this kind and status may add something: a run that has ended, a package, a model.

    Endpoints add nothing: SageMaker makes a context, a deployment, and its images, models and packages for each.
    """
    if kind is NodeKind.MODEL:
        return status not in {"Deleting", "Deleted"}
    if kind is NodeKind.MODEL_PACKAGE:
        return status == "Completed"
    return kind in TRIAL_COMPONENTS and status in _ENDED


def plan_mirror(fact: Fact) -> Plan:
    """Return what a fact adds; nothing, for what SageMaker knows as well as we do."""
    kind, state = fact.subject.kind, fact.states[0]
    arn = str(state.attributes.get("arn") or "")
    if not may_add(kind, state.status) or parse_arn(arn) is None:
        return Plan([])
    if kind is NodeKind.MODEL_PACKAGE:
        return _plan_package(fact, arn)
    return Plan(_distinct(_of_model(fact) if kind is NodeKind.MODEL else _of_job(fact, arn)))


def mirror(recorded: RecordedFact, target: LineageMirror, budget: Budget, now: datetime) -> Mirrored:
    """Add to SageMaker Lineage what a fact adds; a repeat adds nothing.

    Raises:
        UnavailableError: SageMaker has not made its own entities yet, or did not answer.
    """
    plan = plan_mirror(recorded.fact)
    return _Work(target, budget, is_patient=now - recorded.recorded_at < PATIENCE).do(plan)


class _SpentError(HallmarkError):
    """No more may be made."""


class _Work:
    """The making of one plan."""

    def __init__(self, target: LineageMirror, budget: Budget, *, is_patient: bool) -> None:
        self._target = target
        self._budget = budget
        self._is_patient = is_patient
        self._found: dict[str, str | None] = {}
        self._done = Mirrored()

    def do(self, plan: Plan) -> Mirrored:
        """Make what is missing. What SageMaker has to make first is looked for before anything is made."""
        if self._is_patient:
            for end in (end for link in plan.links for end in (link.source, link.target)):
                if isinstance(end, Own) and end.is_awaited and self._find(end) is None:
                    raise UnavailableError(f"SageMaker has not made its own artifact of {end.source_uris[0]} yet")
        try:
            for link in plan.links:
                self._link(link)
            if plan.described is not None:
                self._describe(plan.described, plan.properties)
        except (_SpentError, LimitReachedError):
            self._done = self._done._replace(spent=True)
        return self._done

    def _link(self, link: Link) -> None:
        # A new artifact that cannot be associated is an entity spent for nothing: the other end comes first.
        ends: dict[str, str | None] = {}
        for name, end in sorted({"source": link.source, "target": link.target}.items(), key=_new_ones_last):
            ends[name] = self._arn(end)
            if ends[name] is None:
                self._done = self._done._replace(skipped=self._done.skipped + 1)
                return
        self._take("association")
        try:
            new = self._target.associate(str(ends["source"]), str(ends["target"]), link.type)
        except NotFoundError as error:
            self._budget.give_back("association")
            if self._is_patient:
                raise UnavailableError(f"SageMaker has not made its own entity yet: {error}") from error
            self._done = self._done._replace(skipped=self._done.skipped + 1)
            return
        except (LimitReachedError, NotMadeError):
            self._budget.give_back("association")
            raise
        if new:
            self._done = self._done._replace(associations=self._done.associations + 1)
        else:
            self._budget.give_back("association")

    def _arn(self, end: End) -> str | None:
        if isinstance(end, Component):
            return end.arn
        return self._find(end) if isinstance(end, Own) else self._make(end)

    def _find(self, own: Own) -> str | None:
        for uri in own.source_uris:
            if uri not in self._found:
                self._found[uri] = self._target.find_artifact(uri)
            if self._found[uri] is not None:
                return self._found[uri]
        return None

    def _make(self, artifact: NewArtifact) -> str:
        known = self._find(Own((artifact.source_uri,)))
        if known is not None:
            return known
        self._take("artifact")
        try:
            arn, new = self._target.create_artifact(artifact)
        except (LimitReachedError, NotMadeError):
            self._budget.give_back("artifact")
            raise
        if new:
            self._done = self._done._replace(artifacts=self._done.artifacts + 1)
        else:
            self._budget.give_back("artifact")
        self._found[artifact.source_uri] = arn
        return arn

    def _take(self, entity: Entity) -> None:
        if not self._budget.take(entity):
            raise _SpentError(entity)

    def _describe(self, own: Own, properties: Mapping[str, str]) -> None:
        arn = self._find(own)
        if arn is None:
            self._done = self._done._replace(skipped=self._done.skipped + 1)
        elif self._target.describe(arn, properties):
            self._done = self._done._replace(described=self._done.described + 1)


def _new_ones_last(named: tuple[str, End]) -> bool:
    return isinstance(named[1], NewArtifact)


# --- what each kind adds ---


def _of_job(fact: Fact, arn: str) -> Iterator[Link]:
    """Yield what a job adds: its data by content, the image behind the tag, the commit, and what led to it."""
    attributes = fact.states[0].attributes
    component = _trial_component(fact.subject.kind, arn)
    has_output = fact.states[0].status in _WITH_OUTPUT
    for use in attributes.get("inputs") or ():
        # Script mode's archive is a hyperparameter, of which SageMaker makes no artifact.
        yield from _of_content(use, component, produced=False, is_awaited=use["role"] != "code")
    for use in attributes.get("outputs") or ():
        yield from _of_content(use, component, produced=True, is_awaited=has_output, metadata=_metadata(fact, arn))
    image = attributes.get("image") or {}
    if image.get("digest") and "@" not in image["uri"]:
        node = image_ref(image["uri"], image["digest"])
        properties = {"digest": image["digest"], "image": image["uri"]}
        yield Link(_artifact(node.id, "Image", properties), component, EdgeType.CONTRIBUTED_TO)
    yield from _of_commit(attributes.get("code"), component)
    for edge in fact.edges:
        yield from _of_edge(edge, fact.subject, component)


def _of_content(
    use: Mapping[str, Any],
    component: Component,
    *,
    produced: bool,
    is_awaited: bool,
    metadata: Mapping[str, str] | None = None,
) -> Iterator[Link]:
    """Yield what a dataset adds: its content, as an artifact of its own, derived from that of the address."""
    if not use.get("digest"):
        return
    uri, digest = str(use["uri"]), str(use["digest"])
    properties = {
        "digest": digest,
        "objects": str(use["objects"]),
        "bytes": str(use["bytes"]),
        "dataset": uri,
        "version": str(use["version"]),
        **({} if use.get("complete", True) else {"complete": "false"}),
    }
    kind = "Model" if produced and use["role"] == "model" else "DataSet"
    content = _artifact(snapshot_uri(uri, digest), kind, properties, metadata)
    if produced:
        yield Link(component, content, EdgeType.PRODUCED)
    else:
        yield Link(content, component, EdgeType.CONTRIBUTED_TO)
    # SageMaker tracks an address as it was given to the API, with or without a slash at its end.
    addresses = (uri, f"{uri}/") if uri.startswith("s3://") else (uri,)
    yield Link(Own(addresses, is_awaited), content, EdgeType.DERIVED_FROM)


def _of_commit(code: Mapping[str, Any] | None, component: Component) -> Iterator[Link]:
    commit = str((code or {}).get("commit") or "")
    if not commit:
        return
    repository = str((code or {}).get("repository") or "")
    properties = {"commit": commit, **({"repository": repository} if repository else {})}
    metadata = {"CommitId": commit, **({"Repository": repository} if repository else {})}
    source = _artifact(f"git:{repository}@{commit}", "SourceCode", properties, metadata)
    yield Link(source, component, EdgeType.CONTRIBUTED_TO)


def _of_edge(edge: Edge, subject: NodeRef, component: Component) -> Iterator[Link]:
    """Yield what an edge adds whose other end SageMaker makes no entity for."""
    other = edge.source if edge.target == subject else edge.target
    if other.kind not in _CAUSES:
        return
    artifact = _artifact(other.id, _CAUSES[other.kind], {})
    if edge.target == subject:
        yield Link(artifact, component, edge.type)
    else:
        yield Link(component, artifact, edge.type)


def _plan_package(fact: Fact, arn: str) -> Plan:
    """Return what a package adds: the content of its model, and on its artifact what else identifies it."""
    attributes = fact.states[0].attributes
    own = Own((arn, fact.subject.id))
    links: list[Link] = []
    digests: list[str] = []
    for edge in fact.edges:
        if edge.role == "model-data" and edge.source.kind is NodeKind.DATASET_VERSION:
            uri, _, digest = edge.source.id.partition("#")
            properties = {"digest": digest, "dataset": uri, "version": edge.source.id}
            content = _artifact(snapshot_uri(uri, digest), "Model", properties)
            links.append(Link(content, own, EdgeType.CONTRIBUTED_TO))
            digests.append(digest)
    code = attributes.get("code") or {}
    known = {
        "commit": code.get("commit"),
        "repository": code.get("repository"),
        "image_digest": (attributes.get("image") or {}).get("digest"),
        "model_digest": digests[0] if digests else None,
    }
    properties = {name: str(value)[:_PROPERTY_LENGTH] for name, value in known.items() if value}
    return Plan(_distinct(links), own if properties else None, properties)


def _of_model(fact: Fact) -> Iterator[Link]:
    """Yield what a model adds: which packages it was made from."""
    model = _artifact(fact.subject.id, _CAUSES[NodeKind.MODEL], {})
    for edge in fact.edges:
        if edge.target == fact.subject and edge.source.kind is NodeKind.MODEL_PACKAGE:
            yield Link(Own((edge.source.id,)), model, edge.type)


def _distinct(links: Iterable[Link]) -> list[Link]:
    """Leave out what is said twice: two channels may read the same content."""
    return list({(_address(link.source), _address(link.target)): link for link in links}.values())


def _address(end: End) -> str:
    if isinstance(end, Component):
        return end.arn
    return end.source_uris[0] if isinstance(end, Own) else end.source_uri


def snapshot_uri(uri: str, digest: str) -> str:
    """Return the address of a content: ``s3://bucket/key#sha256=…``; the same content has one artifact."""
    return f"{uri}#{digest.replace(':', '=')}"


def _metadata(fact: Fact, arn: str) -> dict[str, str]:
    code = fact.states[0].attributes.get("code") or {}
    known = {"CommitId": code.get("commit"), "Repository": code.get("repository"), "GeneratedBy": arn}
    return {name: str(value) for name, value in known.items() if value}


def _artifact(
    source_uri: str, kind: str, properties: Mapping[str, str], metadata: Mapping[str, str] | None = None
) -> NewArtifact:
    return NewArtifact(
        source_uri=source_uri,
        type=kind,
        name=entity_name(source_uri),
        properties={name: value[:_PROPERTY_LENGTH] for name, value in properties.items()},
        metadata={name: value[:_METADATA_LENGTH] for name, value in (metadata or {}).items()},
    )


def _trial_component(kind: NodeKind, arn: str) -> Component:
    parsed = parse_arn(arn)
    if parsed is None:
        raise ValueError(f"{arn} is no ARN")
    name = f"{parsed.name}-{TRIAL_COMPONENTS[kind]}".lower()
    prefix = f"arn:{parsed.partition}:sagemaker:{parsed.region}:{parsed.account}"
    return Component(f"{prefix}:experiment-trial-component/{name}")


def entity_name(source_uri: str) -> str:
    """Return a name that SageMaker takes: letters, digits and hyphens between them, 120 at most (CreateArtifact).

    It says the last part of the address and the beginning of a digest; it needs not be unique.
    """
    last = source_uri.rstrip("/").rpartition("/")[2]
    shortened = re.sub(r"(sha256[:=])?([0-9a-f]{12})[0-9a-f]{28,}", r"\2", last)
    words = re.findall(r"[A-Za-z0-9]+", shortened)
    return "-".join(words)[:_NAME_LENGTH].strip("-") or "artifact"
