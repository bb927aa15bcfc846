"""The questions whose answers are reasoned: why, what was live, what an act would touch, what made a metric worse.

Those of accountability are in ``accountable``. They are apart from ``questions`` so that a first answer does not wait
for them (see there).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hallmark.lineage.accountable import (
    ApprovalsAnswer,
    ApprovalsQuestion,
    ReasonsAnswer,
    ReasonsQuestion,
    WhoAnswer,
    WhoQuestion,
)
from hallmark.lineage.model import Instant
from hallmark.lineage.questions import Answer, Listing, NodeSummary, Question, VersionStep
from hallmark.lineage.surveyed import Difference


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


# --- why ---


class WhyQuestion(Question):
    """Why a node is what it is: what it serves, what that was made of, who and what let it through, what is unknown."""

    ask: Literal["why"] = "why"
    node: str


class Unknown(_Frozen):
    """Something that is not known, and what would mend it."""

    what: str
    remedy: str


class ServedModel(_Frozen):
    """A model as a variant of an endpoint's configuration serves it, and the registered model that it came from."""

    variant: str
    model: NodeSummary
    package: NodeSummary | None = None


class Replaced(_Frozen):
    """What an endpoint served before: until when, by which configuration, which models."""

    until: Instant
    config: NodeSummary
    models: tuple[ServedModel, ...]


class DataUsed(_Frozen):
    """Data that a run read: what it was to the run, and how much of it."""

    role: str
    node: NodeSummary
    objects: int | None = None
    bytes: int | None = None


class Actor(_Frozen):
    """Who did something. ``by`` is an id; ``machine`` tells whether it was a machine, None where that is not known."""

    kind: Literal["approval", "override", "action", "call", "registry", "made"]
    """A call is one of AWS's API that CloudTrail told of; ``registry``: nothing but its status tells."""
    did: str
    by: str
    name: str = ""
    at: Instant | None = None
    reason: str = ""
    machine: bool | None = None


class CriterionTold(_Frozen):
    """A criterion of a verdict: ``margin`` is how far its nearest bound is from the threshold; passed: above nought."""

    name: str
    outcome: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    threshold: float | None = None
    cases: int | None = None
    margin: float | None = None


class VerdictTold(_Frozen):
    """A gate's verdict and the criteria that decided it: those that did not pass, else the closest ones."""

    node: NodeSummary
    gate: str
    stage: str = ""
    action: str = ""
    summary: str = ""
    deciding: tuple[CriterionTold, ...] = ()
    criteria: int = 0


class ModelOrigin(_Frozen):
    """What a model was made of, and what was decided about it; the verdicts and decisions newest first."""

    model: NodeSummary
    version: VersionStep | None = None
    made_by: NodeSummary | None = None
    data: tuple[DataUsed, ...] = ()
    more_data: int = 0
    code: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    people: tuple[Actor, ...] = ()
    verdicts: tuple[VerdictTold, ...] = ()
    decisions: tuple[Actor, ...] = ()
    cause: tuple[Cause, ...] = ()
    """Of a retraining: from the drift report to the run, in that order."""


class Cause(_Frozen):
    """One step of why a model was trained anew."""

    node: NodeSummary
    said: str = ""


class AlertTold(_Frozen):
    """An alert that is open."""

    node: NodeSummary
    severity: str = ""
    summary: str = ""
    acknowledged_by: str = ""


