"""What only the whole section ``alerts`` shows to be wrong: names that are not there, routes that nothing reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from hallmark.alerts.kinds import KINDS, LABELS
from hallmark.alerts.matching import covers
from hallmark.alerts.notifications import SEVERITIES
from hallmark.alerts.settings import AlertsPolicy, Receiver, ResolvedRoute, Route, resolve_route
from hallmark.errors import InvalidInputError


def check_alerts(policy: AlertsPolicy) -> None:
    """Check the section ``alerts``.

    Raises:
        InvalidInputError: Something in it cannot be; says where, and what to write.
    """
    for name, receiver in policy.receivers.items():
        _check_receiver(f"alerts.receivers.{name}", receiver)
    for name in policy.rules:
        _check_known(f"alerts.rules.{name}", name, KINDS, "kind of alert")
    for owner, receiver_name in policy.owners.items():
        _check_known(f"alerts.owners.{owner}", receiver_name, policy.receivers, "receiver")
    if policy.route.match:
        raise InvalidInputError(
            "alerts.route.match", policy.route.match, "the first route takes every alert: match in its `routes`"
        )
    if policy.route.receiver is None:
        raise InvalidInputError("alerts.route.receiver", None, "name who is told of what no other route takes")
    _check_route(policy, policy.route, resolve_route(policy.route), "alerts.route")
    for place, rule in enumerate(policy.inhibition):
        where = f"alerts.inhibition[{place}]"
        _check_matchers(policy, f"{where}.source", rule.source)
        _check_matchers(policy, f"{where}.target", rule.target)
        _check_labels(policy, f"{where}.equal", rule.equal)


def _check_matchers(policy: AlertsPolicy, field: str, matchers: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse what no alert can fit: a slip of the pen here would keep people from being told."""
    _check_labels(policy, field, matchers)
    for label, known in (("name", tuple(KINDS)), ("severity", SEVERITIES)):
        for pattern in matchers.get(label, ()):
            if not any(fnmatchcase(value, pattern.removeprefix("!")) for value in known):
                raise InvalidInputError(
                    f"{field}.{label}", pattern, f"no alert has such a {label}: take one of {', '.join(known)}"
                )


def _check_labels(policy: AlertsPolicy, field: str, labels: Iterable[str]) -> None:
    known = {"name", "severity", *LABELS, *(label for alarm in policy.alarms for label in alarm.labels)}
    for label in labels:
        if label not in known:
            raise InvalidInputError(field, label, f"no alert has this label: take one of {', '.join(sorted(known))}")


def _check_receiver(field: str, receiver: Receiver) -> None:
    if len(receiver.channels) != 1:
        given = ", ".join(receiver.channels) or "no channel"
        raise InvalidInputError(field, given, "give it one of email, slack, amazon_q, pagerduty")


def _check_known(field: str, name: str, known: Iterable[str], word: str) -> None:
    names = list(known)
    if name not in names:
        raise InvalidInputError(field, name, f"there is no such {word}: take one of {', '.join(names) or 'none yet'}")


def _check_route(policy: AlertsPolicy, route: Route, resolved: ResolvedRoute, field: str) -> None:
    if route.receiver is not None:
        _check_known(f"{field}.receiver", route.receiver, policy.receivers, "receiver")
    for times in ("active_times", "mute_times"):
        for place, name in enumerate(getattr(route, times) or ()):
            _check_known(f"{field}.{times}[{place}]", name, policy.time_intervals, "time interval")
    if resolved.digest is None and resolved.repeat_interval < resolved.group_interval:
        given = "repeat_interval" if route.repeat_interval is not None else "group_interval"
        raise InvalidInputError(
            f"{field}.{given}",
            str(getattr(route, given)),
            f"a group is told every {resolved.group_interval} at most: repeat it less often than that",
        )
    _check_matchers(policy, f"{field}.match", route.match)
    _check_labels(policy, f"{field}.group_by", route.group_by or ())
    _check_escalation(policy, route, resolved, field)
    _check_children(route, field)
    for place, (child, found) in enumerate(zip(route.routes, resolved.routes, strict=True)):
        _check_route(policy, child, found, f"{field}.routes[{place}]")


def _check_escalation(policy: AlertsPolicy, route: Route, resolved: ResolvedRoute, field: str) -> None:
    told = [resolved.receiver]
    for place, step in enumerate(resolved.escalate):
        where = f"{field}.escalate[{place}]" if route.escalate is not None else f"{field}.receiver"
        _check_known(f"{where}.receiver", step.receiver, policy.receivers, "receiver")
        if step.receiver in told:
            raise InvalidInputError(
                f"{where}.receiver", step.receiver, "it was told before on this way: escalate to somebody else"
            )
        if place and step.after <= resolved.escalate[place - 1].after:
            raise InvalidInputError(
                f"{where}.after", str(step.after), "it counts from the first notification: wait longer than before"
            )
        told.append(step.receiver)


def _check_children(route: Route, field: str) -> None:
    names = [child.name for child in route.routes if child.name is not None]
    for place, child in enumerate(route.routes):
        if child.name is not None and names.count(child.name) > 1:
            raise InvalidInputError(
                f"{field}.routes[{place}].name", child.name, "another route beside it has this name"
            )
        for earlier in route.routes[:place]:
            if not earlier.goes_on and covers(earlier.match, child.match):
                raise InvalidInputError(
                    f"{field}.routes[{place}].match",
                    {label: list(values) for label, values in child.match.items()},
                    "nothing reaches it: an earlier route takes all of this; put it first, or let that one `continue`",
                )
