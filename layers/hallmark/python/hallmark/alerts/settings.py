"""Section ``alerts`` of ``hallmark.yaml``: whom to tell what, when, and who is told when nobody answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from hallmark.alerts.calendars import Digest, TimeInterval
from hallmark.alerts.matching import Matchers
from hallmark.alerts.notifications import ChannelKind
from hallmark.durations import Duration
from hallmark.events.alerts import Severity


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)


def _matching(pattern: str, remedy: str) -> AfterValidator:
    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(remedy)
        return value

    return AfterValidator(check)


SecretName = Annotated[
    str, _matching(r"[A-Za-z0-9/_+=.@-]{1,512}", "write the name of a secret in Secrets Manager, not the secret itself")
]
EmailAddress = Annotated[str, _matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "write an address as team@example.com")]
Name = Annotated[
    str,
    _matching(r"[a-z][a-z0-9-]{0,39}", "write a name of lower-case letters, digits and hyphens, with a letter first"),
]
Positive = Annotated[Duration, Field(gt=timedelta(0))]


# --- receivers --------------------------------------------------------------------------------------------------------


class EmailChannel(_Section):
    """A topic of SNS that sends e-mail; whoever is named here gets a letter to confirm it."""

    addresses: tuple[EmailAddress, ...] = ()


class SlackChannel(_Section):
    """An incoming webhook of Slack."""

    webhook_secret: SecretName
    """Name of the secret that holds the webhook's URL."""
    signing_secret: SecretName | None = None
    """Name of the secret that holds the app's signing secret; with it, buttons act at once (docs/alerts.md)."""


class AmazonQChannel(_Section):
    """A topic of SNS to which a channel configuration of Amazon Q Developer in chat applications is subscribed."""


class PagerDutyChannel(_Section):
    """A service of PagerDuty with an integration for Events API v2."""

    routing_key_secret: SecretName
    """Name of the secret that holds the integration key."""
    webhook_secret: SecretName | None = None
    """Name of the secret with which its webhooks (v3) are signed: acknowledging there acknowledges here."""


class Receiver(_Section):
    """A place where someone is told: one channel."""

    email: EmailChannel | None = None
    slack: SlackChannel | None = None
    amazon_q: AmazonQChannel | None = None
    pagerduty: PagerDutyChannel | None = None
    min_severity: Severity = "info"
    """Less severe alerts are not told here, whatever leads here."""
    send_resolved: bool = True
    """Whether it is told of the end, too."""

    @property
    def channels(self) -> dict[ChannelKind, Any]:
        """Return the channels that are given: exactly one, once the policy is checked."""
        given: dict[ChannelKind, Any] = {
            "email": self.email,
            "slack": self.slack,
            "amazon_q": self.amazon_q,
            "pagerduty": self.pagerduty,
        }
        return {kind: channel for kind, channel in given.items() if channel is not None}

    @property
    def channel(self) -> ChannelKind:
        """Return the kind of its channel."""
        return next(iter(self.channels))


# --- routes -----------------------------------------------------------------------------------------------------------


class Escalation(_Section):
    """Who is told next when nobody has acknowledged."""

    after: Positive
    """Since the first notification."""
    receiver: str


class Budget(_Section):
    """So many notifications about something new in a time; what is new beyond that is one notification together."""

    at_most: int = Field(ge=1, le=500)
    per: Positive = timedelta(hours=1)


class Route(_Section):
    """Which alerts go where, in which groups, how often. What is not said is the parent's."""

    name: Name | None = None
    match: Matchers = {}
    """Labels, ``name`` and ``severity`` among them; nothing matches all."""
    receiver: str | None = None
    goes_on: bool = Field(default=False, alias="continue")
    """Whether the routes after this one may take the alert, too."""
    group_by: tuple[str, ...] | None = None
    """Alerts with the same values of these labels are one notification."""
    group_wait: Positive | None = None
    group_interval: Positive | None = None
    repeat_interval: Positive | None = None
    active_times: tuple[str, ...] | None = None
    """Names of time intervals: outside of them only critical alerts are told."""
    mute_times: tuple[str, ...] | None = None
    """Names of time intervals: within them only critical alerts are told."""
    escalate: tuple[Escalation, ...] | None = None
    digest: Digest | None = None
    """Collects what happens, and tells it at an hour of the day."""
    budget: Budget | None = None
    """How many groups may begin to be told in a time; the others are folded into one group of the route's."""
    routes: tuple[Route, ...] = ()


DEFAULT_GROUP_BY = ("name", "subject", "stage")
DEFAULT_GROUP_WAIT = timedelta(seconds=30)
DEFAULT_GROUP_INTERVAL = timedelta(minutes=5)
DEFAULT_REPEAT_INTERVAL = timedelta(hours=4)


class ResolvedRoute(NamedTuple):
    """A route with all that it inherits."""

    path: str
    """``root/critical``: names, or places among the siblings."""
    match: Mapping[str, tuple[str, ...]]
    goes_on: bool
    receiver: str
    group_by: tuple[str, ...]
    group_wait: timedelta
    group_interval: timedelta
    repeat_interval: timedelta
    active_times: tuple[str, ...]
    mute_times: tuple[str, ...]
    escalate: tuple[Escalation, ...]
    digest: Digest | None
    budget: Budget | None
    routes: tuple[ResolvedRoute, ...]


def _either(own: Any, inherited: Any) -> Any:
    return inherited if own is None else own


