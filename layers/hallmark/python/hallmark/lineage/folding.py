"""What a node is like now, or was like at a time: the fold of all its states. Order and repeats do not matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from hallmark.lineage.model import FINAL_STATUSES, RUN_KINDS, NodeKind, NodeState
from hallmark.lineage.ports import RecordedState

WATCHED = ("approval_status", "stage", "stage_status", "config", "best_training_job", "points_to", "lifecycle")
"""Attributes whose changes are a node's history, beside its status."""

_MERGED = frozenset({"steps"})
"""Attributes that several observations add to, each a part."""

_KEPT_TOGETHER = frozenset({"facets"})
"""Facets by their names: each observation may bring others."""

_JOINED = frozenset({"inputs", "outputs"})
"""Lists to which each observation of another tool's run may add: such tools tell of a run in parts."""

_OF_ONE_MOMENT = frozenset(
    {"deployed_images", "failure_reason", "pending_config", "previous_approval_status", "updated_fields"}
)
"""Attributes that say something of one state only: without them, the newest state has none."""

_EARLIEST = datetime.min.replace(tzinfo=UTC)


class FoldedNode(NamedTuple):
    """The view of a node."""

    status: str | None
    at: datetime | None
    attributes: dict[str, Any]
    deleted_at: datetime | None


class Change(NamedTuple):
    """A field went from one value to another."""

    at: datetime
    recorded_at: datetime
    field: str
    before: Any
    after: Any


def status_rank(kind: NodeKind, status: str | None) -> int:
    """Return how strongly a status holds: deletion beats all; a run that has ended has no earlier status again."""
    if status == "Deleted":
        return 2
    return int(kind in RUN_KINDS and status in FINAL_STATUSES)


def in_order(states: Iterable[RecordedState]) -> list[RecordedState]:
    """Return states in the order in which the later one wins: rank, time, then canonical order."""

    def weight(recorded: RecordedState) -> tuple[int, datetime, int, str]:
        state = recorded.state
        told_alone = bool(state.attributes.get("event_only"))
        return (status_rank(state.node.kind, state.status), state.at or _EARLIEST, -int(told_alone), state.digest)

    return sorted(states, key=weight)


def fold(states: Sequence[RecordedState]) -> FoldedNode:
    """Merge states field by field: the newest value of each wins, and a field that only an older state has stays."""
    status: str | None = None
    at: datetime | None = None
    deleted_at: datetime | None = None
    attributes: dict[str, Any] = {}
    for recorded in in_order(states):
        state = recorded.state
        if state.status is not None:
            status = state.status
        if state.at is not None:
            at = state.at
        if state.status == "Deleted":
            deleted_at = state.at if deleted_at is None or (state.at and state.at < deleted_at) else deleted_at
        attributes = {name: value for name, value in attributes.items() if name not in _OF_ONE_MOMENT}
        for name, value in state.attributes.items():
            if name in _MERGED and isinstance(value, Mapping):
                attributes[name] = _merge_steps(attributes.get(name, {}), value)
            elif name in _KEPT_TOGETHER and isinstance(value, Mapping):
                attributes[name] = {**attributes.get(name, {}), **value}
            elif name in _JOINED and state.node.kind is NodeKind.RUN and isinstance(value, list):
                attributes[name] = _join(attributes.get(name, []), value)
            else:
                attributes[name] = value
    if (
        attributes.get("event_only")
        and status != "Deleted"
        and any(not recorded.state.attributes.get("event_only") for recorded in states)
    ):
        del attributes["event_only"]
    return FoldedNode(status, at, attributes, deleted_at)


def _merge_steps(known: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(known)
    for name, step in told.items():
        earlier = merged.get(name, {})
        ended = earlier.get("status") in FINAL_STATUSES and step.get("status") not in FINAL_STATUSES
        merged[name] = {**step, **earlier} if ended else {**earlier, **step}
    return dict(sorted(merged.items()))


def _join(known: list[Any], told: list[Any]) -> list[Any]:
    """Return what both lists name, each use once: as it was told last."""
    uses = {(use.get("role"), use.get("uri"), use.get("version")): use for use in (*known, *told)}
    return [uses[key] for key in sorted(uses, key=str)]


def changes(states: Sequence[RecordedState]) -> list[Change]:
    """Return a node's history: each change of its status and of the watched attributes, by time."""
    found: list[Change] = []
    current: dict[str, Any] = {}
    timed = [recorded for recorded in states if recorded.state.at is not None]
    for recorded in sorted(timed, key=lambda item: (item.state.at, *_history_order(item))):
        state = recorded.state
        told = {"status": state.status, **{name: state.attributes.get(name) for name in WATCHED}}
        for field, after in told.items():
            if after is not None and current.get(field) != after:
                moment = state.at or _EARLIEST
                found.append(Change(moment, recorded.recorded_at, field, current.get(field), after))
                current[field] = after
    return found


def _history_order(recorded: RecordedState) -> tuple[int, str]:
    return status_rank(recorded.state.node.kind, recorded.state.status), recorded.state.digest


def is_of_this_life(state: NodeState, created_at: datetime | None) -> bool:
    """Tell whether a state is one of the resource that was made then, not of one that had its name before."""
    if created_at is None:
        return True
    born = created_at.replace(microsecond=0)
    if state.node.born is not None:
        return state.node.born == born
    return state.at is not None and state.at >= born
