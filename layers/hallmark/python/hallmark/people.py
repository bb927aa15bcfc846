"""Who somebody is, as AWS says it, and whether that is somebody whom the policy or a record names."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict

_SSO_ROLES = "AWSReservedSSO_"
"""Sessions of these roles have the name of the person (IAM Identity Center user guide); in every other role, whoever
may assume it chooses the session's name, so it proves nothing."""


class Person(BaseModel):
    """A caller, as ``GetCallerIdentity`` tells; or the author of a model, as the registry does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