def resolve_route(route: Route, parent: ResolvedRoute | None = None, place: str = "root") -> ResolvedRoute:
    """Return a route and its children with what they inherit.

    Args:
        route: As the policy says it.
        parent: Its parent, resolved; None for the root.
        place: Its place among its siblings.
    """
    own = ResolvedRoute(
        path=f"{parent.path}/{route.name or place}" if parent else place,
        match=route.match,
        goes_on=route.goes_on,
        receiver=_either(route.receiver, parent.receiver if parent else ""),
        group_by=_either(route.group_by, parent.group_by if parent else DEFAULT_GROUP_BY),
        group_wait=_either(route.group_wait, parent.group_wait if parent else DEFAULT_GROUP_WAIT),
        group_interval=_either(route.group_interval, parent.group_interval if parent else DEFAULT_GROUP_INTERVAL),
        repeat_interval=_either(route.repeat_interval, parent.repeat_interval if parent else DEFAULT_REPEAT_INTERVAL),
        active_times=_either(route.active_times, parent.active_times if parent else ()),
        mute_times=_either(route.mute_times, parent.mute_times if parent else ()),
        escalate=_either(route.escalate, parent.escalate if parent else ()),
        digest=_either(route.digest, parent.digest if parent else None),
        budget=_either(route.budget, parent.budget if parent else None),
        routes=(),
    )
    children = tuple(resolve_route(child, own, str(index)) for index, child in enumerate(route.routes))
    return own._replace(routes=children)


# --- inhibition, rules, alarms ----------------------------------------------------------------------------------------


class InhibitionRule(_Section):
    """While an alert that fits ``source`` fires, those that fit ``target`` are not told."""

    source: Matchers
    target: Matchers
    equal: tuple[str, ...] = ()
    """Only where both have the same values of these labels; one that both lack counts as the same."""


class Frequency(_Section):
    """So many of the last so many observations."""

    times: int = Field(ge=1, le=50)
    of: int = Field(ge=1, le=50)


def _to_frequency(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+)\s+of\s+(\d+)\s*", value)
    if match is None:
        raise ValueError("write so many of so many observations: 2 of 3")
    if int(match[1]) > int(match[2]):
        raise ValueError(f"{match[1]} of {match[2]} can never be: write the smaller number first")
    return {"times": int(match[1]), "of": int(match[2])}


class RulePolicy(_Section):
    """What the team wants otherwise of one kind of alert."""

    severity: Severity | dict[str, Severity] | None = None
    """One for all, or one a stage; ``default`` stands for every other stage."""
    fires_after: Annotated[Frequency, BeforeValidator(_to_frequency)] | None = None
    """``2 of 3``: so many of the last observations must be bad. Default: one."""
    clears_after: int | None = Field(default=None, ge=1, le=50)
    """So many good observations in a row end it. Default: one."""
    expires: Positive | Literal["never"] | None = None
    """It ends by itself when nobody tells of it any more for so long."""
    enabled: bool = True


class Advice(_Section):
    """What to do about it."""

    advice: tuple[str, ...] = ()
    link: str = ""
    """Address of a runbook."""


class Flapping(_Section):
    """An alert that comes and goes is held as firing until it stays away."""

    changes: int = Field(default=4, ge=2, le=50)
    """So many changes ..."""
    within: Positive = timedelta(hours=1)
    """... in this time make it flap ..."""
    hold: Positive = timedelta(minutes=30)
    """... until it has been good for so long."""


class AlarmChoice(_Section):
    """CloudWatch alarms that become alerts."""

    name: Annotated[
        str, _matching(r"[^*]{0,254}\*?", "write an alarm's name, or how the names begin with * at the end: Hallmark*")
    ]
    severity: Severity = "error"
    labels: dict[str, str] = {}
    """Labels that these alarms' alerts have besides ``alarm``."""


DEFAULT_RECEIVER = "operations"


def _default_receivers() -> dict[str, Receiver]:
    return {DEFAULT_RECEIVER: Receiver(email=EmailChannel())}


def _default_route() -> Route:
    return Route(
        receiver=DEFAULT_RECEIVER,
        routes=(Route(name="info", match={"severity": ("info",)}, group_by=(), digest=Digest()),),
    )


def _default_inhibition() -> tuple[InhibitionRule, ...]:
    return (
        # An endpoint that is down answers nothing: what is measured of its answers is no news.
        InhibitionRule(
            source={"name": ("EndpointDown",)},
            target={"name": ("DriftDetected", "MonitorFailed", "ReviewScoreLow")},
            equal=("subject",),
        ),
        # A suite that does not run says nothing of models.
        InhibitionRule(
            source={"name": ("EvaluationFailed",)}, target={"name": ("ModelWorse", "CoverageLow")}, equal=("suite",)
        ),
        # Who has to put an endpoint back by hand need not be told why it was to be put back.
        InhibitionRule(
            source={"name": ("RollbackFailed",)},
            target={"name": ("QualityGateNotPassed", "DriftDetected")},
            equal=("subject",),
        ),
    )


def _default_alarms() -> tuple[AlarmChoice, ...]:
    return (AlarmChoice(name="Hallmark*", severity="error"),)


class AlertsPolicy(_Section):
    """What the team says of alerts."""

    receivers: dict[Name, Receiver] = Field(default_factory=_default_receivers)
    route: Route = Field(default_factory=_default_route)
    time_intervals: dict[Name, TimeInterval] = {}
    inhibition: tuple[InhibitionRule, ...] = Field(default_factory=_default_inhibition)
    rules: dict[str, RulePolicy] = {}
    """By the alert's name."""
    remediation: dict[str, Advice] = {}
    """By the alert's name, or the metric's."""
    owners: dict[str, str] = {}
    """Owner, as events and tags name them -> receiver, which is told besides."""
    alarms: tuple[AlarmChoice, ...] = Field(default_factory=_default_alarms)
    flapping: Flapping = Field(default_factory=Flapping)
    least_coverage: float = Field(default=0.9, ge=0, le=1)
    """A suite that got fewer of its answers alerts."""
