"""What the lineage of a resource lacks: one rule a need, each with its reason and its remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from hallmark.lineage.coverage.report import Gap
from hallmark.lineage.coverage.settings import Need
from hallmark.lineage.model import CODE_ROLES, Edge, NodeKind

_RUN: tuple[Need, ...] = ("data", "image", "commit", "who", "reason")
_TASK: tuple[Need, ...] = ("data", "model", "who", "reason")
NEEDS: Mapping[NodeKind, tuple[Need, ...]] = {
    NodeKind.TRAINING_JOB: _RUN,
    NodeKind.PROCESSING_JOB: _RUN,
    NodeKind.TUNING_JOB: _RUN,
    NodeKind.TRANSFORM_JOB: _TASK,
    NodeKind.CUSTOMIZATION_JOB: _TASK,
    NodeKind.BATCH_INFERENCE_JOB: _TASK,
    NodeKind.LABELING_JOB: ("data", "who", "reason"),
    NodeKind.MODEL: ("image", "package", "who", "reason"),
    NodeKind.MODEL_PACKAGE: ("image", "artifact", "commit", "who", "reason"),
    NodeKind.ENDPOINT_CONFIG: ("model", "who", "reason"),
    NodeKind.ENDPOINT: ("config", "who", "reason"),
}
"""What each kind of resource can have; of the others it counts whether they are recorded, by whom and why."""
_OTHERS: tuple[Need, ...] = ("who", "reason")

ATTEMPTED = "attempted"
"""Role of a call that AWS refused: it says nothing of who made a resource."""
REASON_TAG = "hallmark:reason"
_MODELS = frozenset({NodeKind.MODEL, NodeKind.CUSTOM_MODEL, NodeKind.FOUNDATION_MODEL, NodeKind.MODEL_PACKAGE})
_BY_PEOPLE = frozenset({NodeKind.USER, NodeKind.ACTION})
_REGISTRY = re.compile(r"(?P<account>\d{12})\.dkr[.-]ecr[^/]*/(?P<repository>[^:@]+)")
_DELETED = "it was deleted before it could be described: only its event tells of it"


class Subject(NamedTuple):
    """A resource as it is recorded: what is known of it, the edges that reach it, and what acts on it say."""

    kind: NodeKind
    account: str
    attributes: Mapping[str, Any]
    edges: Sequence[Edge]
    reasons: Callable[[], bool]
    """Tells whether an act on it says why."""

    def reached_from(self, kinds: frozenset[NodeKind]) -> bool:
        """Tell whether a node of some kinds flows into it; a call that was only attempted does not count."""
        return any(edge.source.kind in kinds and edge.role != ATTEMPTED for edge in self.edges)


def gaps_of(subject: Subject, required: Sequence[str]) -> list[Gap]:
    """Return what a resource's lineage lacks, and whether the policy asks for it."""
    found = []
    for need in NEEDS.get(subject.kind, _OTHERS):
        fault = _RULES[need](subject)
        if fault is not None:
            because, remedy = fault
            found.append(Gap(need=need, because=because, remedy=remedy, is_required=need in required))
    return found


_Fault = tuple[str, str] | None


def _data(subject: Subject) -> _Fault:
    told = subject.attributes
    uses = [use for use in told.get("inputs") or () if use.get("role") not in CODE_ROLES]
    if not uses:
        if told.get("event_only"):
            return _DELETED, "keep jobs until Hallmark has described them, which takes seconds"
        return "it names no data", "give the job its data as channels or inputs"
    faults = [fault for use in uses if (fault := _use(use)) is not None]
    if not faults:
        return None
    others = f" (and {len(faults) - 1} more inputs)" if len(faults) > 1 else ""
    return faults[0][0] + others, faults[0][1]


def _use(use: Mapping[str, Any]) -> _Fault:
    uri = str(use.get("uri"))
    if not uri.startswith("s3://"):
        told = use.get("digest") is not None
        remedy = "let the tool that wrote it tell its digest (docs/events.md)"
        return None if told else (f"{uri} does not lie in S3", remedy)
    bucket = uri.removeprefix("s3://").partition("/")[0]
    if use.get("refused"):
        said = str(use["refused"])
        gone = said.startswith(("NoSuchBucket", "404"))
        mend = f"add to hallmark.yaml, lineage.data_buckets: {bucket} (for runs from then on)"
        return f"{uri}: {said}", "nothing mends it: keep buckets as long as what came of them" if gone else mend
    return _listed(use, uri, bucket)


def _listed(use: Mapping[str, Any], uri: str, bucket: str) -> _Fault:
    if use.get("changed_after"):
        return (
            f"{uri}: {use['changed_after']} objects changed after the run had begun, in a bucket without versions",
            f"aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled",
        )
    if use.get("complete") is False:
        return (
            f"{uri}: only the first {use.get('objects', 0):,} objects were listed",
            f"raise in hallmark.yaml, lineage.snapshot.objects: {_rounded(int(use.get('objects') or 0))}",
        )
    if not use.get("digest"):
        return f"{uri}: nothing lay there when the run began", "see whether the job's URI is right"
    return None


