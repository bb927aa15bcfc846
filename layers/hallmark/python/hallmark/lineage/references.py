"""How things are named in the graph: from ARNs, names, S3 URIs, images and commits to node references."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from hallmark.lineage.model import NodeKind, NodeRef

REUSABLE_KINDS = frozenset(
    {
        NodeKind.PROCESSING_JOB,
        NodeKind.TRAINING_JOB,
        NodeKind.TUNING_JOB,
        NodeKind.TRANSFORM_JOB,
        NodeKind.LABELING_JOB,
        NodeKind.AUTOML_JOB,
        NodeKind.JOB,
        NodeKind.MODEL,
        NodeKind.ENDPOINT_CONFIG,
        NodeKind.ENDPOINT,
        NodeKind.FEATURE_GROUP,
        NodeKind.MODEL_CARD,
        NodeKind.PIPELINE,
        NodeKind.MODEL_PACKAGE_GROUP,
        NodeKind.REGISTERED_MODEL,
        NodeKind.MODEL_VERSION,
    }
)
"""Kinds whose names can be used again after a deletion (SageMaker API reference, DeleteTrainingJob; so in MLflow)."""

OWN_KINDS = frozenset(
    {
        NodeKind.VERDICT,
        NodeKind.APPROVAL,
        NodeKind.OVERRIDE,
        NodeKind.ACTION,
        NodeKind.BASELINE,
        NodeKind.DRIFT_REPORT,
        NodeKind.REVIEW,
        NodeKind.FEEDBACK,
        NodeKind.ALERT,
        NodeKind.ATTESTATION,
        NodeKind.REPRODUCTION,
        NodeKind.FORGETTING,
    }
)
"""Kinds that only Hallmark knows: ``hallmark:<kind>/<name>``."""
FOREIGN_KINDS = frozenset({NodeKind.RUN, NodeKind.REGISTERED_MODEL, NodeKind.MODEL_VERSION, NodeKind.MODEL_ALIAS})
"""Kinds of other tools: ``<tool>:<the tool's own name>``."""
_NOT_IN_ARNS = {
    NodeKind.DATASET,
    NodeKind.DATASET_VERSION,
    NodeKind.IMAGE,
    NodeKind.CODE,
    NodeKind.USER,
    *OWN_KINDS,
    *FOREIGN_KINDS,
}
_KINDS_BY_WORD = {kind.value: kind for kind in NodeKind if kind not in _NOT_IN_ARNS} | {
    "tuningJob": NodeKind.TUNING_JOB,
    "user-profile": NodeKind.USER,
    "provisioned-model": NodeKind.CUSTOM_MODEL,
    "imported-model": NodeKind.CUSTOM_MODEL,
    "hub-content": NodeKind.FOUNDATION_MODEL,
    "inference-profile": NodeKind.FOUNDATION_MODEL,
}


class Arn(NamedTuple):
    """The parts of an ARN."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @property
    def name(self) -> str:
        """Return what follows the resource's word: the name as the ARN spells it."""
        return self.resource.partition("/")[2]


def parse_arn(text: str) -> Arn | None:
    """Return the parts of an ARN; None for anything else."""
    parts = text.split(":", 5)
    if len(parts) != _ARN_PARTS or parts[0] != "arn" or not parts[1].startswith("aws"):
        return None
    return Arn(*parts[1:])


_ARN_PARTS = 6


def kind_of(arn: str) -> NodeKind | None:
    """Tell what an ARN of SageMaker or Bedrock names; None for anything else."""
    parsed = parse_arn(arn)
    if parsed is None or parsed.service not in {"sagemaker", "bedrock"}:
        return None
    word = parsed.resource.partition("/")[0]
    if word == "pipeline" and "/execution/" in parsed.resource:
        return NodeKind.PIPELINE_EXECUTION
    return _KINDS_BY_WORD.get(word)


