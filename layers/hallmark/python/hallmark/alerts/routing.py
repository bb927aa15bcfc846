"""From an alert's labels to the groups in which it is told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from hallmark.alerts.matching import Labels, fits
from hallmark.alerts.settings import AlertsPolicy, ResolvedRoute, resolve_route

OWNERS = "owners"
"""Path of the route by which owners are told, besides all others."""


class GroupKey(NamedTuple):
    """Which group: its route, its receiver, and what its alerts have in common."""

    route: str
    receiver: str
    labels: tuple[tuple[str, str], ...]

    @property
    def id(self) -> str:
        """Return the group's name: 16 hex digits."""
        return hashlib.sha256(json.dumps(self, ensure_ascii=False).encode()).hexdigest()[:16]


def folded(key: GroupKey) -> GroupKey:
    """Return the one group of a route's in which all is told that its budget leaves no room for."""
    return key._replace(labels=())


class Routes:
    """The policy's routes, resolved."""

    def __init__(self, policy: AlertsPolicy) -> None:
        self._policy = policy
        self.root = resolve_route(policy.route)
        self._by_path = {route.path: route for route in walk(self.root)}

    def find(self, path: str, receiver: str) -> ResolvedRoute | None:
        """Return the route of a group; None where the policy has it no more."""
        if receiver not in self._policy.receivers:
            return None
        if path == OWNERS:
            return self.root._replace(path=OWNERS, receiver=receiver, escalate=(), digest=None, routes=())
        route = self._by_path.get(path)
        return route if route is not None and route.receiver == receiver else None

    def groups_of(self, labels: Labels, owners: Sequence[str] = ()) -> list[GroupKey]:
        """Return the groups that an alert belongs to: by its routes, and by its owners."""
        routes = list(matching_routes(self.root, labels))
        told = {route.receiver for route in routes}
        receivers = dict.fromkeys(self._policy.owners[owner] for owner in owners if owner in self._policy.owners)
        routes += [found for name in receivers if name not in told and (found := self.find(OWNERS, name)) is not None]
        return [GroupKey(route.path, route.receiver, _common(route, labels)) for route in routes]


def walk(route: ResolvedRoute) -> Iterator[ResolvedRoute]:
    """Yield a route and all below it."""
    yield route
    for child in route.routes:
        yield from walk(child)


def matching_routes(route: ResolvedRoute, labels: Labels) -> Iterator[ResolvedRoute]:
    """Yield the deepest routes that take an alert: the first child that fits, and those after one that goes on."""
    taken = False
    for child in route.routes:
        if fits(child.match, labels):
            taken = True
            yield from matching_routes(child, labels)
            if not child.goes_on:
                break
    if not taken:
        yield route


def is_quiet(route: ResolvedRoute, policy: AlertsPolicy, now: datetime) -> bool:
    """Tell whether only critical alerts are told on a route at a time."""
    if any(policy.time_intervals[name].has(now) for name in route.mute_times):
        return True
    return bool(route.active_times) and not any(policy.time_intervals[name].has(now) for name in route.active_times)


def _common(route: ResolvedRoute, labels: Labels) -> tuple[tuple[str, str], ...]:
    return tuple((label, labels.get(label, "")) for label in sorted(set(route.group_by)))
