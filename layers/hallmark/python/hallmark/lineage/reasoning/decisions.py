"""What serves, what was decided about a model, by whom, and whether a person did it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from hallmark.lineage.folding import changes
from hallmark.lineage.model import NodeKind
from hallmark.lineage.numbering import MODEL_KINDS
from hallmark.lineage.reasoned import Actor
from hallmark.lineage.view import Link, Moment

SERVING_STATUSES = frozenset({"InService", "Updating", "SystemUpdating", "RollingBack", "UpdateRollbackFailed"})
"""Statuses of an endpoint that answers: while it is updated it serves the former configuration, after a rollback that
failed a mix of both (SageMaker API reference, DescribeEndpoint, EndpointStatus)."""

REGISTERED_KINDS = (*MODEL_KINDS, NodeKind.CUSTOM_MODEL, NodeKind.FOUNDATION_MODEL)
_KINDS: Mapping[NodeKind, Literal["approval", "override", "action"]] = {
    NodeKind.APPROVAL: "approval",
    NodeKind.OVERRIDE: "override",
    NodeKind.ACTION: "action",
}
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_PEOPLE = ("user", "person", "root")
_UNPROVEN = frozenset({"session", "account", "unknown"})
"""What a call says of its caller where nobody can tell who that is (``hallmark.people.Actor``)."""


class Serving(NamedTuple):
    """A model as a variant serves it, and the registered model that it came from."""

    variant: str
    model: int
    package: int | None


def config_of(moment: Moment, endpoint: int) -> Link | None:
    """Return the configuration that an endpoint serves."""
    configs = [link for link in moment.into(endpoint, NodeKind.ENDPOINT_CONFIG) if link.role == "config"]
    return max(configs, key=lambda link: (link.since or _EARLIEST, moment.graph.key(link.row)), default=None)


def models_of(moment: Moment, config: int) -> list[Serving]:
    """Return the models of a configuration, by variant."""
    found = []
    for link in moment.into(config, NodeKind.MODEL):
        packages = moment.into(link.row, *REGISTERED_KINDS)
        found += [Serving(link.role, link.row, package.row) for package in packages] or [
            Serving(link.role, link.row, None)
        ]
    return sorted(found, key=lambda each: (each.variant, moment.graph.key(each.model)))


def decisions_of(moment: Moment, row: int) -> list[Actor]:
    """Return what was decided about a model by approvals, overrides, promotions and calls, newest first.

    Where nothing but the registry's own status tells of an approval, that is told, without a person.
    """
    found = [_decision(moment, link.row, called=False) for link in moment.out_of(row, *_KINDS)]
    found += [_decision(moment, link.row, called=True) for link in _calls(moment, row)]
    found += _of_registry(moment, row, found)
    unique = {(actor.did, actor.by, actor.at): actor for actor in found}
    return sorted(unique.values(), key=lambda actor: (actor.at is not None, actor.at, actor.did), reverse=True)


def _calls(moment: Moment, row: int) -> Iterator[Link]:
    """Yield the calls of AWS's APIs that moved a model: not those that only made or read it."""
    for link in moment.into(row, NodeKind.ACTION):
        told = moment.attributes(link.row)
        if told.get("approval_status") or told.get("stage"):
            yield link


def _decision(moment: Moment, row: int, *, called: bool) -> Actor:
    node = moment.node(row)
    told = node.attributes
    did = str(told.get("name") or node.status or moment.graph.kind(row).value)
    moved = told.get("approval_status") or told.get("stage")
    if moved:
        did = f"{moved} ({told.get('name')})"
    if node.status in {"Attempted", "attempted"}:
        did = f"attempted: {did}"
    return Actor(
        kind="call" if called else _KINDS[moment.graph.kind(row)],
        did=did,
        by=str(told.get("by") or told.get("acknowledged_by") or ""),
        name=str(told.get("by_name") or ""),
        at=node.at,
        reason=str(told.get("reason") or ""),
        machine=is_machine(str(told.get("by") or ""), told),
    )


def _of_registry(moment: Moment, row: int, decided: list[Actor]) -> list[Actor]:
    if moment.graph.kind(row) is not NodeKind.MODEL_PACKAGE or decided:
        return []
    told = moment.attributes(row)
    moves = [change for change in changes(moment.states(row)) if change.field == "approval_status"]
    if not moves or moves[-1].after not in {"Approved", "Rejected"}:
        return []
    reason = str(told.get("approval_description") or "")
    return [Actor(kind="registry", did=f"{moves[-1].after} in the registry", by="", at=moves[-1].at, reason=reason)]


def is_machine(who: str, told: Mapping[str, Any]) -> bool | None:
    """Tell whether a machine did it; None where that is not known.

    What CloudTrail's own record says of the caller counts most. Else IAM users and people of IAM Identity Center are
    persons, other roles may be either, and what has no ARN (a workflow's name) is a machine.
    """
    actor = str(told.get("actor") or "").lower()
    if actor in _UNPROVEN:
        return None
    if actor:
        return not any(word in actor for word in _PEOPLE)
    if not who:
        return None
    if not who.startswith("arn:"):
        return True
    resource = who.rpartition(":")[2]
    if resource.startswith(("user/", "user-profile/")) or "AWSReservedSSO_" in resource:
        return False
    return None


def owners_of(told: Mapping[str, Any]) -> list[str]:
    """Return who has a node: what its tags and owners say, else who made it."""
    tags = {str(name).lower(): str(value) for name, value in (told.get("tags") or {}).items()}
    named = [tags[name] for name in ("owner", "hallmark:owner", "team", "contact", "owners") if tags.get(name)]
    listed = told.get("owners")
    named += [str(each) for each in listed] if isinstance(listed, list) else []
    return list(dict.fromkeys(named)) or ([str(told["created_by"])] if told.get("created_by") else [])
