"""Who somebody is, as AWS says it, and whether that is somebody whom the policy or a record names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

_SSO_ROLES = "AWSReservedSSO_"
"""Sessions of these roles have the name of the person (IAM Identity Center user guide); in every other role, whoever
may assume it chooses the session's name, so it proves nothing."""


class Person(BaseModel):
    """A caller, as ``GetCallerIdentity`` tells; or the author of a model, as the registry does."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    arn: str
    """``arn:aws:iam::…:user/NAME`` or ``arn:aws:sts::…:assumed-role/ROLE/SESSION``."""
    principal: str = ""
    """The unique id: ``AIDA…`` of a user, ``AROA…:SESSION`` of a role's session."""

    @property
    def name(self) -> str:
        """Return the name that is theirs alone: a user's, or that of a person of IAM Identity Center; else nothing."""
        resource = self.arn.rpartition(":")[2]
        kind, _, rest = resource.partition("/")
        if kind == "user":
            return rest.rpartition("/")[2]
        role, _, session = rest.partition("/")
        return session if kind == "assumed-role" and role.startswith(_SSO_ROLES) else ""

    def is_same_as(self, other: Person) -> bool:
        """Tell whether both are one person, as far as AWS tells."""
        return (
            self.arn == other.arn
            or (self.principal != "" and self.principal == other.principal)
            or (self.name != "" and self.name == other.name)
        )

    def is_among(self, patterns: Iterable[str]) -> bool:
        """Tell whether one of the patterns means this person: an ARN (``*`` may be in it), or a name."""
        return any(
            fnmatchcase(self.arn, pattern) if pattern.startswith("arn:") else pattern == self.name != ""
            for pattern in patterns
        )


class Actor(StrEnum):
    """What is known of whoever called: one person, or why nobody can tell which one."""

    PERSON = "person"
    """A user of IAM, or a person of IAM Identity Center: the name is theirs alone."""
    MACHINE = "machine"
    """An AWS service, a service's role, or a workload that says so itself."""
    SESSION = "session"
    """A session of a role: whoever may assume the role chose its name, so it proves nobody."""
    ROOT = "root"
    """The account's root: a person without a name."""
    ACCOUNT = "account"
    """Another account; it knows its own people."""
    UNKNOWN = "unknown"


HUMAN_ACTORS = frozenset({Actor.PERSON, Actor.SESSION, Actor.ROOT})
"""Who must say why: sessions too, since a person may be behind one."""


class HumanRules(NamedTuple):
    """What the policy says of people."""

    machines: tuple[str, ...] = ()
    """Patterns of ARNs and names that are machines, though AWS takes them for users."""
    authors_may_approve: tuple[str, ...] = ()
    """Patterns of model package groups whose authors may approve."""
    reasons_required: bool = False
    revealed: Callable[[str], str] = str
    """Returns a text with names where tokens of people stood, as far as they were not forgotten."""


NO_RULES = HumanRules()


class Caller(BaseModel):
    """Who called an API of AWS, as CloudTrail tells it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    actor: Actor
    id: str = ""
    """What names them in the graph: the ARN of the user or session; of a machine its role's, else the service."""
    name: str = ""
    """The name that is theirs alone; people have one."""
    principal: str = ""
    role: str = ""
    session: str = ""
    via: str = ""
    """The service or workload that called in their name."""
    claimed: str = ""
    """The source identity that was set when the role was assumed. It is told on, and proves nothing by itself."""
    multi_factor: bool = False


def caller_of(identity: Mapping[str, Any], user_agent: str = "", source: str = "") -> Caller:
    """Tell who is behind a ``userIdentity`` of CloudTrail (user guide, "CloudTrail userIdentity element").

    A person for whom a service calls (CloudFormation, say) stays that person. A session that says that it is a machine
    is believed: nobody gains by it.

    Args:
        identity: ``userIdentity``.
        user_agent: ``userAgent``.
        source: ``sourceIPAddress``: of a service's own call the service's name.
    """
    kind, arn = _text(identity, "type"), _text(identity, "arn")
    context = _section(identity, "sessionContext")
    issuer = _section(context, "sessionIssuer")
    role = _text(issuer, "arn") if _text(issuer, "type") != "IAMUser" else ""
    via = _text(identity, "invokedBy") or _text(_section(identity, "inScopeOf"), "credentialsIssuedTo")
    known: dict[str, Any] = {
        "principal": _text(identity, "principalId"),
        "role": role,
        "via": via,
        "claimed": _text(context, "sourceIdentity"),
        "multi_factor": _text(_section(context, "attributes"), "mfaAuthenticated") == "true",
    }
    session, name, identifier = _session(arn), Person(arn=arn).name, arn or known["principal"]
    behind = _section(identity, "onBehalfOf")
    if kind == "AWSService" or (not name and _is_machine(identity, context, role, user_agent, source)):
        # Sessions of machines are many and short-lived: their role, or the service itself, is who they are.
        actor, identifier = Actor.MACHINE, role or arn or via
    elif kind == "IdentityCenterUser" and _text(behind, "userId"):
        actor, name = Actor.PERSON, _text(behind, "userId")
        identifier = "/".join(part for part in (_text(behind, "identityStoreArn"), name) if part)
    elif kind == "IAMUser":
        actor, name = Actor.PERSON, name or _text(identity, "userName")
    elif kind == "AssumedRole":
        actor, identifier = Actor.PERSON if name else Actor.SESSION, arn or role
    elif kind.endswith("User"):
        # Whoever issued the credentials chose a federated user's name (STS API reference, GetFederationToken).
        actor, session = Actor.SESSION, arn.rpartition("/")[2]
    else:
        actor, name = _ACTORS.get(kind, Actor.UNKNOWN), ""
        identifier = identifier or _text(identity, "accountId")
    return Caller(actor=actor, id=identifier, name=name, session=session, **known)


_ACTORS = {"Root": Actor.ROOT, "AWSAccount": Actor.ACCOUNT}
_OF_SERVICES = ".amazonaws.com"
_SERVICE_ROLES = "/aws-service-role/"
_WORKLOADS = "exec-env/"
"""SDKs in Lambda, ECS and CodeBuild say where they run (``AWS_EXECUTION_ENV``) in their user agent."""
_CONSOLES = frozenset({"exec-env/CloudShell"})
_BUILD_SYSTEMS = ("token.actions.githubusercontent.com", "gitlab.com", "oidc.eks.", "oidc.circleci.com")


def _is_machine(
    identity: Mapping[str, Any], context: Mapping[str, Any], role: str, user_agent: str, source: str
) -> bool:
    provider = _text(_section(context, "webIdFederationData"), "federatedProvider")
    return (
        _text(identity, "invokedBy").endswith(_OF_SERVICES)
        or source.endswith(_OF_SERVICES)
        or _SERVICE_ROLES in role
        or "ec2RoleDelivery" in context
        or bool(_text(_section(identity, "inScopeOf"), "credentialsIssuedTo"))
        or (_WORKLOADS in user_agent and not any(console in user_agent for console in _CONSOLES))
        or any(system in provider for system in _BUILD_SYSTEMS)
    )


def _session(arn: str) -> str:
    resource = arn.rpartition(":")[2]
    return resource.split("/", 2)[-1] if resource.startswith("assumed-role/") else ""


def _text(section: Mapping[str, Any], name: str) -> str:
    value = section.get(name)
    return value.strip() if isinstance(value, str) else ""


def _section(section: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = section.get(name)
    return value if isinstance(value, Mapping) else {}
