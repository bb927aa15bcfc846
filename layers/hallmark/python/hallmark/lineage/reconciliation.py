"""Reconciliation: what the account has is compared with what is recorded; the rest is described and recorded.

The first sweep over an account is its backfill: the same code, with nothing recorded yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hallmark.errors import InvalidInputError, NotFoundError
from hallmark.lineage.model import Instant, NodeKind
from hallmark.lineage.ports import NodeReader
from hallmark.lineage.recording import Surroundings, record_description
from hallmark.lineage.references import resource_ref

OVERLAP = timedelta(hours=1)
"""A sweep looks back this far beyond the start of the last finished one: listings are eventually consistent."""

SWEPT: tuple[str, ...] = (
    "processing-job",
    "hyper-parameter-tuning-job",
    "training-job",
    "transform-job",
    "model-package-group",
    "model-package",
    "model",
    "endpoint-config",
    "endpoint",
    "feature-group",
    "model-card",
    "pipeline-execution",
    "model-customization-job",
    "model-invocation-job",
)
"""Kinds in the order of a sweep: what others refer to comes first."""


class Listed(NamedTuple):
    """One resource of a listing. ``approval`` is a model package's; ``steps`` are a pipeline execution's events."""

    arn: str
    status: str | None
    changed_at: datetime | None
    approval: str | None = None


class Page(NamedTuple):
    """A page of a listing, and the token of the next one."""

    resources: list[Listed]
    following: str | None


class ResourceLister(Protocol):
    """The account's resources."""

    def page(self, resource: str, since: datetime | None, token: str | None) -> Page:
        """List resources of a kind that changed since a time, where AWS can tell; all of them, where it cannot.

        Raises:
            InvalidInputError: The token is no longer valid.
            UnavailableError: AWS did not answer.
        """
        ...

    def steps(self, execution_arn: str) -> Iterator[dict[str, object]]:
        """Yield the steps of a pipeline execution, each as the detail of its event."""
        ...


class Counts(BaseModel):
    """What became of the resources of one kind."""

    model_config = ConfigDict(extra="forbid")

    listed: int = 0
    skipped: int = 0
    recorded: int = 0
    failed: int = 0


class Sweep(BaseModel):
    """A sweep and how far it has come: the body of the message that continues it."""

    model_config = ConfigDict(extra="forbid")

    since: Instant | None = None
    started_at: Instant | None = None
    kinds: tuple[str, ...] = SWEPT
    token: str | None = None
    counts: dict[str, Counts] = Field(default_factory=dict)
    full: bool = False
    """Whether ``since`` is meant as it stands; otherwise the last finished sweep says since when."""


def read_sweep(body: str) -> Sweep:
    """Read the message that starts or continues a sweep.

    Raises:
        InvalidInputError: It is none.
    """
    try:
        sweep = Sweep.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(step) for step in fault["loc"]) or "the message"
        raise InvalidInputError(field, fault["input"], fault["msg"]) from None
    unknown = [kind for kind in sweep.kinds if kind not in SWEPT]
    if unknown:
        raise InvalidInputError("kinds", unknown[0], f"choose from {', '.join(SWEPT)}")
    return sweep


def continue_sweep(
    sweep: Sweep, lister: ResourceLister, reader: NodeReader, surroundings: Surroundings, may_go_on: Callable[[], bool]
) -> Sweep:
    """Work off a sweep page by page until it ends or may not go on; return it as far as it has come.

    A resource that cannot be described is counted and does not stop the sweep; ``kinds`` of the returned sweep is empty
    once everything has been seen.

    Raises:
        UnavailableError: AWS did not answer; the same message may be worked off again, nothing is recorded twice.
    """
    left, token = list(sweep.kinds), sweep.token
    counts = {kind: found.model_copy() for kind, found in sweep.counts.items()}
    while left and may_go_on():
        kind = left[0]
        try:
            page = lister.page(kind, sweep.since, token)
        except InvalidInputError:
            if token is None:
                raise
            token = None
            continue
        tally = counts.setdefault(kind, Counts())
        for listed in page.resources:
            tally.listed += 1
            _reconcile(kind, listed, lister, reader, surroundings, tally)
        token = page.following
        if token is None:
            left.pop(0)
    return sweep.model_copy(update={"kinds": tuple(left), "token": token, "counts": counts})


def _reconcile(
    resource: str,
    listed: Listed,
    lister: ResourceLister,
    reader: NodeReader,
    surroundings: Surroundings,
    tally: Counts,
) -> None:
    kind = NodeKind(resource)
    if _is_recorded(kind, listed, reader):
        tally.skipped += 1
        return
    try:
        description = surroundings.describer.describe(kind, listed.arn)
        if description is None:
            raise NotFoundError(listed.arn)
        tags = surroundings.describer.tags(listed.arn)
        recording = record_description(resource, listed.arn, description, surroundings, tags=tags)
        tally.recorded += recording.new
        tally.skipped += not recording.new
        if kind is NodeKind.PIPELINE_EXECUTION:
            for step in lister.steps(listed.arn):
                record_description("pipeline-step", listed.arn, step, surroundings)
    except (NotFoundError, InvalidInputError):
        tally.failed += 1


def _is_recorded(kind: NodeKind, listed: Listed, reader: NodeReader) -> bool:
    """Tell whether a described state as new as the listing is recorded already."""
    for recorded in reader.states(resource_ref(listed.arn, kind).id):
        state = recorded.state
        fresh = listed.changed_at is None or (
            state.at is not None and state.at >= listed.changed_at.replace(microsecond=0)
        )
        same = (listed.status is None or state.status == listed.status) and (
            listed.approval is None or state.attributes.get("approval_status") == listed.approval
        )
        if fresh and same and not state.attributes.get("event_only"):
            return True
    return False