def resource_ref(arn: str, kind: NodeKind, born: datetime | None = None) -> NodeRef:
    """Return the node of an AWS resource.

    SageMaker spells names in ARNs in lower case, some of its events do not: the id has lower case always.
    """
    parsed = parse_arn(arn)
    identifier = arn
    if parsed is not None and parsed.service == "sagemaker":
        identifier = ":".join(("arn", *parsed[:4], parsed.resource.lower()))
        if kind is NodeKind.TUNING_JOB:
            identifier = identifier.replace(":tuningjob/", ":hyper-parameter-tuning-job/")
    whole = born.replace(microsecond=0) if born is not None and kind in REUSABLE_KINDS else None
    return NodeRef(kind=kind, id=identifier, born=whole)


def sibling_ref(arn: str, kind: NodeKind, name: str) -> NodeRef:
    """Return the node of a resource that is named only, in the account and Region of another one's ARN."""
    if kind_of(name) is kind:
        return resource_ref(name, kind)
    parsed = parse_arn(arn)
    prefix = (
        f"arn:{parsed.partition}:{parsed.service}:{parsed.region}:{parsed.account}" if parsed else "arn:aws:sagemaker::"
    )
    return resource_ref(f"{prefix}:{kind.value}/{name}", kind)


@lru_cache(maxsize=4096)
def dataset_id(uri: str) -> str:
    """Return the one spelling of a dataset's URI.

    No trailing slash, no doubled slash, the scheme in lower case; ``s3://`` for Hadoop's ``s3a`` and ``s3n``, and for
    S3's own hosts.
    """
    scheme, separator, rest = uri.strip().partition("://")
    if not separator:
        return uri.strip()
    scheme = scheme.lower()
    if scheme in _S3_SCHEMES:
        scheme = "s3"
    host = _S3_HOST.match(rest) if scheme == "https" else None
    if host is not None:
        scheme, rest = "s3", f"{host['bucket'] or ''}/{rest[host.end() :]}".lstrip("/")
    return f"{scheme}://{re.sub('/+', '/', rest).rstrip('/')}"


_S3_SCHEMES = frozenset({"s3a", "s3n"})
_S3_HOST = re.compile(r"(?:(?P<bucket>[a-z0-9.-]+)\.)?s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?/")
"""``bucket.s3.region.amazonaws.com/key`` and ``s3.region.amazonaws.com/bucket/key``: SageMaker takes both for model
data (SageMaker API reference, ContainerDefinition, pattern of ModelDataUrl)."""

_OFFLINE_STORE = re.compile(
    r"s3://.+/(?P<account>\d{12})/sagemaker/(?P<region>[a-z0-9-]+)/offline-store/(?P<group>[A-Za-z0-9-]+)-\d{10}(?:/|$)"
)


def feature_group_of(uri: str, account: str, region: str) -> str | None:
    """Return the name of the account's feature group whose offline store a URI lies in; None for any other URI.

    ``s3://…/<account>/sagemaker/<region>/offline-store/<feature group>-<creation time>/data/…`` (SageMaker developer
    guide, feature-store-offline).
    """
    found = _OFFLINE_STORE.match(uri)
    if found is None or (found["account"], found["region"]) != (account, region):
        return None
    return found["group"]


def dataset_ref(uri: str) -> NodeRef:
    """Return the node of an S3 location."""
    return NodeRef(kind=NodeKind.DATASET, id=dataset_id(uri))


def version_ref(uri: str, digest: str) -> NodeRef:
    """Return the node of a location's content; ``digest`` is ``sha256:…``."""
    return NodeRef(kind=NodeKind.DATASET_VERSION, id=f"{dataset_id(uri)}#{digest}")


def image_ref(uri: str, digest: str | None) -> NodeRef:
    """Return the node of a container image: by digest without the tag, where the digest is known."""
    name, _, given = uri.partition("@")
    digest = given or digest
    if not digest:
        return NodeRef(kind=NodeKind.IMAGE, id=uri)
    path, slash, last = name.rpartition("/")
    return NodeRef(kind=NodeKind.IMAGE, id=f"{path}{slash}{last.partition(':')[0]}@{digest}")


def code_ref(repository: str | None, commit: str) -> NodeRef:
    """Return the node of a commit."""
    return NodeRef(kind=NodeKind.CODE, id=f"git:{repository or ''}@{commit}")