def _rounded(objects: int) -> int:
    return min(1_000_000, max(1, objects) * 10)


def _image(subject: Subject) -> _Fault:
    told = subject.attributes
    if told.get("algorithm"):
        return None  # of the marketplace: nobody but AWS knows its image
    if subject.kind in {NodeKind.MODEL, NodeKind.MODEL_PACKAGE}:
        found = [(each.get("image"), each.get("image_digest")) for each in told.get("containers") or ()]
        if any(each.get("package") for each in told.get("containers") or ()):
            return None  # the package has it
        known = {edge.source.id.partition("@")[0] for edge in subject.edges if "@sha256:" in edge.source.id}
        found = [(uri, digest or _repository(uri) in known) for uri, digest in found if uri]
    else:
        image = told.get("image") or {}
        found = [(image["uri"], image.get("digest"))] if image.get("uri") else []
    if not found:
        return (_DELETED if told.get("event_only") else "it names no image"), "describe it again: hallmark backfill"
    tagged = next((str(uri) for uri, digest in found if not digest and "@sha256:" not in str(uri)), None)
    if tagged is None:
        return None
    return _of_a_tag(tagged, subject.account)


def _of_a_tag(image: str, account: str) -> _Fault:
    registry = _REGISTRY.match(image)
    if registry is None:
        return (
            f"{image} is known by its tag only, and its registry is none of ECR",
            "start jobs by digest, or mirror the image into this account",
        )
    owner = registry["account"]
    if owner != account:
        return (
            f"{image} is known by its tag only: {owner} was not asked, lets nobody pull it, or is in another Region",
            f"add to hallmark.yaml, lineage.image_registries: {owner}; or start jobs by digest",
        )
    return (
        f"{image} is known by its tag only: its repository may not be read, or the tag was gone",
        f"add to hallmark.yaml, lineage.image_repositories: {registry['repository']}; or start jobs by digest",
    )


def _repository(uri: object) -> str:
    path, slash, last = str(uri).rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}"


def _commit(subject: Subject) -> _Fault:
    told = subject.attributes
    if (told.get("code") or {}).get("commit") or told.get("commit"):
        return None
    if any(edge.source.kind is NodeKind.CODE for edge in subject.edges):
        return None
    place = "MetadataProperties.CommitId" if subject.kind is NodeKind.MODEL_PACKAGE else "tag, variable or parameter"
    return f"no {place} names one", "tag it git_commit and git_repository, e.g. from CI"


def _model(subject: Subject) -> _Fault:
    if subject.reached_from(_MODELS):
        return None
    return "no model is known that it uses", "describe it again: hallmark backfill"


def _package(subject: Subject) -> _Fault:
    if any(edge.source.kind is NodeKind.MODEL_PACKAGE for edge in subject.edges):
        return None
    return (
        "it was made from an image and a file, not from a registered package",
        "register the model, and create models from it (ModelPackageName)",
    )


def _artifact(subject: Subject) -> _Fault:
    uses = [edge.source for edge in subject.edges if edge.role == "model-data"]
    if any(source.kind is NodeKind.DATASET_VERSION for source in uses):
        return None
    if not uses:
        return "it names no model data", "register the model with its artifact"
    bucket = uses[0].id.removeprefix("s3://").partition("/")[0]
    return (
        f"the content of {uses[0].id} is not known",
        f"add to hallmark.yaml, lineage.data_buckets: {bucket} (for packages from then on)",
    )


def _config(subject: Subject) -> _Fault:
    if any(edge.source.kind is NodeKind.ENDPOINT_CONFIG for edge in subject.edges):
        return None
    return "no configuration is known that it serves", "describe it again: hallmark backfill"


def _who(subject: Subject) -> _Fault:
    told = subject.attributes
    if told.get("created_by") or told.get("parent") or subject.reached_from(_BY_PEOPLE):
        return None
    return "no person and no call is known that made it", "let CloudTrail's management events come: a trail is needed"


def _reason(subject: Subject) -> _Fault:
    told = subject.attributes
    told_why = (told.get("tags") or {}).get(REASON_TAG) or told.get("approval_description") or told.get("parent")
    if told_why or subject.reasons():
        return None
    return "nothing says why it was made", f"tag it {REASON_TAG}"


_RULES: Mapping[str, Callable[[Subject], _Fault]] = {
    "data": _data,
    "image": _image,
    "commit": _commit,
    "model": _model,
    "package": _package,
    "artifact": _artifact,
    "config": _config,
    "who": _who,
    "reason": _reason,
}