class WhyAnswer(Answer):
    """Why a node is what it is. ``said`` is what its own record says of it: a verdict's summary, an action's reason."""

    answer: Literal["why"] = "why"
    node: NodeSummary
    said: tuple[str, ...] = ()
    since: Instant | None = None
    config: NodeSummary | None = None
    serving: tuple[ServedModel, ...] = ()
    replaced: Replaced | None = None
    about: tuple[NodeSummary, ...] = ()
    """What a verdict, an approval, an action, a report or an alert is about, and what it rests on."""
    led_to: tuple[NodeSummary, ...] = ()
    models: tuple[ModelOrigin, ...] = ()
    alerts: tuple[AlertTold, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    complete: bool = True


# --- live ---


class LiveQuestion(Question):
    """What was in production at ``as_of``, as it was known at ``known_at``."""

    ask: Literal["live"] = "live"
    contains: str = ""
    limit: int = Field(default=100, ge=1, le=1000)
    resume: str | None = None


class LiveModel(_Frozen):
    """A model that an endpoint served, where it came from, and who had approved it."""

    variant: str
    model: NodeSummary
    package: NodeSummary | None = None
    approval_status: str | None = None
    stage: str | None = None
    approvals: tuple[Actor, ...] = ()


class LiveEndpoint(_Frozen):
    """An endpoint in service: by which configuration since when, and which models."""

    endpoint: NodeSummary
    config: NodeSummary | None = None
    since: Instant | None = None
    models: tuple[LiveModel, ...] = ()


class LiveAnswer(Listing):
    """Endpoints in service, by key. ``untold`` counts endpoints that were named but of which no state was known."""

    answer: Literal["live"] = "live"
    endpoints: tuple[LiveEndpoint, ...]
    in_service: int
    untold: int = 0


# --- blast ---


Act = Literal["delete", "reject", "roll"]


class BlastQuestion(Question):
    """What an act would touch: deleting all under an S3 prefix, rejecting a model package, rolling an image."""

    ask: Literal["blast"] = "blast"
    act: Act
    target: str
    node_budget: int = Field(default=200_000, ge=1, le=1_000_000)
    time_budget_seconds: float = Field(default=20.0, gt=0)
    resume: str | None = None


class Hit(_Frozen):
    """A node that the act would touch, how, and who has it. ``certain`` is False where it may be, or may not."""

    node: NodeSummary
    effect: Literal["breaks", "must change", "loses evidence", "cannot be repeated", "is judged again", "descends"]
    why: str
    certain: bool = True
    owners: tuple[str, ...] = ()


class Hits(_Frozen):
    """How many nodes of those looked at so far an effect has, how many of them certainly, and a page of them."""

    effect: str
    count: int
    certain: int
    hits: tuple[Hit, ...]


class Kept(_Frozen):
    """Data that would be deleted and whose content lies elsewhere, too."""

    node: NodeSummary
    elsewhere: tuple[NodeSummary, ...]


class BlastAnswer(Listing):
    """What an act would touch, the worst first. Read-only: nothing was done.

    A page has the next 50 nodes of each effect; ``owners`` are those of the nodes of the page.
    """

    answer: Literal["blast"] = "blast"
    act: Act
    target: str
    targets: tuple[NodeSummary, ...]
    target_count: int
    effects: tuple[Hits, ...]
    owners: tuple[str, ...]
    kept: tuple[Kept, ...] = ()
    kept_count: int = 0
    unknown: tuple[Unknown, ...] = ()


# --- bisect ---


Better = Literal["higher", "lower"]


class BisectQuestion(Question):
    """What changed between the last good and the first bad version of a model, by a metric.

    Bad is what does not reach ``threshold``; without one, what came after the largest drop.
    """

    ask: Literal["bisect"] = "bisect"
    metric: str = Field(min_length=1)
    node: str
    threshold: float | None = Field(default=None, allow_inf_nan=False)
    better: Better | None = None
    limit: int = Field(default=50, ge=2, le=200)


class Measured(_Frozen):
    """A version and the metric's value: where it was taken from, with its bounds and cases where those are known."""

    node: NodeSummary
    value: float | None = None
    low: float | None = None
    high: float | None = None
    cases: int | None = None
    source: str = ""
    good: bool | None = None


class Suspect(_Frozen):
    """A change between the last good and the first bad version, and how it did elsewhere.

    Of the ``elsewhere`` other steps with the same change, ``dropped`` lost in the metric; ``suspicion`` is
    (dropped + 1) / (elsewhere + 2).
    """

    difference: Difference
    elsewhere: int
    dropped: int
    suspicion: float


class BisectAnswer(Answer):
    """Versions in their order, the step at which the metric fell, and what changed there, the likeliest first."""

    answer: Literal["bisect"] = "bisect"
    metric: str
    subject: NodeSummary
    better: Better
    better_from: Literal["asked", "name", "threshold"]
    rule: str
    versions: tuple[Measured, ...]
    last_good: NodeSummary | None = None
    first_bad: NodeSummary | None = None
    drop: float | None = None
    overlapping: bool | None = None
    """Whether the bounds of the two versions overlap: then the drop may be none. None where bounds are not known."""
    between: tuple[NodeSummary, ...] = ()
    """Versions between the two whose value is not known."""
    suspects: tuple[Suspect, ...] = ()
    metrics_known: tuple[str, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    complete: bool = True


QUESTIONS: Mapping[str, type[Question]] = {
    "why": WhyQuestion,
    "live": LiveQuestion,
    "blast": BlastQuestion,
    "bisect": BisectQuestion,
    "who": WhoQuestion,
    "approvals": ApprovalsQuestion,
    "reasons": ReasonsQuestion,
}
ANSWERS: Mapping[str, type[Answer]] = {
    "why": WhyAnswer,
    "live": LiveAnswer,
    "blast": BlastAnswer,
    "bisect": BisectAnswer,
    "who": WhoAnswer,
    "approvals": ApprovalsAnswer,
    "reasons": ReasonsAnswer,
}

Told = Mapping[str, Any]
"""Attributes of a node."""
