"""The words of lineage: nodes, their states, edges, and the immutable fact that asserts them.

A **fact** is one observation of one subject. It asserts *states* (what a node was like, and when) and *edges* (what
flowed from where to where, and when). Facts are only ever added; the graph is the union of what all facts assert, so
the order and the number of deliveries cannot change it. "Current" is a view: the fold of all states of a node.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Attributes = Mapping[str, Any]
"""JSON values under snake_case names; see ``docs/architecture.md`` for the names that each kind of node has."""


class NodeKind(StrEnum):
    """What a node of the graph stands for. AWS's words for AWS's things."""

    DATASET = "dataset"
    DATASET_VERSION = "dataset-version"
    FEATURE_GROUP = "feature-group"
    PROCESSING_JOB = "processing-job"
    TRAINING_JOB = "training-job"
    TUNING_JOB = "hyper-parameter-tuning-job"
    TRANSFORM_JOB = "transform-job"
    LABELING_JOB = "labeling-job"
    AUTOML_JOB = "automl-job"
    JOB = "job"
    PIPELINE = "pipeline"
    PIPELINE_EXECUTION = "pipeline-execution"
    MODEL = "model"
    MODEL_PACKAGE = "model-package"
    MODEL_PACKAGE_GROUP = "model-package-group"
    MODEL_CARD = "model-card"
    ENDPOINT_CONFIG = "endpoint-config"
    ENDPOINT = "endpoint"
    IMAGE = "image"
    CODE = "code"
    USER = "user"
    CUSTOMIZATION_JOB = "model-customization-job"
    CUSTOM_MODEL = "custom-model"
    FOUNDATION_MODEL = "foundation-model"
    BATCH_INFERENCE_JOB = "model-invocation-job"
    EVALUATION = "evaluation"
    VERDICT = "verdict"
    APPROVAL = "approval"
    OVERRIDE = "override"
    ACTION = "action"
    BASELINE = "baseline"
    DRIFT_REPORT = "drift-report"
    REVIEW = "review"
    FEEDBACK = "feedback"
    ALERT = "alert"
    RUN = "run"
    REGISTERED_MODEL = "registered-model"
    MODEL_VERSION = "model-version"
    ATTESTATION = "attestation"
    MODEL_ALIAS = "model-alias"
    REPRODUCTION = "reproduction"
    FORGETTING = "forgetting"


CODE_ROLES = frozenset({"code", "sm_drivers"})
"""Roles in which a run reads its program as if it were data: script mode's archive, the channels of SageMaker's SDK."""

RUN_KINDS = frozenset(
    {
        NodeKind.PROCESSING_JOB,
        NodeKind.TRAINING_JOB,
        NodeKind.TUNING_JOB,
        NodeKind.TRANSFORM_JOB,
        NodeKind.LABELING_JOB,
        NodeKind.AUTOML_JOB,
        NodeKind.JOB,
        NodeKind.PIPELINE_EXECUTION,
        NodeKind.CUSTOMIZATION_JOB,
        NodeKind.BATCH_INFERENCE_JOB,
        NodeKind.EVALUATION,
        NodeKind.RUN,
    }
)
"""Kinds that run and end: once one of them has ended, no earlier status comes back."""

FINAL_STATUSES = frozenset(
    {
        "Completed",
        "CompletedWithFailures",
        "CompletedWithViolations",
        "Deleted",
        "Expired",
        "Failed",
        "PartiallyCompleted",
        "Stopped",
        "Succeeded",
    }
)
"""Statuses that end a run, in all of SageMaker's and Bedrock's vocabularies (botocore's enums)."""


class EdgeType(StrEnum):
    """SageMaker Lineage's association types; every edge points downstream, from cause to effect."""

    CONTRIBUTED_TO = "ContributedTo"
    PRODUCED = "Produced"
    DERIVED_FROM = "DerivedFrom"
    ASSOCIATED_WITH = "AssociatedWith"
    SAME_AS = "SameAs"


CALLED_ROLE, DONE_ROLE, ATTEMPTED_ROLE = "called", "done", "attempted"
"""Roles of the edges of a call that somebody made: caller -> action, and action -> resource."""


def _to_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs its zone")
    return value.astimezone(UTC)


Instant = Annotated[datetime, AfterValidator(_to_utc)]
"""An aware time, in UTC."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class NodeRef(_Frozen):
    """Names one node.

    ``id`` is an ARN, an S3 URI without a trailing slash (dataset), ``<S3 URI>#<digest>`` (dataset version), an image
    URI with its digest or tag, ``git:<repository>@<commit>`` or ``s3://…`` (code). SageMaker lets a name be used again
    after a deletion, so an ARN alone does not name a job: ``born`` is the resource's creation time in whole seconds.
    It is ``None`` where names are never reused, and where a reference does not tell (it is resolved by time).
    """

    # In the order of canonical JSON (see ``Edge.canonical``).
    born: Instant | None = None
    id: str = Field(min_length=1, max_length=2000)
    kind: NodeKind

    @property
    def key(self) -> str:
        """Return the name that tells this node from all others: ``id``, or ``id@YYYYMMDDTHHMMSSZ``."""
        return self.id if self.born is None else f"{self.id}@{self.born:%Y%m%dT%H%M%SZ}"


class NodeState(_Frozen):
    """What a node was like at one time. ``at`` is None where the node never changes (a dataset version, an image)."""

    node: NodeRef
    at: Instant | None = None
    status: str | None = None
    attributes: Attributes = Field(default_factory=dict)

    @cached_property
    def canonical(self) -> bytes:
        """Return the state's canonical JSON."""
        return canonical_json(self.model_dump(mode="json"))

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of the state's canonical JSON, in hex."""
        return hashlib.sha256(self.canonical).hexdigest()


class Edge(_Frozen):
    """Something flowed from ``source`` to ``target``.

    Args:
        role: What the source was to the target: a channel's name, ``image``, ``code``, ``parent``, ``config`` …
        valid_from: Since when this has held.
        exclusive: Only one source at a time holds this role for the target (an endpoint has one config); a later
            source ends the earlier one's time.
    """

    exclusive: bool = False
    role: str = Field(default="", max_length=256)
    source: NodeRef
    target: NodeRef
    type: EdgeType
    valid_from: Instant

    @cached_property
    def canonical(self) -> bytes:
        """Return the edge's canonical JSON: its fields, and those of a node, are declared in that order."""
        return self.model_dump_json().encode()

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of the edge's canonical JSON, in hex."""
        return hashlib.sha256(self.canonical).hexdigest()


class Origin(StrEnum):
    """How a fact came to us."""

    EVENT = "event"
    """From the event alone: the resource could not be described (any more)."""
    DESCRIBED = "described"
    """The event, and what Describe answered at once."""
    RECONCILED = "reconciled"
    """From List and Describe; no event told of it."""


class Fact(_Frozen):
    """One observation of one subject: immutable, named by its content, added once.

    ``states[0].node`` is ``subject``. Neither the delivery nor the time at which we learned of it is part of the
    content, so a repeated event makes the same fact.
    """

    subject: NodeRef
    origin: Origin
    states: tuple[NodeState, ...] = Field(min_length=1)
    edges: tuple[Edge, ...] = ()

    @cached_property
    def id(self) -> str:
        """Return the SHA-256 of what is asserted, in hex; how it came to us does not count."""
        return canonical_fact(self).id


class RecordedFact(_Frozen):
    """A fact and the time at which we learned of it."""

    fact: Fact
    recorded_at: Instant


class CanonicalFact(NamedTuple):
    """A fact's id and its canonical JSON."""

    id: str
    body: bytes


def canonical_fact(fact: Fact) -> CanonicalFact:
    """Write a fact in canonical JSON; the whole is put together from its parts, which are written once."""
    members = {
        "edges": b"[%b]" % b",".join([edge.canonical for edge in fact.edges]),
        "states": b"[%b]" % b",".join([state.canonical for state in fact.states]),
        "subject": fact.subject.model_dump_json().encode(),
    }
    asserted = hashlib.sha256(_canonical_object(members)).hexdigest()
    return CanonicalFact(asserted, _canonical_object({**members, "origin": canonical_json(fact.origin)}))


def _canonical_object(members: Mapping[str, bytes]) -> bytes:
    return b"{%b}" % b",".join(b"%b:%b" % (canonical_json(name), members[name]) for name in sorted(members))


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical_json(value: object) -> bytes:
    """Return the one way to write a JSON value: keys sorted, no spaces, UTF-8, whole floats as integers."""
    try:
        text = _encode(value)
    except TypeError:  # a mapping that is no dictionary
        text = ""
    if not text or ".0" in text or "e+" in text:  # 1.0 and 1e+16 are whole floats; texts may look so too
        text = _encode(_whole_numbers(value))
    return text.encode()


def canonical_digest(value: object) -> str:
    """Return the SHA-256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _whole_numbers(value: object) -> object:
    # DynamoDB and JSON do not tell 1 from 1.0; a digest must not either.
    if value is None or isinstance(value, str):  # most values, told first
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_whole_numbers(item) for item in value]
    return value
